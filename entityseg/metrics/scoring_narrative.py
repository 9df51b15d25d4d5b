"""Score a file of masks for the phrases of narratives: read, check, compare image by image on threads, compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.grounding.png import NarrativeRecord, NarrativeTruth, Phrase, read_png
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.data.views import checked_masks
from entityseg.errors import Findings
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.narrative import Kind, Mode, Narrative
from entityseg.metrics.phrases import PhraseRecall, match_phrases
from entityseg.metrics.result import Counts, Score
from entityseg.metrics.table import Table, sorted_ids
from entityseg.predictions.grounded import NO_MASK, rows_or_empty
from entityseg.predictions.narrative import InputMode, NarrativePredictions, PredictedPhrase, read_narrative


def score_narrative(
    gt: str | Path | NarrativeTruth,
    pred: str | Path | NarrativePredictions,
    *,
    panoptic: str | Path | None = None,
    pngs: str | Path | None = None,
    input_mode: InputMode = "given-phrases",
    mode: Mode = "canonical",
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Score:
    """Score masks for the phrases of narratives by average recall; end to end, by phrase recall too.

    Args:
        gt: `png_coco_*.json`, or a ground truth read.
        pred: the predictions file, or predictions read.
        panoptic: COCO's panoptic JSON; by default beside `gt`.
        pngs: folder of its PNGs; by default where COCO has them.
        input_mode: whether the model was given the phrases or found them itself; boards of their own.
        mode: `canonical` ranks; the others reproduce published code.
        bootstrap: resamples of the images for the intervals, 0 for none.
        seed: of the resampling.
        per_image: whether to give the figures of each image alone.
        threads: images compared side by side.
        progress: wraps the images as (iterable, total, label), to show a progress bar.

    Raises:
        InputError: something is wrong with a file; all problems are listed.
    """
    truth = gt if isinstance(gt, NarrativeTruth) else read_png(gt, panoptic, pngs=pngs)
    predictions = pred if isinstance(pred, NarrativePredictions) else read_narrative(pred, truth, input_mode)
    table, recall, counts, found = evaluate_narrative(
        truth, predictions, mode=mode, threads=threads, progress=progress
    )
    tables: list[Table[Any]] = [table] if recall is None else [table, recall]
    values = {name: value for one in tables for name, value in one.compute().items()}
    intervals: dict[str, tuple[float, float] | None] = {}
    if bootstrap:
        for one in tables:
            intervals |= one.bootstrap(bootstrap, seed, threads=threads)
    return Score(
        metric="narrative",
        mode=mode,
        values=values,
        intervals=intervals,
        counts=counts,
        options={"input_mode": predictions.input_mode},
        warnings=found,
        per_image=_per_image(tables) if per_image else None,
    )


def evaluate_narrative(
    gt: NarrativeTruth,
    pred: NarrativePredictions,
    *,
    mode: Mode = "canonical",
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[Narrative, PhraseRecall | None, Counts, Findings]:
    """Compare all phrases; arguments and errors are those of `score_narrative`.

    Returns:
        The table, that of the phrases that the model found (end to end only), counts and warnings.
    """
    findings = Findings()
    findings.extend(gt.warnings)
    table = Narrative(mode)
    recall = PhraseRecall() if pred.input_mode == "end-to-end" else None
    groups = (progress or no_progress)(range(len(gt.image_ids)), len(gt.image_ids), "scoring")
    job = _Job(gt, pred, mode)
    details = {
        "narratives": len(gt.narratives),
        "narratives_predicted": sum(one is not None for one in pred.phrases),
    }
    predicted = empty = 0
    for image in map_in_order(job.image, groups, threads=threads):
        findings.extend(image.findings)
        predicted += image.predicted
        empty += image.empty
        table.merge(image.table)
    findings.raise_errors()
    if recall is not None:
        for index, (narrative, found) in enumerate(zip(gt.narratives, pred.phrases, strict=True)):
            texts = [phrase.text for phrase in phrases_of(narrative, mode)]
            recall.update(narrative.image_id, index, texts, [one.text for one in found or ()])
    given = sum(len(one) for one in pred.phrases if one is not None)
    details |= {"phrases_given": given, "phrases_unused": given - predicted}
    details["mixed"] = sum(row.mixed for row in table.units.values())
    counts = Counts(len(table), predicted, len(table) - predicted, empty, details)
    return table, recall, counts, findings


def phrases_of(narrative: NarrativeRecord, mode: Mode) -> tuple[Phrase, ...]:
    """Return the phrases that are scored: nouns with segments; F-LMM takes whatever has segments."""
    return narrative.phrases if mode == "fmm-plural" else narrative.nouns


@dataclass(frozen=True, slots=True)
class _Image:
    table: Narrative
    findings: Findings
    predicted: int
    empty: int


@dataclass(frozen=True)
class _Job:
    """Compares the phrases of one image; several threads call it at once."""

    gt: NarrativeTruth
    pred: NarrativePredictions
    mode: Mode

    def image(self, group: int) -> _Image:
        gt = self.gt
        findings, table = Findings(), Narrative(self.mode)
        panoptic = gt.panoptic
        index = panoptic.index_of[gt.image_ids[group]]
        segments = checked_masks(panoptic.source, index, findings)
        masks = self.pred.source.checked_masks(group, findings)
        if segments is None or findings.errors:
            return _Image(table, findings, 0, 0)
        row_of = {
            segment_id: row for row, segment_id in enumerate(panoptic.ids[panoptic.rows(index)].tolist())
        }
        # The baseline finds a segment by its bounding box, and takes the first that has it.
        boxes, first, inverse = np.unique(segments.boxes, axis=0, return_index=True, return_inverse=True)
        first_of_box = first[inverse.ravel()] if len(boxes) else first
        predicted = empty = 0
        for i in gt.groups[group]:
            narrative = gt.narratives[i]
            phrases = phrases_of(narrative, self.mode)
            for phrase, found in zip(phrases, self._found(phrases, i), strict=True):
                rows = np.array([row_of[one] for one in phrase.segment_ids], np.int64)
                if self.mode == "png2021":
                    rows = first_of_box[rows]
                kind, plural, mixed = self._kind(phrase, rows, segments, index)
                if self.mode == "fmm-plural" and not phrase.plural and len(rows) != 1:
                    message = "the phrase is not plural and has several segments, which F-LMM's code refuses"
                    where = f"narratives[{i}].segments[{phrase.index}]"
                    findings.add(
                        "phrase.plural", message, "Use another mode.", file=str(gt.path), record=where
                    )
                mask = rows_or_empty(masks, [NO_MASK if found is None else found.row])
                predicted += found is not None
                empty += found is not None and not mask.areas[0]
                table.update(
                    narrative.image_id,
                    i,
                    phrase.index,
                    segments[rows],
                    mask,
                    kind=kind,
                    plural=plural,
                    mixed=mixed,
                )
        return _Image(table, findings, predicted, empty)

    def _found(self, phrases: tuple[Phrase, ...], narrative: int) -> list[PredictedPhrase | None]:
        """Return for each phrase the predicted one, None where there is none."""
        given = self.pred.phrases[narrative] or ()
        if self.pred.input_mode == "given-phrases":
            by_index = {one.phrase_idx: one for one in given}
            return [by_index.get(phrase.index) for phrase in phrases]
        matched = match_phrases(
            [phrase.text for phrase in phrases],
            [one.text for one in given],
            [phrase.span for phrase in phrases],
            [one.span for one in given],
        )
        return [None if k is None else given[k] for k in matched]

    def _kind(
        self, phrase: Phrase, rows: Int64Array, segments: RunLengths, index: int
    ) -> tuple[Kind, bool, bool]:
        """Return thing or stuff, plural, and mixed, as the mode has it."""
        panoptic = self.gt.panoptic
        categories = panoptic.category_ids[panoptic.rows(index)][rows].tolist()
        # A category that does not say is a thing, as panoptic JSONs without stuff leave it out.
        things = np.array([panoptic.category_of[one].isthing is not False for one in categories], np.bool_)
        mixed = bool(things.any() and not things.all())
        plural = len(rows) > 1
        if self.mode in ("png2021", "ppmn-quarter"):
            thing = bool(things[-1])
        elif self.mode == "fmm-plural":
            plural = phrase.plural
            thing = plural or bool(things[0])
        else:
            areas = segments.areas[rows]
            thing = int(areas[things].sum()) >= int(areas[~things].sum())
        return "thing" if thing else "stuff", plural, mixed


def _per_image(tables: list[Table[Any]]) -> Mapping[Any, Mapping[str, float | None]]:
    """Return the figures of each image alone, of both tables."""
    parts = [table.per_cluster() for table in tables]
    names = [list(table.compute()) for table in tables]
    nothing = [dict.fromkeys(one) for one in names]
    images = sorted_ids({image for part in parts for image in part})
    return {
        image: {
            name: value
            for part, none in zip(parts, nothing, strict=True)
            for name, value in part.get(image, none).items()
        }
        for image in images
    }
