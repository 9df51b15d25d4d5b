"""Matching the predicted masks of one image with its ground truth, over all categories or within each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.masks.order import by_score, by_size
from entityseg.masks.pairwise import iou_matrix
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.inputs import as_categories, as_flags, as_scores
from entityseg.metrics.matching import (
    IOU_THRESHOLDS,
    MAX_DETECTIONS,
    RANGES,
    ClassMatches,
    ImageMatches,
    Mode,
    match_ranked,
)


class IoU(Protocol):
    """Says how much masks are alike."""

    def __call__(
        self,
        pred: RunLengths,
        gt: RunLengths,
        *,
        crowd: NDArray[np.bool_],
        least_iou: float,
        same: NDArray[np.bool_] | None,
    ) -> NDArray[np.float64]:
        """Return the IoU of each of n predictions with each of m ground-truth masks, float64 [n, m].

        May return less than the IoU where that is below `least_iou`, and must return 0 where `same` (bool [n, m]) is
        given and false.
        """
        ...


def mask_iou(
    pred: RunLengths,
    gt: RunLengths,
    *,
    crowd: NDArray[np.bool_],
    least_iou: float = 0.0,
    same: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Return the IoU of the masks, float64 [n, m]; for a crowd, the intersection over the prediction's area."""
    if same is not None and not same.any():
        return np.zeros(same.shape)
    values = iou_matrix(pred, gt, crowd=crowd, least_iou=least_iou)
    return values if same is None else np.where(same, values, 0.0)


def match_image(
    gt: RunLengths,
    pred: RunLengths,
    scores: NDArray[np.float64],
    *,
    crowd: NDArray[np.bool_] | None = None,
    mode: Mode = "canonical",
    gt_ids: Int64Array | None = None,
    gt_areas: NDArray[np.float64] | None = None,
    pred_areas: NDArray[np.float64] | None = None,
    iou: IoU = mask_iou,
) -> ImageMatches:
    """Match the predictions of one image with its ground truth.

    Args:
        gt, pred: m and n masks of the image.
        scores: float64 [n], finite.
        crowd: bool [m], ground truth that counts neither way; many predictions may match one.
        mode: `canonical` does not depend on the order of the masks; `pycocotools` does, as it does.
        gt_ids: int64 [m], for `pycocotools`, to which a match with annotation id 0 is none.
        gt_areas, pred_areas: float64, for `pycocotools`, which takes areas from the file; NaN is the mask's own.
        iou: what makes two masks alike: `mask_iou`, or a `BoundaryIoU`.

    Raises:
        InputError: sizes differ, a score is not finite, or the number of scores is not that of the masks.
    """
    return _ordered(
        gt, pred, scores,
        crowd=crowd, mode=mode, gt_ids=gt_ids, gt_areas=gt_areas, pred_areas=pred_areas, iou=iou,
    ).match()  # fmt: skip


def match_classes(
    gt: RunLengths,
    pred: RunLengths,
    scores: NDArray[np.float64],
    gt_categories: ArrayLike,
    pred_categories: ArrayLike,
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
    classes = as_categories(gt_categories, len(gt)), as_categories(pred_categories, len(pred))
    sides = _ordered(
        gt, pred, scores, classes=classes,
        crowd=crowd, mode=mode, gt_ids=gt_ids, gt_areas=gt_areas, pred_areas=pred_areas, iou=iou,
    )  # fmt: skip
    # Masks of different categories have IoU 0, so one matching of all is that of each category by itself.
    found = sides.match()
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


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides of one image in the order in which they are matched, and where each stood before.

    Attributes:
        best: int64 [n], position of each prediction that is matched, best first.
        gt_order: int64 [m], position of each true mask; of equal IoUs the last one wins.
        iou: float64 [n, m].
        scores, areas: float64 [n].
        gt_areas: float64 [m].
        crowd: bool [m].
        never_hit: bool [m], ground truth whose match does not count as one.
    """

    best: Int64Array
    gt_order: Int64Array
    iou: NDArray[np.float64]
    scores: NDArray[np.float64]
    areas: NDArray[np.float64]
    gt_areas: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    never_hit: NDArray[np.bool_]

    def match(self) -> ImageMatches:
        """Return what matches what."""
        return match_ranked(
            self.iou, self.scores, self.areas, self.gt_areas, crowd=self.crowd, never_hit=self.never_hit
        )


def _ordered(
    gt: RunLengths,
    pred: RunLengths,
    scores: NDArray[np.float64],
    *,
    classes: tuple[Int64Array, Int64Array] | None = None,
    crowd: NDArray[np.bool_] | None,
    mode: Mode,
    gt_ids: Int64Array | None,
    gt_areas: NDArray[np.float64] | None,
    pred_areas: NDArray[np.float64] | None,
    iou: IoU,
) -> _Sides:
    """Check both sides and put them in the order in which they are matched; arguments are those of `match_image`.

    Args:
        classes: category ids of ground truth and predictions, where only masks of the same one shall match.
    """
    scores, flags = as_scores(scores, len(pred)), as_flags(crowd, len(gt))
    stated = mode == "pycocotools"
    if stated:
        ranked = np.argsort(-scores, kind="stable")
        gt_order = np.arange(len(gt))
    else:
        ranked = by_score(pred, scores)
        # The matcher lets the last of equal IoUs win: of two such masks that shall be the larger one.
        gt_order = by_size(gt)[::-1]
    best = ranked[:MAX_DETECTIONS] if classes is None else _best_of_each(ranked, classes[1])
    # A file may hold any number of predictions for an image; only the best ones cost anything.
    if len(best) == len(pred):
        kept, numbers, rows = pred, np.arange(len(pred)), best
    else:
        kept, numbers, rows = pred[best], best, np.arange(len(best))
    same = None if classes is None else classes[1][numbers][:, None] == classes[0]
    values = iou(kept, gt, crowd=flags, least_iou=float(IOU_THRESHOLDS[0]), same=same)
    never_hit = gt_ids == 0 if stated and gt_ids is not None else np.zeros(len(gt), bool)
    return _Sides(
        best=best,
        gt_order=gt_order,
        iou=values[np.ix_(rows, gt_order)],
        scores=scores[best],
        areas=_range_areas(pred, pred_areas if stated else None)[best],
        gt_areas=_range_areas(gt, gt_areas if stated else None)[gt_order],
        crowd=flags[gt_order],
        never_hit=never_hit[gt_order],
    )


def _best_of_each(ranked: Int64Array, categories: Int64Array) -> Int64Array:
    """Return the indices, best first, of which at most 300 belong to any one category."""
    if len(ranked) <= MAX_DETECTIONS:
        return ranked
    of = categories[ranked]
    order = np.argsort(of, kind="stable")
    first = np.searchsorted(of[order], of[order])
    rank = np.empty(len(ranked), np.int64)
    rank[order] = np.arange(len(ranked)) - first
    return ranked[rank < MAX_DETECTIONS]


def _range_areas(masks: RunLengths, stated: NDArray[np.float64] | None) -> NDArray[np.float64]:
    own = masks.areas.astype(np.float64)
    return own if stated is None else np.where(np.isnan(stated), own, stated)
