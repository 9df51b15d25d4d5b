"""Boundary bands on runs, against scipy and rlemasklib; IoU of pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from entityseg.errors import InputError
from entityseg.masks import RunLengths, boundary_band, erode, from_dense, iou_matrix, iou_of_pairs, to_dense
from tests.strategies import Dense, checked, dense_stacks, far_corner, wiggly


def band_by_distance(mask: Dense, distance: int) -> Dense:
    """The band by its other definition: chessboard distance to the background or the outside."""
    far = ndimage.distance_transform_cdt(np.pad(mask, 1), "chessboard")[1:-1, 1:-1]
    return mask & (far <= distance)


@pytest.mark.parametrize("seed", range(12))
def test_rough_masks_against_the_distance_transform(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(40, 160, 2))
    dense = np.concatenate([wiggly(rng, 4, height, width), rng.random((4, height, width)) < 0.995])
    dense[4, :, ::7] = False  # Stripes, whose columns differ everywhere.
    dense[5, ::9] = False
    dense[6] = True
    dense[7] ^= dense[0]
    for distance in (1, 3, int(rng.integers(2, 30)), 79):
        bands = checked(boundary_band(from_dense(dense), distance))
        expected = np.array([band_by_distance(mask, distance) for mask in dense])
        assert np.array_equal(to_dense(bands), expected)


@given(dense_stacks(max_side=14), st.integers(1, 6))
def test_a_band_is_what_erosion_takes_away(dense: Dense, distance: int) -> None:
    # Erosion is rlemasklib's, the band ours.
    masks = from_dense(dense)
    band, inner = to_dense(checked(boundary_band(masks, distance))), to_dense(erode(masks, distance))
    assert np.array_equal(band | inner, dense) and not (band & inner).any()


@given(dense_stacks(least=1), st.integers(1, 3))
def test_the_far_corner_of_the_largest_image(dense: Dense, distance: int) -> None:
    expected = far_corner(to_dense(boundary_band(from_dense(dense), distance)))
    assert checked(boundary_band(far_corner(dense), distance)) == expected


@pytest.mark.parametrize("size", [(2, 2**31 - 1), (2**31 - 1, 2)])
def test_no_memory_for_the_sides_of_the_image(size: tuple[int, int]) -> None:
    masks = RunLengths(size, [0, 3, 2**32 - 5, 2**32 - 2], [0, 2, 4])
    assert boundary_band(masks, 1) == masks


def test_many_runs_of_one_column_after_another() -> None:
    """Intersections grow beyond every list that they are made of: combs that meet at right angles."""
    dense = np.ones((1, 60, 300), bool)
    for k in range(3, 290, 4):
        dense[0, k % 60, k] = False
    assert np.array_equal(to_dense(boundary_band(from_dense(dense), 1))[0], band_by_distance(dense[0], 1))


@given(dense_stacks(least=1))
def test_pairs_are_entries_of_the_matrix(dense: Dense) -> None:
    masks = from_dense(dense)
    n = len(masks)
    rows, columns = np.divmod(np.arange(n * n)[::-1], n)
    assert (
        iou_of_pairs(masks, masks, rows, columns).tolist() == iou_matrix(masks, masks)[rows, columns].tolist()
    )


def test_pairs_of_different_images_are_refused() -> None:
    with pytest.raises(InputError, match=r"mask\.size"):
        iou_of_pairs(RunLengths.empty((2, 2), 1), RunLengths.empty((2, 3), 1), np.array([0]), np.array([0]))
    with pytest.raises(IndexError):
        iou_of_pairs(RunLengths.empty((2, 2), 1), RunLengths.empty((2, 2), 1), np.array([1]), np.array([0]))
