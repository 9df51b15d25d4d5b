"""Kernel: precision-recall curves of weighted predictions, the heart of AP and of its bootstrap."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.int32),
    readonly(types.uint16),
    readonly(types.uint16),
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
        images: int32 [n], image of each prediction, best score first.
        hits, ignored: uint16 [n], bit t: true positive at threshold t, counts neither way at threshold t.
        block_ends: bool [n], the curve has a point behind this prediction.
        weights: int64 [b, images], how often each image counts.
        n_gt: int64 [b], ground truth to find, with weights; at least 1.
        recalls: float64 [r], ascending.
        epsilon: added to the number of predictions (pycocotools adds 2.2e-16).
        curves: float64 [b, t, r].
    """
    n = len(images)
    n_thresholds, n_recalls = curves.shape[1], curves.shape[2]
    reached = np.empty(n_thresholds, np.int64)  # How many of the recalls the curve has reached.
    found = np.empty(n_thresholds, np.int64)
    left_out = np.empty(n_thresholds, np.int64)
    for b in range(len(weights)):
        curves[b] = 0
        reached[:] = 0
        found[:] = 0
        left_out[:] = 0
        seen = 0
        fresh = np.int64(0)  # Bit t: a hit at threshold t since the last point.
        for i in range(n):
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
                        recall = found[t] / n_gt[b]
                        precision = found[t] / (seen - left_out[t] + epsilon)
                        while reached[t] < n_recalls and recalls[reached[t]] <= recall:
                            reached[t] += 1
                        last = reached[t] - 1
                        if last >= 0:
                            curves[b, t, last] = max(curves[b, t, last], precision)
                fresh = np.int64(0)
        # So far a recall has the best of the points that reach it and no higher one.
        for t in range(n_thresholds):
            for r in range(n_recalls - 2, -1, -1):
                curves[b, t, r] = max(curves[b, t, r], curves[b, t, r + 1])
