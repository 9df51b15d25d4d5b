"""Kernel of the borders of HCE: followed, nested and listed as OpenCV 4's `findContours` does with `RETR_TREE`."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel

_INTS = types.int64[::1]


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _follow(labels, width, start, outside, number, points, n):  # type: ignore[no-untyped-def]
    """Write the pixels of a border behind the first n of `points`; return points, maybe moved, and their new number.

    Directions count from the right, against the clock. Pixels of the border get `number`, or `-number` where the pixel
    on their right is outside; `outside` is the direction from `start` to a pixel that is not in the region.
    """
    move = (1, -width + 1, -width, -width - 1, -1, width - 1, width, width + 1)
    # The first neighbour clockwise from the pixel outside is where the border comes back to.
    s = outside
    while True:
        s = (s - 1) & 7
        if labels[start + move[s]] != 0 or s == outside:
            break
    final = start + move[s]
    is_alone = labels[final] == 0
    at = start
    while True:
        if n == len(points):
            points = np.concatenate((points, np.empty_like(points)))
        points[n] = at
        n += 1
        if is_alone:
            labels[at] = -number
            return points, n
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
        if following == start and at == final:
            return points, n
        at = following
        s = (s + 4) & 7


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _listed(parents):  # type: ignore[no-untyped-def]
    """Return the borders in OpenCV's order: siblings were found from top to bottom and stand the last one first."""
    n = len(parents)
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
    return order


@kernel(types.Tuple((_INTS, _INTS, types.uint8[::1], _INTS, _INTS)), types.int32[::1], types.int64)
def borders(labels, width):  # type: ignore[no-untyped-def]
    """Follow all borders of the 8-connected regions of a map (Suzuki and Abe, 1985, algorithm 1).

    Args:
        labels: flat map of 0 and 1 with a frame, as `dichotomous_hce` makes it; overwritten.
        width: of the map, frame included.

    Returns:
        points: flat positions of all borders, one after the other.
        offsets: border k has the points `offsets[k]` to `offsets[k + 1]`, in the order in which they were found.
        holes: whether each is the border of a hole.
        parents: the surrounding border, -1 for none.
        order: the borders as OpenCV lists them: parents before children, of siblings the last first.
    """
    height = len(labels) // width
    points = np.empty(4096, np.int64)
    offsets = np.zeros(257, np.int64)
    holes = np.empty(256, np.uint8)
    parents = np.empty(256, np.int64)
    n = 0
    for y in range(1, height - 1):
        last = -1  # The border met last in this row; the frame counts as a hole's.
        previous = np.int32(0)
        for x in range(1, width):
            i = y * width + x
            here = labels[i]
            if here == previous:
                continue
            is_outer = previous == 0 and here == 1
            is_hole = here == 0 and previous >= 1
            if is_hole and previous > 1:
                last = previous - 2
            if is_outer or is_hole:
                if n == len(holes):
                    offsets = np.concatenate((offsets, np.empty_like(parents)))
                    holes = np.concatenate((holes, np.empty_like(holes)))
                    parents = np.concatenate((parents, np.empty_like(parents)))
                last_is_hole = last < 0 or holes[last] != 0
                parents[n] = last if last_is_hole != is_hole else (-1 if last < 0 else parents[last])
                holes[n] = is_hole
                start, outside = (i - 1, 0) if is_hole else (i, 4)
                points, offsets[n + 1] = _follow(labels, width, start, outside, n + 2, points, offsets[n])
                n += 1
                here = labels[i]
            if here != 0 and here != 1:
                last = abs(here) - 2
            previous = here
    parents = parents[:n].copy()
    return points[: offsets[n]].copy(), offsets[: n + 1].copy(), holes[:n].copy(), parents, _listed(parents)
