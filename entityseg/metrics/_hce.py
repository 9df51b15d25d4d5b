"""Kernels of the human correction effort: relaxed errors, skeletons, borders, and their pieces simplified.

Maps are flat uint8 arrays of (height + 2) x (width + 2) pixels: a frame of one zero pixel spares every test of bounds.
"""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly

_MAP = readonly(types.uint8)
_INTS = types.int64[::1]


@kernel(types.void, _MAP, _MAP, types.int64, types.int64, types.uint8[::1])
def erode(gt, pred, width, steps, kept):  # type: ignore[no-untyped-def]
    """Mark in `kept` what `steps` erosions of gt | pred by the 3 x 3 cross leave; outside the image nothing erodes.

    `width` counts the frame. It is the city-block distance to the complement, in two passes.
    """
    stride = width
    height = len(gt) // stride
    cap = np.uint8(steps + 1)
    for y in range(height):
        for x in range(stride):
            i = y * stride + x
            if y == 0 or y == height - 1 or x == 0 or x == stride - 1:
                kept[i] = cap
            elif not (gt[i] | pred[i]):
                kept[i] = 0
            else:
                kept[i] = min(cap, min(kept[i - 1], kept[i - stride]) + 1)
    for y in range(height - 2, 0, -1):
        for x in range(stride - 2, 0, -1):
            i = y * stride + x
            kept[i] = min(kept[i], min(kept[i + 1], kept[i + stride]) + 1)
    for i in range(len(kept)):
        kept[i] = kept[i] == cap
    kept[:stride] = 0
    kept[len(kept) - stride :] = 0
    for y in range(height):
        kept[y * stride] = 0
        kept[y * stride + stride - 1] = 0


@kernel(types.void, _MAP, _MAP, _MAP, types.int64, types.int64, types.uint8[::1])
def grow(wrong, blocked, kept, width, steps, reached):  # type: ignore[no-untyped-def]
    """Mark in `reached` the wrong pixels that are kept, or at most `steps` from those on a way that nothing blocks.

    Args: all flat maps; `wrong` and `blocked` exclude each other. A step goes to one of the four neighbours.
    """
    stride = width
    height = len(wrong) // stride
    front = np.empty(1024, np.int64)
    n = 0
    moves = (-1, 1, -stride, stride)
    for i in range(len(wrong)):
        reached[i] = wrong[i] & kept[i]
    for y in range(1, height - 1):
        for x in range(1, stride - 1):
            i = y * stride + x
            if reached[i]:
                for move in moves:
                    if not reached[i + move] and not blocked[i + move]:
                        if n == len(front):
                            larger = np.empty(2 * n, np.int64)
                            larger[:n] = front
                            front = larger
                        front[n] = i
                        n += 1
                        break
    for _ in range(steps):
        following = np.empty(4 * n, np.int64)
        m = 0
        for k in range(n):
            for move in moves:
                i = front[k] + move
                row, column = i // stride, i % stride
                inside = 0 < row < height - 1 and 0 < column < stride - 1
                if inside and not reached[i] and not blocked[i]:
                    reached[i] = 1
                    following[m] = i
                    m += 1
        front, n = following, m
    for i in range(len(wrong)):
        reached[i] &= wrong[i]


@kernel(types.void, types.uint8[::1], types.int64, _MAP)
def skeleton(pixels, width, table):  # type: ignore[no-untyped-def]
    """Thin a map in place (Zhang and Suen, 1984), looking only where something changed.

    Args:
        pixels: flat map.
        width: of the map, frame included.
        table: uint8 [256], for the neighbours N, NE, E, ... NW as bits 0 ... 7: bit 0 or 1 says that the first or
            second half of a step deletes the pixel.
    """
    stride = width
    around = (-stride, -stride + 1, 1, stride + 1, stride, stride - 1, -1, -stride - 1)
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
                    larger = np.empty(2 * n, np.int64)
                    larger[:n] = deleted
                    deleted = larger
                deleted[n] = i
                n += 1
        for k in range(n):
            pixels[deleted[k]] = 0
        before, changed = changed, deleted[:n].copy()
        half += 1


@kernel(
    types.Tuple((_INTS, _INTS, types.uint8[::1], _INTS, _INTS)),
    types.int32[::1],
    types.int64,
)
def borders(labels, width):  # type: ignore[no-untyped-def]
    """Follow all borders of the 8-connected regions of a map (Suzuki and Abe, 1985, algorithm 1).

    Args:
        labels: flat map of 0 and 1; overwritten.
        width: of the map, frame included.

    Returns:
        points: flat positions of all borders, one after the other.
        ends: where each border ends in `points`, in the order in which they were found.
        holes: whether each is the border of a hole.
        parents: the surrounding border, -1 for none.
        order: the borders as OpenCV's `RETR_TREE` lists them: parents before children, of siblings the last first.
    """
    stride = width
    height = len(labels) // stride
    move = (1, -stride + 1, -stride, -stride - 1, -1, stride - 1, stride, stride + 1)
    points = np.empty(4096, np.int64)
    ends = np.empty(256, np.int64)
    holes = np.empty(256, np.uint8)
    parents = np.empty(256, np.int64)
    n_points = n = 0
    for y in range(1, height - 1):
        last = -1  # The border met last in this row; the frame counts as a hole's.
        previous = np.int32(0)
        for x in range(1, stride):
            i = y * stride + x
            here = labels[i]
            if here == previous:
                continue
            is_hole = False
            begins = False
            start = i
            if previous == 0 and here == 1:
                begins = True
            elif here == 0 and previous >= 1:
                begins = is_hole = True
                start = i - 1
                if previous > 1:
                    last = previous - 2
            if begins:
                if n == len(ends):
                    more_ends, more_holes = np.empty(2 * n, np.int64), np.empty(2 * n, np.uint8)
                    more_parents = np.empty(2 * n, np.int64)
                    more_ends[:n], more_holes[:n], more_parents[:n] = ends, holes, parents
                    ends, holes, parents = more_ends, more_holes, more_parents
                last_is_hole = last < 0 or holes[last] != 0
                parents[n] = last if last_is_hole != is_hole else (-1 if last < 0 else parents[last])
                holes[n] = is_hole
                number = np.int32(n + 2)
                # The first neighbour clockwise from the pixel outside is where the border comes back to.
                first = 0 if is_hole else 4
                s = first
                while True:
                    s = (s - 1) & 7
                    if labels[start + move[s]] != 0 or s == first:
                        break
                if labels[start + move[s]] == 0:
                    labels[start] = -number
                    if n_points == len(points):
                        larger = np.empty(2 * n_points, np.int64)
                        larger[:n_points] = points
                        points = larger
                    points[n_points] = start
                    n_points += 1
                else:
                    final = start + move[s]
                    at = start
                    while True:
                        right_is_outside = False
                        while True:
                            s = (s + 1) & 7
                            following = at + move[s]
                            if labels[following] != 0:
                                break
                            right_is_outside |= s == 0
                        if right_is_outside:
                            labels[at] = -number
                        elif labels[at] == 1:
                            labels[at] = number
                        if n_points == len(points):
                            larger = np.empty(2 * n_points, np.int64)
                            larger[:n_points] = points
                            points = larger
                        points[n_points] = at
                        n_points += 1
                        if following == start and at == final:
                            break
                        at = following
                        s = (s + 4) & 7
                ends[n] = n_points
                n += 1
                here = labels[i]
            if here != 0 and here != 1:
                last = abs(here) - 2
            previous = here
    # Siblings are found from top to bottom and listed from bottom to top, each followed by its children.
    first_child = np.full(n + 1, -1, np.int64)
    sibling = np.full(n, -1, np.int64)
    for k in range(n):
        sibling[k] = first_child[parents[k] + 1]
        first_child[parents[k] + 1] = k
    order = np.empty(n, np.int64)
    stack = np.empty(n + 1, np.int64)
    top = done = 0
    if n > 0:
        stack[0] = first_child[0]
        top = 1
    while top > 0:
        top -= 1
        k = stack[top]
        order[done] = k
        done += 1
        if sibling[k] >= 0:
            stack[top] = sibling[k]
            top += 1
        if first_child[k + 1] >= 0:
            stack[top] = first_child[k + 1]
            top += 1
    return points[:n_points].copy(), ends[:n].copy(), holes[:n].copy(), parents[:n].copy(), order


@kernel(types.int64, readonly(types.int64), readonly(types.int64), types.int64, types.double)
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


@kernel(
    types.UniTuple(types.int64, 2),
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.uint8),
    readonly(types.int64),
    readonly(types.int64),
    _MAP,
    types.int64,
    types.double,
)
def effort(points, ends, holes, parents, order, condition, width, epsilon):  # type: ignore[no-untyped-def]
    """Return the vertices of all pieces of the borders, and the regions of whose borders nothing is kept.

    Args:
        points, ends, holes, parents, order: what `borders` returns.
        condition: flat map; a border's pixel is kept if it or one of its four neighbours is set here.
        width: of the map, frame included.
        epsilon: pixels, of the simplification.
    """
    stride = width
    used = np.zeros(len(condition), np.uint8)
    touched = np.zeros(len(ends), np.uint8)
    longest = 0
    for k in range(len(ends)):
        longest = max(longest, ends[k] - (ends[k - 1] if k else 0))
    kept = np.empty(longest, np.int64)
    starts = np.empty(longest + 1, np.int64)
    xs, ys = np.empty(longest, np.int64), np.empty(longest, np.int64)
    vertices = 0
    for k in order:
        # A hole's border belongs to the region of the outer border around it.
        region = parents[k] if holes[k] else k
        n = pieces = 0
        open_piece = False
        for j in range(ends[k - 1] if k else 0, ends[k]):
            i = points[j]
            set_here = (
                condition[i]
                | condition[i - 1]
                | condition[i + 1]
                | condition[i - stride]
                | condition[i + stride]
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
        joined = False
        if pieces > 1:
            dy = abs(kept[0] // stride - kept[n - 1] // stride)
            dx = abs(kept[0] % stride - kept[n - 1] % stride)
            joined = max(dx, dy) == 1
        for piece in range(1 if joined else 0, pieces):
            m = 0
            for j in range(starts[piece], starts[piece + 1]):
                ys[m], xs[m] = kept[j] // stride, kept[j] % stride
                m += 1
            if joined and piece == pieces - 1:
                for j in range(starts[1] - 1, -1, -1):
                    ys[m], xs[m] = kept[j] // stride, kept[j] % stride
                    m += 1
            vertices += count_vertices(xs, ys, m, epsilon)
    independent = 0
    for k in range(len(ends)):
        if not holes[k] and not touched[k]:
            independent += 1
    return vertices, independent
