"""HCE step by step: relaxed errors, skeletons, borders and their points, against scipy, scikit-image and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label
from skimage.morphology import skeletonize

from entityseg.metrics import _hce_borders, _hce_points, _hce_relax
from entityseg.metrics.dichotomous_hce import Effort, correction_effort
from entityseg.metrics.dichotomous_skeleton import thin
from tests.metrics.grey_cases import Grey, field

CROSS = ndimage.generate_binary_structure(2, 1)


def relaxed_errors(
    gt: NDArray[np.bool_], pred: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The relaxed errors FP' and FN' by plain morphology."""
    hit = gt & pred
    kept = ndimage.binary_erosion(gt | pred, CROSS, 5, border_value=1)

    def relaxed(wrong: NDArray[np.bool_], blocked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        grown = wrong & kept
        for _ in range(5):
            grown = ndimage.binary_dilation(grown, CROSS) & ~blocked
        return wrong & grown

    return relaxed(pred & ~hit, gt), relaxed(gt & ~hit, pred)


def framed(mask: NDArray[np.bool_]) -> Grey:
    return np.pad(mask, 1).astype(np.uint8).ravel()


def check_relaxed(gt: NDArray[np.bool_], pred: NDArray[np.bool_]) -> None:
    width = gt.shape[1] + 2
    kept, found = np.empty_like(framed(gt)), np.empty_like(framed(gt))
    _hce_relax.erode(framed(gt), framed(pred), width, 5, kept)
    for wrong, blocked, expected in zip(
        (pred & ~gt, gt & ~pred), (gt, pred), relaxed_errors(gt, pred), strict=True
    ):
        _hce_relax.grow(framed(wrong), framed(blocked), kept, width, 5, found)
        assert np.array_equal(found, framed(expected))


@pytest.mark.parametrize("seed", range(20))
def test_relaxed_errors_equal_plain_morphology(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 70)), int(rng.integers(1, 70)))
    check_relaxed(field(rng, shape, 3) > 0.5, field(rng, shape, 2) > 0.4)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.1, 0.95))
def test_skeleton_equals_scikit_image(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 40)), int(rng.integers(1, 40)))
    mask = (field(rng, shape, 2) if seed % 2 else rng.random(shape)) < share
    assert np.array_equal(thin(mask), skeletonize(mask))


def check_borders(mask: NDArray[np.bool_]) -> int:
    """Check the borders of a mask; return their number."""
    width = mask.shape[1] + 2
    points, offsets, holes, parents, order = _hce_borders.borders(framed(mask).astype(np.int32), width)
    regions = label(mask, connectivity=2).max()
    background = label(np.pad(~mask, 1, constant_values=True), connectivity=1).max()
    assert (holes == 0).sum() == regions
    assert (holes == 1).sum() == background - 1
    # The pixels of all borders are those with a background pixel above, below, left or right.
    edge = mask & ~ndimage.binary_erosion(mask, CROSS)
    assert set(points.tolist()) == set(np.flatnonzero(framed(edge)).tolist())
    for k in range(len(holes)):
        assert parents[k] < k
        assert holes[k] == 0 or holes[parents[k]] == 0
        y, x = np.divmod(points[offsets[k] : offsets[k + 1]], width)
        steps = np.maximum(abs(np.diff(y, append=y[:1])), abs(np.diff(x, append=x[:1])))
        assert len(y) == 1 or (steps == 1).all()
    # Each border is listed once, after the one around it and before its siblings that were found earlier.
    assert sorted(order.tolist()) == list(range(len(holes)))
    place = np.argsort(order)
    before: dict[int, int] = {}
    for k, parent in enumerate(parents.tolist()):
        assert parent < 0 or place[parent] < place[k]
        assert parent not in before or place[k] < place[before[parent]]
        before[parent] = k
    return len(holes)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.1, 0.95))
def test_borders_are_those_of_the_regions(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 30)), int(rng.integers(1, 30)))
    check_borders((field(rng, shape, 1) if seed % 2 else rng.random(shape)) < share)


def test_maps_that_outgrow_the_first_buffers() -> None:
    rng = np.random.default_rng(0)
    gt, pred = rng.random((2, 150, 160)) < 0.5
    assert check_borders(gt) > 600
    assert np.array_equal(thin(gt), skeletonize(gt))
    check_relaxed(gt, pred)
    # Stripes are eroded from both sides and grow back from there, over a front of more than 1024 pixels.
    gt, pred = np.zeros((2, 90, 900), bool)
    pred[5:30], pred[40:70] = True, True
    gt[:, 400] = True
    check_relaxed(gt, pred)


def test_hand_computed_effort() -> None:
    gt = np.zeros((60, 60), bool)
    gt[5:55, 5:55] = True
    pred = gt.copy()
    # A hole of 20 x 20 inside the object touches nothing but what was found: one click fills it.
    pred[20:40, 20:40] = False
    effort = correction_effort(gt, pred, skeleton=np.zeros_like(gt))
    assert effort == Effort(0, 0, 0, 1)
    # Half of the object missing: its border to the part found needs no points, the one to the outside does: two ends,
    # and two for each corner, which the relaxation by city-block distance cuts.
    pred = gt.copy()
    pred[:, 30:] = False
    effort = correction_effort(gt, pred, skeleton=np.zeros_like(gt))
    assert effort.fn_points == 6 and effort.fn_regions == effort.fp_points == effort.fp_regions == 0
    # Errors as thin as the relaxation cost nothing.
    pred = ndimage.binary_dilation(gt, CROSS, 4)
    assert correction_effort(gt, pred).total == 0


def test_thin_structures_count_however_thin() -> None:
    gt = np.zeros((50, 50), bool)
    gt[10:40, 10:20] = True
    gt[25, 20:45] = True
    pred = gt.copy()
    pred[25, 20:45] = False
    assert correction_effort(gt, pred).total == 2
    assert correction_effort(gt, pred, skeleton=np.zeros_like(gt)).total == 0


@pytest.mark.parametrize(
    ("curve", "kept"),
    [
        ([(0, 0)], 1),
        ([(x, 0) for x in range(30)], 2),
        ([(x, 0) for x in range(10)] + [(9, y) for y in range(1, 10)], 3),
        ([(x, x % 2) for x in range(30)], 2),
        # There and back: the end lies beside the chord's beginning, the tip is far from the chord as a segment.
        ([(x, 0) for x in range(20)] + [(x, 1) for x in range(19, 3, -1)], 3),
    ],
)
def test_simplification_by_hand(curve: list[tuple[int, int]], kept: int) -> None:
    xs, ys = (np.ascontiguousarray(axis, np.int64) for axis in zip(*curve, strict=True))
    assert _hce_points.count_vertices(xs, ys, len(curve), 2.0) == kept


def test_a_given_skeleton_counts_whatever_else_is_missed() -> None:
    """Skeletons from files need not lie inside the truth; what lies outside is missed by every prediction."""
    gt = np.zeros((40, 40), bool)
    gt[10:30, 10:20] = True
    skeleton = np.zeros_like(gt)
    skeleton[15, 30] = True
    short = gt.copy()
    short[10, 12] = False  # Forgiven by itself.
    assert correction_effort(gt, short, skeleton=np.zeros_like(gt)).total == 0
    efforts = [correction_effort(gt, pred, skeleton=skeleton) for pred in (gt, short)]
    assert efforts == [Effort(0, 0, 1, 0)] * 2
