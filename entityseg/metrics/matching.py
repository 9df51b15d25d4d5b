"""Matching the predictions of one image with its ground truth, as COCO does it: greedily, the best score first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import input_error
from entityseg.masks.order import by_score, by_size
from entityseg.masks.pairwise import iou_matrix
from entityseg.masks.runlengths import Int64Array, RunLengths

Mode = Literal["canonical", "pycocotools"]
MODES: tuple[Mode, ...] = ("canonical", "pycocotools")

# pycocotools' own floats: the ninth is 0.8999999999999999.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
# Pixels; both ends belong to the range.
AREA_RANGES = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
MAX_DETECTIONS = 300
RANGES = np.array(list(AREA_RANGES.values()))


@dataclass(frozen=True, slots=True)
class ImageMatches:
    """What one image adds to AP: its ground truth counted, and its best 300 predictions with their match bits.

    Attributes:
        n_gt: int64 [4], ground-truth masks that count, by area range.
        scores: float64 [n], best first.
        hits, ignored: uint64 [n], bit `range * 10 + threshold`.
    """

    n_gt: Int64Array
    scores: NDArray[np.float64]
    hits: NDArray[np.uint64]
    ignored: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class ClassMatches:
    """What one image adds to class-aware AP: `ImageMatches` of k categories, one after the other.

    Attributes:
        categories: int64 [k], ascending; those with ground truth or predictions in the image.
        offsets: int64 [k + 1], category i has the predictions `offsets[i]` to `offsets[i + 1]`.
        n_gt: int64 [k, 4], ground-truth masks that count, by area range.
        scores, hits, ignored: as in `ImageMatches`, best first within each category.
    """

    categories: Int64Array
    offsets: Int64Array
    n_gt: Int64Array
    scores: NDArray[np.float64]
    hits: NDArray[np.uint64]
    ignored: NDArray[np.uint64]

    def matches(self, index: int) -> ImageMatches:
        """Return the matches of category number `index` of the image."""
        rows = slice(self.offsets[index], self.offsets[index + 1])
        return ImageMatches(self.n_gt[index], self.scores[rows], self.hits[rows], self.ignored[rows])


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
    sides = ordered(gt, pred, scores, None, crowd, mode, gt_ids, gt_areas, pred_areas, iou)
    return match_ranked(
        sides.iou, sides.scores, sides.areas, sides.gt_areas, crowd=sides.crowd, never_hit=sides.never_hit
    )


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of one image in the order in which they are matched, and where each stood before."""

    best: Int64Array
    gt_order: Int64Array
    iou: NDArray[np.float64]
    scores: NDArray[np.float64]
    areas: NDArray[np.float64]
    gt_areas: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    never_hit: NDArray[np.bool_]


def ordered(
    gt: RunLengths,
    pred: RunLengths,
    scores: NDArray[np.float64],
    classes: tuple[Int64Array, Int64Array] | None,
    crowd: NDArray[np.bool_] | None,
    mode: Mode,
    gt_ids: Int64Array | None,
    gt_areas: NDArray[np.float64] | None,
    pred_areas: NDArray[np.float64] | None,
    iou: IoU,
) -> Sides:
    """Check both sides and put them in the order in which they are matched; arguments are those of `match_image`.

    Args:
        classes: category ids of ground truth and predictions, where only masks of the same one shall match.
    """
    scores = np.ascontiguousarray(scores, np.float64)
    if scores.shape != (len(pred),) or not np.isfinite(scores).all():
        message = f"{len(pred)} masks need as many finite scores, not {scores.shape}"
        raise input_error("score.finite", message, "Give one finite score a mask.")
    flags = np.zeros(len(gt), bool) if crowd is None else np.asarray(crowd, bool)
    if flags.shape != (len(gt),):
        message = f"{len(gt)} masks need as many crowd flags, not {flags.shape}"
        raise input_error("iscrowd.shape", message, "Give one flag a mask.")
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
    kept, rows = (pred, best) if len(best) == len(pred) else (pred[best], np.arange(len(best)))
    same = None
    if classes is not None:
        same = classes[1][best if kept is not pred else np.arange(len(pred))][:, None] == classes[0]
    values = iou(kept, gt, crowd=flags, least_iou=float(IOU_THRESHOLDS[0]), same=same)
    never_hit = gt_ids == 0 if stated and gt_ids is not None else np.zeros(len(gt), bool)
    return Sides(
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


def match_ranked(
    iou: NDArray[np.float64],
    scores: NDArray[np.float64],
    areas: NDArray[np.float64],
    gt_areas: NDArray[np.float64],
    *,
    crowd: NDArray[np.bool_],
    never_hit: NDArray[np.bool_] | None = None,
    ranges: NDArray[np.float64] = RANGES,
) -> ImageMatches:
    """Match predictions with ground truth by any kind of IoU (masks, boundaries, tubes), in the order given.

    Args:
        iou: float64 [n, m], the predictions best first; of equal IoUs the last column wins.
        scores: float64 [n].
        areas, gt_areas: float64 [n], [m]; they decide on the area range.
        crowd: bool [m], ground truth that counts neither way; many predictions may match one.
        never_hit: bool [m], ground truth whose match does not count as one.
        ranges: float64 [4, 2], area ranges, both ends included; the first is for all.

    >>> iou = np.array([[0.8, 0.0], [0.6, 0.7]])
    >>> sizes = np.array([50.0, 60.0])
    >>> found = match_ranked(iou, np.array([0.9, 0.8]), sizes, sizes, crowd=np.zeros(2, bool))
    >>> [bin(int(hits) & 0b1111111111) for hits in found.hits]  # Of the ten thresholds from .50, 7 and 5 hold.
    ['0b1111111', '0b11111']
    """
    from entityseg.metrics import _match

    hits, ignored = np.zeros(len(scores), np.uint64), np.zeros(len(scores), np.uint64)
    n_gt = np.zeros(len(ranges), np.int64)
    _match.match(
        np.ascontiguousarray(iou),
        areas,
        gt_areas,
        crowd,
        np.zeros(len(gt_areas), bool) if never_hit is None else never_hit,
        IOU_THRESHOLDS,
        ranges,
        hits,
        ignored,
        n_gt,
    )
    return ImageMatches(n_gt, scores, hits, ignored)


def _range_areas(masks: RunLengths, stated: NDArray[np.float64] | None) -> NDArray[np.float64]:
    own = masks.areas.astype(np.float64)
    return own if stated is None else np.where(np.isnan(stated), own, stated)
