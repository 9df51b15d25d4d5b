"""mIoU, frequency-weighted IoU, mean accuracy and pixel accuracy of semantic segmentation as a mergeable table.

Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, section 5. See
`docs/metrics/semantic.md` for where the modes differ.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.data.records import ImageId
from entityseg.errors import input_error
from entityseg.masks.algebra import are_disjoint
from entityseg.masks.dense import from_dense
from entityseg.masks.idmap import from_id_map
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.crossing import crossing
from entityseg.metrics.table import Figures, Table, UnitId, or_none

SemanticMode = Literal["canonical", "d2-semseg", "mmseg"]

TP, GT, PRED, SKIPPED = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class ClassPixels:
    """What one image adds to semantic figures: pixels by category, those without a true class left out.

    Attributes:
        categories: int64 [k], ascending.
        counts: int64 [4, k]: pixels of the category that are predicted as it, that are truly it, that are predicted as
            it, and that are truly it where nothing is predicted.
    """

    categories: Int64Array
    counts: Int64Array


def count_pixels(
    gt: RunLengths, gt_categories: ArrayLike, pred: RunLengths, pred_categories: ArrayLike
) -> ClassPixels:
    """Count the pixels of each category in an image.

    Args:
        gt, pred: m and n masks, neither of which overlap among themselves; pixels in no mask have no class.
        gt_categories, pred_categories: [m] and [n], category ids; masks of one category are taken together.

    Raises:
        InputError: sizes differ, or there are not as many categories as masks.

    >>> gt = RunLengths((1, 10), [0, 4, 4, 8], [0, 2, 4])
    >>> pred = RunLengths((1, 10), [0, 5, 6, 10], [0, 2, 4])
    >>> count_pixels(gt, [1, 2], pred, [1, 2]).counts.tolist()
    [[4, 2], [4, 4], [5, 2], [0, 1]]
    """
    gt_cats, pred_cats = np.asarray(gt_categories, np.int64), np.asarray(pred_categories, np.int64)
    if gt_cats.shape != (len(gt),) or pred_cats.shape != (len(pred),):
        message = "there must be as many category ids as masks"
        raise input_error("category.shape", message, "Give one category id a mask.")
    common = crossing(pred, gt)
    same = pred_cats[:, None] == gt_cats[None, :]
    categories, index = np.unique(np.concatenate([gt_cats, pred_cats]), return_inverse=True)
    gt_index, pred_index = index[: len(gt)], index[len(gt) :]
    counts = np.zeros((4, len(categories)), np.int64)
    np.add.at(counts[TP], gt_index, np.where(same, common, 0).sum(axis=0))
    np.add.at(counts[GT], gt_index, gt.areas)
    np.add.at(counts[PRED], pred_index, common.sum(axis=1))
    np.add.at(counts[SKIPPED], gt_index, gt.areas - common.sum(axis=0))
    return ClassPixels(categories, counts)


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
        """
        super().__init__()
        self.mode: SemanticMode = mode

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
        gt, pred = _as_masks(gt), _as_masks(pred)
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
        (gt_labels, gt_masks), (labels, masks) = (from_id_map(one, background=None) for one in (gt, pred))
        true, guessed = (~np.isin(one, list(ignore)) for one in (gt_labels, labels))
        self.add(image_id, count_pixels(gt_masks[true], gt_labels[true], masks[guessed], labels[guessed]))

    def figures(self, units: Mapping[UnitId, ClassPixels]) -> Figures:
        """Return the function that computes the figures of these images."""
        _, counts = _dense(list(units.values()))

        def figures(weights: Int64Array) -> Mapping[str, NDArray[np.float64]]:
            # All terms are whole numbers whose sums stay below 2^53, so these sums are exact in any order.
            times = weights.astype(np.float64)
            tp, gt, pred, skipped = (times @ counts[kind] for kind in (TP, GT, PRED, SKIPPED))
            iou, accuracy, gt = self._by_category(tp, gt, pred, skipped)
            total = gt.sum(axis=1)
            weighted = np.where(gt > 0, gt * iou, 0.0).sum(axis=1)
            return {
                "mIoU": _mean(iou),
                "fwIoU": _ratio(weighted, total),
                "mACC": _mean(accuracy),
                "pACC": _ratio(tp.sum(axis=1), total),
            }

        return figures

    def per_category(self) -> dict[int, dict[str, Any]]:
        """Return IoU and ACC (None where undefined), and the true, predicted and common pixels of each category."""
        categories, counts = _dense(list(self.units.values()))
        tp, gt, pred, skipped = counts.sum(axis=1)
        iou, accuracy, gt = self._by_category(tp, gt, pred, skipped)
        return {
            category: {
                "IoU": or_none(iou[k]),
                "ACC": or_none(accuracy[k]),
                "gt_pixels": int(gt[k]),
                "pred_pixels": int(pred[k]),
                "common_pixels": int(tp[k]),
            }
            for k, category in enumerate(categories.tolist())
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


def _dense(rows: list[ClassPixels]) -> tuple[Int64Array, NDArray[np.float64]]:
    """Return the categories that occur, int64 [c], and the counts, float64 [4, images, c]."""
    categories = np.unique(np.concatenate([np.empty(0, np.int64), *(row.categories for row in rows)]))
    counts = np.zeros((4, len(rows), len(categories)))
    for i, row in enumerate(rows):
        counts[:, i, np.searchsorted(categories, row.categories)] = row.counts
    return categories, counts


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the defined values of each row, NaN where there are none."""
    there = ~np.isnan(values)
    return _ratio(np.where(there, values, 0.0).sum(axis=1), there.sum(axis=1).astype(np.float64))


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)


def _as_masks(masks: RunLengths | ArrayLike) -> RunLengths:
    return masks if isinstance(masks, RunLengths) else from_dense(np.asarray(masks))
