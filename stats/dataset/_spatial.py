"""Kernel: where in the image the pixels of each mask lie, on a grid of cells, and their sums for the centroid."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.uint32),
    readonly(types.int64),
    types.int64,
    types.int64,
    readonly(types.int64),
    readonly(types.int64),
    types.int64[:, :, ::1],
    types.int64[:, ::1],
)
def locate(edges, offsets, height, width, row_cell, column_cell, counts, sums):  # type: ignore[no-untyped-def]
    """Add the pixels of each mask to `counts` [n, cells, cells], and their columns and rows to `sums` [n, 2].

    Args:
        edges, offsets, height, width: the masks.
        row_cell, column_cell: int64 [height], [width], the cell of each row and column.
        counts: by mask, row cell and column cell.
        sums: sum of x and sum of y over the pixels.
    """
    cells = counts.shape[1]
    # First row of each cell; a cell without rows (fewer rows than cells) begins where the next one does.
    first = np.zeros(cells + 1, np.int64)
    for y in range(height):
        first[row_cell[y] + 1] = y + 1
    for cell in range(cells):
        first[cell + 1] = max(first[cell + 1], first[cell])
    for m in range(len(offsets) - 1):
        for e in range(offsets[m], offsets[m + 1], 2):
            position = np.int64(edges[e])
            stop = np.int64(edges[e + 1])
            while position < stop:
                x = position // height
                top = position - x * height
                bottom = min(height, top + stop - position)
                column = column_cell[x]
                length = bottom - top
                sums[m, 0] += x * length
                sums[m, 1] += (top + bottom - 1) * length // 2
                position += length
                y = top
                cell = row_cell[top]
                while y < bottom:
                    end = min(first[cell + 1], bottom)
                    counts[m, cell, column] += end - y
                    y = end
                    cell += 1
