"""Referring expression segmentation: cIoU, gIoU (mIoU), P@X, and the accuracies of no-target expressions.

Yu et al., Modeling Context in Referring Expressions, ECCV 2016 (RefCOCO); Liu et al., GRES, CVPR 2023 (gRefCOCO).
The unit is the expression, a sentence. `docs/metrics/referring.md` says where the compat modes differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.masks import resize
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.averages import mean, ratio, total
from entityseg.metrics.inputs import as_masks_or_one, as_one_mask
from entityseg.metrics.modes import checked_mode
from entityseg.metrics.rows import once, row_intersections
from entityseg.metrics.table import Figures, Table, UnitId

Mode = Literal["canonical", "lisa-poly", "lavt480", "cris-mean"]
MODES: tuple[Mode, ...] = ("canonical", "lisa-poly", "lavt480", "cris-mean")
PRECISIONS = {"P@.5": 0.5, "P@.6": 0.6, "P@.7": 0.7, "P@.8": 0.8, "P@.9": 0.9}
# Modes whose ground truth counts the polygons that cover a pixel, and keeps those that one covers.
COUNTING: frozenset[Mode] = frozenset({"lisa-poly", "lavt480"})
# LAVT's network sees and gives squares.
LAVT_SIZE = (480, 480)


@dataclass(frozen=True, slots=True)
class ExpressionOverlap:
    """What one expression adds.

    Attributes:
        intersection, union: pixels of prediction and ground truth.
        pred_area: pixels of the prediction.
        has_target: whether the image holds what the expression refers to.
    """

    intersection: int
    union: int
    pred_area: int
    has_target: bool


class Referring(Table[ExpressionOverlap]):
    """Scores of masks for expressions: feed expressions in any order, merge parts, compute.

    >>> metric = Referring()
    >>> left, all = np.array([[1, 1, 0, 0]], bool), np.array([[1, 1, 1, 1]], bool)
    >>> metric.update(7, 1, left, left)
    >>> metric.update(7, 2, left, all)
    >>> values = metric.compute()
    >>> round(values["cIoU"], 4), values["mIoU"], values["P@.6"]
    (0.6667, 0.75, 0.5)
    """

    def __init__(self, mode: Mode = "canonical") -> None:
        super().__init__()
        self.mode: Mode = checked_mode(mode, MODES)

    def cluster(self, unit: UnitId) -> UnitId:
        """Return the image of an expression."""
        return unit[0]

    def update(
        self,
        image_id: UnitId,
        expr_id: UnitId,
        gt: RunLengths | ArrayLike,
        pred: RunLengths | ArrayLike | None,
        *,
        has_target: bool = True,
    ) -> None:
        """Add one expression.

        Args:
            image_id: its image; intervals are over images.
            expr_id: unique in its image.
            gt: the true mask, run-length or dense (bool [height, width]); of several their union, or, in the modes
                that count polygons, the pixels in exactly one.
            pred: the predicted mask (of several their union); None where the model gave none, which is an empty one.
            has_target: False for an expression that refers to nothing in the image.

        Raises:
            InputError: the expression was added before, or the masks differ in size.
        """
        truth = once(as_masks_or_one(gt)) if self.mode in COUNTING else as_one_mask(gt)
        predicted = RunLengths.empty(truth.size, 1) if pred is None else as_one_mask(pred)
        self.update_rows(image_id, [expr_id], truth, predicted, np.array([has_target]))

    def update_rows(
        self,
        image_id: UnitId,
        expr_ids: Sequence[UnitId],
        gt: RunLengths,
        pred: RunLengths,
        has_target: NDArray[np.bool_],
    ) -> None:
        """Add the n expressions of an image at once: row i of `gt` and of `pred` belong to expression i."""
        if self.mode == "lavt480":
            gt, pred = resize(gt, LAVT_SIZE), resize(pred, LAVT_SIZE)
        common = row_intersections(gt, pred)
        unions = gt.areas + pred.areas - common
        columns = zip(
            expr_ids, common.tolist(), unions.tolist(), pred.areas.tolist(), has_target.tolist(), strict=True
        )
        for expr_id, intersection, union, area, target in columns:
            self.add((image_id, expr_id), ExpressionOverlap(intersection, union, area, target))

    def figures(self, units: Mapping[UnitId, ExpressionOverlap]) -> Figures:
        """Return the function that computes the figures of these expressions."""
        rows = list(units.values())
        common = np.array([row.intersection for row in rows], np.int64)
        union = np.array([row.union for row in rows], np.int64)
        empty = np.array([row.pred_area == 0 for row in rows], np.bool_)
        target = np.array([row.has_target for row in rows], np.bool_)
        iou = self._ious(common, union)
        mode = self.mode

        def compute(weights: Int64Array) -> dict[str, NDArray[np.float64]]:
            common_sum, union_sum = total(weights, common), total(weights, union)
            if mode == "lisa-poly":
                number = weights.sum(axis=1)
                mean_iou = np.where(number > 0, total(weights, iou) / (number + 1e-5), np.nan)
                overall = np.where(number > 0, common_sum / (union_sum + 1e-10), np.nan)
                return {"cIoU": overall, "gIoU": mean_iou}
            mean_iou = mean(weights, iou)
            values = {} if mode == "cris-mean" else {"cIoU": ratio(common_sum, union_sum)}
            values |= {"mIoU": mean_iou} if mode != "canonical" else {"gIoU": mean_iou, "mIoU": mean_iou}
            for name, least in PRECISIONS.items():
                hit = iou > least if mode == "cris-mean" else iou >= least
                values[name] = mean(weights, hit, target)
            if mode == "canonical":
                values["N_acc"] = mean(weights, empty, ~target)
                values["T_acc"] = mean(weights, ~empty, target)
            return values

        return compute

    def _ious(self, common: Int64Array, union: Int64Array) -> NDArray[np.float64]:
        nothing = union == 0
        if self.mode == "lisa-poly":
            return common / (union + 1e-5) + nothing
        if self.mode == "cris-mean":
            return common / (union + 1e-6)
        # Two empty masks agree; LAVT counts them 0.
        return np.where(nothing, 0.0 if self.mode == "lavt480" else 1.0, common / np.maximum(union, 1))
