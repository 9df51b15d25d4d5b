"""AP and AP^e: COCO's mask average precision, class-agnostic, as a mergeable table.

AP^e is AP of masks that do not overlap (Qi et al., High-Quality Entity Segmentation, ICCV 2023, section 5). The
definition of AP is pycocotools'; see `docs/metrics.md` for where `canonical` and `compat` differ.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.data.records import ImageId
from entityseg.masks.runlengths import RunLengths
from entityseg.metrics.inputs import as_masks
from entityseg.metrics.mask_matching import IoU, mask_iou, match_image
from entityseg.metrics.matching import MODES, ImageMatches, Mode
from entityseg.metrics.modes import checked_mode
from entityseg.metrics.precision import Ranked
from entityseg.metrics.table import Figures, Table, UnitId

PER_IMAGE = ("AP", "AP50", "AP75", "AR@100", "AR@100@.5")


class EntityAP(Table[ImageMatches]):
    """AP, AP^e and AR over images: feed images in any order, merge parts, compute; for use in a training loop.

    Whether the figure is AP or AP^e is up to the masks: AP^e if no two predictions of an image share a pixel.

    >>> from entityseg.masks import RunLengths
    >>> metric = EntityAP()
    >>> square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    >>> metric.update(1, square, square, [0.9])
    >>> metric.compute()["AP"]
    1.0
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
        crowd: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add one image.

        Args:
            image_id: unique among the images added.
            gt, pred: masks, run-length or dense (bool [n, height, width]; arrays and tensors on the CPU).
            scores: [n], finite.
            crowd: bool [m], ground truth that counts neither way.

        Raises:
            InputError: the image was added before, or the masks and scores do not fit.
        """
        matches = match_image(
            as_masks(gt),
            as_masks(pred),
            np.asarray(scores, np.float64),
            crowd=crowd,
            mode=self.mode,
            iou=self._iou(),
        )
        self.add(image_id, matches)

    def _iou(self) -> IoU:
        return mask_iou

    def figures(self, units: Mapping[UnitId, ImageMatches]) -> Figures:
        """Return the function that computes AP and AR of these images."""
        return Ranked(list(units.values()), self.mode).figures

    def curves(self) -> NDArray[np.float64] | None:
        """Return precision at the 101 recalls for each IoU threshold, float64 [10, 101]; None without ground truth."""
        ranked = Ranked(list(self.sorted_units().values()), self.mode)
        curves = ranked.curves(0, 100, np.ones((1, len(self)), np.int64))[0]
        return None if np.isnan(curves).any() else curves

    def per_image(self) -> dict[ImageId, dict[str, float | None]]:
        """Return AP, AP50, AP75, AR@100 and AR@100@.5 of each image alone."""
        return {unit: {name: values[name] for name in PER_IMAGE} for unit, values in self.per_unit().items()}
