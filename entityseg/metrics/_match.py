"""Kernel: COCO's greedy matching of the predictions of one image, for all IoU thresholds and area ranges at once."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.double, 2),
    readonly(types.double),
    readonly(types.double),
    readonly(types.boolean),
    readonly(types.boolean),
    readonly(types.double),
    readonly(types.double, 2),
    types.uint64[::1],
    types.uint64[::1],
    types.int64[::1],
)
def match(  # type: ignore[no-untyped-def]
    iou,
    areas,
    gt_areas,
    crowd,
    never_hit,
    thresholds,
    ranges,
    hits,
    ignored,
    n_gt,
):
    """Match predictions, best first, with ground truth, and write one bit for each (range, threshold).

    `iou` is [n, m]; only what reaches the lowest threshold can match. `areas` and `gt_areas` decide on the area range.
    Bit `range * thresholds + threshold` of `hits[d]` says that prediction d is a true positive, of `ignored[d]` that
    it counts neither way. `n_gt[range]` is the number of ground-truth masks that count. Of equal IoUs the later
    ground truth wins, and one that counts wins over one that does not. `never_hit` marks ground truth whose match
    does not count as one (pycocotools' annotation id 0).
    """
    n, m = iou.shape
    n_thresholds = len(thresholds)
    # Candidates of each prediction: few, since masks with IoU >= .5 are.
    least = thresholds.min() if n_thresholds > 0 else 1.0
    first = np.empty(n + 1, np.int64)
    candidate = np.empty(n * m, np.int64)
    value = np.empty(n * m, np.float64)
    k = 0
    for d in range(n):
        first[d] = k
        for g in range(m):
            if iou[d, g] >= least:
                candidate[k] = g
                value[k] = iou[d, g]
                k += 1
    first[n] = k

    counts = np.empty(m, np.bool_)
    taken = np.empty(m, np.bool_)
    for r in range(len(ranges)):
        low, high = ranges[r, 0], ranges[r, 1]
        total = 0
        for g in range(m):
            counts[g] = not crowd[g] and low <= gt_areas[g] <= high
            total += counts[g]
        n_gt[r] = total
        for t in range(n_thresholds):
            bit = np.uint64(1) << np.uint64(r * n_thresholds + t)
            taken[:] = False
            for d in range(n):
                best = -1
                for wanted in (True, False):
                    least = thresholds[t]
                    for c in range(first[d], first[d + 1]):
                        g = candidate[c]
                        if counts[g] != wanted or (taken[g] and not crowd[g]) or value[c] < least:
                            continue
                        best, least = g, value[c]
                    if best >= 0:
                        break
                if best >= 0:
                    taken[best] = True
                    if not counts[best]:
                        ignored[d] |= bit
                    elif not never_hit[best]:
                        hits[d] |= bit
                if (best < 0 or never_hit[best]) and not low <= areas[d] <= high:
                    ignored[d] |= bit
