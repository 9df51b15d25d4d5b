"""Chunked fusion gives the numbers of the dense formula, wherever bands and tiles end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from entityseg.baselines.inference.fusion import BAND, ViewLogits, linear, taps
from entityseg.baselines.views import View
from entityseg.errors import InputError
from tests.baselines.inference import cases, plain

SIZES = [(30, 41), (64, 64), (65, 129), (200, 131), (1, 1), (1, 300), (190, 2)]


def dense(case: ViewLogits) -> np.ndarray:
    maps = np.stack(case.maps, axis=1)
    return plain.probabilities(maps, case.padded[0], case.views, case.image_size)


def everything(case: ViewLogits) -> np.ndarray:
    bands = list(case.bands(np.arange(case.queries), lambda top, shares: (top, shares), threads=2))
    assert [top for top, _ in bands] == list(range(0, case.image_size[0], BAND))
    return np.concatenate([shares for _, shares in bands], axis=1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["none", "fixed4", "fixed8", "random"])
def test_probabilities_are_those_of_the_plain_formula(size, scheme: str) -> None:
    case = cases.random_case(1, size, scheme)
    np.testing.assert_allclose(everything(case), dense(case), rtol=0, atol=1e-14)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["none", "fixed4", "fixed8", "random"])
@pytest.mark.parametrize("seed", [0, 1])
def test_painted_masks_are_identical(size, scheme: str, seed: int) -> None:
    case = cases.random_case(seed, size, scheme)
    scores = np.random.default_rng(seed).random(case.queries)
    order = np.argsort(-scores)
    owner, sums = case.paint(order, threads=2)
    masks, finals = plain.painted(dense(case), scores)
    np.testing.assert_array_equal(masks, owner == np.arange(1, case.queries + 1)[:, None, None])
    np.testing.assert_array_equal(sums[:, 0], masks.sum(axis=(1, 2)))
    np.testing.assert_allclose(scores[order] * sums[:, 2] / (sums[:, 0] + 1e-6), finals, rtol=0, atol=1e-12)
    means = [(dense(case)[q] * mask).sum() for q, mask in zip(order, masks, strict=True)]
    np.testing.assert_allclose(sums[:, 1], means, rtol=1e-12, atol=1e-12)


@given(
    st.integers(1, 160), st.integers(1, 160), st.sampled_from(["none", "fixed4"]), st.integers(0, 99),
    st.floats(0.5, 0.9),
)  # fmt: skip
def test_painting_any_size(height: int, width: int, scheme: str, seed: int, ratio: float) -> None:
    case = cases.random_case(seed, (height, width), scheme, queries=4, short=24, ratio=ratio)
    scores = np.array([0.2, 0.9, 0.5, 0.4])
    owner, _ = case.paint(np.argsort(-scores))
    masks, _ = plain.painted(dense(case), scores)
    np.testing.assert_array_equal(masks, owner == np.arange(1, 5)[:, None, None])


def test_numbers_do_not_depend_on_threads_or_where_rows_are_cut() -> None:
    case = cases.random_case(2, (200, 131))
    order = np.arange(case.queries)
    (one, sums), (four, same) = (case.paint(order, threads=threads) for threads in (1, 4))
    np.testing.assert_array_equal(one, four)
    np.testing.assert_array_equal(sums, same)
    whole = everything(case)
    for top, bottom in ((0, 1), (63, 65), (64, 128), (101, 200)):
        np.testing.assert_array_equal(case.rows(order, top, bottom), whole[:, top:bottom])


def test_float32_differs_at_borders_only() -> None:
    double = cases.random_case(3, (150, 210))
    single = ViewLogits.build(
        np.stack(double.maps, axis=1).astype(np.float32), double.padded[0], double.views, double.image_size
    )
    a, b = (case.paint(np.arange(7))[0] for case in (double, single))
    assert (a != b).mean() < 1e-4
    shares = everything(single)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares, everything(double), atol=1e-5)


def test_maps_of_other_memory_layouts_are_the_same() -> None:
    case = cases.random_case(4, (80, 100))
    copied = ViewLogits(
        tuple(one.copy() for one in case.maps), case.padded, case.views, case.image_size, case.query_of
    )
    stacked = np.stack(case.maps, axis=1)
    skipped = ViewLogits.build(stacked[:, ::2], case.padded[0], case.views[::2], case.image_size)
    order = np.arange(case.queries)
    np.testing.assert_array_equal(copied.paint(order)[0], case.paint(order)[0])
    np.testing.assert_allclose(
        everything(skipped),
        plain.probabilities(stacked[:, ::2].copy(), case.padded[0], case.views[::2], case.image_size),
        atol=1e-14,
    )


def test_pixels_that_no_view_covers_belong_to_nobody() -> None:
    views = (View((0, 0, 40, 10), (10, 40)), View((20, 12, 40, 30), (18, 20)))
    case = ViewLogits.build(np.full((1, 2, 8, 16), 5.0), (32, 64), views, (30, 40))
    owner, _ = case.paint(np.array([0]))
    covered = np.zeros((30, 40), bool)
    covered[:10] = covered[12:, 20:] = True
    np.testing.assert_array_equal(owner == 1, covered)
    assert not case.rows(np.array([0]), 10, 12).any()


def test_a_view_may_lack_a_query() -> None:
    case = cases.random_case(5, (60, 80), "none", queries=3)
    twice = ViewLogits(
        (case.maps[0], -case.maps[0]),
        case.padded * 2,
        case.views * 2,
        case.image_size,
        np.array([[0, 1], [-1, 1]]),
    )
    shares = everything(twice)
    np.testing.assert_allclose(shares[0], dense(case)[0], atol=1e-14)
    # The mean of a probability and of its complement.
    np.testing.assert_allclose(shares[1], 0.5, atol=1e-14)


@given(st.integers(1, 60), st.integers(1, 200))
def test_linear_is_torchs(old: int, new: int) -> None:
    values = np.random.default_rng(old).normal(size=old)
    first, weight = linear(old, new)
    ours = (1 - weight) * values[first] + weight * values[np.minimum(first + 1, old - 1)]
    theirs = functional.interpolate(
        torch.from_numpy(values)[None, None, :, None], size=(new, 1), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(ours, theirs[0, 0, :, 0], atol=1e-13)


@given(st.integers(3, 40), st.integers(0, 9), st.data())
def test_taps_are_the_two_resizings(small: int, more: int, data) -> None:
    padded = small * 4 + more
    kept, out = data.draw(st.integers(1, padded)), data.draw(st.integers(1, 300))
    values = np.random.default_rng(small).normal(size=small)
    first, weights = taps(small, padded, kept, out)
    assert (weights >= 0).all() and (first >= 0).all() and (first + 3 <= small).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-14)
    assert (np.diff(first) >= 0).all()
    ours = (values[first[:, None] + np.arange(3)] * weights).sum(axis=1)
    options = {"mode": "bilinear", "align_corners": False}
    inner = functional.interpolate(torch.from_numpy(values)[None, None, :, None], size=(padded, 1), **options)
    theirs = functional.interpolate(inner[:, :, :kept], size=(out, 1), **options)
    np.testing.assert_allclose(ours, theirs[0, 0, :, 0], atol=1e-13)


def test_bad_maps_are_refused() -> None:
    view = View((0, 0, 9, 9), (8, 8))
    good = np.zeros((1, 1, 8, 8))
    for maps, padded in (
        (np.full_like(good, np.nan), (32, 32)),
        (np.full_like(good, np.inf), (32, 32)),
        (np.zeros((1, 1, 2, 8)), (32, 32)),
        (good, (4, 32)),
    ):
        with pytest.raises(InputError):
            ViewLogits.build(maps, padded, [view], (9, 9)).paint(np.array([0]))
