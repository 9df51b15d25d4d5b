"""Boundary band, erosion and dilation, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, boundary_band, dilate, erode, from_dense
from tests.strategies import Dense, checked, dense_stacks, pixels_of, wiggly

SQUARE = np.ones((3, 3), bool)


def _eroded(mask: np.ndarray, distance: int) -> np.ndarray:
    """As boundary-iou-api does it: one pixel of background around the image, then `distance` times 3 x 3."""
    padded = np.pad(mask, 1)
    return (ndimage.binary_erosion(padded, SQUARE, iterations=distance) if distance else padded)[1:-1, 1:-1]


def _check(dense: Dense, distance: int) -> None:
    masks = from_dense(dense)
    eroded = np.array([_eroded(mask, distance) for mask in dense], bool).reshape(dense.shape)
    dilated = np.array(
        [ndimage.binary_dilation(mask, SQUARE, iterations=distance) if distance else mask for mask in dense],
        bool,
    ).reshape(dense.shape)
    assert np.array_equal(pixels_of(checked(erode(masks, distance))), eroded)
    assert np.array_equal(pixels_of(checked(boundary_band(masks, distance))), dense & ~eroded)
    assert np.array_equal(pixels_of(checked(dilate(masks, distance))), dilated)


@given(dense_stacks(), st.integers(0, 11))
def test_against_scipy(dense: Dense, distance: int) -> None:
    _check(dense, distance)


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 7, 20, 500])
def test_wiggly_masks_against_scipy(distance: int) -> None:
    rng = np.random.default_rng(distance)
    _check(wiggly(rng, 4, 120, 90), distance)
    _check(rng.random((2, 1, 80)) < 0.7, distance)
    _check(rng.random((2, 80, 1)) < 0.7, distance)


def test_hand_computed() -> None:
    square = RunLengths((5, 5), [0, 25], [0, 2])
    assert boundary_band(square, 1).areas.tolist() == [16]
    assert boundary_band(square, 2).areas.tolist() == [24]
    assert boundary_band(square, 3) == square
    assert erode(square, 2).edges.tolist() == [12, 13]
    assert dilate(RunLengths((5, 5), [12, 13], [0, 2]), 2) == square
    assert boundary_band(square, 10**6) == square


@pytest.mark.parametrize("distance", [-1, 1.0, True, "1", None, 2**40])
def test_distances_that_are_none(distance: int) -> None:
    for operation in (boundary_band, erode, dilate):
        with pytest.raises(UsageError, match="distance"):
            operation(RunLengths.empty((3, 3), 1), distance)


def test_an_image_too_large_to_be_padded() -> None:
    with pytest.raises(InputError, match="too large"):
        erode(RunLengths((65535, 65535), [0, 7], [0, 2]), 1)
