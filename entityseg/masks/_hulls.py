"""Kernel: areas of convex hulls, from the top and the foot of each column.

Andrew's monotone chain (Information Processing Letters 9, 1979): the columns come sorted, so that the hull takes time
linear in their number. All numbers are integers: below 2^32 pixels, no product exceeds 2^34.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel, readonly


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _push(xs, ys, n, x, y):  # type: ignore[no-untyped-def]
    """Add a point at the right end of a convex chain of n points that looks up (the least y); return its length."""
    while n > 1 and (xs[n - 1] - xs[n - 2]) * (y - ys[n - 2]) <= (x - xs[n - 2]) * (ys[n - 1] - ys[n - 2]):
        n -= 1
    xs[n] = x
    ys[n] = y
    return n + 1


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _twice_the_area_above(xs, ys, n):  # type: ignore[no-untyped-def]
    """Return twice the area between the chain and y = 0."""
    total = 0
    for k in range(1, n):
        total += (xs[k] - xs[k - 1]) * (ys[k] + ys[k - 1])
    return total


@kernel(
    types.void,
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
    types.int64,
    types.int64[::1],
)
def twice_hull_areas(firsts, begins, rows, corners, areas):  # type: ignore[no-untyped-def]
    """Write twice the area of each mask's hull, of its pixels' corners if `corners` is 1, of their centres if 0."""
    widest = 0
    for m in range(len(areas)):
        widest = max(widest, firsts[m + 1] - firsts[m])
    # The upper chain, and the lower one with its y negated.
    upper_x, upper_y = np.empty(widest + 2, np.int64), np.empty(widest + 2, np.int64)
    lower_x, lower_y = np.empty(widest + 2, np.int64), np.empty(widest + 2, np.int64)
    for m in range(len(areas)):
        n_upper, n_lower = 0, 0
        # The right corners of the last column that is not empty; those of its neighbour may hide them.
        right, last_top, last_foot = -1, 0, 0
        for k in range(firsts[m], firsts[m + 1]):
            begin, end = begins[k], begins[k + 1]
            if begin == end:
                continue
            x = k - firsts[m]
            top, foot = rows[2 * begin], rows[2 * end - 1] - 1 + corners
            left_top, left_foot = top, foot
            if right == x:
                left_top, left_foot = min(top, last_top), max(foot, last_foot)
            elif right > 0:
                n_upper = _push(upper_x, upper_y, n_upper, right, last_top)
                n_lower = _push(lower_x, lower_y, n_lower, right, -last_foot)
            n_upper = _push(upper_x, upper_y, n_upper, x, left_top)
            n_lower = _push(lower_x, lower_y, n_lower, x, -left_foot)
            if corners == 1:
                right, last_top, last_foot = x + 1, top, foot
        if right > 0:
            n_upper = _push(upper_x, upper_y, n_upper, right, last_top)
            n_lower = _push(lower_x, lower_y, n_lower, right, -last_foot)
        areas[m] = -_twice_the_area_above(lower_x, lower_y, n_lower) - _twice_the_area_above(
            upper_x, upper_y, n_upper
        )
