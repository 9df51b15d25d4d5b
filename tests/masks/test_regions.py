"""Components and holes, against scipy and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy import ndimage
from skimage import measure

from entityseg.errors import UsageError
from entityseg.masks import (
    RunLengths,
    components,
    count_components,
    count_holes,
    fill_holes,
    from_dense,
    holes,
)
from tests.strategies import Dense, checked, dense_stacks, far_corner, pixels_of, wiggly

STRUCTURES = {4: ndimage.generate_binary_structure(2, 1), 8: np.ones((3, 3), bool)}


def _labels(mask: np.ndarray, connectivity: int) -> list[np.ndarray]:
    """The components in column-major order of their first pixels."""
    labels, count = ndimage.label(mask.T, STRUCTURES[connectivity])
    return [k == labels.T for k in range(1, count + 1)]


def check(dense: Dense) -> None:
    masks = from_dense(dense)
    for connectivity in (4, 8):
        found = components(masks, connectivity)
        gaps = holes(masks, connectivity)
        filled = pixels_of(checked(fill_holes(masks, connectivity)))
        for i, mask in enumerate(dense):
            want = _labels(mask, connectivity)
            assert np.array_equal(pixels_of(checked(found[i])), np.array(want, bool).reshape(-1, *mask.shape))
            background = np.pad(~mask, 1, constant_values=True)
            want = [part[1:-1, 1:-1] for part in _labels(background, connectivity) if not part[0, 0]]
            assert np.array_equal(pixels_of(checked(gaps[i])), np.array(want, bool).reshape(-1, *mask.shape))
            assert np.array_equal(filled[i], mask | np.any(want, axis=0) if want else mask)
            # The Euler number is components less holes, of opposite connectivities.
            euler = measure.euler_number(mask, connectivity=1 if connectivity == 4 else 2)
            assert euler == len(found[i]) - count_holes(masks[i], 12 - connectivity)[0]
        assert count_components(masks, connectivity).tolist() == [len(parts) for parts in found]
        assert count_holes(masks, connectivity).tolist() == [len(parts) for parts in gaps]


@given(dense_stacks())
def test_against_scipy_and_skimage(dense: Dense) -> None:
    check(dense)


def test_wiggly_masks_against_scipy_and_skimage() -> None:
    rng = np.random.default_rng(0)
    check(wiggly(rng, 6, 70, 50))
    check(rng.random((3, 1, 40)) < 0.5)
    check(rng.random((3, 40, 1)) < 0.5)
    check(rng.random((4, 25, 25)) < 0.6)


def test_hand_computed() -> None:
    picture = ["###..", "#.#..", "###..", "...#.", "..#.#"]
    masks = from_dense(np.array([[[character == "#" for character in row] for row in picture]]))
    assert count_components(masks).tolist() == [1]
    assert count_components(masks, 4).tolist() == [4]
    assert count_holes(masks).tolist() == [1]
    assert holes(masks)[0].boxes.tolist() == [[1, 1, 1, 1]]
    assert fill_holes(masks).areas.tolist() == [int(masks.areas[0]) + 1]
    # In the order of the scan line, down the columns.
    assert components(masks, 4)[0].boxes.tolist() == [[0, 0, 3, 3], [2, 4, 1, 1], [3, 3, 1, 1], [4, 4, 1, 1]]


def test_a_bay_at_the_border_is_no_hole() -> None:
    masks = from_dense(np.array([[[1, 0, 1], [1, 1, 1]]], bool))
    assert count_holes(masks).tolist() == [0] and fill_holes(masks) == masks


def test_empty_and_full_masks() -> None:
    masks = from_dense(np.array([np.zeros((3, 4)), np.ones((3, 4))], bool))
    assert count_components(masks).tolist() == [0, 1]
    assert count_holes(masks).tolist() == [0, 0]
    assert [len(parts) for parts in components(masks)] == [0, 1]
    assert fill_holes(masks) == masks
    none = RunLengths.empty((3, 4))
    assert components(none) == [] and holes(none) == [] and len(fill_holes(none)) == 0
    assert count_components(none).dtype == np.int64 and count_holes(none).dtype == np.int64


def test_what_is_refused() -> None:
    masks = RunLengths.empty((3, 3), 1)
    for operation in (components, count_components, holes, count_holes, fill_holes):
        with pytest.raises(UsageError, match="Give 4 or 8"):
            operation(masks, 6)


@given(dense_stacks(least=1))
def test_the_far_corner_of_the_largest_image(dense: Dense) -> None:
    """Positions near 2^32."""
    near, far = from_dense(dense), far_corner(dense)
    for connectivity in (4, 8):
        assert count_components(far, connectivity).tolist() == count_components(near, connectivity).tolist()
        assert count_holes(far, connectivity).tolist() == count_holes(near, connectivity).tolist()
        expected = far_corner(pixels_of(fill_holes(near, connectivity)))
        assert checked(fill_holes(far, connectivity)) == expected
        expected = [far_corner(pixels_of(parts)) for parts in components(near, connectivity)]
        assert [checked(parts) for parts in components(far, connectivity)] == expected
