"""Class-aware mask AP of instances (COCO): AP of each category, and their mean, as a mergeable table.

Source: COCO's definition as pycocotools computes it with `useCats=1` (Lin et al., Microsoft COCO, ECCV 2014). See
`docs/metrics/instance.md`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.data.records import ImageId
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.averages import mean_of_defined
from entityseg.metrics.class_curves import NAMES, RankedClasses
from entityseg.metrics.inputs import as_masks
from entityseg.metrics.mask_matching import IoU, mask_iou, match_classes
from entityseg.metrics.matching import MODES, ClassMatches, Mode
from entityseg.metrics.modes import checked_mode
from entityseg.metrics.table import Figures, Table, UnitId, or_none

PER_IMAGE = ("AP", "AP50", "AP75", "AR@100")


class InstanceAP(Table[ClassMatches]):
    """AP and AR with classes: each figure is the mean over the categories that have ground truth.

    >>> from entityseg.masks import RunLengths
    >>> metric = InstanceAP()
    >>> square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    >>> metric.update(1, square, square, [0.9], gt_categories=[17], pred_categories=[17])
    >>> metric.update(2, square, square, [0.9], gt_categories=[18], pred_categories=[17])
    >>> metric.compute()["AP"], metric.per_category()[18]["AP"]  # 17 is right once and wrong once, 18 not found.
    (0.25, 0.0)
    """

    def __init__(self, mode: Mode = "canonical") -> None:
        super().__init__()
        self.mode: Mode = checked_mode(mode, MODES)

    def update(
        self,
        image_id: ImageId,
        gt: RunLengths | ArrayLike,
        pred: RunLengths | ArrayLike,
        scores: ArrayLike,
        *,
        gt_categories: ArrayLike,
        pred_categories: ArrayLike,
        crowd: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add one image.

        Args:
            image_id: unique among the images added.
            gt, pred: m and n masks, run-length or dense (bool [n, height, width]).
            scores: [n], finite.
            gt_categories, pred_categories: category ids, [m] and [n].
            crowd: bool [m], ground truth that counts neither way.

        Raises:
            InputError: the image was added before, or masks, scores and categories do not fit.
        """
        matches = match_classes(
            as_masks(gt),
            as_masks(pred),
            np.asarray(scores, np.float64),
            gt_categories,
            pred_categories,
            crowd=crowd,
            mode=self.mode,
            iou=self._iou(),
        )
        self.add(image_id, matches)

    def _iou(self) -> IoU:
        return mask_iou

    def figures(self, units: Mapping[UnitId, ClassMatches]) -> Figures:
        """Return the function that computes the means over categories."""
        ranked = RankedClasses(list(units.values()), self.mode)

        def means(weights: Int64Array) -> dict[str, NDArray[np.float64]]:
            return {name: mean_of_defined(values) for name, values in ranked.figures(weights).items()}

        return means

    def per_category(self) -> dict[int, dict[str, float | None]]:
        """Return the figures of each category that has ground truth."""
        ranked = RankedClasses(list(self.sorted_units().values()), self.mode)
        values = ranked.figures(np.ones((1, len(self)), np.int64))
        return {
            category: {name: or_none(values[name][0, k]) for name in NAMES}
            for k, category in enumerate(ranked.categories.tolist())
        }

    def per_image(self) -> dict[ImageId, dict[str, float | None]]:
        """Return AP, AP50, AP75 and AR@100 of each image alone."""
        return {unit: {name: values[name] for name in PER_IMAGE} for unit, values in self.per_unit().items()}
