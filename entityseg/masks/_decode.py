"""Kernel: COCO's compressed run-length strings to edges, with areas, boxes and profiles, in one pass.

The string holds the lengths of the alternating background and foreground runs of the column-major image, background
first. Each number is written in base 32, five bits a character, lowest first; bit 5 says that another character
follows, bit 4 of the last one is the sign; from the fourth number on it is the difference to the number two before.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel, readonly

# Number of equal stretches of the scan line whose foreground pixels are counted: the sum over the stretches of the
# smaller count bounds the intersection of two masks from above (see _pairs.py).
STRETCHES = 16

OK = 0
BAD_CHARACTER = 1
CUT_NUMBER = 2
LONG_NUMBER = 3
NEGATIVE_RUN = 4
TOO_MANY_PIXELS = 5
TOO_FEW_PIXELS = 6
# An escape that JSON allows and no writer of COCO files uses, such as \\u005c; the caller unescapes the string.
OTHER_ESCAPE = 7
# 7 characters hold 35 bits: the sign and every difference of two lengths below 2^32.
MAX_CHARACTERS = 7


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _measure_one(edges, height, pixels, areas, boxes, profiles, m):  # type: ignore[no-untyped-def]
    """Write area, box and profile of one mask into row m."""
    stretch = (pixels + STRETCHES - 1) // STRETCHES
    inverse_height = 1.0 / height
    area = 0
    top, bottom = height, -1
    k = 0
    limit = stretch
    for e in range(0, len(edges), 2):
        start = np.int64(edges[e])
        end = np.int64(edges[e + 1])
        area += end - start
        # start % height: a multiplication, off by one column at the most, is several times faster than a division.
        row = start - np.int64(start * inverse_height) * height
        if row < 0:
            row += height
        elif row >= height:
            row -= height
        if row < top:
            top = row
        row += end - start - 1
        if row >= height:
            top = 0
            row = height - 1
        if row > bottom:
            bottom = row
        while end > limit:
            if start < limit:
                profiles[m, k] += np.uint32(limit - start)
                start = limit
            k += 1
            limit += stretch
        profiles[m, k] += np.uint32(end - start)
    areas[m] = area
    if len(edges) > 0:
        left = np.int64(edges[0]) // height
        boxes[m, 0] = left
        boxes[m, 1] = top
        boxes[m, 2] = (np.int64(edges[-1]) - 1) // height - left + 1
        boxes[m, 3] = bottom - top + 1


@kernel(
    types.void,
    readonly(types.uint32),
    readonly(types.int64),
    types.int64,
    types.int64,
    types.int64[::1],
    types.int64[:, ::1],
    types.uint32[:, ::1],
)
def measure(edges, offsets, height, width, areas, boxes, profiles):  # type: ignore[no-untyped-def]
    """Write area, box and profile of each mask; `profiles` starts as zeros."""
    for m in range(len(areas)):
        one = edges[offsets[m] : offsets[m + 1]]
        _measure_one(one, height, height * width, areas, boxes, profiles, m)


@kernel(
    types.int64,
    readonly(types.uint8),
    readonly(types.int64),
    readonly(types.int64),
    types.boolean,
    types.int64,
    types.int64,
    types.uint32[::1],
    types.int64[::1],
    types.int64[::1],
    types.int64[:, ::1],
    types.uint32[:, ::1],
    types.int64[:, ::1],
)
def decode(  # type: ignore[no-untyped-def]
    text, starts, stops, escaped, height, width, edges, offsets, areas, boxes, profiles, problems
):
    """Decode strings `text[starts[m]:stops[m]]`, all of one image; return how many are malformed.

    With `escaped`, every backslash stands doubled, as JSON writes it. A malformed mask is left empty and its row of
    `problems` says (code, detail). `edges` must hold as many numbers as there are characters.
    """
    pixels = height * width
    bad = 0
    n_edges = 0
    for m in range(len(starts)):
        offsets[m] = n_edges
        first = n_edges
        code = OK
        detail = 0
        position = 0
        before, last = 0, 0
        n_counts = 0
        p = starts[m]
        stop = stops[m]
        while p < stop:
            value = 0
            shift = 0
            while True:
                character = np.int64(text[p])
                bits = character - 48
                if bits < 0 or bits > 63:
                    code, detail = BAD_CHARACTER, p - starts[m]
                    break
                p += 1
                if escaped and character == 92:
                    if p >= stop or text[p] != 92:
                        code, detail = OTHER_ESCAPE, p - starts[m]
                        break
                    p += 1
                value |= (bits & 31) << shift
                shift += 5
                if bits < 32:
                    value -= ((bits & 16) >> 4) << shift
                    break
                if p >= stop:
                    code, detail = CUT_NUMBER, p - starts[m]
                    break
                if shift >= 5 * MAX_CHARACTERS:
                    code, detail = LONG_NUMBER, p - starts[m]
                    break
            if code != OK:
                break
            if n_counts > 2:
                value += before
            if value < 0:
                code, detail = NEGATIVE_RUN, n_counts
                break
            before, last = last, value
            n_counts += 1
            position += value
            if position >= pixels:
                if position > pixels:
                    code, detail = TOO_MANY_PIXELS, position
                    break
                continue
            # An edge equal to the one before is a run of length zero: both go, which joins its neighbours.
            if n_edges > first and edges[n_edges - 1] == position:
                n_edges -= 1
            else:
                edges[n_edges] = position
                n_edges += 1
        if code == OK and position < pixels:
            code, detail = TOO_FEW_PIXELS, position
        if code != OK:
            problems[m, 0] = code
            problems[m, 1] = detail
            bad += 1
            n_edges = first
        elif (n_edges - first) & 1:
            edges[n_edges] = pixels
            n_edges += 1

        # While the edges are still in the cache.
        _measure_one(edges[first:n_edges], height, pixels, areas, boxes, profiles, m)
    offsets[len(starts)] = n_edges
    return bad
