"""Kernels of the relaxation of HCE: errors near the true border, which nobody would correct, are left out.

Maps are flat, with a frame, as `dichotomous_hce` makes them.
"""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly

_MAP = readonly(types.uint8)


@kernel(types.void, _MAP, _MAP, types.int64, types.int64, types.uint8[::1])
def erode(gt, pred, width, steps, kept):  # type: ignore[no-untyped-def]
    """Mark in `kept` what `steps` erosions of gt | pred by the 3 x 3 cross leave; outside the image nothing erodes.

    `width` counts the frame. It is the city-block distance to the complement, in two passes.
    """
    height = len(gt) // width
    cap = np.uint8(steps + 1)
    for y in range(height):
        for x in range(width):
            i = y * width + x
            if y == 0 or y == height - 1 or x == 0 or x == width - 1:
                kept[i] = cap
            elif not (gt[i] | pred[i]):
                kept[i] = 0
            else:
                kept[i] = min(cap, min(kept[i - 1], kept[i - width]) + 1)
    for y in range(height - 2, 0, -1):
        for x in range(width - 2, 0, -1):
            i = y * width + x
            kept[i] = min(kept[i], min(kept[i + 1], kept[i + width]) + 1)
    for i in range(len(kept)):
        kept[i] = kept[i] == cap
    kept[:width] = 0
    kept[len(kept) - width :] = 0
    for y in range(height):
        kept[y * width] = 0
        kept[y * width + width - 1] = 0


@kernel(types.void, _MAP, _MAP, _MAP, types.int64, types.int64, types.uint8[::1])
def grow(wrong, blocked, kept, width, steps, reached):  # type: ignore[no-untyped-def]
    """Mark in `reached` the wrong pixels that are kept, or at most `steps` from those on a way that nothing blocks.

    Args: all flat maps; `wrong` and `blocked` exclude each other. A step goes to one of the four neighbours.
    """
    height = len(wrong) // width
    front = np.empty(1024, np.int64)
    n = 0
    moves = (-1, 1, -width, width)
    for i in range(len(wrong)):
        reached[i] = wrong[i] & kept[i]
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            i = y * width + x
            if reached[i]:
                for move in moves:
                    if not reached[i + move] and not blocked[i + move]:
                        if n == len(front):
                            front = np.concatenate((front, np.empty_like(front)))
                        front[n] = i
                        n += 1
                        break
    for _ in range(steps):
        following = np.empty(4 * n, np.int64)
        m = 0
        for k in range(n):
            for move in moves:
                i = front[k] + move
                row, column = i // width, i % width
                inside = 0 < row < height - 1 and 0 < column < width - 1
                if inside and not reached[i] and not blocked[i]:
                    reached[i] = 1
                    following[m] = i
                    m += 1
        front, n = following, m
    for i in range(len(wrong)):
        reached[i] &= wrong[i]
