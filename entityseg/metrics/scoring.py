"""Score class-agnostic predictions against a ground truth: read, check, match image by image on threads, compute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import Dataset
from entityseg.data.threads import Progress
from entityseg.errors import Findings, usage_error
from entityseg.masks import RunLengths, are_disjoint, overlaps, paint
from entityseg.masks.order import by_score
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.mask_matching import match_image
from entityseg.metrics.matching import ImageMatches, Mode
from entityseg.metrics.result import Counts, Score
from entityseg.metrics.scoring_images import counts_of, each_image, masks_of, name_of, opened
from entityseg.predictions.overlapping import add_overlapping_predictions
from entityseg.predictions.records import Predictions

Overlap = Literal["refuse", "resolve", "allow"]


def score(
    gt: str | Path | Dataset,
    pred: str | Path | Predictions,
    *,
    mode: Mode = "canonical",
    overlap: Overlap = "refuse",
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Score:
    """Score class-agnostic predictions by AP^e (or AP, with `overlap="allow"`).

    Args:
        gt: ground truth, as `entityseg.load` takes it, or loaded.
        pred: predictions, as `entityseg.predictions.read_predictions` takes them, or read.
        mode: `canonical` ranks; `pycocotools` gives pycocotools' numbers, quirks included.
        overlap: refuse overlapping predictions, resolve them (the higher score keeps the pixels), or allow them,
            which makes the figure AP and not AP^e.
        bootstrap: resamples of the images for the intervals, 0 for none.
        seed: of the resampling.
        per_image: whether to give the figures of each image alone.
        threads: worker threads, all cores if not given.
        progress: wraps the images as (iterable, total, label), to show a progress bar.

    Raises:
        UsageError: there is no such mode, or no such way with overlap.
        InputError: something is wrong with a file, or predictions overlap; all problems are listed.
    """
    dataset, predictions = opened(gt, pred, mode)
    table, found = evaluate(
        dataset, predictions, mode=mode, overlap=overlap, threads=threads, progress=progress
    )
    return result_of(
        table, found, overlap=overlap, bootstrap=bootstrap, seed=seed, per_image=per_image, threads=threads
    )


def result_of(
    table: EntityAP,
    found: Evaluated,
    *,
    overlap: Overlap,
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
) -> Score:
    """Return what an evaluation gave; arguments are those of `score`."""
    return Score(
        metric="AP" if overlap == "allow" else "AP^e",
        mode=table.mode,
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed, threads=threads) if bootstrap else {},
        counts=found.counts,
        options={"overlap": overlap},
        warnings=found.findings,
        per_image=table.per_image() if per_image else None,
    )


@dataclass(frozen=True)
class Evaluated:
    """Counts and warnings of an evaluation."""

    counts: Counts
    findings: Findings


def evaluate(
    gt: Dataset,
    pred: Predictions,
    *,
    mode: Mode = "canonical",
    overlap: Overlap = "refuse",
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[EntityAP, Evaluated]:
    """Match all images; arguments and errors are those of `score`."""
    if overlap not in get_args(Overlap):
        remedy = f"Use one of {', '.join(get_args(Overlap))}."
        raise usage_error("overlap.unknown", "there is no such way with overlap", remedy, value=overlap)
    findings = Findings()
    findings.extend(gt.warnings)
    findings.extend(pred.warnings)
    table = EntityAP(mode)
    job = _Job(gt, pred, mode, overlap)
    gt_overlapping = pred_overlapping = empty = 0
    images = each_image(job.image, gt, (gt.source, pred.source), findings, threads=threads, progress=progress)
    for image_id, image in images:
        table.add(image_id, image.matches)
        gt_overlapping += image.gt_overlaps
        pred_overlapping += image.pred_overlaps
        empty += image.empty
    findings.raise_errors()
    details = {
        "gt_masks": gt.n_annotations,
        "predictions": len(pred.scores),
        "gt_overlapping": gt_overlapping,
        "pred_overlapping": pred_overlapping,
    }
    counts = counts_of(gt, pred.listed, empty, details)
    return table, Evaluated(counts, findings)


@dataclass(frozen=True, slots=True)
class _Image:
    matches: ImageMatches
    findings: Findings
    gt_overlaps: bool
    pred_overlaps: bool
    empty: bool


@dataclass(frozen=True)
class _Job:
    """Scores one image; several threads call it at once."""

    gt: Dataset
    pred: Predictions
    mode: Mode
    overlap: Overlap

    def image(self, index: int) -> _Image:
        gt, pred = self.gt, self.pred
        findings = Findings()
        rows, pred_rows = gt.rows(index), pred.rows(index)
        gt_masks, masks = masks_of(gt, index, findings), masks_of(pred, index, findings)
        scores = pred.scores[pred_rows]
        crowd = gt.iscrowd[rows]
        gt_overlaps = self._gt_overlaps(gt_masks, crowd, index, findings)
        pred_areas = None if pred.box_areas is None else pred.box_areas[pred_rows]
        pred_overlaps = False
        if self.overlap != "allow" and not findings.errors:
            pred_overlaps = not are_disjoint(masks)
            if pred_overlaps and self.overlap == "refuse":
                add_overlapping_predictions(pred, index, masks, findings)
            elif pred_overlaps:
                masks, scores, pred_areas = _painted(masks, scores)
        matches = match_image(
            gt_masks,
            masks,
            scores,
            crowd=crowd,
            mode=self.mode,
            gt_ids=gt.ids[rows],
            gt_areas=None if gt.file_areas is None else gt.file_areas[rows],
            pred_areas=pred_areas,
        )
        empty = bool(pred.listed[index]) and not masks.areas.any()
        return _Image(matches, findings, gt_overlaps, pred_overlaps, empty)

    def _gt_overlaps(
        self, masks: RunLengths, crowd: NDArray[np.bool_], index: int, findings: Findings
    ) -> bool:
        """Warn of true masks that share pixels; return whether any do."""
        masks = masks[~crowd] if crowd.any() else masks
        if are_disjoint(masks):
            return False
        found = overlaps(masks)
        findings.add(
            "gt.overlap",
            f"{'' if found.complete else 'at least '}{len(found)} pairs of ground-truth masks share {found.total} "
            "pixels; scored all the same",
            "Run `entityseg data doctor` on the ground truth.",
            file=name_of(self.gt.path),
            record=f"image {self.gt.images[index].id}",
            severity="warning",
        )
        return True


def _painted(masks: RunLengths, scores: NDArray[np.float64]) -> tuple[RunLengths, NDArray[np.float64], None]:
    """Return the masks painted by score, without those that lost all their pixels."""
    painted = paint(masks, by_score(masks, scores)[::-1])
    left = np.flatnonzero((painted.areas > 0) | (masks.areas == 0))
    return painted[left], scores[left], None


__all__ = ["Evaluated", "evaluate", "result_of", "score"]
