"""Score a file of masks for reasoning questions: read, check, compare image by image on threads, compute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from entityseg.data.grounding.reasonseg import ReasoningTruth, read_reasonseg
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Findings
from entityseg.metrics.reasoning import Reasoning
from entityseg.metrics.result import Counts, Score
from entityseg.predictions.grounded import rows_or_empty
from entityseg.predictions.reasoning import ReasoningPredictions, read_reasoning


def score_reasoning(
    gt: str | Path | ReasoningTruth,
    pred: str | Path | ReasoningPredictions,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Score:
    """Score masks for reasoning questions by gIoU and cIoU.

    Args:
        gt: the folder of a split, or a ground truth read.
        pred: the predictions file, or predictions read.
        bootstrap: resamples of the images for the intervals, 0 for none.
        seed: of the resampling.
        per_image: whether to give the figures of each image alone.
        threads: images compared side by side.
        progress: wraps the images as (iterable, total, label), to show a progress bar.

    Raises:
        InputError: something is wrong with a file; all problems are listed.
    """
    truth = gt if isinstance(gt, ReasoningTruth) else read_reasonseg(gt)
    predictions = pred if isinstance(pred, ReasoningPredictions) else read_reasoning(pred, truth)
    table, counts, found = evaluate_reasoning(truth, predictions, threads=threads, progress=progress)
    return Score(
        metric="reasoning",
        mode="canonical",
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed, threads=threads) if bootstrap else {},
        counts=counts,
        options={"split": truth.split},
        warnings=found,
        per_image=table.per_cluster() if per_image else None,
    )


def evaluate_reasoning(
    gt: ReasoningTruth,
    pred: ReasoningPredictions,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[Reasoning, Counts, Findings]:
    """Compare all texts; return table, counts and warnings. Arguments and errors are those of `score_reasoning`."""
    findings = Findings()
    findings.extend(gt.warnings)
    table = Reasoning()
    job = _Job(gt, pred)
    indices = (progress or no_progress)(range(len(gt.images)), len(gt.images), "scoring")
    empty = 0
    for image in map_in_order(job.image, indices, threads=threads):
        findings.extend(image.findings)
        empty += image.empty
        table.merge(image.table)
    findings.raise_errors()
    texts = sum(len(image.texts) for image in gt.images)
    predicted = sum(int(one.sum()) for one in pred.listed)
    counts = Counts(
        expected=texts,
        predicted=predicted,
        missing=texts - predicted,
        empty=empty,
        details={
            "images": len(gt.images),
            "images_excluded": len(gt.excluded),
            "first_texts_missing": sum(not one[0] for one in pred.listed),
            "long": sum(image.is_sentence for image in gt.images),
        },
    )
    return table, counts, findings


@dataclass(frozen=True, slots=True)
class _Image:
    table: Reasoning
    findings: Findings
    empty: int


@dataclass(frozen=True)
class _Job:
    """Compares the texts of one image; several threads call it at once."""

    gt: ReasoningTruth
    pred: ReasoningPredictions

    def image(self, index: int) -> _Image:
        image = self.gt.images[index]
        findings, table = Findings(), Reasoning()
        target, ignore = image.masks()
        given = rows_or_empty(self.pred.source.checked_masks(index, findings), self.pred.rows[index])
        empty = 0
        for text_idx in range(len(image.texts)):
            mask = given[text_idx]
            empty += bool(self.pred.listed[index][text_idx]) and not mask.areas[0]
            table.update(image.name, text_idx, target, mask, ignore=ignore, is_long=image.is_sentence)
        return _Image(table, findings, empty)
