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
# 7 characters hold 35 bits: the sign and every difference of two lengths below 2^32. Below 2^29 pixels 6 are enough,
# and a number padded to 7 is refused there, because pycocotools reads it as another number.
MAX_CHARACTERS = 7


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _measure_one(edges, height, pixels, areas, boxes, profiles, m):  # type: ignore[no-untyped-def]
    """Write area, box and profile of one mask into row m."""
    stretch = (pixels + STRETCHES - 1) // STRETCHES
    rows, inverse = np.float64(height), 1.0 / height
    area, inside = 0, 0
    top, bottom = rows, 0.0
    k, limit = 0, stretch
    for e in range(0, len(edges), 2):
        start = np.int64(edges[e])
        end = np.int64(edges[e + 1])
        # start % height in floats, which is exact below 2^32 and takes a third of the time of a division.
        row = start - np.floor((start + 0.5) * inverse) * rows
        top = min(top, row)
        row += end - start
        bottom = max(bottom, row)
        if row > rows:
            top = 0.0
        while end > limit:
            if start < limit:
                inside += limit - start
                start = limit
            profiles[m, k] = np.uint32(inside)
            area += inside
            inside = 0
            k += 1
            limit += stretch
        inside += end - start
    if inside > 0:
        profiles[m, k] = np.uint32(inside)
        area += inside
    areas[m] = area
    if len(edges) > 0:
        left = np.int64(edges[0]) // height
        boxes[m, 0] = left
        boxes[m, 1] = np.int64(top)
        boxes[m, 2] = (np.int64(edges[-1]) - 1) // height - left + 1
        boxes[m, 3] = np.int64(min(bottom, rows) - top)


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
    text, starts, stops, escaped, measured, height, width, edges, offsets, areas, boxes, profiles, problems
):
    """Decode strings `text[starts[m]:stops[m]]`, all of one image; return how many are malformed.

    With `escaped`, every backslash stands doubled, as JSON writes it; `measured` asks for areas, boxes and profiles.
    A malformed mask is left empty and its row of `problems` says (code, detail). `edges` must hold as many numbers
    as there are characters.
    """
    pixels = height * width
    longest = 5 * (MAX_CHARACTERS - 1 if pixels < 1 << 29 else MAX_CHARACTERS)
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
        edge = np.int64(-1)
        while p < stop:
            bits = np.int64(text[p]) - 48
            p += 1
            if escaped and bits == 44:
                if p >= stop or text[p] != 92:
                    code, detail = OTHER_ESCAPE, p - starts[m]
                    break
                p += 1
            if 0 <= bits < 32:
                # Four of five numbers have one character.
                value = bits - ((bits & 16) << 1)
            elif bits < 0 or bits > 63:
                code, detail = BAD_CHARACTER, p - 1 - starts[m]
                break
            else:
                value = bits & 31
                shift = 5
                while bits >= 32:
                    if p >= stop:
                        code, detail = CUT_NUMBER, p - starts[m]
                        break
                    if shift >= longest:
                        code, detail = LONG_NUMBER, p - starts[m]
                        break
                    bits = np.int64(text[p]) - 48
                    if bits < 0 or bits > 63:
                        code, detail = BAD_CHARACTER, p - starts[m]
                        break
                    p += 1
                    if escaped and bits == 44:
                        if p >= stop or text[p] != 92:
                            code, detail = OTHER_ESCAPE, p - starts[m]
                            break
                        p += 1
                    value |= (bits & 31) << shift
                    shift += 5
                if code != OK:
                    break
                value -= ((bits & 16) >> 4) << shift
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
            if position != edge:
                edges[n_edges] = position
                n_edges += 1
                edge = position
            else:
                # A run of length zero: its two edges go, which joins its neighbours.
                n_edges -= 1
                edge = np.int64(edges[n_edges - 1]) if n_edges > first else np.int64(-1)
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

        if measured:
            # While the edges are still in the cache.
            _measure_one(edges[first:n_edges], height, pixels, areas, boxes, profiles, m)
    offsets[len(starts)] = n_edges
    return bad
