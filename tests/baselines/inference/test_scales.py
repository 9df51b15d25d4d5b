"""Hungarian matching of several scales."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from entityseg.baselines.inference.options import InferenceOptions
from entityseg.baselines.inference.reading import Found, disjoint_masks
from entityseg.baselines.inference.scales import join_scales, match
from tests.baselines.inference import cases, plain


def test_the_best_assignment_is_found_not_the_greedy_one() -> None:
    def mask(start: int, stop: int) -> np.ndarray:
        return (np.arange(12) >= start) & (np.arange(12) < stop)

    ours = np.array([mask(0, 10), mask(2, 11)], float)
    theirs = np.array([mask(0, 11), mask(0, 8)], float)
    # IoUs 10/11 and 8/10, 9/11 and 6/11: the greedy pair, 10/11, would leave 6/11.
    assert match(ours, theirs).tolist() == [1, 0]
    assert match(ours, theirs, least=0.81).tolist() == [-1, 0]


def test_unsure_masks_are_alike_themselves() -> None:
    shares = np.random.default_rng(0).uniform(0.3, 0.7, (5, 400))
    assert match(shares, shares).tolist() == [0, 1, 2, 3, 4]
    assert match(shares, 1 - np.round(shares), least=0.9).tolist() == [-1] * 5


def test_shuffled_queries_are_found_again_and_averaged() -> None:
    case = cases.random_case(0, (90, 120), "none", queries=6)
    case = replace(case, maps=(np.where(case.maps[0] > 0, 6.0, -6.0),))
    classes = cases.random_classes(0, 6, 1)
    order = np.array([3, 0, 5, 1, 2, 4])
    other = replace(case, maps=(case.maps[0][order],))
    shuffled = Found(cases.random_classes(1, 6, 1)[order], other, fused=False)
    joined = join_scales([Found(classes, case, fused=False), shuffled])
    np.testing.assert_array_equal(order[joined.logits.query_of[1]], np.arange(6))
    np.testing.assert_allclose(joined.classes, (classes + cases.random_classes(1, 6, 1)) / 2)
    # A query that the other scale lacks keeps its own classes.
    fewer = replace(other, maps=(other.maps[0][1:],), query_of=np.arange(5)[None])
    lacking = join_scales(
        [Found(classes, case, fused=False), Found(shuffled.classes[1:], fewer, fused=False)]
    )
    assert lacking.logits.query_of[1][3] == -1
    np.testing.assert_array_equal(lacking.classes[3], classes[3])
    # The same masks twice are the masks.
    options = InferenceOptions(keep_empty=True)
    same = join_scales([Found(classes, case, fused=False), Found(classes[order], other, fused=False)])
    alone = disjoint_masks(Found(classes, case, fused=False), options)
    assert disjoint_masks(same, options).masks == alone.masks


def test_scales_of_other_network_sizes_are_fused_at_the_images_size() -> None:
    one = cases.random_case(2, (64, 96), "none", queries=3, short=32)
    two = cases.random_case(2, (64, 96), "none", queries=3, short=60)
    classes = cases.random_classes(0, 3, 1)
    joined = join_scales([Found(classes, one, fused=False), Found(classes, two, fused=False)])
    query_of = joined.logits.query_of
    shares = joined.logits.rows(np.arange(3), 0, 64)
    for query in range(3):
        parts = []
        for case, row in zip((one, two), query_of[:, query], strict=True):
            if row >= 0:
                maps = np.stack(case.maps, axis=1)
                parts.append(plain.probabilities(maps, case.padded[0], case.views, (64, 96))[row])
        np.testing.assert_allclose(shares[query], np.mean(parts, axis=0), atol=1e-13)
