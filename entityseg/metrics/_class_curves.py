"""Kernel: average precision and recall of every category, for weighted images."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.uint64),
    readonly(types.uint64),
    readonly(types.boolean),
    readonly(types.int64),
    readonly(types.int64),
    readonly(types.int64),
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
        images: int64 [n], image of each prediction.
        hits, ignored: uint64 [n], bit t: true positive at threshold t, counts neither way at threshold t.
        block_ends: bool [n], the curve has a point behind this prediction.
        gt_starts: int64 [c + 1], category k has the entries gt_starts[k] to gt_starts[k + 1] of the next two.
        gt_images, gt_counts: int64, ground truth to find and its image.
        weights: int64 [b, images], how often each image counts.
        recalls: float64 [r], ascending.
        epsilon: added to the number of predictions (pycocotools adds 2.2e-16).
        precision, recall: float64 [b, c, t].
    """
    n_thresholds = precision.shape[2]
    longest = 0
    for k in range(len(starts) - 1):
        longest = max(longest, starts[k + 1] - starts[k])
    at = np.empty((n_thresholds, longest), np.float64)
    height = np.empty((n_thresholds, longest), np.float64)
    n_points = np.empty(n_thresholds, np.int64)
    found = np.empty(n_thresholds, np.int64)
    left_out = np.empty(n_thresholds, np.int64)
    for b in range(len(weights)):
        for k in range(len(starts) - 1):
            n_gt = 0
            for g in range(gt_starts[k], gt_starts[k + 1]):
                n_gt += weights[b, gt_images[g]] * gt_counts[g]
            if n_gt == 0:
                continue
            n_points[:] = 0
            found[:] = 0
            left_out[:] = 0
            seen = 0
            fresh = np.uint64(0)  # Bit t: a hit at threshold t since the last point.
            for i in range(starts[k], starts[k + 1]):
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
                            at[t, n_points[t]] = found[t] / n_gt
                            height[t, n_points[t]] = found[t] / (seen - left_out[t] + epsilon)
                            n_points[t] += 1
                    fresh = np.uint64(0)
            for t in range(n_thresholds):
                recall[b, k, t] = found[t] / n_gt
                best = 0.0
                total = 0.0
                point = n_points[t] - 1
                for r in range(len(recalls) - 1, -1, -1):
                    while point >= 0 and at[t, point] >= recalls[r]:
                        best = max(best, height[t, point])
                        point -= 1
                    total += best
                precision[b, k, t] = total / len(recalls)
