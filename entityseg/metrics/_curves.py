"""Kernel: precision-recall curves of weighted predictions, the heart of AP and of its bootstrap."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.int64),
    readonly(types.uint64),
    readonly(types.uint64),
    readonly(types.boolean),
    readonly(types.int64, 2),
    readonly(types.int64),
    readonly(types.double),
    types.double,
    types.double[:, :, ::1],
)
def precisions(images, hits, ignored, block_ends, weights, n_gt, recalls, epsilon, curves):  # type: ignore[no-untyped-def]
    """Write the interpolated precision at each recall, for each row of weights and each IoU threshold.

    Args:
        images: int64 [n], image of each prediction, best score first.
        hits, ignored: uint64 [n], bit t: true positive at threshold t, counts neither way at threshold t.
        block_ends: bool [n], the curve has a point behind this prediction.
        weights: int64 [b, images], how often each image counts.
        n_gt: int64 [b], ground truth to find, with weights; at least 1.
        recalls: float64 [r], ascending.
        epsilon: added to the number of predictions (pycocotools adds 2.2e-16).
        curves: float64 [b, t, r].
    """
    n = len(images)
    n_thresholds = curves.shape[1]
    recall = np.empty((n_thresholds, n), np.float64)
    precision = np.empty((n_thresholds, n), np.float64)
    n_points = np.empty(n_thresholds, np.int64)
    found = np.empty(n_thresholds, np.int64)
    left_out = np.empty(n_thresholds, np.int64)
    for b in range(len(weights)):
        n_points[:] = 0
        found[:] = 0
        left_out[:] = 0
        seen = 0
        fresh = np.uint64(0)  # Bit t: a hit at threshold t since the last point.
        for i in range(n):
            weight = weights[b, images[i]]
            seen += weight
            if weight > 0 and (hits[i] | ignored[i]) != 0:
                fresh |= hits[i]
                for t in range(n_thresholds):
                    found[t] += weight * np.int64((hits[i] >> np.uint64(t)) & np.uint64(1))
                    left_out[t] += weight * np.int64((ignored[i] >> np.uint64(t)) & np.uint64(1))
            # Between two hits precision only falls, so no other point can be the best from some recall on.
            if block_ends[i] and fresh != 0:
                for t in range(n_thresholds):
                    if (fresh >> np.uint64(t)) & np.uint64(1):
                        recall[t, n_points[t]] = found[t] / n_gt[b]
                        precision[t, n_points[t]] = found[t] / (seen - left_out[t] + epsilon)
                        n_points[t] += 1
                fresh = np.uint64(0)
        for t in range(n_thresholds):
            best = 0.0
            point = n_points[t] - 1
            for r in range(len(recalls) - 1, -1, -1):
                while point >= 0 and recall[t, point] >= recalls[r]:
                    best = max(best, precision[t, point])
                    point -= 1
                curves[b, t, r] = best
