"""Kernel of the skeleton of HCE: thinning of a map until nothing changes."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(types.void, types.uint8[::1], types.int64, readonly(types.uint8))
def thin(pixels, width, table):  # type: ignore[no-untyped-def]
    """Thin a map in place (Zhang and Suen, 1984), looking only where something changed.

    Args:
        pixels: flat map with a frame, as `dichotomous_hce` makes it.
        width: of the map, frame included.
        table: uint8 [256], for the neighbours N, NE, E, ... NW as bits 0 ... 7: bit 0 or 1 says that the first or
            second half of a step deletes the pixel.
    """
    around = (-width, -width + 1, 1, width + 1, width, width - 1, -1, -width - 1)
    looked = np.full(len(pixels), -1, np.int32)
    changed = np.empty(0, np.int64)  # What the last half step deleted, and the one before.
    before = np.empty(0, np.int64)
    half = 0
    while half < 2 or len(changed) > 0 or len(before) > 0:
        deleted = np.empty(1024, np.int64)
        n = 0
        bit = np.uint8(1 << (half & 1))
        total = len(pixels) if half < 2 else 8 * (len(changed) + len(before))
        for k in range(total):
            if half < 2:
                i = k
            elif k < 8 * len(changed):
                i = changed[k >> 3] + around[k & 7]
            else:
                i = before[(k >> 3) - len(changed)] + around[k & 7]
            if not pixels[i] or looked[i] == half:
                continue
            looked[i] = half
            code = 0
            for j in range(8):
                code |= np.int64(pixels[i + around[j]]) << j
            if table[code] & bit:
                if n == len(deleted):
                    deleted = np.concatenate((deleted, np.empty_like(deleted)))
                deleted[n] = i
                n += 1
        for k in range(n):
            pixels[deleted[k]] = 0
        before, changed = changed, deleted[:n].copy()
        half += 1
