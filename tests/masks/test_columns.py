"""Masks as pieces of columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from entityseg.errors import InputError
from entityseg.masks import RunLengths, from_dense
from entityseg.masks.columns import Columns, columns_of
from tests.strategies import Dense, dense_stacks, far_corner


def pixels_of_columns(columns: Columns, width: int) -> Dense:
    """The masks by the definition of `Columns`."""
    dense = np.zeros((len(columns), columns.height, width), bool)
    for m in range(len(columns)):
        for k in range(columns.firsts[m], columns.firsts[m + 1]):
            for piece in range(columns.begins[k], columns.begins[k + 1]):
                start, stop = columns.rows[2 * piece : 2 * piece + 2]
                dense[m, start:stop, columns.lefts[m] + k - columns.firsts[m]] = True
    return dense


@given(dense_stacks())
def test_pieces_are_the_mask_and_no_more_columns_than_its_box(dense: Dense) -> None:
    masks = from_dense(dense)
    columns = columns_of(masks)
    assert np.array_equal(pixels_of_columns(columns, masks.width), dense)
    assert np.diff(columns.firsts).tolist() == masks.boxes[:, 2].tolist()
    assert columns.begins[-1] * 2 == len(columns.rows)
    assert columns_of(columns) is columns
    for array in (columns.lefts, columns.firsts, columns.begins, columns.rows):
        assert not array.flags.writeable


@given(dense_stacks(least=1))
def test_positions_near_the_end_of_the_largest_image(dense: Dense) -> None:
    near, far = columns_of(from_dense(dense)), columns_of(far_corner(dense))
    height, width = dense.shape[1:]
    assert np.array_equal(far.begins, near.begins)
    assert np.array_equal(far.rows, near.rows + 65535 - height)
    assert np.array_equal(
        far.lefts[np.diff(far.firsts) > 0], near.lefts[np.diff(near.firsts) > 0] + 65535 - width
    )


def test_a_run_over_many_columns() -> None:
    columns = columns_of(RunLengths((3, 5), [2, 13], [0, 2]))
    assert columns.rows.reshape(-1, 2).tolist() == [[2, 3], [0, 3], [0, 3], [0, 3], [0, 1]]


def test_few_bytes_cannot_ask_for_all_memory() -> None:
    """One run over 2^32 - 2 columns of one pixel."""
    with pytest.raises(InputError, match=r"4,294,967,294 columns wide.*mask\.columns"):
        columns_of(RunLengths((1, 2**32 - 2), [0, 2**32 - 2], [0, 2]))
