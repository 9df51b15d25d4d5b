"""Matching the predictions of one image with ground truth of their own category."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import input_error
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.matching import RANGES, ClassMatches, IoU, Mode, mask_iou, match_ranked, ordered


def match_classes(
    gt: RunLengths,
    pred: RunLengths,
    scores: NDArray[np.float64],
    gt_categories: Int64Array,
    pred_categories: Int64Array,
    *,
    crowd: NDArray[np.bool_] | None = None,
    mode: Mode = "canonical",
    gt_ids: Int64Array | None = None,
    gt_areas: NDArray[np.float64] | None = None,
    pred_areas: NDArray[np.float64] | None = None,
    iou: IoU = mask_iou,
) -> ClassMatches:
    """Match the predictions of one image with ground truth of their own category; see `match_image`.

    Args:
        gt_categories, pred_categories: int64 [m], [n], one a mask.

    Raises:
        InputError: as `match_image`, or the number of categories is not that of the masks.
    """
    gt_categories, pred_categories = np.asarray(gt_categories), np.asarray(pred_categories)
    for masks, categories in ((gt, gt_categories), (pred, pred_categories)):
        if categories.shape != (len(masks),) or categories.dtype.kind not in "iu":
            message = f"{len(masks)} masks need as many integer category ids, not {categories.shape}"
            raise input_error("category.shape", message, "Give one category id a mask.")
    classes = gt_categories.astype(np.int64), pred_categories.astype(np.int64)
    sides = ordered(gt, pred, scores, classes, crowd, mode, gt_ids, gt_areas, pred_areas, iou)
    # Masks of different categories have IoU 0, so one matching of all is that of each category by itself.
    found = match_ranked(
        sides.iou, sides.scores, sides.areas, sides.gt_areas, crowd=sides.crowd, never_hit=sides.never_hit
    )
    of_gt, of_pred = classes[0][sides.gt_order], classes[1][sides.best]
    categories = np.union1d(of_gt, of_pred)
    low, high = RANGES.T
    in_range = (low <= sides.gt_areas[:, None]) & (sides.gt_areas[:, None] <= high) & ~sides.crowd[:, None]
    n_gt = np.zeros((len(categories), len(RANGES)), np.int64)
    np.add.at(n_gt, np.searchsorted(categories, of_gt), in_range)
    order = np.argsort(of_pred, kind="stable")
    offsets = np.append(np.searchsorted(of_pred[order], categories), len(order)).astype(np.int64)
    return ClassMatches(
        categories, offsets, n_gt, found.scores[order], found.hits[order], found.ignored[order]
    )
