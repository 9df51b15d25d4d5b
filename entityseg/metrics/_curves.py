"""Kernels: precision and recall of weighted predictions, the heart of AP and of its bootstrap.

Both kernels take these:
    images: int32 [n], image of each prediction, best score first.
    hits, ignored: uint16 [n], bit t: true positive at threshold t, counts neither way at threshold t.
    block_ends: bool [n], the curve has a point behind this prediction.
    weights: int64 [b, images], how often each image counts.
    recalls: float64 [r], ascending.
    epsilon: added to the number of predictions (pycocotools adds 2.2e-16).
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from entityseg.masks._numba import kernel, readonly

_INTS = readonly(types.int64)
_BITS = readonly(types.uint16)
# images, hits, ignored, block_ends
_PREDICTIONS = readonly(types.int32), _BITS, _BITS, readonly(types.boolean)
_WEIGHTS = readonly(types.int64, 2)
_RECALLS = readonly(types.double)
_FIGURES = types.double[:, :, ::1]


@njit(error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _walk(  # type: ignore[no-untyped-def]
    images, hits, ignored, block_ends, start, stop, weights, n_gt, recalls, epsilon, best, reached, found, left_out,
):  # fmt: skip
    """Walk down the predictions `start` to `stop` and write what their curve is made of.

    Args:
        weights: int64 [images].
        n_gt: ground truth to find, with weights; at least 1.
        best: float64 [t, r], written: the best precision among the points that reach a recall and no higher one.
        reached: int64 [t], written: how many of the recalls the curve has reached.
        found, left_out: int64 [t], written: true positives, and predictions that count neither way.
    """
    n_thresholds, n_recalls = best.shape
    best[:] = 0
    reached[:] = 0
    found[:] = 0
    left_out[:] = 0
    seen = 0
    fresh = np.int64(0)  # Bit t: a hit at threshold t since the last point.
    for i in range(start, stop):
        weight = weights[images[i]]
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
                    recall = found[t] / n_gt
                    precision = found[t] / (seen - left_out[t] + epsilon)
                    while reached[t] < n_recalls and recalls[reached[t]] <= recall:
                        reached[t] += 1
                    last = reached[t] - 1
                    if last >= 0:
                        best[t, last] = max(best[t, last], precision)
            fresh = np.int64(0)


@kernel(types.void, *_PREDICTIONS, _WEIGHTS, _INTS, _RECALLS, types.double, _FIGURES)
def precisions(images, hits, ignored, block_ends, weights, n_gt, recalls, epsilon, curves):  # type: ignore[no-untyped-def]
    """Write the interpolated precision at each recall, for each row of weights and each IoU threshold.

    Args:
        n_gt: int64 [b], ground truth to find, with weights; at least 1.
        curves: float64 [b, t, r].
    """
    n_thresholds, n_recalls = curves.shape[1], curves.shape[2]
    reached = np.empty(n_thresholds, np.int64)
    found = np.empty(n_thresholds, np.int64)
    left_out = np.empty(n_thresholds, np.int64)
    for b in range(len(weights)):
        _walk(
            images, hits, ignored, block_ends, 0, len(images), weights[b], n_gt[b], recalls, epsilon,
            curves[b], reached, found, left_out,
        )  # fmt: skip
        # A recall has the best of all points that reach it, be it those of higher ones.
        for t in range(n_thresholds):
            for r in range(n_recalls - 2, -1, -1):
                curves[b, t, r] = max(curves[b, t, r], curves[b, t, r + 1])


@kernel(
    types.void, _INTS, *_PREDICTIONS, _INTS, readonly(types.int32), readonly(types.int32), _WEIGHTS, _RECALLS,
    types.double, _FIGURES, _FIGURES,
)  # fmt: skip
def averages(  # type: ignore[no-untyped-def]
    starts, images, hits, ignored, block_ends, gt_starts, gt_images, gt_counts, weights, recalls, epsilon,
    precision, recall,
):  # fmt: skip
    """Write interpolated average precision and recall of each category, for each row of weights and threshold.

    A category without ground truth is left as it is.

    Args:
        starts: int64 [c + 1], category k has the predictions starts[k] to starts[k + 1], best score first.
        gt_starts: int64 [c + 1], category k has the entries gt_starts[k] to gt_starts[k + 1] of the next two.
        gt_images, gt_counts: int32, ground truth to find and its image.
        precision, recall: float64 [b, c, t].
    """
    n_thresholds, n_recalls = precision.shape[2], len(recalls)
    best = np.empty((n_thresholds, n_recalls), np.float64)
    reached = np.empty(n_thresholds, np.int64)
    found = np.empty(n_thresholds, np.int64)
    left_out = np.empty(n_thresholds, np.int64)
    for b in range(len(weights)):
        for k in range(len(starts) - 1):
            n_gt = 0
            for g in range(gt_starts[k], gt_starts[k + 1]):
                n_gt += weights[b, gt_images[g]] * gt_counts[g]
            if n_gt == 0:
                continue
            _walk(
                images, hits, ignored, block_ends, starts[k], starts[k + 1], weights[b], n_gt, recalls, epsilon,
                best, reached, found, left_out,
            )  # fmt: skip
            for t in range(n_thresholds):
                recall[b, k, t] = found[t] / n_gt
                highest = 0.0
                total = 0.0
                for r in range(reached[t] - 1, -1, -1):
                    highest = max(highest, best[t, r])
                    total += highest
                precision[b, k, t] = total / n_recalls
