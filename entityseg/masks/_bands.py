"""Kernel: boundary bands, on runs.

Erosion by a square is erosion along the columns, then along the rows. Along the columns each run gets shorter at both
ends, and short ones vanish. Along the rows, column c of the result is the intersection of the columns c - d to c + d:
the intersection of the end of one block of 2d + 1 columns with the beginning of the next, both of which grow column by
column (van Herk, Pattern Recognition Letters 13, 1992). All columns are lists of runs, so no pixel is ever made.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel, readonly


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _longer(array, needed):  # type: ignore[no-untyped-def]
    """Return a longer copy with room for `needed` values."""
    longer = np.empty(max(2 * len(array), needed), array.dtype)
    longer[: len(array)] = array
    return longer


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _intersect(a, i, end_a, b, j, end_b, out, n_out):  # type: ignore[no-untyped-def]
    """Write the runs in both a[i:end_a] and b[j:end_b] behind out[:n_out]; return the new length."""
    while i < end_a and j < end_b:
        start = max(a[i], b[j])
        stop_a, stop_b = a[i + 1], b[j + 1]
        stop = min(stop_a, stop_b)
        out[n_out] = start
        out[n_out + 1] = stop
        n_out += 2 * (start < stop)
        i += 2 * (stop_a <= stop_b)
        j += 2 * (stop_b <= stop_a)
    return n_out


@kernel(
    types.uint32[::1],
    readonly(types.uint32),
    readonly(types.int64),
    types.int64,
    types.int64,
    types.int64[::1],
)
def bands(edges, offsets, height, distance, band_offsets):  # type: ignore[no-untyped-def]
    """Return the edges of the pixels of each mask within `distance` (from 1) of its background or of the outside.

    `band_offsets` int64 [n + 1] is written.
    """
    block = 2 * distance + 1
    out = np.empty(2 * len(edges) + 64, np.uint32)
    n_out = 0
    # Room for what the masks need: an image may be 2^31 pixels wide or high.
    widest = 0
    for m in range(len(offsets) - 1):
        if offsets[m + 1] > offsets[m]:
            first = np.int64(edges[offsets[m]]) // height
            widest = max(widest, (np.int64(edges[offsets[m + 1] - 1]) - 1) // height - first + 1)
    most = min(height, len(edges) + 2 * widest) + 4
    # After erosion along the columns: column x has the rows shrunk[columns[x]:columns[x + 1]].
    shrunk = np.empty(64, np.int64)
    columns = np.empty(widest + 2, np.int64)
    # Intersections of the last columns of a block, from column x on: endings[ending[x + 1]:ending[x]].
    endings = np.empty(4 * most + 64, np.int64)
    ending = np.empty(widest + 2, np.int64)
    now, after, both = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    for m in range(len(offsets) - 1):
        band_offsets[m] = n_out
        source, last = offsets[m], offsets[m + 1]
        if n_out + last - source > len(out):
            out = _longer(out, n_out + last - source)
        # Columns count from the mask's first one.
        origin, right = 0, -1
        if last > source:
            origin = np.int64(edges[source]) // height * height
            right = (np.int64(edges[last - 1]) - 1 - origin) // height

        n_shrunk = 0
        if right + 1 >= block:
            # A run has a piece in every column that it touches.
            if len(shrunk) < last - source + 2 * (right + 1):
                shrunk = np.empty(last - source + 2 * (right + 1), np.int64)
            x, base = 0, origin
            columns[0] = 0
            for e in range(source, last, 2):
                start, stop = np.int64(edges[e]), np.int64(edges[e + 1])
                while start < stop:
                    while start >= base + height:
                        x += 1
                        base += height
                        columns[x] = n_shrunk
                    end = min(stop, base + height)
                    shrunk[n_shrunk] = start - base + distance
                    shrunk[n_shrunk + 1] = end - base - distance
                    n_shrunk += 2 * (end - start >= block)
                    start = end
            columns[right + 1] = n_shrunk

        for begin in range(0, right - block + 2 if n_shrunk > 0 else 0, block):
            # The endings of this block, from its last column to its first.
            x = begin + block - 1
            n_endings = columns[x + 1] - columns[x]
            endings[:n_endings] = shrunk[columns[x] : columns[x + 1]]
            ending[x + 1] = 0
            ending[x] = n_endings
            while x > begin and ending[x + 1] < ending[x]:
                x -= 1
                room = n_endings + n_endings - ending[x + 2] + columns[x + 1] - columns[x] + 2
                if room > len(endings):
                    endings = _longer(endings, room)
                begin_a, end_a, begin_b = columns[x], columns[x + 1], ending[x + 2]
                ending[x + 1] = n_endings
                n_endings = _intersect(
                    shrunk, begin_a, end_a, endings, begin_b, n_endings, endings, n_endings
                )
                ending[x] = n_endings
            first = x
            n_now = 0
            for x in range(begin, min(begin + block, right - block + 2)):
                # With the beginning of the next block, up to column `to`.
                to = x + block - 1
                if x == begin + 1:
                    n_now = columns[to + 1] - columns[to]
                    now[:n_now] = shrunk[columns[to] : columns[to + 1]]
                elif x > begin:
                    n_after = _intersect(shrunk, columns[to], columns[to + 1], now, 0, n_now, after, 0)
                    now, after = after, now
                    n_now = n_after
                if x > begin and n_now == 0:
                    break
                if x < first:
                    continue
                if x == begin:
                    n_both = ending[x] - ending[x + 1]
                    both[:n_both] = endings[ending[x + 1] : ending[x]]
                else:
                    n_both = _intersect(endings, ending[x + 1], ending[x], now, 0, n_now, both, 0)
                # The band: the mask without this.
                if n_out + n_both + last - source > len(out):
                    out = _longer(out, n_out + n_both + last - source)
                base = origin + (x + distance) * height
                for k in range(n_both):
                    position = base + both[k]
                    while source < last and np.int64(edges[source]) < position:
                        out[n_out] = edges[source]
                        n_out += 1
                        source += 1
                    out[n_out] = position
                    n_out += 1
        out[n_out : n_out + last - source] = edges[source:last]
        n_out += last - source
    band_offsets[len(offsets) - 1] = n_out
    return out[:n_out].copy()
