"""Kernel: nearest-neighbour resizing on runs."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.Tuple((types.uint32[::1], types.int64[::1])),
    readonly(types.uint32),
    readonly(types.int64),
    types.int64,
    types.int64,
    readonly(types.int64),
    readonly(types.int64),
)
def resize(edges, offsets, height, new_height, columns, first_rows):  # type: ignore[no-untyped-def]
    """Return edges and offsets of the resized masks.

    Args: `columns` [new width], the old column of each new one, ascending; `first_rows` [height + 1], the
    first new row whose old row is not above each old row.
    """
    n_masks = len(offsets) - 1
    new_offsets = np.zeros(n_masks + 1, np.int64)
    capacity = 2 * len(edges) + 1024
    out = np.empty(capacity, np.uint32)
    n = 0
    for m in range(n_masks):
        first = n
        e = offsets[m]
        end = offsets[m + 1]
        for x in range(len(columns)):
            low = columns[x] * height
            high = low + height
            while e < end and np.int64(edges[e + 1]) <= low:
                e += 2
            if e == end:
                break
            k = e
            while k < end and np.int64(edges[k]) < high:
                start = x * new_height + first_rows[max(np.int64(edges[k]), low) - low]
                stop = x * new_height + first_rows[min(np.int64(edges[k + 1]), high) - low]
                k += 2
                if start == stop:
                    continue
                if n > first and np.int64(out[n - 1]) == start:
                    out[n - 1] = stop
                    continue
                if n + 2 > capacity:
                    capacity *= 2
                    grown = np.empty(capacity, np.uint32)
                    grown[:n] = out[:n]
                    out = grown
                out[n] = start
                out[n + 1] = stop
                n += 2
        new_offsets[m + 1] = n
    return out[:n].copy(), new_offsets
