"""Score a file of masks for referring expressions: read, check, compare image by image on threads, compute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from entityseg.data.grounding.expressions import ReferringTruth, read_expressions
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Findings
from entityseg.masks import difference, union
from entityseg.masks.runlengths import RunLengths, Size
from entityseg.metrics.referring import COUNTING, LAVT_SIZE, Mode, Referring
from entityseg.metrics.result import Counts, Score
from entityseg.metrics.rows import once
from entityseg.predictions.grounded import rows_or_empty
from entityseg.predictions.referring import ReferringPredictions, read_referring

# What masks may have instead of their images' sizes: the output of the mode's own models.
FRAMES: dict[Mode, Size] = {"lavt480": LAVT_SIZE}


def score_referring(
    gt: str | Path | ReferringTruth,
    pred: str | Path | ReferringPredictions,
    *,
    instances: str | Path | None = None,
    mode: Mode = "canonical",
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Score:
    """Score masks for referring expressions by cIoU, gIoU (mIoU), P@X and no-target accuracies.

    Args:
        gt: the normalised JSON of a split, or a ground truth read.
        pred: the predictions file, or predictions read.
        instances: the COCO JSON of masks; by default `instances.json` beside `gt`.
        mode: `canonical` ranks; the others reproduce published code.
        bootstrap: resamples of the images for the intervals, 0 for none.
        seed: of the resampling.
        per_image: whether to give the figures of each image alone.
        threads: images compared side by side.
        progress: wraps the images as (iterable, total, label), to show a progress bar.

    Raises:
        InputError: something is wrong with a file; all problems are listed.
    """
    truth = gt if isinstance(gt, ReferringTruth) else read_expressions(gt, instances)
    predictions = (
        pred
        if isinstance(pred, ReferringPredictions)
        else read_referring(pred, truth, frame=FRAMES.get(mode))
    )
    table, counts, found = evaluate_referring(
        truth, predictions, mode=mode, threads=threads, progress=progress
    )
    return Score(
        metric="referring",
        mode=mode,
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed, threads=threads) if bootstrap else {},
        counts=counts,
        options={"dataset": truth.dataset, "split_by": truth.split_by, "split": truth.split},
        warnings=found,
        per_image=table.per_cluster() if per_image else None,
    )


def evaluate_referring(
    gt: ReferringTruth,
    pred: ReferringPredictions,
    *,
    mode: Mode = "canonical",
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[Referring, Counts, Findings]:
    """Compare all expressions; return table, counts, warnings. Arguments and errors are those of `score_referring`."""
    findings = Findings()
    findings.extend(gt.warnings)
    findings.extend(gt.instances.warnings)
    table = Referring(mode)
    job = _Job(gt, pred, mode)
    groups = (progress or no_progress)(range(len(gt.image_ids)), len(gt.image_ids), "scoring")
    overridden = 0
    for image in map_in_order(job.image, groups, threads=threads):
        findings.extend(image.findings)
        overridden += image.overridden
        table.merge(image.table)
    findings.raise_errors()
    image_ids = [expression.image_id for expression in gt.expressions]
    units = list(zip(image_ids, (one.expr_id for one in gt.expressions), strict=True))
    is_empty = np.array([table.units[unit].pred_area == 0 for unit in units], np.bool_)
    predicted = int(pred.listed.sum())
    counts = Counts(
        expected=len(units),
        predicted=predicted,
        missing=len(units) - predicted,
        empty=int((is_empty & pred.listed).sum()),
        details={
            "images": len(gt.image_ids),
            "without_target": sum(not one.ann_ids for one in gt.expressions),
            "said_no_target": int(pred.no_target.sum()),
            "masks_overridden": overridden,
        },
    )
    return table, counts, findings


@dataclass(frozen=True, slots=True)
class _Image:
    table: Referring
    findings: Findings
    overridden: int


@dataclass(frozen=True)
class _Job:
    """Compares the expressions of one image; several threads call it at once."""

    gt: ReferringTruth
    pred: ReferringPredictions
    mode: Mode

    def image(self, group: int) -> _Image:
        gt, pred = self.gt, self.pred
        findings, table = Findings(), Referring(self.mode)
        members = list(gt.groups[group])
        expressions = [gt.expressions[i] for i in members]
        masks: dict[tuple[int, ...], RunLengths] = {}
        for expression in expressions:
            if expression.ann_ids not in masks:
                masks[expression.ann_ids] = self._truth(expression.ann_ids, group, findings)
        truth = RunLengths.concatenate([masks[expression.ann_ids] for expression in expressions])
        decoded = pred.source.checked_masks(group, findings)
        given = rows_or_empty(decoded, pred.rows[members].tolist())
        # The flag decides: who says that there is no target has given no mask.
        overridden = int(((given.areas > 0) & pred.no_target[members]).sum())
        rows = np.where(pred.no_target[members], -1, pred.rows[members])
        if overridden:
            given = rows_or_empty(decoded, rows.tolist())
        if not findings.errors:
            has_target = np.array([bool(expression.ann_ids) for expression in expressions])
            ids = [expression.expr_id for expression in expressions]
            table.update_rows(gt.image_ids[group], ids, truth, given, has_target)
        return _Image(table, findings, overridden)

    def _truth(self, ann_ids: tuple[int, ...], group: int, findings: Findings) -> RunLengths:
        """Return the one true mask of an expression."""
        gt = self.gt
        nothing = RunLengths.empty(gt.sizes[group], 1)
        parts = [gt.instances.parts(ann_id, findings) for ann_id in ann_ids]
        is_plain = len(parts) == 1 and len(parts[0]) == 1
        whole = parts[0] if is_plain else union(RunLengths.concatenate([nothing, *parts]))
        if ann_ids and not whole.areas[0]:
            message = f"the target (annotations {list(ann_ids)}) has no pixel; an empty prediction is right"
            remedy = "Check its polygons."
            findings.add(
                "gt.empty", message, remedy, file=gt.instances.file, record=f"image {gt.image_ids[group]}",
                severity="warning",
            )  # fmt: skip
        if self.mode not in COUNTING or is_plain:
            return whole
        # What two polygons of one annotation cover has the value 2 there, which is not the target's 1.
        single = [once(part) for part in parts]
        twice = [difference(union(part), one) for part, one in zip(parts, single, strict=True)]
        return difference(
            union(RunLengths.concatenate([nothing, *single])),
            union(RunLengths.concatenate([nothing, *twice])),
        )
