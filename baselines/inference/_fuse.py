"""Kernels: mask logits of several views to fused probabilities, and to painted masks, tile by tile.

A mask is small in the network and large in the image; each pixel is computed from the small map when it is needed,
by the two bilinear resizings of the released code in one (see `taps`). No full-size map of probabilities is made.
Weights are not negative, so where all logits that a tile looks at are at most 0, every probability is at most 1/2,
exactly: such a query is passed over for the whole tile.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel, readonly

TILE = 64
TAPS = 3


@njit(nogil=True, error_model="numpy")
def _reach(regions, v, top, bottom, left, right, box):  # type: ignore[no-untyped-def]
    """Write the part of a tile that view v covers to box[v] (y0, y1, x0, x1); return whether there is any."""
    box[v, 0] = max(top, regions[v, 1])
    box[v, 1] = min(bottom, regions[v, 3])
    box[v, 2] = max(left, regions[v, 0])
    box[v, 3] = min(right, regions[v, 2])
    return box[v, 0] < box[v, 1] and box[v, 2] < box[v, 3]


@njit(nogil=True, error_model="numpy")
def _row(  # type: ignore[no-untyped-def]
    values, base, width, regions, v, y, x0, x1, left, row_at, rows, row_weights, column_at, columns, column_weights,
    mixed, out,
):  # fmt: skip
    """Write the logits of row y, columns x0 to x1, to out[x - left]: first down the columns, then along the row."""
    k = row_at[v] + y - regions[v, 1]
    above = base + rows[k] * width
    first = column_at[v] + x0 - regions[v, 0]
    low = columns[first]
    high = columns[first + x1 - x0 - 1] + TAPS
    a, b, c = row_weights[k, 0], row_weights[k, 1], row_weights[k, 2]
    for j in range(low, high):
        mixed[j - low] = (
            a * values[above + j] + b * values[above + width + j] + c * values[above + 2 * width + j]
        )
    for i in range(x1 - x0):
        j = columns[first + i] - low
        w = column_weights[first + i]
        out[x0 - left + i] = w[0] * mixed[j] + w[1] * mixed[j + 1] + w[2] * mixed[j + 2]


def _paint(  # type: ignore[no-untyped-def]
    values, starts, strides, widths, regions, row_at, rows, row_weights, column_at, columns, column_weights,
    query_of, top, owner, sums,
):  # fmt: skip
    """Give each free pixel of a band to the first query whose fused probability is above 1/2.

    Args: `values` flat logits, `starts`, `strides`, `widths` [views] where a view's maps begin, how far apart its
    queries are, how wide a map is; `regions` [views, 4]; per view the taps of its rows and columns, from `row_at` and
    `column_at` on; `query_of` [views, queries], the best first, -1 where a view lacks it; `top`, first row of the
    band; `owner` [rows, width], zeros, gets 1 + query; `sums` [queries, 3], to which pixels, probabilities and
    sigmoids of probabilities are added.
    """
    n_views = len(starts)
    n_queries = query_of.shape[1]
    height, width = owner.shape
    box = np.zeros((n_views, 4), np.int64)
    touches = np.zeros(n_views, np.bool_)
    logits = np.empty((n_views, TILE), np.float64)
    mixed = np.empty(TILE * TAPS + 2 * TAPS + np.int64(widths.max()), np.float64)
    left_in_row = np.empty(height, np.int64)
    bottom = top + height
    for left in range(0, width, TILE):
        right = min(left + TILE, width)
        for v in range(n_views):
            touches[v] = _reach(regions, v, top, bottom, left, right, box)
        left_in_row[:] = right - left
        free = height * (right - left)
        for q in range(n_queries):
            if free == 0:
                break
            hopeful = False
            for v in range(n_views):
                if hopeful or not touches[v] or query_of[v, q] < 0:
                    continue
                y0 = rows[row_at[v] + box[v, 0] - regions[v, 1]]
                y1 = rows[row_at[v] + box[v, 1] - 1 - regions[v, 1]] + TAPS
                x0 = columns[column_at[v] + box[v, 2] - regions[v, 0]]
                x1 = columns[column_at[v] + box[v, 3] - 1 - regions[v, 0]] + TAPS
                base = starts[v] + query_of[v, q] * strides[v]
                for y in range(y0, y1):
                    line = values[base + y * widths[v] + x0 : base + y * widths[v] + x1]
                    positive = 0
                    for i in range(len(line)):
                        positive += line[i] > 0
                    if positive > 0:
                        hopeful = True
                        break
            if not hopeful:
                continue
            for y in range(top, bottom):
                if left_in_row[y - top] == 0:
                    continue
                for v in range(n_views):
                    if touches[v] and query_of[v, q] >= 0 and box[v, 0] <= y < box[v, 1]:
                        base = starts[v] + query_of[v, q] * strides[v]
                        _row(
                            values, base, widths[v], regions, v, y, box[v, 2], box[v, 3], left, row_at, rows,
                            row_weights, column_at, columns, column_weights, mixed, logits[v],
                        )  # fmt: skip
                for x in range(left, right):
                    if owner[y - top, x] != 0:
                        continue
                    positive_here = False
                    n = 0
                    for v in range(n_views):
                        if (
                            touches[v]
                            and query_of[v, q] >= 0
                            and box[v, 0] <= y < box[v, 1]
                            and box[v, 2] <= x < box[v, 3]
                        ):
                            n += 1
                            positive_here = positive_here or logits[v, x - left] > 0
                    if not positive_here:
                        continue
                    p = 0.0
                    for v in range(n_views):
                        if (
                            touches[v]
                            and query_of[v, q] >= 0
                            and box[v, 0] <= y < box[v, 1]
                            and box[v, 2] <= x < box[v, 3]
                        ):
                            p += 1 / (1 + math.exp(-logits[v, x - left]))
                    p /= n
                    if p > 0.5:
                        owner[y - top, x] = q + 1
                        left_in_row[y - top] -= 1
                        free -= 1
                        sums[q, 0] += 1
                        sums[q, 1] += p
                        sums[q, 2] += 1 / (1 + math.exp(-p))


def _fill(  # type: ignore[no-untyped-def]
    values, starts, strides, widths, regions, row_at, rows, row_weights, column_at, columns, column_weights,
    query_of, top, out,
):  # fmt: skip
    """Write the fused probabilities of a band to out [queries, rows, width]; 0 where no view looks. See `_paint`."""
    n_views = len(starts)
    n_queries, height, width = out.shape
    box = np.zeros((n_views, 4), np.int64)
    logits = np.empty(TILE, np.float64)
    total = np.empty(TILE, np.float64)
    count = np.empty(TILE, np.int64)
    mixed = np.empty(TILE * TAPS + 2 * TAPS + np.int64(widths.max()), np.float64)
    bottom = top + height
    for left in range(0, width, TILE):
        right = min(left + TILE, width)
        for q in range(n_queries):
            for y in range(top, bottom):
                total[:] = 0
                count[:] = 0
                for v in range(n_views):
                    if query_of[v, q] < 0 or not _reach(regions, v, y, y + 1, left, right, box):
                        continue
                    base = starts[v] + query_of[v, q] * strides[v]
                    _row(
                        values, base, widths[v], regions, v, y, box[v, 2], box[v, 3], left, row_at, rows,
                        row_weights, column_at, columns, column_weights, mixed, logits,
                    )  # fmt: skip
                    for x in range(box[v, 2] - left, box[v, 3] - left):
                        total[x] += 1 / (1 + math.exp(-logits[x]))
                        count[x] += 1
                for x in range(right - left):
                    out[q, y - top, left + x] = total[x] / count[x] if count[x] > 0 else 0.0


def _signature(real, *rest):  # type: ignore[no-untyped-def]
    ints, doubles = readonly(types.int64), readonly(types.float64, 2)
    places = (ints, ints, ints, readonly(types.int64, 2))
    taps = (ints, ints, doubles, ints, ints, doubles)
    return (types.void, readonly(real), *places, *taps, readonly(types.int64, 2), types.int64, *rest)


_OWNER = (types.uint16[:, ::1], types.float64[:, ::1])
paint32 = kernel(*_signature(types.float32, *_OWNER))(_paint)
paint64 = kernel(*_signature(types.float64, *_OWNER))(_paint)
fill32 = kernel(*_signature(types.float32, types.float32[:, :, ::1]))(_fill)
fill64 = kernel(*_signature(types.float64, types.float64[:, :, ::1]))(_fill)
