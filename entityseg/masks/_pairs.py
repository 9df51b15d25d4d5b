"""Kernels: pixels that masks of one image have in common."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel, readonly


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _common(edges_a, a, end_a, edges_b, b, end_b):  # type: ignore[no-untyped-def]
    """Return the pixels in both edge lists; walks the two run by run, without a branch that the data decides."""
    total = 0
    while a < end_a and b < end_b:
        stop_a = np.int64(edges_a[a + 1])
        stop_b = np.int64(edges_b[b + 1])
        start = max(np.int64(edges_a[a]), np.int64(edges_b[b]))
        total += max(min(stop_a, stop_b) - start, 0)
        a_first = stop_a <= stop_b
        a += 2 * a_first
        b += 2 * (not a_first)
    return total


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _skip(edges, begin, end, position):  # type: ignore[no-untyped-def]
    """Return the first run of edges[begin:end] that stops after `position`."""
    low, high = begin // 2, end // 2
    while low < high:
        middle = (low + high) // 2
        if np.int64(edges[2 * middle + 1]) <= position:
            low = middle + 1
        else:
            high = middle
    return 2 * low


@kernel(
    types.void,
    readonly(types.uint32),
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64, 2),
    readonly(types.uint32, 2),
    readonly(types.uint32),
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64, 2),
    readonly(types.uint32, 2),
    readonly(types.boolean),
    types.double,
    types.int64[:, ::1],
)
def intersections(  # type: ignore[no-untyped-def]
    edges_a, offsets_a, areas_a, boxes_a, profiles_a,
    edges_b, offsets_b, areas_b, boxes_b, profiles_b,
    crowd_b, least_iou, common,
):  # fmt: skip
    """Write the pixels that each mask of a shares with each mask of b into `common` [n, m], which starts as zeros.

    Pairs that cannot reach an IoU of `least_iou` are left at zero (0 computes all pairs). Two bounds find them: boxes
    that do not meet, and the sum over the stretches of the scan line of the smaller pixel count, which is never less
    than the intersection. For a crowd in b, IoU is intersection over the area of a (COCO).
    """
    n_stretches = profiles_a.shape[1]
    for i in range(len(areas_a)):
        left, top = boxes_a[i, 0], boxes_a[i, 1]
        right, bottom = left + boxes_a[i, 2], top + boxes_a[i, 3]
        for j in range(len(areas_b)):
            if (
                boxes_b[j, 0] >= right
                or boxes_b[j, 0] + boxes_b[j, 2] <= left
                or boxes_b[j, 1] >= bottom
                or boxes_b[j, 1] + boxes_b[j, 3] <= top
            ):
                continue
            bound = 0
            for k in range(n_stretches):
                bound += min(np.int64(profiles_a[i, k]), np.int64(profiles_b[j, k]))
            union = areas_a[i] if crowd_b[j] else areas_a[i] + areas_b[j] - bound
            # The margin of one pixel keeps the skip exact whatever the rounding of the product.
            if bound == 0 or bound + 1 < least_iou * union:
                continue
            begin_a, end_a = offsets_a[i], offsets_a[i + 1]
            begin_b, end_b = offsets_b[j], offsets_b[j + 1]
            from_a = _skip(edges_a, begin_a, end_a, np.int64(edges_b[begin_b]))
            from_b = _skip(edges_b, begin_b, end_b, np.int64(edges_a[begin_a]))
            common[i, j] = _common(edges_a, from_a, end_a, edges_b, from_b, end_b)


@kernel(
    types.void,
    readonly(types.uint32),
    readonly(types.int64),
    readonly(types.uint32),
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
    types.int64[::1],
)
def intersections_of_pairs(edges_a, offsets_a, edges_b, offsets_b, of_a, of_b, common):  # type: ignore[no-untyped-def]
    """Write the pixels that mask `of_a[k]` of a shares with mask `of_b[k]` of b into `common[k]`."""
    for k in range(len(of_a)):
        begin_a, end_a = offsets_a[of_a[k]], offsets_a[of_a[k] + 1]
        begin_b, end_b = offsets_b[of_b[k]], offsets_b[of_b[k] + 1]
        common[k] = _common(edges_a, begin_a, end_a, edges_b, begin_b, end_b)
