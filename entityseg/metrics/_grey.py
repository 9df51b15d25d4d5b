"""Kernels over grey maps: histograms by quadrant, and the weighted errors of Margolin et al."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly

_GREY = readonly(types.uint8, 2)
_TABLE = readonly(types.double)


@kernel(types.UniTuple(types.int64, 4), _GREY, _GREY)
def moments(gt, pred):  # type: ignore[no-untyped-def]
    """Return the number of foreground pixels (gt > 128), the sums of their rows and columns, and sum |pred - gt|."""
    n = rows = columns = wrong = 0
    for y in range(gt.shape[0]):
        here = 0
        for x in range(gt.shape[1]):
            inside = gt[y, x] > 128
            here += inside
            columns += x * inside
            wrong += abs(np.int64(gt[y, x]) - np.int64(pred[y, x]))
        n += here
        rows += y * here
    return n, rows, columns, wrong


@kernel(types.void, _GREY, _GREY, types.int64, types.int64, types.int64[:, :, ::1])
def histograms(gt, pred, row, column, counts):  # type: ignore[no-untyped-def]
    """Count prediction values into `counts` [4, 2, 256]: by quadrant around (row, column), background and foreground.

    Quadrants are upper left, upper right, lower left, lower right; the row and column given belong to the lower right.
    """
    for y in range(gt.shape[0]):
        for x in range(gt.shape[1]):
            quadrant = 2 * (y >= row) + (x >= column)
            counts[quadrant, np.int64(gt[y, x] > 128), pred[y, x]] += 1


@kernel(types.void, _GREY, _GREY, _TABLE, _TABLE, _TABLE, types.double[::1], types.double[::1])
def weighted_errors(gt, pred, hit_error, false_error, taps, inside, outside):  # type: ignore[no-untyped-def]
    """Sum the weighted errors Ew (Margolin et al., CVPR 2014) of each row over foreground and background.

    Args:
        gt, pred: maps; foreground is gt > 128, of which there is some.
        hit_error, false_error: [256], |p - g| of a prediction's value in the foreground and in the background.
        taps: of the separable smoothing filter; its outer product with itself is the filter.
        inside, outside: [height], written.
    """
    height, width = gt.shape
    far = 1 << 28
    # The nearest foreground row of each column, of equally near ones the upper one; then by row the lower envelope
    # of parabolas (Meijster et al., 2000), of equally near columns the left one, as in scipy's transform.
    nearest = np.empty((height, width), np.int32)
    for x in range(width):
        nearest[0, x] = 0 if gt[0, x] > 128 else -far
    for y in range(1, height):
        for x in range(width):
            nearest[y, x] = y if gt[y, x] > 128 else nearest[y - 1, x]
    for y in range(height - 2, -1, -1):
        for x in range(width):
            below = nearest[y + 1, x]
            if below > y and below - y < y - nearest[y, x]:
                nearest[y, x] = below
    # The prediction at a pixel, and outside the foreground that at its nearest foreground pixel.
    source = np.empty((height, width), np.uint8)
    site = np.empty(width, np.int64)
    begin = np.empty(width, np.int64)
    decay = np.log(0.5) / 5
    for y in range(height):
        top = -1
        for x in range(width):
            d = np.int64(y) - nearest[y, x]
            if abs(d) >= far // 2:
                continue
            start = 0
            while top >= 0:
                other = site[top]
                e = np.int64(y) - nearest[y, other]
                # The last column where `other` is at least as near.
                last = (x * x - other * other + d * d - e * e) // (2 * (x - other))
                start = last + 1
                if start > begin[top]:
                    break
                top -= 1
                start = 0
            if start < width:
                top += 1
                site[top], begin[top] = x, start
        total = 0.0
        k = 0
        for x in range(width):
            while k < top and begin[k + 1] <= x:
                k += 1
            if gt[y, x] > 128:
                source[y, x] = pred[y, x]
                continue
            row, column = np.int64(nearest[y, site[k]]), site[k]
            source[y, x] = pred[row, column]
            error = false_error[pred[y, x]]
            if error > 0:
                squared = (y - row) * (y - row) + (x - column) * (x - column)
                total += error * (2 - np.exp(decay * np.sqrt(np.float64(squared))))
        outside[y] = total
    # Rows smoothed along x, as many as the filter is high, in turn.
    size = len(taps)
    half = size // 2
    smoothed = np.zeros((size, width), np.float64)
    padded = np.zeros(width + 2 * half, np.float64)
    for y in range(-half, height):
        ahead = y + half
        slot = ahead % size
        if ahead < height:
            for x in range(width):
                padded[x + half] = hit_error[source[ahead, x]]
            for x in range(width):
                value = 0.0
                for j in range(size):
                    value += taps[j] * padded[x + j]
                smoothed[slot, x] = value
        else:
            smoothed[slot] = 0
        if y < 0:
            continue
        total = 0.0
        for x in range(width):
            if gt[y, x] > 128:
                error = hit_error[pred[y, x]]
                if error > 0:
                    mean = 0.0
                    for j in range(size):
                        mean += taps[j] * smoothed[(y - half + j) % size, x]
                    total += min(error, mean)
        inside[y] = total
