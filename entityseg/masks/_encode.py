"""Kernel: edges to COCO's compressed run-length strings, byte for byte as pycocotools writes them."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.uint32),
    readonly(types.int64),
    types.int64,
    types.uint8[::1],
    types.int64[::1],
)
def encode(edges, offsets, pixels, text, stops):  # type: ignore[no-untyped-def]
    """Write the strings of all masks one after the other; string m is `text[stops[m]:stops[m + 1]]`."""
    p = 0
    stops[0] = 0
    for m in range(len(offsets) - 1):
        begin, end = offsets[m], offsets[m + 1]
        # The last background run is written only if the mask does not reach the end of the image.
        tail = 1 if end == begin or edges[end - 1] != pixels else 0
        position = 0
        before, last = 0, 0
        for k in range(end - begin + tail):
            edge = np.int64(edges[begin + k]) if begin + k < end else pixels
            run = edge - position
            position = edge
            value = run - before if k > 2 else run
            before, last = last, run
            while True:
                bits = value & 31
                value >>= 5
                done = value == -1 if bits & 16 else value == 0
                text[p] = 48 + bits + (0 if done else 32)
                p += 1
                if done:
                    break
        stops[m + 1] = p
