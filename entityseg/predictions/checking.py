"""Everything that is wrong, or odd, about a file of predictions, in one list."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.records import Dataset
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.data.views import checked_masks
from entityseg.errors import Findings, InputError, Severity
from entityseg.masks import RunLengths
from entityseg.masks.coco import to_strings
from entityseg.predictions.overlapping import add_overlapping_predictions, place_of
from entityseg.predictions.read import PredictionFormat, read_predictions
from entityseg.predictions.records import Predictions

# AP takes the best 100 of an image, AP@300 the best 300.
_COUNTED, _COUNTED_AT_MOST = 100, 300


@dataclass(frozen=True)
class CheckCounts:
    """How many there are.

    Attributes:
        expected: images of the ground truth (or of the file itself, without one).
        predicted: images on which the predictions have a word.
        missing: images on which they have none.
        empty: predicted images without any mask that has a pixel.
        predictions: masks.
        overlapping: images in which masks share pixels.
    """

    expected: int
    predicted: int
    missing: int
    empty: int
    predictions: int
    overlapping: int


@dataclass(frozen=True)
class CheckReport:
    """What `check` found; `counts` is None where the file could not be read far enough."""

    findings: Findings
    counts: CheckCounts | None = None

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return not self.findings.errors

    def to_json(self) -> dict[str, Any]:
        """Return verdict, counts and findings as one JSON object."""
        counts = None if self.counts is None else asdict(self.counts)
        return {"ok": self.ok, "counts": counts, **self.findings.to_json()}


def check(
    predictions: str | Path | Predictions,
    gt: Dataset | None = None,
    *,
    format: PredictionFormat | None = None,
    overlap: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> CheckReport:
    """List everything that is wrong with predictions; nothing is raised for what is wrong with them.

    Errors are what scoring refuses: malformed records and masks, wrong sizes, unknown images, scores that are no
    finite numbers, masks that overlap. Warnings are what it takes and somebody may not have meant: images without
    predictions, empty or identical masks, more masks than are counted, scores that are all the same.

    Args:
        predictions: a file, a folder, or predictions read.
        gt: the ground truth; without it unknown and missing images cannot be told.
        format: the file's format, where it shall not be found out.
        overlap: overlapping masks are a warning and no error, as for plain AP.
        threads: images checked side by side.
        progress: shows how far the images are.

    Raises:
        UsageError: there is no such format.
    """
    if not isinstance(predictions, Predictions):
        try:
            predictions = read_predictions(predictions, gt, format=format)
        except InputError as error:
            return CheckReport(error.findings)
    file = None if predictions.path is None else str(predictions.path)
    findings = Findings(file)
    findings.extend(predictions.warnings)
    job = _Job(predictions, overlap)
    indices = progress(range(len(predictions)), len(predictions), "checking")
    empty = overlapping = 0
    for image in map_in_order(job.image, indices, threads=threads):
        findings.extend(image.findings)
        empty += image.empty
        overlapping += image.overlaps
    _check_scores(predictions, findings)
    predicted = int(predictions.listed.sum())
    counts = CheckCounts(
        expected=len(predictions),
        predicted=predicted,
        missing=len(predictions) - predicted,
        empty=empty,
        predictions=len(predictions.scores),
        overlapping=overlapping,
    )
    return CheckReport(findings, counts)


@dataclass(frozen=True, slots=True)
class _Image:
    findings: Findings
    empty: bool = False
    overlaps: bool = False


@dataclass(frozen=True)
class _Job:
    """Checks one image; several threads call it at once."""

    predictions: Predictions
    overlap: bool

    def image(self, index: int) -> _Image:
        predictions = self.predictions
        file = None if predictions.path is None else str(predictions.path)
        findings = Findings(file)
        record = f"image {predictions.images[index].id}"
        if not predictions.listed[index]:
            message = "the predictions have no word on this image; it is scored as if nothing was found"
            remedy = "Predict it; if nothing was found, say so (`segments: []` in JSONL)."
            findings.add("image.missing", message, remedy, record=record, severity="warning")
            return _Image(findings)
        masks = checked_masks(predictions.source, index, findings)
        if masks is None or findings.errors:
            return _Image(findings)
        self._add_empty(masks, index, record, findings)
        self._add_duplicates(masks, index, record, findings)
        n = len(masks)
        if n > _COUNTED:
            counted = f"AP counts the best {_COUNTED}"
            if n > _COUNTED_AT_MOST:
                counted += f", AP@300 the best {_COUNTED_AT_MOST}, and nothing counts the rest"
            remedy = "Keep the best ones, or nothing: the rest does no harm."
            message = f"{n} predictions in one image; {counted}"
            findings.add("pred.many", message, remedy, record=record, severity="warning")
        severity: Severity = "warning" if self.overlap else "error"
        overlapping = add_overlapping_predictions(predictions, index, masks, findings, severity)
        return _Image(findings, empty=not masks.areas.any(), overlaps=overlapping)

    def _add_empty(self, masks: RunLengths, index: int, record: str, findings: Findings) -> None:
        for row in np.flatnonzero(masks.areas == 0).tolist():
            message, remedy = "the mask has no pixel; it can only be a false positive", "Leave it out."
            place = f"{record}, {place_of(self.predictions, index)(row)}"
            findings.add("mask.empty", message, remedy, record=place, severity="warning")

    def _add_duplicates(self, masks: RunLengths, index: int, record: str, findings: Findings) -> None:
        first: dict[bytes, int] = {}
        place_in = place_of(self.predictions, index)
        for row, text in enumerate(to_strings(masks)):
            same = first.setdefault(text, row)
            if same != row and masks.areas[row]:
                message = f"the mask is the same as {place_in(same)}, pixel for pixel"
                place = f"{record}, {place_in(row)}"
                findings.add("mask.duplicate", message, "Leave one out.", record=place, severity="warning")


def _check_scores(predictions: Predictions, findings: Findings) -> None:
    scores = predictions.scores
    if len(scores) < 2 or (scores != scores[0]).any():
        return
    value = float(scores[0])
    message = f"all {len(scores)} scores are {value:g}: AP is that of a single operating point"
    remedy = "Write the model's confidence as the score."
    findings.add("score.equal", message, remedy, field="score", severity="warning")
