"""Kernels: what pairs and triples of neighbouring columns tell of the outline, run by run.

Both walk down the rows of neighbouring columns from one edge to the next. Between two edges nothing changes, so that
a stretch of any length takes one step.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel, readonly

_NEVER = np.int64(2**62)


@kernel(
    types.void,
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
    types.int64[:, ::1],
)
def count_squares(firsts, begins, rows, counts):  # type: ignore[no-untyped-def]
    """Write how often each pattern of 2 x 2 pixels occurs into `counts` [n, 16], which starts as zeros.

    The column is 8 top left + 4 top right + 2 bottom left + 1 bottom right. The squares lie anywhere, also half
    outside the image. Squares without foreground are not counted: column 0 means nothing.
    """
    for m in range(len(counts)):
        first, last = firsts[m], firsts[m + 1]
        beside, common = 0, 0
        left_first, right_first, left_last, right_last = 0, 0, 0, 0
        left_alone, right_alone = 0, 0
        for k in range(first, last + (last > first)):
            # Column k on the right and the one before it on the left; beyond the box there is none.
            i, end_i = (2 * begins[k - 1], 2 * begins[k]) if k > first else (0, 0)
            j, end_j = (2 * begins[k], 2 * begins[k + 1]) if k < last else (0, 0)
            if end_i - i == 2 and end_j - j == 2:
                # One piece beside one, which most columns are: the same without a branch that depends on the shape.
                top_i, foot_i, top_j, foot_j = rows[i], rows[i + 1], rows[j], rows[j + 1]
                low, high = max(top_i, top_j), min(foot_i, foot_j)
                if low < high:
                    beside += 1
                    common += high - low - 1
                    left_first += top_i < top_j
                    right_first += top_i > top_j
                    left_last += foot_i > foot_j
                    right_last += foot_i < foot_j
                    left_alone += max(top_j - top_i - 1, 0) + max(foot_i - foot_j - 1, 0)
                    right_alone += max(top_i - top_j - 1, 0) + max(foot_j - foot_i - 1, 0)
                    continue
            # 2 left + 1 right, above and below row y.
            above, y = 0, 0
            next_i = rows[i] if i < end_i else _NEVER
            next_j = rows[j] if j < end_j else _NEVER
            while i < end_i or j < end_j:
                at = min(next_i, next_j)
                below = above
                if next_i == at:
                    below ^= 2
                    i += 1
                    next_i = rows[i] if i < end_i else _NEVER
                if next_j == at:
                    below ^= 1
                    j += 1
                    next_j = rows[j] if j < end_j else _NEVER
                counts[m, 5 * above] += at - y - 1
                counts[m, 4 * above + below] += 1
                above, y = below, at
        counts[m, 0b0010] += left_first
        counts[m, 0b0001] += right_first
        counts[m, 0b0011] += beside - left_first - right_first
        counts[m, 0b1011] += left_first
        counts[m, 0b0111] += right_first
        counts[m, 0b1111] += common
        counts[m, 0b1010] += left_alone
        counts[m, 0b0101] += right_alone
        counts[m, 0b1110] += left_last
        counts[m, 0b1101] += right_last
        counts[m, 0b1100] += beside - left_last - right_last
        counts[m, 0b1000] += left_last
        counts[m, 0b0100] += right_last


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _border(rows, begin, end, i, end_i, j, end_j, out, n):  # type: ignore[no-untyped-def]
    """Write a column's pixels with a 4-neighbour in the background behind out[:n]; return the new length.

    The column has the pieces begin to end, its neighbours i to end_i and j to end_j.
    """
    for p in range(begin, end):
        start, stop = rows[2 * p], rows[2 * p + 1]
        while i < end_i and j < end_j:
            stop_i, stop_j = rows[2 * i + 1], rows[2 * j + 1]
            # Inner pixels: those with pixels above and below in the piece, left and right in its neighbours.
            inner = max(rows[2 * i], rows[2 * j], rows[2 * p] + 1)
            inner_stop = min(stop_i, stop_j, stop - 1)
            if inner < inner_stop:
                out[n] = start
                out[n + 1] = inner
                n += 2
                start = inner_stop
            if min(stop_i, stop_j) >= stop:
                break
            if stop_i <= stop_j:
                i += 1
            else:
                j += 1
        out[n] = start
        out[n + 1] = stop
        n += 2
    return n


@kernel(
    types.void,
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.uint8),
    types.int64[:, ::1],
)
def count_border_pixels(firsts, begins, rows, kinds, counts):  # type: ignore[no-untyped-def]
    """Write how many border pixels of each kind a mask has into `counts` [n, kinds], which starts as zeros.

    Border pixels have a 4-neighbour in the background. `kinds` [512] is the kind of a pixel, given which of the
    3 x 3 pixels around it are border pixels: 64 x the row above + 8 x its own + the row below, and in a row
    4 left + 2 middle + 1 right. What of them is no border pixel itself goes to a kind that nobody reads.
    """
    most = 0
    for k in range(len(begins) - 1):
        most = max(most, begins[k + 1] - begins[k])
    # Border pieces of three columns in turn. Two neighbours cut a piece at most once for each of theirs.
    border = np.empty((3, 2 * (4 * most + 4)), np.int64)
    lengths = np.zeros(3, np.int64)
    for m in range(len(counts)):
        first, last = firsts[m], firsts[m + 1]
        lengths[:] = 0
        for k in range(first, last + (last > first)):
            # The border of column k completes the surroundings of column k - 1.
            left, middle, right = (k - 2 - first) % 3, (k - 1 - first) % 3, (k - first) % 3
            lengths[right] = 0
            if k < last:
                begin, end = begins[k], begins[k + 1]
                i, end_i = (begins[k - 1], begin) if k > first else (0, 0)
                j, end_j = (end, begins[k + 2]) if k + 1 < last else (0, 0)
                lengths[right] = _border(rows, begin, end, i, end_i, j, end_j, border[right], 0)
            if lengths[middle] == 0:
                continue
            a, b, c = 0, 0, 0
            above, here, y = 0, 0, 0
            while a < lengths[left] or b < lengths[middle] or c < lengths[right]:
                next_a = border[left, a] if a < lengths[left] else _NEVER
                next_b = border[middle, b] if b < lengths[middle] else _NEVER
                next_c = border[right, c] if c < lengths[right] else _NEVER
                at = min(next_a, next_b, next_c)
                below = here
                if next_a == at:
                    below ^= 4
                    a += 1
                if next_b == at:
                    below ^= 2
                    b += 1
                if next_c == at:
                    below ^= 1
                    c += 1
                if here & 2:
                    if at - y == 1:
                        counts[m, kinds[64 * above + 8 * here + below]] += 1
                    else:
                        counts[m, kinds[64 * above + 9 * here]] += 1
                        counts[m, kinds[73 * here]] += at - y - 2
                        counts[m, kinds[72 * here + below]] += 1
                above, here, y = here, below, at
