"""Boolean stacks to runs and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from entityseg.errors import InputError
from entityseg.masks import RunLengths, from_dense, to_dense, to_strings
from tests.strategies import Dense, checked, coco_rles, dense_stacks, pixels_of, wiggly


@given(dense_stacks())
def test_both_ways(dense: Dense) -> None:
    masks = checked(from_dense(dense))
    assert np.array_equal(pixels_of(masks), dense)
    assert to_strings(masks) == [rle["counts"] for rle in coco_rles(dense)]
    again = to_dense(masks)
    assert again.dtype == bool and again.flags.c_contiguous and np.array_equal(again, dense)


def test_large_masks_of_any_layout() -> None:
    """Rows longer than the stretches of bytes that the kernel compares at once."""
    dense = wiggly(np.random.default_rng(0), 5, 333, 500)
    masks = from_dense(dense)
    assert np.array_equal(pixels_of(masks), dense)
    assert np.array_equal(to_dense(masks), dense)
    assert from_dense(np.asfortranarray(dense)) == masks
    assert from_dense(dense[::-1])[::-1] == masks
    assert from_dense(dense.transpose(0, 2, 1)).size == (500, 333)


def test_one_row_one_column_one_pixel() -> None:
    for shape in [(1, 700), (700, 1), (1, 1)]:
        dense = np.random.default_rng(1).random((4, *shape)) < 0.5
        assert np.array_equal(to_dense(checked(from_dense(dense))), dense)


def test_no_masks() -> None:
    assert from_dense(np.zeros((0, 3, 4), bool)) == RunLengths.empty((3, 4))
    assert to_dense(RunLengths.empty((3, 4))).shape == (0, 3, 4)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 4), bool),
        np.zeros((2, 3, 4), np.uint8),
        np.zeros((2, 3, 4)),
        np.zeros((2, 0, 4), bool),
        None,
        "masks",
    ],
)
def test_what_is_no_stack(array: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"boolean array|two positive integers"):
        from_dense(array)
