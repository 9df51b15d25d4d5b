"""COCO's matching of the predictions of one unit with its ground truth, by any IoU: greedily, the best score first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array

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
