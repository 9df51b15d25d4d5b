"""Kernel: average precision and recall of every category, for weighted images."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.int64),
    readonly(types.int32),
    readonly(types.uint16),
    readonly(types.uint16),
    readonly(types.boolean),
    readonly(types.int64),
    readonly(types.int32),
    readonly(types.int32),
    readonly(types.int64, 2),
    readonly(types.double),
    types.double,
    types.double[:, :, ::1],
    types.double[:, :, ::1],
)
def averages(  # type: ignore[no-untyped-def]
    starts, images, hits, ignored, block_ends, gt_starts, gt_images, gt_counts, weights, recalls, epsilon,
    precision, recall,
):  # fmt: skip
    """Write interpolated average precision and recall of each category, for each row of weights and threshold.

    A category without ground truth is left as it is.

    Args:
        starts: int64 [c + 1], category k has the predictions starts[k] to starts[k + 1], best score first.
        images: int32 [n], image of each prediction.
        hits, ignored: uint16 [n], bit t: true positive at threshold t, counts neither way at threshold t.
        block_ends: bool [n], the curve has a point behind this prediction.
        gt_starts: int64 [c + 1], category k has the entries gt_starts[k] to gt_starts[k + 1] of the next two.
        gt_images, gt_counts: int32, ground truth to find and its image.
        weights: int64 [b, images], how often each image counts.
        recalls: float64 [r], ascending.
        epsilon: added to the number of predictions (pycocotools adds 2.2e-16).
        precision, recall: float64 [b, c, t].
    """
    n_thresholds, n_recalls = precision.shape[2], len(recalls)
    best = np.empty((n_thresholds, n_recalls), np.float64)
    reached = np.empty(n_thresholds, np.int64)  # How many of the recalls the curve has reached.
    found = np.empty(n_thresholds, np.int64)
    left_out = np.empty(n_thresholds, np.int64)
    for b in range(len(weights)):
        for k in range(len(starts) - 1):
            n_gt = 0
            for g in range(gt_starts[k], gt_starts[k + 1]):
                n_gt += weights[b, gt_images[g]] * gt_counts[g]
            if n_gt == 0:
                continue
            best[:] = 0
            reached[:] = 0
            found[:] = 0
            left_out[:] = 0
            seen = 0
            fresh = np.int64(0)  # Bit t: a hit at threshold t since the last point.
            for i in range(starts[k], starts[k + 1]):
                weight = weights[b, images[i]]
                seen += weight
                hit, out = np.int64(hits[i]), np.int64(ignored[i])
                if weight > 0 and (hit | out) != 0:
                    fresh |= hit
                    for t in range(n_thresholds):
                        found[t] += weight * (hit >> t & 1)
                        left_out[t] += weight * (out >> t & 1)
                # Between two hits precision only falls, so no other point can be the best from some recall on.
                if block_ends[i] and fresh != 0:
                    for t in range(n_thresholds):
                        if fresh >> t & 1:
                            at = found[t] / n_gt
                            height = found[t] / (seen - left_out[t] + epsilon)
                            while reached[t] < n_recalls and recalls[reached[t]] <= at:
                                reached[t] += 1
                            last = reached[t] - 1
                            if last >= 0:
                                best[t, last] = max(best[t, last], height)
                    fresh = np.int64(0)
            for t in range(n_thresholds):
                recall[b, k, t] = found[t] / n_gt
                # A recall has the best of all points that reach it, be it those of higher ones.
                highest = 0.0
                total = 0.0
                for r in range(reached[t] - 1, -1, -1):
                    highest = max(highest, best[t, r])
                    total += highest
                precision[b, k, t] = total / n_recalls
