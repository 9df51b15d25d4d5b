"""Kernel: pixels that the masks of two partitions of one image have in common, in one walk over all runs."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.uint32, 2),
    readonly(types.int64),
    readonly(types.uint32, 2),
    readonly(types.int64),
    types.int64[:, ::1],
)
def cross(runs_a, masks_a, runs_b, masks_b, common):  # type: ignore[no-untyped-def]
    """Add the pixels that each mask of a shares with each mask of b to `common` [n, m].

    Args: runs uint32 [k, 2], start and stop, ascending, no two of a side with a common pixel; masks int64 [k], whose
    run it is.
    """
    i = j = 0
    while i < len(runs_a) and j < len(runs_b):
        stop_a = np.int64(runs_a[i, 1])
        stop_b = np.int64(runs_b[j, 1])
        start = max(np.int64(runs_a[i, 0]), np.int64(runs_b[j, 0]))
        stop = min(stop_a, stop_b)
        if stop > start:
            common[masks_a[i], masks_b[j]] += stop - start
        if stop_a <= stop_b:
            i += 1
        else:
            j += 1
