"""Kernel: the rows of a PNG from what its five filters left of them (PNG, third edition, section 9).

A map of ids is flat, so that most of what the filters leave is zeros. For a stretch of zeros, each filter says without
a look at single bytes what the row is: a copy of the row above, or the pixel to the left again and again.
"""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly

# Bytes looked at together: a multiple of every step (1, 2, 3) and of a vector register.
CHUNK = 96


@kernel(types.int64, readonly(types.uint8, 2), types.int64, types.uint8[:, ::1])
def unfilter(filtered, step, out):  # type: ignore[no-untyped-def]
    """Write the rows of an image; return the first row whose filter is unknown, -1 if there is none.

    Args: filtered uint8 [height, 1 + n], the type of the filter first; step, the bytes of a pixel; out uint8
    [height, n].
    """
    height, n = out.shape
    zeros = np.zeros(n, np.uint8)
    for y in range(height):
        kind = filtered[y, 0]
        source = filtered[y, 1:]
        row = out[y]
        above = out[y - 1] if y > 0 else zeros
        if kind > 4:
            return y
        if kind == 0:
            for i in range(n):
                row[i] = source[i]
            continue
        if kind == 2:
            for i in range(n):
                row[i] = np.uint8(source[i] + above[i])
            continue
        for begin in range(0, n, CHUNK):
            end = min(begin + CHUNK, n)
            piece = source[begin:end]
            any_bits = np.uint8(0)
            for i in range(len(piece)):
                any_bits = np.uint8(any_bits | piece[i])
            fill = copy = False
            if any_bits == 0 and kind == 1:
                fill = True
            elif any_bits == 0 and kind == 4:
                # Where the pixel to the left is as the one above it, the prediction is the pixel above, and so on.
                copy = True
                for i in range(step if begin > 0 else 0):
                    copy = copy and row[begin - step + i] == above[begin - step + i]
                if not copy:
                    # Where the row above does not change, the prediction is the pixel to the left. The chunk before
                    # has a pixel, since only the first one has none, and there the pixels are equal.
                    here = above[begin:end]
                    before = above[begin - step : end - step]
                    differs = np.uint8(0)
                    for i in range(len(here)):
                        differs = np.uint8(differs | np.uint8(here[i] ^ before[i]))
                    fill = differs == 0
            if copy:
                here = above[begin:end]
                target = row[begin:end]
                for i in range(len(here)):
                    target[i] = here[i]
                continue
            if fill:
                for c in range(step):
                    value = row[begin - step + c] if begin > 0 else np.uint8(0)
                    for i in range(begin + c, end, step):
                        row[i] = value
                continue
            for i in range(begin, end):
                left = np.int64(row[i - step]) if i >= step else 0
                up = np.int64(above[i])
                if kind == 1:
                    guess = left
                elif kind == 3:
                    guess = (left + up) >> 1
                else:
                    corner = np.int64(above[i - step]) if i >= step else 0
                    by_left, by_up, by_corner = (
                        abs(up - corner),
                        abs(left - corner),
                        abs(left + up - 2 * corner),
                    )
                    if by_left <= by_up and by_left <= by_corner:
                        guess = left
                    elif by_up <= by_corner:
                        guess = up
                    else:
                        guess = corner
                row[i] = np.uint8(np.int64(source[i]) + guess)
    return -1
