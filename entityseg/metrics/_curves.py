"""Kernel: average precision of weighted predictions, the heart of AP and of its bootstrap."""

from __future__ import annotations

import numpy as np
from numba import types

from entityseg.masks._numba import kernel, readonly


@kernel(
    types.void,
    readonly(types.int64),
    readonly(types.boolean),
    readonly(types.boolean),
    readonly(types.int64, 2),
    readonly(types.int64),
    readonly(types.double),
    types.double,
    types.double[:, ::1],
)
def precisions(images, hits, block_ends, weights, n_gt, recalls, epsilon, curves):  # type: ignore[no-untyped-def]
    """Write the interpolated precision at each recall threshold, one row of `curves` for each row of `weights`.

    Args:
        images: int64 [n], image of each prediction that counts, best score first.
        hits: bool [n], true positives.
        block_ends: bool [n], the precision-recall curve has a point behind this prediction.
        weights: int64 [b, images], how often each image counts.
        n_gt: int64 [b], ground truth to find, with weights.
        recalls: float64 [r], ascending.
        epsilon: added to the number of predictions (pycocotools adds 2.2e-16).
        curves: float64 [b, r].
    """
    n = len(images)
    found = np.empty(n, np.float64)
    precision = np.empty(n, np.float64)
    for b in range(len(weights)):
        n_points = 0
        n_found, n_seen, n_before = 0, 0, 0
        for i in range(n):
            weight = weights[b, images[i]]
            n_seen += weight
            n_found += weight * hits[i]
            # Between two hits precision only falls, so only points behind a hit can be the best from a recall on.
            if block_ends[i] and n_found > n_before:
                found[n_points] = n_found / n_gt[b]
                precision[n_points] = n_found / (n_seen + epsilon)
                n_points += 1
                n_before = n_found
        best = 0.0
        point = n_points - 1
        for r in range(len(recalls) - 1, -1, -1):
            while point >= 0 and found[point] >= recalls[r]:
                best = max(best, precision[point])
                point -= 1
            curves[b, r] = best
