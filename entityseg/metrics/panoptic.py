"""Panoptic quality (PQ), segmentation quality (SQ) and recognition quality (RQ) as a mergeable table.

Kirillov et al., Panoptic Segmentation, CVPR 2019. See `docs/metrics/panoptic.md` for where the modes differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.data.records import Category, ImageId
from entityseg.errors import input_error
from entityseg.masks.algebra import are_disjoint
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.averages import mean_where
from entityseg.metrics.category_sums import CategorySums
from entityseg.metrics.inputs import as_masks
from entityseg.metrics.modes import checked_mode
from entityseg.metrics.segments import (
    FN,
    FP,
    KINDS,
    TP,
    PanopticMode,
    SegmentMatches,
    iou_sum,
    match_segments,
)
from entityseg.metrics.table import Figures, Table, UnitId, or_none

MODES: tuple[PanopticMode, ...] = ("canonical", "panopticapi")


class PanopticQuality(Table[SegmentMatches]):
    """PQ, SQ and RQ over images: feed images in any order, merge parts, compute; for use in a training loop.

    Figures are means over the categories that occur (in ground truth or as a false positive): all of them, the
    things, the stuff. What has no category is undefined, so a set without stuff has no `PQ_stuff`.

    >>> metric = PanopticQuality({7: True})
    >>> square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    >>> metric.update(1, square, [7], square, [7])
    >>> metric.compute()["PQ"], metric.compute()["PQ_stuff"]
    (1.0, None)
    """

    def __init__(
        self, isthing: Mapping[int, bool | None] | Iterable[Category], mode: PanopticMode = "canonical"
    ) -> None:
        """Make an empty table.

        Args:
            isthing: thing (True), stuff (False) or not said (None) by category id; or the categories.
            mode: see `match_segments`.

        Raises:
            UsageError: there is no such mode.
        """
        super().__init__()
        self.isthing = kinds_of(isthing)
        self.mode: PanopticMode = checked_mode(mode, MODES)

    def update(
        self,
        image_id: ImageId,
        gt: RunLengths | ArrayLike,
        gt_categories: ArrayLike,
        pred: RunLengths | ArrayLike,
        pred_categories: ArrayLike,
        *,
        crowd: NDArray[np.bool_] | None = None,
        gt_areas: NDArray[np.float64] | None = None,
    ) -> None:
        """Add one image.

        Args:
            image_id: unique among the images added.
            gt, pred: segments, run-length or dense (bool [n, height, width]); pixels of no true segment are void.
            gt_categories, pred_categories: the category id of each.
            crowd: bool [m], regions of many objects.
            gt_areas: float64 [m], areas stated in the file; only for mode `panopticapi`.

        Raises:
            InputError: the image was added before, segments overlap, or numbers do not fit.
        """
        gt, pred = as_masks(gt), as_masks(pred)
        for masks, what in ((gt, "true"), (pred, "predicted")):
            if not are_disjoint(masks):
                message = f"{what} segments overlap, but a pixel belongs to one segment at most"
                raise input_error("segment.overlap", message, "Paint them first (`entityseg.masks.paint`).")
        stated = gt_areas if self.mode == "panopticapi" else None
        self.add(
            image_id,
            match_segments(
                gt, gt_categories, pred, pred_categories, crowd=crowd, gt_areas=stated, mode=self.mode
            ),
        )

    def figures(self, units: Mapping[UnitId, SegmentMatches]) -> Figures:
        """Return the function that computes PQ, SQ and RQ of these images."""
        sums = _sums(units.values())
        groups = members_of(sums.categories, self.isthing)

        def figures(weights: Int64Array) -> Mapping[str, NDArray[np.float64]]:
            quality, there = qualities(*sums(weights))
            return {
                name + suffix: mean_where(values, there & members)
                for suffix, members in groups.items()
                for name, values in quality.items()
            }

        return figures

    def per_category(self) -> dict[int, dict[str, Any]]:
        """Return PQ, SQ, RQ (None where the category does not occur), TP, FP and FN of each category."""
        by_category = _sums(self.units.values())
        sums = by_category()
        quality, _ = qualities(*sums)
        found: dict[int, dict[str, Any]] = {}
        for k, category in enumerate(by_category.categories.tolist()):
            values: dict[str, Any] = {name: or_none(value[0, k]) for name, value in quality.items()}
            counted = {name: int(sums[kind][0, k]) for name, kind in (("TP", TP), ("FP", FP), ("FN", FN))}
            found[category] = values | counted
        nothing = dict.fromkeys(("PQ", "SQ", "RQ")) | dict.fromkeys(("TP", "FP", "FN"), 0)
        return {category: found.get(category, dict(nothing)) for category in sorted({*self.isthing, *found})}


def kinds_of(isthing: Mapping[int, bool | None] | Iterable[Category]) -> dict[int, bool | None]:
    """Return thing (True), stuff (False) or not said (None) by category id.

    >>> kinds_of([Category(id=3, name="sky", isthing=False)])
    {3: False}
    """
    if isinstance(isthing, Mapping):
        return dict(isthing)
    return {category.id: category.isthing for category in isthing}


def members_of(categories: Int64Array, isthing: Mapping[int, bool | None]) -> dict[str, NDArray[np.bool_]]:
    """Return which categories belong to the figures without suffix, `_things` and `_stuff`, bool [c] each."""
    kinds = [isthing.get(category) for category in categories.tolist()]
    return {
        "": np.ones(len(kinds), bool),
        "_things": np.array([kind is True for kind in kinds], bool),
        "_stuff": np.array([kind is False for kind in kinds], bool),
    }


def _sums(rows: Iterable[SegmentMatches]) -> CategorySums:
    return CategorySums([(row.categories, row.counts) for row in rows], KINDS)


def qualities(
    tp: NDArray[np.float64],
    fp: NDArray[np.float64],
    fn: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """Return PQ, SQ and RQ of each category, float64 [b, c], NaN where it does not occur; and where it does.

    Args:
        tp, fp, fn: true positives, false positives, false negatives, float64 [b, c].
        high, low: the sum of the IoUs of the true positives in two parts, as in `SegmentMatches`, float64 [b, c].
    """
    there = tp + fp + fn > 0
    half = np.where(there, tp + 0.5 * fp + 0.5 * fn, np.nan)
    iou = iou_sum(high, low)
    # A category that was never found has no IoU to average; its SQ is 0, as published evaluators have it.
    found = np.divide(iou, tp, out=np.zeros_like(iou), where=tp > 0)
    return {"PQ": iou / half, "SQ": np.where(there, found, np.nan), "RQ": tp / half}, there
