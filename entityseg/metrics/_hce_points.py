"""Kernels of the count of HCE: the points of simplified borders, and the regions that one click corrects."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly

_INTS = readonly(types.int64)
_MAP = readonly(types.uint8)


@kernel(types.int64, _INTS, _INTS, types.int64, types.double)
def count_vertices(xs, ys, n, epsilon):  # type: ignore[no-untyped-def]
    """Return how many vertices OpenCV's `approxPolyDP` keeps of the open curve of the first n points.

    Douglas and Peucker's algorithm (1973) by distance from the chord as a segment, not as a line (as older
    OpenCV did), then one pass that drops vertices which are almost on the line of their neighbours.
    """
    kept = np.empty(n, np.int64)
    m = 0
    stack = np.empty((n + 2, 2), np.int64)
    stack[0, 0], stack[0, 1] = 0, n - 1
    top = 1
    squared = epsilon * epsilon
    while top > 0:
        top -= 1
        begin, end = stack[top, 0], stack[top, 1]
        dx, dy = xs[end] - xs[begin], ys[end] - ys[begin]
        length = dx * dx + dy * dy
        most, where = 0.0, begin
        for k in range(begin + 1, end):
            ax, ay = xs[k] - xs[begin], ys[k] - ys[begin]
            along = ax * dx + ay * dy
            if along <= 0:
                distance = np.float64(ax * ax + ay * ay)
            elif along >= length:
                bx, by = xs[k] - xs[end], ys[k] - ys[end]
                distance = np.float64(bx * bx + by * by)
            else:
                across = np.float64(ay * dx - ax * dy)
                distance = across * across / length
            if distance > most:
                most, where = distance, k
        if most <= squared:
            kept[m] = begin
            m += 1
        else:
            stack[top, 0], stack[top, 1] = where, end
            stack[top + 1, 0], stack[top + 1, 1] = begin, where
            top += 2
    if n > 1:
        kept[m] = n - 1
        m += 1
    left = m
    a, b = kept[0], kept[min(1, m - 1)]
    k = 1
    while k < m - 1 and left > 2:
        c = kept[k + 1]
        dx, dy = xs[c] - xs[a], ys[c] - ys[a]
        distance = abs((xs[b] - xs[a]) * dy - (ys[b] - ys[a]) * dx)
        onwards = (xs[b] - xs[a]) * (xs[c] - xs[b]) + (ys[b] - ys[a]) * (ys[c] - ys[b])
        length = np.float64(dx) * dx + np.float64(dy) * dy
        if np.float64(distance) * distance <= 0.5 * squared * length and dx != 0 and dy != 0 and onwards >= 0:
            left -= 1
            a = c
            k += 2
            b = kept[min(k, m - 1)]
            continue
        a, b = b, c
        k += 1
    return left


@kernel(types.UniTuple(types.int64, 2), _INTS, _INTS, _MAP, _INTS, _INTS, _MAP, types.int64, types.double)
def points_and_regions(points, offsets, holes, parents, order, condition, width, epsilon):  # type: ignore[no-untyped-def]
    """Return the vertices of all pieces of the borders, and the regions of whose borders nothing is kept.

    Args:
        points, offsets, holes, parents, order: what `borders` returns.
        condition: flat map; a border's pixel is kept if it or one of its four neighbours is set here, and no border
            before it had the pixel. What is kept side by side is a piece.
        width: of the map, frame included.
        epsilon: pixels, of the simplification.
    """
    n_borders = len(holes)
    used = np.zeros(len(condition), np.uint8)
    touched = np.zeros(n_borders, np.uint8)
    longest = 0
    for k in range(n_borders):
        longest = max(longest, offsets[k + 1] - offsets[k])
    kept = np.empty(longest, np.int64)
    starts = np.empty(longest + 1, np.int64)
    xs, ys = np.empty(longest, np.int64), np.empty(longest, np.int64)
    vertices = 0
    for k in order:
        # A hole's border belongs to the region of the outer border around it.
        region = parents[k] if holes[k] else k
        n = pieces = 0
        open_piece = False
        for i in points[offsets[k] : offsets[k + 1]]:
            set_here = (
                condition[i]
                | condition[i - 1]
                | condition[i + 1]
                | condition[i - width]
                | condition[i + width]
            )
            if not set_here or used[i]:
                open_piece = False
                continue
            if not open_piece:
                starts[pieces] = n
                pieces += 1
                open_piece = True
            kept[n] = i
            n += 1
            used[i] = 1
            touched[region] = 1
        starts[pieces] = n
        # The walk may have begun inside a piece: as in the published code, its first part then goes to the end of the
        # last one, turned round.
        joined = False
        if pieces > 1:
            dy = abs(kept[0] // width - kept[n - 1] // width)
            dx = abs(kept[0] % width - kept[n - 1] % width)
            joined = max(dx, dy) == 1
        for piece in range(1 if joined else 0, pieces):
            m = 0
            for j in range(starts[piece], starts[piece + 1]):
                ys[m], xs[m] = kept[j] // width, kept[j] % width
                m += 1
            if joined and piece == pieces - 1:
                for j in range(starts[1] - 1, -1, -1):
                    ys[m], xs[m] = kept[j] // width, kept[j] % width
                    m += 1
            vertices += count_vertices(xs, ys, m, epsilon)
    independent = 0
    for k in range(n_borders):
        if not holes[k] and not touched[k]:
            independent += 1
    return vertices, independent
