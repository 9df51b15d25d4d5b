"""Kernels: connected components and holes of masks, by union-find over their pieces of columns.

Pieces of neighbouring columns are connected if they share a row, and with corners also if one begins where the other
ends. A hole is made of gaps: the rows between two pieces of one column. The background above the first and below the
last piece of a column reaches the outside of the image.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel, readonly


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _join(parents, a, b):  # type: ignore[no-untyped-def]
    """Make one tree of the trees of two nodes; of the roots the smaller one stays. Ways to the root are halved."""
    while parents[a] != a:
        parents[a] = parents[parents[a]]
        a = parents[a]
    while parents[b] != b:
        parents[b] = parents[parents[b]]
        b = parents[b]
    if a < b:
        parents[b] = a
    else:
        parents[a] = b


@kernel(
    types.void,
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
    types.int64,
    types.int64[::1],
    types.int64[::1],
)
def label(firsts, begins, rows, corners, labels, stops):  # type: ignore[no-untyped-def]
    """Write which part each piece belongs to into `labels`; mask m has the parts stops[m] to stops[m + 1] - 1.

    `corners` is 1 where corners connect, else 0. Parts are numbered as the scan line meets them.
    """
    n_parts = 0
    stops[0] = 0
    for m in range(len(firsts) - 1):
        for i in range(begins[firsts[m]], begins[firsts[m + 1]]):
            labels[i] = i
        for k in range(firsts[m] + 1, firsts[m + 1]):
            i, end_i, j, end_j = begins[k - 1], begins[k], begins[k], begins[k + 1]
            while i < end_i and j < end_j:
                stop_i, stop_j = rows[2 * i + 1], rows[2 * j + 1]
                if rows[2 * i] < stop_j + corners and rows[2 * j] < stop_i + corners:
                    _join(labels, i, j)
                if stop_i <= stop_j:
                    i += 1
                else:
                    j += 1
        # From here on, labels are parts, not pieces. A piece comes after its parent, as the smaller root stays.
        for i in range(begins[firsts[m]], begins[firsts[m + 1]]):
            if labels[i] == i:
                labels[i] = n_parts
                n_parts += 1
            else:
                labels[i] = labels[labels[i]]
        stops[m + 1] = n_parts


@kernel(
    types.uint32[::1],
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
    types.int64,
    readonly(types.int64),
    types.int64[::1],
)
def gather(lefts, firsts, begins, rows, height, labels, offsets):  # type: ignore[no-untyped-def]
    """Return the edges of the parts, and write where each begins into `offsets` [parts + 1]."""
    # Where each part's last run stops, and first how many edges it has, then where the next one goes.
    n_parts = len(offsets) - 1
    stops = np.full(n_parts, -1, np.int64)
    places = np.zeros(n_parts, np.int64)
    for m in range(len(lefts)):
        for k in range(firsts[m], firsts[m + 1]):
            base = (lefts[m] + k - firsts[m]) * height
            for i in range(begins[k], begins[k + 1]):
                part = labels[i]
                places[part] += 2 * (stops[part] != base + rows[2 * i])
                stops[part] = base + rows[2 * i + 1]
    offsets[0] = 0
    for part in range(n_parts):
        offsets[part + 1] = offsets[part] + places[part]
        places[part] = offsets[part]
    edges = np.empty(offsets[n_parts], np.uint32)
    for m in range(len(lefts)):
        for k in range(firsts[m], firsts[m + 1]):
            base = (lefts[m] + k - firsts[m]) * height
            for i in range(begins[k], begins[k + 1]):
                part = labels[i]
                place = places[part]
                start, stop = base + rows[2 * i], base + rows[2 * i + 1]
                if place > offsets[part] and np.int64(edges[place - 1]) == start:
                    edges[place - 1] = stop
                else:
                    edges[place] = start
                    edges[place + 1] = stop
                    places[part] = place + 2
    return edges


@kernel(
    types.int64,
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
    types.int64,
    types.int64[::1],
    types.int64[::1],
    types.int64[::1],
)
def fill(firsts, begins, rows, corners, filled_begins, filled_rows, counts):  # type: ignore[no-untyped-def]
    """Write the columns without holes and how many holes each mask has; return how many pieces the columns have.

    `corners` is 1 where corners connect the background (8-connected holes), else 0. A gap has the number of the piece
    above it, counted from 1 in its mask; 0 stands for the outside.
    """
    n = 0
    most = 0
    for m in range(len(firsts) - 1):
        most = max(most, begins[firsts[m + 1]] - begins[firsts[m]])
    parents = np.empty(most + 1, np.int64)
    for m in range(len(firsts) - 1):
        first, last = firsts[m], firsts[m + 1]
        base = begins[first] - 1
        for i in range(begins[last] - base):
            parents[i] = i
        for k in range(first, last + (last > first)):
            # Column k on the right and the one before it on the left; beyond the box there is none.
            i, end_i = (begins[k - 1], begins[k]) if k > first else (0, 0)
            j, end_j = (begins[k], begins[k + 1]) if k < last else (0, 0)
            if end_i - i < 2 and end_j - j < 2:
                continue
            if i == end_i or j == end_j:
                # All gaps of a column beside an empty one are open.
                for gap in range(i, end_i - 1):
                    _join(parents, gap - base, 0)
                for gap in range(j, end_j - 1):
                    _join(parents, gap - base, 0)
                continue
            for gap in range(i, end_i - 1):
                if (
                    rows[2 * gap + 1] < rows[2 * j] + corners
                    or rows[2 * gap + 2] > rows[2 * end_j - 1] - corners
                ):
                    _join(parents, gap - base, 0)
            for gap in range(j, end_j - 1):
                if (
                    rows[2 * gap + 1] < rows[2 * i] + corners
                    or rows[2 * gap + 2] > rows[2 * end_i - 1] - corners
                ):
                    _join(parents, gap - base, 0)
            while i < end_i - 1 and j < end_j - 1:
                stop_i, stop_j = rows[2 * i + 2], rows[2 * j + 2]
                if rows[2 * i + 1] < stop_j + corners and rows[2 * j + 1] < stop_i + corners:
                    _join(parents, i - base, j - base)
                if stop_i <= stop_j:
                    i += 1
                else:
                    j += 1
        counts[m] = 0
        for k in range(first, last):
            filled_begins[k] = n
            if begins[k + 1] - begins[k] == 1:
                filled_rows[2 * n] = rows[2 * begins[k]]
                filled_rows[2 * n + 1] = rows[2 * begins[k] + 1]
                n += 1
                continue
            for i in range(begins[k], begins[k + 1]):
                if i == begins[k]:
                    filled_rows[2 * n] = rows[2 * i]
                gap = i - base
                # A gap comes after its parent, as the smaller root stays; so the parent is a root by now.
                parents[gap] = parents[parents[gap]]
                if i + 1 < begins[k + 1] and parents[gap] != 0:
                    counts[m] += parents[gap] == gap
                    continue
                filled_rows[2 * n + 1] = rows[2 * i + 1]
                n += 1
                if i + 1 < begins[k + 1]:
                    filled_rows[2 * n] = rows[2 * i + 2]
    filled_begins[len(filled_begins) - 1] = n
    return n
