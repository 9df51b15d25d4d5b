"""Kernel: outer contours of connected components, along the corners of their pixels."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel, readonly


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _inside(edges, begin, end, height, width, x, y):  # type: ignore[no-untyped-def]
    """Return whether the pixel is in the mask edges[begin:end]; pixels outside the image are not."""
    if x < 0 or y < 0 or x >= width or y >= height:
        return False
    position = x * height + y
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        if np.int64(edges[middle]) <= position:
            low = middle + 1
        else:
            high = middle
    return (low - begin) & 1 == 1


@kernel(
    types.Tuple((types.int64[::1], types.int64[::1])),
    readonly(types.uint32),
    readonly(types.int64),
    types.int64,
    types.int64,
)
def trace(edges, offsets, height, width):  # type: ignore[no-untyped-def]
    """Return x, y, x, y, ... of the corners where each contour turns, and where each contour begins.

    The masks are 4-connected components, none empty. The walk keeps the component on its right and starts at
    the component's first pixel, which has none of it above or to the left. Where two of its pixels share only
    a corner, the walk keeps them apart.
    """
    n_parts = len(offsets) - 1
    stops = np.zeros(n_parts + 1, np.int64)
    capacity = 4 * len(edges) + 64
    corners = np.empty(capacity, np.int64)
    n = 0
    for m in range(n_parts):
        begin, end = offsets[m], offsets[m + 1]
        first_x = np.int64(edges[begin]) // height
        first_y = np.int64(edges[begin]) - first_x * height
        # Direction of the walk: right, down, left, up are (1, 0), (0, 1), (-1, 0), (0, -1).
        x, y, dx, dy = first_x, first_y, 1, 0
        while True:
            if n + 2 > capacity:
                capacity *= 2
                grown = np.empty(capacity, np.int64)
                grown[:n] = corners[:n]
                corners = grown
            corners[n] = x
            corners[n + 1] = y
            n += 2
            while True:
                x += dx
                y += dy
                # The two pixels ahead of the corner, on either side of the walk.
                ahead_x = x + (dx - 1 - dy) // 2
                ahead_y = y + (dy - 1 + dx) // 2
                if not _inside(edges, begin, end, height, width, ahead_x, ahead_y):
                    dx, dy = -dy, dx
                    break
                if _inside(edges, begin, end, height, width, ahead_x + dy, ahead_y - dx):
                    dx, dy = dy, -dx
                    break
            if x == first_x and y == first_y and dx == 1 and dy == 0:
                break
        stops[m + 1] = n
    return corners[:n].copy(), stops
