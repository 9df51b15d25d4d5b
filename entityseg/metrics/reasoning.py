"""Reasoning segmentation (ReasonSeg; Lai et al., LISA, CVPR 2024): gIoU and cIoU, for short and long texts.

The unit is a text of an image. An image's first text ranks; all texts are the second row of figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.masks import difference
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.averages import mean, ratio, total
from entityseg.metrics.inputs import as_one_mask
from entityseg.metrics.rows import row_intersections
from entityseg.metrics.table import Figures, Table, UnitId


@dataclass(frozen=True, slots=True)
class TextOverlap:
    """What one text adds: pixels of prediction and ground truth, the ignored ones left out; and whether it is long."""

    intersection: int
    union: int
    is_long: bool


class Reasoning(Table[TextOverlap]):
    """gIoU and cIoU of masks for texts; units are (image, number of the text).

    >>> metric = Reasoning()
    >>> truth, guess = np.array([[1, 1, 0, 0]], bool), np.array([[1, 0, 1, 1]], bool)
    >>> metric.update("a", 0, truth, guess, ignore=np.array([[0, 0, 1, 1]], bool), is_long=True)
    >>> metric.compute()["gIoU"], metric.compute()["gIoU_short"]
    (0.5, None)
    """

    def cluster(self, unit: UnitId) -> UnitId:
        """Return the image of a text."""
        return unit[0]

    def update(
        self,
        image: UnitId,
        text_idx: int,
        gt: RunLengths | ArrayLike,
        pred: RunLengths | ArrayLike | None,
        *,
        ignore: RunLengths | ArrayLike | None = None,
        is_long: bool = False,
    ) -> None:
        """Add one text of an image.

        Args:
            image: name of the image; intervals are over images.
            text_idx: number of the text, from 0, which ranks.
            gt: the true mask, run-length or dense (bool [height, width]).
            pred: the predicted mask; None where the model gave none, which is an empty one.
            ignore: pixels that count neither way.
            is_long: whether the text is a sentence, or else a phrase.

        Raises:
            InputError: the text was added before, or the masks differ in size.
        """
        truth = as_one_mask(gt)
        guess = RunLengths.empty(truth.size, 1) if pred is None else as_one_mask(pred)
        if ignore is not None:
            without = as_one_mask(ignore)
            truth, guess = difference(truth, without), difference(guess, without)
        common = int(row_intersections(truth, guess)[0])
        union = int(truth.areas[0] + guess.areas[0]) - common
        self.add((image, text_idx), TextOverlap(common, union, is_long))

    def figures(self, units: Mapping[UnitId, TextOverlap]) -> Figures:
        """Return the function that computes the figures of these texts."""
        rows = list(units.values())
        common = np.array([row.intersection for row in rows], np.int64)
        union = np.array([row.union for row in rows], np.int64)
        # Two empty masks agree, as in LISA.
        iou = np.where(union == 0, 1.0, common / np.maximum(union, 1))
        is_long = np.array([row.is_long for row in rows], np.bool_)
        first = np.array([unit[1] == 0 for unit in units], np.bool_)
        groups = {"": first, "_short": first & ~is_long, "_long": first & is_long, "_all_texts": first | True}

        def compute(weights: Int64Array) -> dict[str, NDArray[np.float64]]:
            values = {}
            for suffix, group in groups.items():
                some = weights[:, group]
                values[f"gIoU{suffix}"] = mean(some, iou[group])
                values[f"cIoU{suffix}"] = ratio(total(some, common[group]), total(some, union[group]))
            return values

        return compute
