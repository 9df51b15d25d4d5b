"""Kernel: overlapping masks to disjoint ones, the later in an order winning."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly

_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)
# Number of trailing zeros of a power of two: multiply by this de Bruijn sequence, look the top six bits up.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_ZEROS = np.zeros(64, np.int64)
for _bit in range(64):
    _ZEROS[((int(_DE_BRUIJN) << _bit) & int(_FULL)) >> 58] = _bit


@kernel(
    types.int64,
    readonly(types.uint32),
    readonly(types.int64),
    types.int64,
    readonly(types.int64),
    types.uint32[::1],
    types.int64[::1],
    types.int64[::1],
)
def paint(edges, offsets, pixels, order, painted, starts, stops):  # type: ignore[no-untyped-def]
    """Write what is left of each mask to `painted[starts[m]:stops[m]]`; return how much of `painted` is used.

    Walks the order from its end: each mask takes the pixels that are still free, one bit a pixel. Every edge
    of the result is an edge of some mask, and at most two masks meet there, so twice the number of edges is
    room enough.
    """
    taken = np.zeros((pixels + 63) // 64, np.uint64)
    n = 0
    for k in range(len(order) - 1, -1, -1):
        m = order[k]
        starts[m] = n
        for e in range(offsets[m], offsets[m + 1], 2):
            position = np.int64(edges[e])
            stop = np.int64(edges[e + 1])
            is_open = False
            while position < stop:
                word = position >> 6
                shift = position & 63
                count = min(64 - shift, stop - position)
                mask = np.uint64(_FULL >> np.uint64(64 - count)) << np.uint64(shift)
                bits = taken[word]
                if bits & mask == mask:
                    if is_open:
                        painted[n] = position
                        n += 1
                        is_open = False
                elif bits & mask == 0:
                    if not is_open:
                        painted[n] = position
                        n += 1
                        is_open = True
                    taken[word] = bits | mask
                else:
                    # Pixels where taken and free change, from `shift` on; bit 0 stands for the state before.
                    before = np.uint64(bits << _ONE)
                    if is_open:
                        before &= ~(_ONE << np.uint64(shift))
                    else:
                        before |= _ONE << np.uint64(shift)
                    change = (bits ^ before) & mask
                    while change:
                        lowest = change & (~change + _ONE)
                        painted[n] = (word << 6) + _ZEROS[np.uint64(lowest * _DE_BRUIJN) >> np.uint64(58)]
                        n += 1
                        is_open = not is_open
                        change ^= lowest
                    taken[word] = bits | mask
                position += count
            if is_open:
                painted[n] = stop
                n += 1
        stops[m] = n
    return n
