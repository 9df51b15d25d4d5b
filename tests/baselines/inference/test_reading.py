"""Results by the released rules, held against dense versions of them, and cases by hand."""

from __future__ import annotations

import numpy as np
import pytest

from entityseg.baselines.inference.fusion import ViewLogits
from entityseg.baselines.inference.options import InferenceOptions
from entityseg.baselines.inference.reading import (
    Found,
    class_masks,
    disjoint_masks,
    overlapping_masks,
    panoptic_segments,
)
from entityseg.baselines.views import View
from entityseg.errors import InputError, UsageError
from entityseg.masks import are_disjoint, to_dense, to_id_map
from tests.baselines.inference import cases, plain


def found_of(seed: int, size=(90, 110), classes=1, scheme="fixed4", queries=7, **options) -> Found:
    case = cases.random_case(seed, size, scheme, queries=queries, **options)
    return Found(cases.random_classes(seed, queries, classes), case, fused=scheme != "none")


def dense(found: Found) -> np.ndarray:
    logits = found.logits
    maps = np.stack(logits.maps, axis=1)
    return plain.probabilities(maps, logits.padded[0], logits.views, logits.image_size)


@pytest.mark.parametrize("scheme", ["none", "fixed4"])
def test_disjoint_masks_and_their_order(scheme: str) -> None:
    found = found_of(0, scheme=scheme)
    result = disjoint_masks(found, InferenceOptions(keep_empty=True))
    masks, scores = plain.painted(dense(found), found.classes[:, 0])
    np.testing.assert_array_equal(to_dense(result.masks), masks)
    np.testing.assert_allclose(result.scores, scores, atol=1e-12)
    kept = disjoint_masks(found, InferenceOptions())
    np.testing.assert_array_equal(kept.scores, result.scores[masks.any(axis=(1, 2))])
    assert are_disjoint(kept.masks) and (kept.masks.areas > 0).all()


def test_rescoring_rules() -> None:
    found = found_of(1)
    order = np.argsort(-found.classes[:, 0])
    masks, released = plain.painted(dense(found), found.classes[:, 0])
    means = np.array(
        [dense(found)[q][mask].mean() if mask.any() else 0 for q, mask in zip(order, masks, strict=True)]
    )
    by_rule = {
        rule: disjoint_masks(found, InferenceOptions(rescore=rule, keep_empty=True)).scores
        for rule in ("auto", "released", "plain", "none")
    }
    np.testing.assert_allclose(by_rule["auto"], released, atol=1e-12)
    np.testing.assert_allclose(by_rule["released"], released, atol=1e-12)
    np.testing.assert_allclose(by_rule["plain"], found.classes[order, 0] * means, atol=1e-7)
    np.testing.assert_allclose(by_rule["none"], found.classes[order, 0] * masks.any(axis=(1, 2)), atol=0)
    # A sigmoid of a probability above 1/2 lies in .62 to .73.
    factor = released[released > 0] / found.classes[order, 0][released > 0]
    assert ((factor > 0.62) & (factor < 0.732)).all()


def test_detections_and_threshold() -> None:
    found = found_of(2)
    best = np.argsort(-found.classes[:, 0])[:2]
    two = disjoint_masks(found, InferenceOptions(detections=2, keep_empty=True))
    np.testing.assert_array_equal(
        to_dense(two.masks), plain.painted(dense(found)[best], found.classes[best, 0])[0]
    )
    every = disjoint_masks(found, InferenceOptions(keep_empty=True))
    least = float(np.median(every.scores))
    assert disjoint_masks(found, InferenceOptions(threshold=least)).scores.min() >= least


def test_models_of_one_view_keep_a_hundred() -> None:
    case = cases.random_case(0, (40, 40), "none", queries=120)
    classes = cases.random_classes(0, 120, 1)
    options = InferenceOptions(keep_empty=True)
    assert len(disjoint_masks(Found(classes, case, fused=False), options).masks) == 100
    assert len(disjoint_masks(Found(classes, case, fused=True), options).masks) == 120


@pytest.mark.parametrize("scheme", ["none", "fixed4"])
def test_overlapping_masks_of_several_classes(scheme: str) -> None:
    found = found_of(3, classes=3, scheme=scheme)
    result = overlapping_masks(found, InferenceOptions(detections=9, keep_empty=True))
    shares, classes = dense(found), found.classes[:, :-1]
    order = np.argsort(-classes.ravel())[:9]
    np.testing.assert_array_equal(result.labels, order % 3)
    np.testing.assert_array_equal(to_dense(result.masks), shares[order // 3] > 0.5)
    masks = shares[order // 3] > 0.5
    factor = (shares[order // 3] * masks).sum(axis=(1, 2)) / (masks.sum(axis=(1, 2)) + 1e-6)
    np.testing.assert_allclose(result.scores, classes.ravel()[order] * factor, atol=1e-12)
    things = overlapping_masks(found, InferenceOptions(detections=9, keep_empty=True), things=[2])
    np.testing.assert_array_equal(things.scores, result.scores[result.labels == 2])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scheme", ["none", "fixed4"])
def test_panoptic_segments(seed: int, scheme: str) -> None:
    found = found_of(seed, classes=3, scheme=scheme, queries=12)
    options = InferenceOptions(object_threshold=0.5, overlap_threshold=0.6)
    result = panoptic_segments(found, options, things=[0])
    segments, labels = plain.panoptic(dense(found), found.classes, {0}, 0.5, 0.6)
    assert sorted(result.labels.tolist()) == sorted(labels)
    ours = to_id_map(result.masks)
    # Numbers differ (ours follow the score), regions do not.
    pairs = set(zip(ours.ravel().tolist(), segments.ravel().tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    for a, b in pairs - {(0, 0)}:
        assert result.labels[a - 1] == labels[b - 1]


def test_no_sure_query_is_no_segment() -> None:
    found = found_of(0, classes=2)
    assert len(panoptic_segments(found, InferenceOptions(object_threshold=1.0)).masks) == 0


@pytest.mark.parametrize("size", [(90, 110), (20, 33), (1, 1)])
def test_semantic_classes_of_one_view(size) -> None:
    found = found_of(4, size=size, classes=5, scheme="none")
    logits = found.logits
    wanted = plain.semantic(logits.maps[0], logits.padded[0], logits.views[0], size, found.classes)
    result = class_masks(found, InferenceOptions())
    np.testing.assert_array_equal(to_id_map(result.masks, result.labels + 1) - 1, wanted)
    assert (result.scores == 1).all()


def test_semantic_classes_of_several_views_take_the_fused_masks() -> None:
    found = found_of(5, size=(70, 130), classes=4)
    wanted = np.einsum("qc,qhw->chw", found.classes[:, :-1], dense(found)).argmax(axis=0)
    result = class_masks(found, InferenceOptions())
    np.testing.assert_array_equal(to_id_map(result.masks, result.labels + 1) - 1, wanted)


@pytest.mark.parametrize("chosen", [slice(1, 3), slice(1, 2)])
def test_pixels_that_no_view_covers_have_no_class(chosen: slice) -> None:
    whole = cases.random_case(6, (70, 130), "random", queries=7)
    maps = np.stack(whole.maps, axis=1)[:, chosen]
    logits = ViewLogits.build(maps, whole.padded[0], whole.views[chosen], whole.image_size)
    found = Found(cases.random_classes(6, 7, 4), logits, fused=True)
    covered = np.zeros((70, 130), bool)
    for view in logits.views:
        x0, y0, x1, y1 = view.region
        covered[y0:y1, x0:x1] = True
    assert not covered.all()
    wanted = np.einsum("qc,qhw->chw", found.classes[:, :-1], dense(found)).argmax(axis=0)
    result = class_masks(found, InferenceOptions())
    np.testing.assert_array_equal(
        to_id_map(result.masks, result.labels + 1), np.where(covered, wanted + 1, 0)
    )
    assert not to_dense(panoptic_segments(found, InferenceOptions()).masks)[:, ~covered].any()


def test_pixels_that_no_view_covers_hide_no_segment() -> None:
    """Two queries share what is seen; the first one is hidden wholly by the other, though it is first of all."""
    maps = np.full((2, 1, 8, 8), 9.0)
    logits = ViewLogits.build(maps, (32, 32), [View((0, 0, 8, 32), (32, 32))], (32, 32))
    found = Found(np.array([[0.8, 0.1, 0.1], [0.1, 0.85, 0.05]]), logits, fused=True)
    result = panoptic_segments(found, InferenceOptions(object_threshold=0.5))
    assert result.labels.tolist() == [1] and result.masks.areas.tolist() == [8 * 32]
    maps[1, 0, 2:] = -9
    result = panoptic_segments(found, InferenceOptions(object_threshold=0.5))
    assert result.labels.tolist() == [1]


def test_by_hand() -> None:
    """Two flat queries: the surer one takes its left half, the other the rest of the image."""
    maps = np.full((2, 1, 8, 8), -9.0)
    maps[0, 0] = 9
    maps[1, 0, :, :4] = 9
    logits = ViewLogits.build(maps, (32, 32), [View((0, 0, 32, 32), (32, 32))], (32, 32))
    classes = np.array([[0.6, 0.4], [0.9, 0.1]])
    result = disjoint_masks(Found(classes, logits, fused=False), InferenceOptions(rescore="none"))
    assert result.scores.tolist() == [0.9, 0.6]
    assert result.masks.areas.tolist() == [32 * 16, 32 * 16]
    assert result.masks.boxes.tolist() == [[0, 0, 16, 32], [16, 0, 16, 32]]


def test_scores_that_are_no_numbers_are_refused() -> None:
    found = found_of(0)
    with pytest.raises(InputError, match=r"model\.finite"):
        Found(found.classes * np.nan, found.logits, fused=True)


@pytest.mark.parametrize(
    "options",
    [
        {"outputs": "C-O"},
        {"task": "x"},
        {"rescore": "twice"},
        {"detections": 0},
        {"scales": (0,)},
        {"threads": 0},
    ],
)
def test_nonsense_is_refused(options) -> None:
    with pytest.raises(UsageError, match=r"inference\.option"):
        InferenceOptions(**options)
