"""Kernel: the masks of an image cut into pieces of one pixel column each."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.int64,
    readonly(types.uint32),
    readonly(types.int64),
    types.int64,
    readonly(types.int64),
    readonly(types.int64),
    types.int64[::1],
    types.int64[::1],
)
def split(edges, offsets, height, lefts, firsts, rows, begins):  # type: ignore[no-untyped-def]
    """Write `rows` and `begins` of `Columns`, whose `lefts` and `firsts` are given; return the number of pieces.

    `rows` has room for two values for each run and each column.
    """
    inverse = 1.0 / height
    begins[:] = 0
    n = 0
    for m in range(len(offsets) - 1):
        # The column of the list that stands for column 0 of the image.
        shift = firsts[m] - lefts[m]
        for e in range(offsets[m], offsets[m + 1], 2):
            start, stop = np.int64(edges[e]), np.int64(edges[e + 1])
            # start // height in floats, which is exact below 2^32 and takes a third of the time of a division.
            x = np.int64((start + 0.5) * inverse)
            row = start - x * height
            row_stop = row + stop - start
            # The last piece of a column has the say.
            while row_stop > height:
                rows[2 * n] = row
                rows[2 * n + 1] = height
                n += 1
                begins[shift + x + 1] = n
                row, row_stop = 0, row_stop - height
                x += 1
            rows[2 * n] = row
            rows[2 * n + 1] = row_stop
            n += 1
            begins[shift + x + 1] = n
    # Columns without pieces.
    for k in range(1, len(begins)):
        begins[k] = max(begins[k], begins[k - 1])
    return n
