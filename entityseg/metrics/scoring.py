"""Score a predictions file against a ground truth: read, check, match image by image on threads, compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import Dataset
from entityseg.data.sources import EncodedSource, MaskSource
from entityseg.data.views import checked_masks
from entityseg.errors import Findings
from entityseg.masks.runlengths import RunLengths, Size
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.matching import ImageMatches, Mode, match_image
from entityseg.metrics.result import Counts, Score
from entityseg.predictions.overlapping import add_overlaps
from entityseg.predictions.records import Predictions

# After so many images the pages of the mapped files are let go.
_FORGET_EVERY = 32
Overlap = Literal["refuse", "resolve", "allow"]
Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]


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
        InputError: something is wrong with a file, or predictions overlap; all problems are listed.
    """
    dataset = gt if isinstance(gt, Dataset) else _load(gt)
    predictions = pred if isinstance(pred, Predictions) else _read(pred, dataset, mode)
    table, found = evaluate(
        dataset, predictions, mode=mode, overlap=overlap, threads=threads, progress=progress
    )
    return result_of(table, found, overlap=overlap, bootstrap=bootstrap, seed=seed, per_image=per_image)


def result_of(
    table: EntityAP,
    found: Evaluated,
    *,
    overlap: Overlap,
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
) -> Score:
    """Return what an evaluation gave; arguments are those of `score`."""
    return Score(
        metric="AP" if overlap == "allow" else "AP^e",
        mode=table.mode,
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed) if bootstrap else {},
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
    findings = Findings()
    findings.extend(gt.warnings)
    findings.extend(pred.warnings)
    table = EntityAP(mode)
    job = _Job(gt, pred, mode, overlap)
    order: Iterable[int] = range(len(gt))
    gt_overlapping = pred_overlapping = empty = 0
    for index, image in _on_threads(job.image, order, len(gt), threads, progress):
        if index % _FORGET_EVERY == 0:
            _forget(gt.source, pred.source)
        findings.extend(image.findings)
        table.add(gt.images[index].id, image.matches)
        gt_overlapping += image.gt_overlaps
        pred_overlapping += image.pred_overlaps
        empty += image.empty
    findings.raise_errors()
    predicted = int(pred.listed.sum())
    counts = Counts(
        expected=len(gt),
        predicted=predicted,
        missing=len(gt) - predicted,
        empty=empty,
        details={
            "gt_masks": gt.n_annotations,
            "predictions": len(pred.scores),
            "gt_overlapping": gt_overlapping,
            "pred_overlapping": pred_overlapping,
        },
    )
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
        size = gt.images[index].size
        gt_masks = _masks(gt.source, index, size, rows.stop - rows.start, findings)
        masks = _masks(pred.source, index, size, pred_rows.stop - pred_rows.start, findings)
        scores = pred.scores[pred_rows]
        crowd = gt.iscrowd[rows]
        gt_overlaps = self._gt_overlaps(gt_masks, crowd, index, findings)
        pred_areas = None if pred.box_areas is None else pred.box_areas[pred_rows]
        pred_overlaps = False
        if self.overlap != "allow" and not findings.errors:
            pred_overlaps = not _disjoint(masks)
            if pred_overlaps and self.overlap == "refuse":
                add_overlaps(pred, index, masks, findings)
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
        from entityseg.masks import overlaps

        masks = masks[~crowd] if crowd.any() else masks
        if _disjoint(masks):
            return False
        found = overlaps(masks)
        findings.add(
            "gt.overlap",
            f"{'' if found.complete else 'at least '}{len(found)} pairs of ground-truth masks share {found.total} "
            "pixels; scored all the same",
            "Run `entityseg data doctor` on the ground truth.",
            file=None if self.gt.path is None else str(self.gt.path),
            record=f"image {self.gt.images[index].id}",
            severity="warning",
        )
        return True


def _disjoint(masks: RunLengths) -> bool:
    from entityseg.masks import are_disjoint

    return are_disjoint(masks)


def _painted(masks: RunLengths, scores: NDArray[np.float64]) -> tuple[RunLengths, NDArray[np.float64], None]:
    """Return the masks painted by score, without those that lost all their pixels."""
    from entityseg.masks import paint
    from entityseg.masks.order import by_score

    painted = paint(masks, by_score(masks, scores)[::-1])
    left = np.flatnonzero((painted.areas > 0) | (masks.areas == 0))
    return painted[left], scores[left], None


def _masks(source: MaskSource, index: int, size: Size, count: int, findings: Findings) -> RunLengths:
    """Return the masks of an image; malformed ones are added to the findings, and are empty."""
    masks = checked_masks(source, index, findings)
    return RunLengths.empty(size, count) if masks is None else masks


def _forget(*sources: MaskSource) -> None:
    """Let go of the parts of mapped files that were read."""
    for source in sources:
        if isinstance(source, EncodedSource):
            source.forget()


def _on_threads(
    function: Callable[[int], Any],
    order: Iterable[int],
    total: int,
    threads: int | None,
    progress: Progress | None,
) -> Iterator[tuple[int, Any]]:
    """Yield (index, result) in order; the kernels release the GIL, so images run side by side."""
    n_threads = threads or os.cpu_count() or 1
    indices = list(order)
    if n_threads == 1 or total < 2 * n_threads:
        results: Iterable[Any] = map(function, indices)
        yield from zip(indices, progress(results, total, "scoring") if progress else results, strict=True)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        results = pool.map(function, indices)
        yield from zip(indices, progress(results, total, "scoring") if progress else results, strict=True)


def _load(path: str | Path) -> Dataset:
    from entityseg.data import load

    # Masks are checked as they are scored.
    return load(path, check=False)


def _read(path: str | Path, gt: Dataset, mode: Mode) -> Predictions:
    from entityseg.predictions import read_predictions

    return read_predictions(path, gt, box_areas=mode == "pycocotools")


__all__ = ["Evaluated", "evaluate", "result_of", "score"]
