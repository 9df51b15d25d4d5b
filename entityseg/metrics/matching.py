"""Matching the predictions of one image with its ground truth, as COCO does it: greedily, the best score first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import input_error
from entityseg.masks.order import by_score, by_size
from entityseg.masks.pairwise import intersections
from entityseg.masks.runlengths import Int64Array, RunLengths

Mode = Literal["canonical", "pycocotools"]

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
_RANGES = np.array(list(AREA_RANGES.values()))


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
) -> ImageMatches:
    """Match the predictions of one image with its ground truth.

    Args:
        gt, pred: m and n masks of the image.
        scores: float64 [n], finite.
        crowd: bool [m], ground truth that counts neither way; many predictions may match one.
        mode: `canonical` does not depend on the order of the masks; `pycocotools` does, as it does.
        gt_ids: int64 [m], for `pycocotools`, to which a match with annotation id 0 is none.
        gt_areas, pred_areas: float64, for `pycocotools`, which takes areas from the file; NaN is the mask's own.

    Raises:
        InputError: sizes differ, a score is not finite, or the number of scores is not that of the masks.
    """
    from entityseg.metrics import _match

    scores = np.ascontiguousarray(scores, np.float64)
    if scores.shape != (len(pred),) or not np.isfinite(scores).all():
        message = f"{len(pred)} masks need as many finite scores, not {scores.shape}"
        raise input_error("score.finite", message, "Give one finite score a mask.")
    flags = np.zeros(len(gt), bool) if crowd is None else np.asarray(crowd, bool)
    if flags.shape != (len(gt),):
        message = f"{len(gt)} masks need as many crowd flags, not {flags.shape}"
        raise input_error("iscrowd.shape", message, "Give one flag a mask.")
    if mode == "canonical":
        best = by_score(pred, scores)[:MAX_DETECTIONS]
        # The matcher lets the last of equal IoUs win: of two such masks that shall be the larger one.
        gt_order = by_size(gt)[::-1]
    else:
        best = np.argsort(-scores, kind="stable")[:MAX_DETECTIONS]
        gt_order = np.arange(len(gt))
    stated = _range_areas(pred, pred_areas if mode == "pycocotools" else None)[best]
    scores = scores[best]
    if len(best) < len(pred):
        # A file may hold any number of predictions for an image; only the best ones cost anything.
        pred, best = pred[best], np.arange(len(best))
    common = intersections(pred, gt, crowd=flags, least_iou=float(IOU_THRESHOLDS[0]))
    common = np.ascontiguousarray(common[np.ix_(best, gt_order)])
    never_hit = np.zeros(len(gt), bool)
    if mode == "pycocotools" and gt_ids is not None:
        never_hit = gt_ids == 0
    hits, ignored = np.zeros(len(best), np.uint64), np.zeros(len(best), np.uint64)
    n_gt = np.zeros(len(_RANGES), np.int64)
    _match.match(
        common,
        pred.areas[best],
        gt.areas[gt_order],
        stated,
        _range_areas(gt, gt_areas if mode == "pycocotools" else None)[gt_order],
        flags[gt_order],
        never_hit[gt_order],
        IOU_THRESHOLDS,
        _RANGES,
        hits,
        ignored,
        n_gt,
    )
    return ImageMatches(n_gt, scores, hits, ignored)


def _range_areas(masks: RunLengths, stated: NDArray[np.float64] | None) -> NDArray[np.float64]:
    own = masks.areas.astype(np.float64)
    return own if stated is None else np.where(np.isnan(stated), own, stated)
