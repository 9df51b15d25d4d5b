"""`Columns`: masks cut into pieces of one pixel column each, on which the geometry of neighbouring columns works.

A run of `RunLengths` may go on from the foot of one column to the head of the next. Hulls, perimeters, parts and
outlines are told from neighbouring columns, so these runs are cut first, once for all that is asked of the masks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from entityseg.errors import input_error
from entityseg.masks.runlengths import Int64Array, RunLengths, frozen

# Columns under the boxes of all masks together, some 40 bytes each in all that is made of them. A thousand masks as
# wide as an image of 65,535 columns are within it.
MAX_COLUMNS = 2**26


@dataclass(frozen=True, eq=False)
class Columns:
    """Masks as pieces of pixel columns; made by `columns_of`, and never changed.

    Attributes:
        height: of the image, in pixels.
        lefts: int64 [n], the leftmost column of each mask (0 for an empty one).
        firsts: int64 [n + 1], mask `i` has the columns `firsts[i]` to `firsts[i + 1]` - 1 of the list of columns, one
            for every column of its box, from left to right.
        begins: int64 [C + 1], column `k` of the list has the pieces `begins[k]` to `begins[k + 1]` - 1, top down.
        rows: int64 [2 P], piece `p` has the rows `rows[2 p]` to `rows[2 p + 1]` - 1. Pieces of a column never touch.
    """

    height: int
    lefts: Int64Array
    firsts: Int64Array
    begins: Int64Array
    rows: Int64Array

    def __post_init__(self) -> None:
        for array in (self.lefts, self.firsts, self.begins, self.rows):
            frozen(array)

    def __len__(self) -> int:
        return len(self.lefts)


def columns_of(masks: RunLengths | Columns) -> Columns:
    """Cut masks into pieces of columns; `Columns` come back as they are.

    Raises:
        InputError: the boxes of the masks together are more than 2^26 columns wide.

    >>> columns = columns_of(RunLengths((3, 4), [1, 5, 6, 7], [0, 4]))
    >>> columns.rows.reshape(-1, 2).tolist(), columns.begins.tolist()
    ([[1, 3], [0, 2], [0, 1]], [0, 1, 2, 3])
    """
    from entityseg.masks import _columns

    if isinstance(masks, Columns):
        return masks
    widths = masks.boxes[:, 2]
    firsts = np.concatenate([[0], np.cumsum(widths)])
    n_columns = int(firsts[-1])
    if n_columns > MAX_COLUMNS:
        message = f"the boxes of the {len(masks)} masks are {n_columns:,} columns wide in all"
        raise input_error(
            "mask.columns", message, f"Give masks of at most {MAX_COLUMNS:,} columns at a time."
        )
    lefts = np.ascontiguousarray(masks.boxes[:, 0])
    begins = np.empty(n_columns + 1, np.int64)
    # A run has a piece in every column that it touches.
    rows = np.empty(len(masks.edges) + 2 * n_columns, np.int64)
    n = _columns.split(masks.edges, masks.offsets, masks.height, lefts, firsts, rows, begins)
    return Columns(masks.height, lefts, firsts, begins, rows[: 2 * n])
