"""Kernels: outlines of masks as chains of horizontal sides of pixels, and how much they bend.

An outline runs along the sides of pixels with the mask on its right. Every piece of a column has two horizontal sides
in it: side 2 p, its top, is walked to the right; side 2 p + 1, its foot, to the left. From one to the next the outline
goes up or down the border of a column. So an outline is told by which side comes next.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly

_NEVER = np.int64(2**62)


@kernel(
    types.void,
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
    types.int64[::1],
    types.int64[::1],
)
def link(firsts, begins, rows, following, places):  # type: ignore[no-untyped-def]
    """Write for each horizontal side which one comes next on its outline, and the column in which it lies.

    Columns count from the left of the mask's box. Where two pixels share only a corner, the outline goes from one to
    the other, as the mask is 8-connected.
    """
    for m in range(len(firsts) - 1):
        first, last = firsts[m], firsts[m + 1]
        for k in range(first, last + (last > first)):
            # Column k on the right and the one before it on the left; beyond the box there is none.
            i, end_i = (2 * begins[k - 1], 2 * begins[k]) if k > first else (0, 0)
            j, end_j = (2 * begins[k], 2 * begins[k + 1]) if k < last else (0, 0)
            places[j:end_j] = k - first
            left, right = False, False
            # Going down the border (left of it is mask): the side that the outline comes from. Going up (right of it is
            # mask): the side that it will go to.
            carried = 0
            while i < end_i or j < end_j:
                row_i = rows[i] if i < end_i else _NEVER
                row_j = rows[j] if j < end_j else _NEVER
                if row_i != row_j:
                    side = i if row_i < row_j else j
                    if left == right:
                        carried = side
                    elif left:
                        following[carried] = side
                    else:
                        following[side] = carried
                    if row_i < row_j:
                        left = not left
                        i += 1
                    else:
                        right = not right
                        j += 1
                    continue
                if left and right:
                    following[j] = i
                elif left:
                    following[carried] = j
                    carried = i
                elif right:
                    following[i] = carried
                    carried = j
                else:
                    following[i] = j
                left, right = not left, not right
                i += 1
                j += 1


@kernel(
    types.void,
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
    types.int64[::1],
    readonly(types.int64),
    types.int64,
    types.double[::1],
    types.double[::1],
)
def bend(firsts, begins, rows, following, places, reach, turns, lengths):  # type: ignore[no-untyped-def]
    """Write how much the smoothed outlines of each mask turn, and how long they are, each times the chord's steps.

    The outline's points are the middles of the sides of pixels. They are averaged over 2 w + 1 points, and chords
    between points s apart are compared: a turn is the distance of the directions of two chords in a row. `reach` is
    the most of w and s; short outlines have less. `following` is used up.
    """
    # Straight ways down or up a border, where nothing turns, are walked no farther than this.
    longest = 8 * reach
    xs, ys = np.empty(0, np.int64), np.empty(0, np.int64)
    across, along = np.empty(0, np.float64), np.empty(0, np.float64)
    for m in range(len(firsts) - 1):
        turns[m], lengths[m] = 0.0, 0.0
        begin, end = 2 * begins[firsts[m]], 2 * begins[firsts[m + 1]]
        most = 4 * reach + 1
        for side in range(begin, end):
            most += 1 + min(abs(rows[following[side]] - rows[side]), longest)
        if most > len(xs):
            xs, ys = np.empty(2 * most, np.int64), np.empty(2 * most, np.int64)
            across, along = np.empty(2 * most, np.float64), np.empty(2 * most, np.float64)
        for start in range(begin, end):
            if following[start] < 0:
                continue
            # The points, in halves of pixels, less the rows that were left out so far.
            n, left_out, unseen = 0, 0, 0
            side = start
            while following[side] >= 0:
                x, y = places[side], rows[side]
                xs[n] = 2 * x + 1
                ys[n] = 2 * (y - left_out)
                n += 1
                border = 2 * (x + 1 - (side & 1))
                onward = following[side]
                way = rows[onward] - y
                down = 1 if way > 0 else -1
                steps = min(abs(way), longest)
                for step in range(steps):
                    xs[n] = border
                    ys[n] = 2 * (y - left_out) + down * (2 * step + 1)
                    n += 1
                left_out += way - down * steps
                unseen += abs(way) - steps
                following[side] = -1
                side = onward
            s = max(min(reach, n // 8), 1)
            w = min(reach, n // 8)
            # The first points once more at the end, moved as far as the end has moved.
            for k in range(2 * w + 2 * s):
                xs[n + k] = xs[k]
                ys[n + k] = ys[k] - 2 * left_out
            # Sums of 2 w + 1 points.
            sum_x, sum_y = 0, 0
            for k in range(2 * w + 1):
                sum_x += xs[k]
                sum_y += ys[k]
            for k in range(n + 2 * s):
                step_x, step_y = xs[k + 2 * w + 1] - xs[k], ys[k + 2 * w + 1] - ys[k]
                xs[k], ys[k] = sum_x, sum_y
                sum_x += step_x
                sum_y += step_y
            length = 0.0
            for k in range(n + s):
                x, y = np.float64(xs[k + s] - xs[k]), np.float64(ys[k + s] - ys[k])
                norm = math.sqrt(x * x + y * y)
                if k < n:
                    length += norm
                norm = max(norm, 1.0)
                across[k], along[k] = x / norm, y / norm
            turn = 0.0
            for k in range(n):
                x, y = across[k + s] - across[k], along[k + s] - along[k]
                turn += math.sqrt(x * x + y * y)
            turns[m] += turn / s
            lengths[m] += length / (2 * (2 * w + 1)) / s + unseen
