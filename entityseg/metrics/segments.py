"""Matching the predicted segments of one image with its ground truth, as panoptic quality does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.errors import input_error
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.crossing import crossing
from entityseg.metrics.inputs import as_categories, as_flags

PanopticMode = Literal["canonical", "panopticapi"]

# An IoU above .5 is a whole number of 2^-53, which two integers hold: HIGH * 2^-26 + LOW * 2^-53.
TP, FP, FN, HIGH, LOW = range(5)
KINDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class SegmentMatches:
    """What one image adds to panoptic quality, category by category.

    Attributes:
        categories: int64 [k], ascending, those of the image's segments.
        counts: int64 [5, k]: true positives, false positives, false negatives, and the exact sum of the IoUs of the
            true positives in two parts (`HIGH`, `LOW`).
    """

    categories: Int64Array
    counts: Int64Array

    @property
    def iou(self) -> NDArray[np.float64]:
        """Sum of the IoUs of the true positives of each category, float64 [k]."""
        return iou_sum(self.counts[HIGH], self.counts[LOW])


def iou_sum(high: ArrayLike, low: ArrayLike) -> NDArray[np.float64]:
    """Return the IoU that two whole numbers stand for, rounded once."""
    return np.ldexp(np.asarray(high, np.float64), -26) + np.ldexp(np.asarray(low, np.float64), -53)


def match_segments(
    gt: RunLengths,
    gt_categories: ArrayLike,
    pred: RunLengths,
    pred_categories: ArrayLike,
    *,
    crowd: NDArray[np.bool_] | None = None,
    gt_areas: NDArray[np.float64] | None = None,
    mode: PanopticMode = "canonical",
    common: Int64Array | None = None,
) -> SegmentMatches:
    """Match the segments of an image and count what matched (Kirillov et al., Panoptic Segmentation, CVPR 2019).

    A predicted and a true segment of one category match if their IoU, void left out of the union, exceeds .5. A
    prediction without match is a false positive, unless more than half of it lies on void and on crowd of its
    category. Crowd matches nothing and is never missed.

    Args:
        gt, pred: m true and n predicted segments; neither overlap among themselves.
        gt_categories, pred_categories: [m] and [n], category ids.
        crowd: bool [m].
        gt_areas: float64 [m], areas to take for the true segments' own, NaN where there is none; for `panopticapi`,
            which believes the file's.
        mode: `canonical` takes all crowd of a category, and leaves out true segments without a pixel. `panopticapi`
            takes the last crowd segment of a category only, and calls segments without a pixel missed.
        common: int64 [n, m], the pixels that predictions share with the ground truth, where they are known.

    Raises:
        InputError: sizes differ, or there are not as many categories, flags or areas as masks.

    >>> gt = RunLengths((1, 10), [0, 4, 4, 10], [0, 2, 4])
    >>> pred = RunLengths((1, 10), [0, 3, 3, 10], [0, 2, 4])
    >>> matched = match_segments(gt, [1, 2], pred, [1, 2])
    >>> matched.counts[:3].tolist(), matched.iou.round(3).tolist()
    ([[1, 1], [0, 0], [0, 0]], [0.75, 0.857])
    """
    gt_cats, pred_cats = as_categories(gt_categories, len(gt)), as_categories(pred_categories, len(pred))
    is_crowd = as_flags(crowd, len(gt))
    if gt_areas is not None and np.shape(gt_areas) != (len(gt),):
        message = f"{len(gt)} segments need as many areas, not {np.shape(gt_areas)}"
        raise input_error("area.shape", message, "Give one area a true segment, NaN where it is not stated.")
    if common is None:
        common = crossing(pred, gt)
    areas, own = pred.areas, gt.areas
    stated = own if gt_areas is None else np.where(np.isnan(gt_areas), own, gt_areas)
    void = areas - common.sum(axis=1)
    union = areas[:, None] + stated[None, :] - common - void[:, None]
    same = pred_cats[:, None] == gt_cats[None, :]
    # Where the areas are the masks' own, at most one pair of a row or a column can exceed .5.
    matched = same & ~is_crowd[None, :] & (2 * common > union) & (union > 0)
    rows, columns = np.nonzero(matched)
    iou = common[rows, columns] / union[rows, columns]

    missed = ~is_crowd & ~matched.any(axis=0)
    crowds = same & is_crowd[None, :]
    if mode == "canonical":
        missed &= own > 0
    else:
        crowds &= _last_of_category(gt_cats, is_crowd)[None, :]
    ignored = void + np.where(crowds, common, 0).sum(axis=1)
    false = ~matched.any(axis=1) & (2 * ignored <= areas)

    categories, index = np.unique(np.concatenate([gt_cats, pred_cats]), return_inverse=True)
    gt_index, pred_index = index[: len(gt)], index[len(gt) :]
    high = np.floor(iou * 2.0**26)
    low = (iou * 2.0**26 - high) * 2.0**27
    counts = np.empty((KINDS, len(categories)), np.int64)
    for kind, at, weights in (
        (TP, gt_index[columns], None),
        (FP, pred_index[false], None),
        (FN, gt_index[missed], None),
        (HIGH, gt_index[columns], high),
        (LOW, gt_index[columns], low),
    ):
        counts[kind] = np.bincount(at, weights, minlength=len(categories))
    return SegmentMatches(categories, counts)


def _last_of_category(categories: Int64Array, crowd: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which crowd segments are the last of their category, bool [m]."""
    last = {int(categories[row]): row for row in np.flatnonzero(crowd)}
    flags = np.zeros(len(categories), bool)
    flags[list(last.values())] = True
    return flags
