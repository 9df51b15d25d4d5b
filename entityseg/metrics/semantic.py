"""mIoU, frequency-weighted IoU, mean accuracy and pixel accuracy of semantic segmentation as a mergeable table.

Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, section 5. See
`docs/metrics/semantic.md` for where the modes differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.data.records import ImageId
from entityseg.errors import input_error
from entityseg.masks.algebra import are_disjoint
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.averages import mean_of_defined, ratio
from entityseg.metrics.category_sums import CategorySums
from entityseg.metrics.class_pixels import KINDS, ClassPixels, count_labels, count_pixels
from entityseg.metrics.inputs import as_masks
from entityseg.metrics.modes import checked_mode
from entityseg.metrics.table import Figures, Table, UnitId, or_none

SemanticMode = Literal["canonical", "d2-semseg", "mmseg"]

MODES: tuple[SemanticMode, ...] = ("canonical", "d2-semseg", "mmseg")


class SemanticIoU(Table[ClassPixels]):
    """mIoU and its kin over images: feed images in any order, merge parts, compute; for use in a training loop.

    >>> metric = SemanticIoU()
    >>> metric.update_maps(1, np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 1]]))
    >>> {name: round(value, 3) for name, value in metric.compute().items()}
    {'mIoU': 0.5, 'fwIoU': 0.5, 'mACC': 0.75, 'pACC': 0.667}
    """

    def __init__(self, mode: SemanticMode = "canonical") -> None:
        """Make an empty table.

        Args:
            mode: `canonical`: means over categories in the ground truth; a pixel without prediction is missed.
                `d2-semseg`: such a pixel does not count at all. `mmseg`: as canonical, but categories that are only
                predicted count as IoU 0.

        Raises:
            UsageError: there is no such mode.
        """
        super().__init__()
        self.mode: SemanticMode = checked_mode(mode, MODES)

    def update(
        self,
        image_id: ImageId,
        gt: RunLengths | ArrayLike,
        gt_categories: ArrayLike,
        pred: RunLengths | ArrayLike,
        pred_categories: ArrayLike,
    ) -> None:
        """Add one image by its masks.

        Args:
            image_id: unique among the images added.
            gt, pred: masks, run-length or dense (bool [n, height, width]).
            gt_categories, pred_categories: the category id of each.

        Raises:
            InputError: the image was added before, masks overlap, or numbers do not fit.
        """
        gt, pred = as_masks(gt), as_masks(pred)
        for masks, what in ((gt, "true"), (pred, "predicted")):
            if not are_disjoint(masks):
                message = f"{what} masks overlap, but a pixel has one class at most"
                raise input_error("mask.overlap", message, "Paint them first (`entityseg.masks.paint`).")
        self.add(image_id, count_pixels(gt, gt_categories, pred, pred_categories))

    def update_maps(
        self,
        image_id: ImageId,
        gt: NDArray[np.integer[Any]],
        pred: NDArray[np.integer[Any]],
        *,
        ignore: Collection[int] = (255, 65535),
    ) -> None:
        """Add one image by its maps of labels.

        Args:
            image_id: unique among the images added.
            gt, pred: integers [height, width].
            ignore: labels that are no class.

        Raises:
            InputError: the image was added before, or the maps are none or differ in size.
        """
        self.add(image_id, count_labels(gt, pred, ignore))

    def figures(self, units: Mapping[UnitId, ClassPixels]) -> Figures:
        """Return the function that computes the figures of these images."""
        sums = _sums(units.values())

        def figures(weights: Int64Array) -> Mapping[str, NDArray[np.float64]]:
            tp, gt, pred, skipped = sums(weights)
            iou, accuracy, gt = self._by_category(tp, gt, pred, skipped)
            total = gt.sum(axis=1)
            weighted = np.where(gt > 0, gt * iou, 0.0).sum(axis=1)
            return {
                "mIoU": mean_of_defined(iou),
                "fwIoU": ratio(weighted, total),
                "mACC": mean_of_defined(accuracy),
                "pACC": ratio(tp.sum(axis=1), total),
            }

        return figures

    def per_category(self) -> dict[int, dict[str, Any]]:
        """Return IoU and ACC (None where undefined), and the true, predicted and common pixels of each category."""
        by_category = _sums(self.units.values())
        tp, gt, pred, skipped = by_category()[:, 0]
        iou, accuracy, gt = self._by_category(tp, gt, pred, skipped)
        return {
            category: {
                "IoU": or_none(iou[k]),
                "ACC": or_none(accuracy[k]),
                "gt_pixels": int(gt[k]),
                "pred_pixels": int(pred[k]),
                "common_pixels": int(tp[k]),
            }
            for k, category in enumerate(by_category.categories.tolist())
        }

    def _by_category(
        self,
        tp: NDArray[np.float64],
        gt: NDArray[np.float64],
        pred: NDArray[np.float64],
        skipped: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return IoU and accuracy, NaN where a category does not count, and the true pixels that count."""
        if self.mode == "d2-semseg":
            gt = gt - skipped
        union = gt + pred - tp
        counts = union > 0 if self.mode == "mmseg" else gt > 0
        nothing = np.full_like(tp, np.nan)
        iou = np.divide(tp, union, out=nothing.copy(), where=counts)
        return iou, np.divide(tp, gt, out=nothing, where=gt > 0), gt


def _sums(rows: Iterable[ClassPixels]) -> CategorySums:
    return CategorySums([(row.categories, row.counts) for row in rows], KINDS)
