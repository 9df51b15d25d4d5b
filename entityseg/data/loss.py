"""What a conversion cost: masks as they were against masks as they are read back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from entityseg.data.records import AnnotatedImage, Dataset
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.masks.runlengths import Int64Array

SHOWN = 1000


@dataclass(frozen=True, slots=True)
class MaskLoss:
    """A mask that changed.

    Attributes:
        image_id: its image.
        annotation_id: its id in the source.
        iou: intersection over union with the mask that it became, 0 if there is none.
        holes: how many holes it had and has.
        components: how many 8-connected components it had and has.
    """

    image_id: int | str
    annotation_id: int
    iou: float
    holes: tuple[int, int]
    components: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """Return the row as a JSON object."""
        return {
            "image_id": self.image_id,
            "id": self.annotation_id,
            "iou": self.iou,
            "holes": list(self.holes),
            "components": list(self.components),
        }


@dataclass
class LossReport:
    """How many masks changed, and how.

    Attributes:
        masks: masks of the source.
        missing: those that nothing is left of.
        changed: those whose pixels changed, in the order of the source; the missing ones too.
    """

    masks: int = 0
    missing: int = 0
    changed: list[MaskLoss] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return counts and the first 1,000 changed masks; means are null where there is no mask."""
        ious = [one.iou for one in self.changed]
        exact = self.masks - len(self.changed)
        return {
            "masks": self.masks,
            "exact": exact,
            "changed": len(self.changed),
            "missing": self.missing,
            "mean_iou": (exact + math.fsum(ious)) / self.masks if self.masks else None,
            "min_iou": min([*ious, 1.0]) if self.masks else None,
            "holes_lost": sum(max(one.holes[0] - one.holes[1], 0) for one in self.changed),
            "components_lost": sum(max(one.components[0] - one.components[1], 0) for one in self.changed),
            "masks_with_other_components": sum(
                one.components[0] != one.components[1] for one in self.changed
            ),
            "changed_masks": [one.to_json() for one in self.changed[:SHOWN]],
            "changed_masks_not_listed": max(len(self.changed) - SHOWN, 0),
        }


def measure_loss(
    before: Dataset,
    after: Dataset,
    *,
    ids: bool = True,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> LossReport:
    """Compare every mask of a dataset with what it became.

    Images are matched by id. A mask belongs to the one with its id; with `ids` False, to the one of its
    category that it has the highest IoU with.

    Args:
        before: the source.
        after: the target, as it is read.
        ids: whether the target kept the annotation ids.
        threads: images compared side by side.
        progress: shows how far the images are.

    Raises:
        InputError: a mask of one of the two is malformed.
    """

    def one_image(index: int) -> tuple[int, int, list[MaskLoss]]:
        one = before[index]
        place = after.index_of.get(one.image.id)
        return _image_loss(one, None if place is None else after[place], ids)

    report = LossReport()
    indices = progress(range(len(before)), len(before), "measuring loss")
    for masks, missing, changed in map_in_order(one_image, indices, threads=threads):
        report.masks += masks
        report.missing += missing
        report.changed += changed
    return report


def _image_loss(
    before: AnnotatedImage, after: AnnotatedImage | None, ids: bool
) -> tuple[int, int, list[MaskLoss]]:
    from entityseg.masks import count_components, count_holes, iou_matrix

    partner = np.full(len(before), -1) if after is None else _partners(before, after, ids)
    changed: list[MaskLoss] = []
    missing = 0
    for row, other in enumerate(partner.tolist()):
        if after is not None and other >= 0:
            if np.array_equal(before.masks.edges_of(row), after.masks.edges_of(other)):
                continue
            was, became = before.masks[row], after.masks[other]
            iou = float(iou_matrix(was, became)[0, 0])
            holes = int(count_holes(was)[0]), int(count_holes(became)[0])
            parts = int(count_components(was)[0]), int(count_components(became)[0])
        else:
            was, missing, iou = before.masks[row], missing + 1, 0.0
            holes, parts = (int(count_holes(was)[0]), 0), (int(count_components(was)[0]), 0)
        changed.append(MaskLoss(before.image.id, int(before.ids[row]), iou, holes, parts))
    return len(before), missing, changed


def _partners(before: AnnotatedImage, after: AnnotatedImage, ids: bool) -> Int64Array:
    """Return for each row the row that it became, -1 for none; int64 [n]."""
    rows = {int(annotation_id): row for row, annotation_id in enumerate(after.ids)}
    if ids and len(rows) == len(after):
        return np.array([rows.get(int(one), -1) for one in before.ids], np.int64)
    if not len(after) or not len(before):
        return np.full(len(before), -1, np.int64)
    from entityseg.masks import iou_matrix

    iou = iou_matrix(before.masks, after.masks)
    iou[before.category_ids[:, None] != after.category_ids[None, :]] = 0
    best = iou.argmax(axis=1)
    return np.where(iou.max(axis=1) > 0, best, -1).astype(np.int64)
