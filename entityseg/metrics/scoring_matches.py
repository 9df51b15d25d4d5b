"""What scores of scored masks (instance and boundary AP) share: match image by image on threads, count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from entityseg.data.records import Dataset
from entityseg.data.threads import Progress
from entityseg.errors import SHOWN_PER_KIND, Findings
from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.instance_ap import InstanceAP
from entityseg.metrics.mask_matching import IoU, mask_iou, match_classes, match_image
from entityseg.metrics.matching import ClassMatches, ImageMatches, Mode
from entityseg.metrics.result import Counts
from entityseg.metrics.scoring_images import (
    counts_of,
    each_image,
    masks_of,
    name_of,
    refuse_unknown_categories,
)
from entityseg.predictions.overlapping import place_of
from entityseg.predictions.records import Predictions


def evaluate_matches(
    table: EntityAP | InstanceAP,
    gt: Dataset,
    pred: Predictions,
    *,
    iou: IoU = mask_iou,
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[Counts, Findings]:
    """Match all images into the table, by category if it is an `InstanceAP`; return counts and warnings.

    Raises:
        InputError: a mask is malformed, or (by category) a category unknown; all problems are listed.
    """
    with_classes = isinstance(table, InstanceAP)
    findings = Findings()
    findings.extend(gt.warnings)
    findings.extend(pred.warnings)
    if with_classes:
        refuse_unknown_categories(gt, findings)
        _refuse_categories(gt, pred, findings)
    job = _Job(gt, pred, table.mode, iou, with_classes)
    empty = 0
    images = each_image(job.image, gt, (gt.source, pred.source), findings, threads=threads, progress=progress)
    for image_id, image in images:
        table.add(image_id, image.matches)  # type: ignore[arg-type]
        empty += image.empty
    findings.raise_errors()
    details = {"gt_masks": gt.n_annotations, "predictions": len(pred.scores)}
    return counts_of(gt, pred.listed, empty, details), findings


def category_records(
    table: InstanceAP, gt: Dataset, pred: Predictions, names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a record for each category of the ground truth: id, name, the figures, and its masks on both sides."""
    figures = table.per_category()
    true = _occurrences(gt.category_ids[~gt.iscrowd])
    predicted = _occurrences(pred.category_ids)
    nothing = dict.fromkeys(names)
    return [
        {
            "id": one.id,
            "name": one.name,
            **{name: figures.get(one.id, nothing)[name] for name in names},
            "gt_masks": true.get(one.id, 0),
            "predictions": predicted.get(one.id, 0),
        }
        for one in gt.categories
    ]


def _occurrences(ids: Int64Array) -> dict[int, int]:
    values, counts = np.unique(ids, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _refuse_categories(gt: Dataset, pred: Predictions, findings: Findings) -> None:
    """Add a finding for each prediction whose category the ground truth does not list."""
    wrong = np.flatnonzero(~np.isin(pred.category_ids, list(gt.category_of)))
    left = {"category.missing": 0, "category.unknown": 0}
    for row in wrong.tolist():
        category = int(pred.category_ids[row])
        kind = "category.missing" if category == -1 else "category.unknown"
        left[kind] += 1
        if left[kind] > SHOWN_PER_KIND:
            continue
        index = int(np.searchsorted(pred.offsets, row, side="right")) - 1
        place = place_of(pred, index)(row - int(pred.offsets[index]))
        if category == -1:
            message = "the prediction has no category_id that is an integer"
            remedy = (
                "Give each one a category of the ground truth, or score without classes (`score entity`)."
            )
            value = None
        else:
            message, value = "the ground truth has no category with this id", category
            remedy = (
                "Use the ids of the ground truth's `categories`; some tools count from 0, or leave gaps out."
            )
        where = f"image {gt.images[index].id}, {place}"
        findings.add(
            kind, message, remedy, file=name_of(pred.path), record=where, field="category_id", value=value
        )
    for kind, count in left.items():
        if count > SHOWN_PER_KIND:
            findings.count_more(kind, count - SHOWN_PER_KIND)


@dataclass(frozen=True, slots=True)
class _Image:
    matches: ImageMatches | ClassMatches
    findings: Findings
    empty: bool


@dataclass(frozen=True)
class _Job:
    """Matches one image; several threads call it at once."""

    gt: Dataset
    pred: Predictions
    mode: Mode
    iou: IoU
    with_classes: bool

    def image(self, index: int) -> _Image:
        gt, pred = self.gt, self.pred
        findings = Findings()
        rows, pred_rows = gt.rows(index), pred.rows(index)
        true, masks = masks_of(gt, index, findings), masks_of(pred, index, findings)
        scores = pred.scores[pred_rows]
        options: dict[str, Any] = {
            "crowd": gt.iscrowd[rows],
            "mode": self.mode,
            "gt_ids": gt.ids[rows],
            "gt_areas": None if gt.file_areas is None else gt.file_areas[rows],
            "pred_areas": None if pred.box_areas is None else pred.box_areas[pred_rows],
            "iou": self.iou,
        }
        matches: ImageMatches | ClassMatches
        if self.with_classes:
            categories = gt.category_ids[rows], pred.category_ids[pred_rows]
            matches = match_classes(true, masks, scores, *categories, **options)
        else:
            matches = match_image(true, masks, scores, **options)
        return _Image(matches, findings, bool(pred.listed[index]) and not masks.areas.any())
