"""Score panoptic predictions against a ground truth: read, check, match image by image on threads, compute."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entityseg.data.formats._png_source import PngSource
from entityseg.data.records import Dataset
from entityseg.data.sources import MaskSource
from entityseg.data.threads import Progress
from entityseg.errors import Findings
from entityseg.masks import RunLengths
from entityseg.metrics.class_score import ClassScore
from entityseg.metrics.crossing import crossing
from entityseg.metrics.panoptic import PanopticQuality
from entityseg.metrics.result import Counts
from entityseg.metrics.scoring_images import (
    counts_of,
    each_image,
    masks_of,
    name_of,
    opened_truth,
    refuse_gt_overlaps,
    refuse_unknown_categories,
)
from entityseg.metrics.segments import PanopticMode, SegmentMatches, match_segments
from entityseg.predictions.overlapping import add_overlaps, place_of
from entityseg.predictions.records import Predictions

_DISJOINT = "Panoptic quality needs a ground truth whose masks do not overlap."
_PAINT = "Paint the segments so that each pixel belongs to one (`entityseg.masks.paint`), or write PNGs."


def score_panoptic(
    gt: str | Path | Dataset,
    pred: str | Path | Predictions,
    *,
    mode: PanopticMode = "canonical",
    lenient: bool = False,
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    png_root: str | Path | None = None,
) -> ClassScore:
    """Score panoptic predictions by PQ, SQ and RQ over all categories, things and stuff.

    Args:
        gt: ground truth, as `entityseg.load` takes it, or loaded: COCO panoptic, or any other whose masks of an image
            do not overlap.
        pred: predictions, as `read_panoptic_predictions` takes them, or read.
        mode: `canonical` ranks; `panopticapi` gives panopticapi's numbers, quirks included.
        lenient: count an image without prediction as all void in mode `panopticapi` too, which refuses it otherwise;
            `canonical` always does.
        bootstrap: resamples of the images for the intervals, 0 for none.
        seed: of the resampling.
        per_image: whether to give the figures of each image alone.
        threads: worker threads, all cores if not given.
        progress: wraps the images as (iterable, total, label), to show a progress bar.
        png_root: folder of the predictions' PNGs, where it is not beside the JSON.

    Raises:
        InputError: something is wrong with a file, or segments overlap; all problems are listed.
    """
    dataset = opened_truth(gt)
    predictions = pred if isinstance(pred, Predictions) else _read(pred, dataset, png_root)
    table, counts, findings = evaluate_panoptic(
        dataset, predictions, mode=mode, lenient=lenient, threads=threads, progress=progress
    )
    by_category = table.per_category()
    return ClassScore(
        metric="PQ",
        mode=mode,
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed, threads=threads) if bootstrap else {},
        counts=counts,
        options={"missing": "void"} if lenient else {},
        warnings=findings,
        per_image=table.per_unit() if per_image else None,
        per_category=[
            {"id": one.id, "name": one.name, "isthing": one.isthing, **by_category[one.id]}
            for one in dataset.categories
        ],
    )


def evaluate_panoptic(
    gt: Dataset,
    pred: Predictions,
    *,
    mode: PanopticMode = "canonical",
    lenient: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[PanopticQuality, Counts, Findings]:
    """Match all images and return table, counts and warnings; arguments and errors are those of `score_panoptic`."""
    findings = Findings()
    findings.extend(gt.warnings)
    findings.extend(pred.warnings)
    refuse_unknown_categories(gt, findings)
    if mode == "panopticapi" and not lenient:
        _refuse_missing(pred, findings)
    findings.raise_errors()
    job = _Job(replace(gt, source=_with_empty_segments(gt.source)), pred, mode)
    table, stated = PanopticQuality(gt.categories, mode), PanopticQuality(gt.categories, mode)
    differing = empty = 0
    images = each_image(job.image, gt, (gt.source, pred.source), findings, threads=threads, progress=progress)
    for image_id, image in images:
        table.add(image_id, image.matches)
        stated.add(image_id, image.stated)
        differing += image.differing
        empty += image.empty
    findings.raise_errors()
    if differing and mode == "canonical":
        _warn_of_areas(gt, differing, stated.compute()["PQ"], findings)
    things = [
        table.isthing.get(category)
        for category, values in table.per_category().items()
        if values["TP"] + values["FP"] + values["FN"] > 0
    ]
    details = {
        "gt_segments": gt.n_annotations,
        "predictions": len(pred.category_ids),
        "gt_areas_differ": differing,
        "categories": len(things),
        "categories_things": things.count(True),
        "categories_stuff": things.count(False),
    }
    return table, counts_of(gt, pred.listed, empty, details), findings


@dataclass(frozen=True, slots=True)
class _Image:
    """What an image adds; `stated` is by the areas of the file, `differing` counts those that are not the masks'."""

    matches: SegmentMatches
    stated: SegmentMatches
    findings: Findings
    differing: int
    empty: bool


@dataclass(frozen=True)
class _Job:
    """Scores one image; several threads call it at once."""

    gt: Dataset
    pred: Predictions
    mode: PanopticMode

    def image(self, index: int) -> _Image:
        gt, pred = self.gt, self.pred
        findings = Findings()
        rows, pred_rows = gt.rows(index), pred.rows(index)
        true, masks = masks_of(gt, index, findings), masks_of(pred, index, findings)
        if not findings.errors:
            self._check(index, true, masks, findings)
        if findings.errors:
            # The findings are raised in the end, whatever the figures.
            nothing = match_segments(true[:0], [], masks[:0], [])
            return _Image(nothing, nothing, findings, 0, False)
        columns = gt.category_ids[rows], masks, pred.category_ids[pred_rows]
        crowd, common = gt.iscrowd[rows], crossing(masks, true)
        areas = None if gt.file_areas is None else gt.file_areas[rows]
        differing = 0
        if areas is not None:
            differing = int((~np.isnan(areas) & (areas != true.areas) & ~crowd).sum())

        def matched(gt_areas: NDArray[np.float64] | None) -> SegmentMatches:
            return match_segments(
                true, *columns, crowd=crowd, gt_areas=gt_areas, mode=self.mode, common=common
            )

        matches = matched(areas if self.mode == "panopticapi" else None)
        stated = matched(areas) if differing and self.mode == "canonical" else matches
        empty = bool(pred.listed[index]) and not masks.areas.any()
        return _Image(matches, stated, findings, differing, empty)

    def _check(self, index: int, true: RunLengths, masks: RunLengths, findings: Findings) -> None:
        """Find overlap, which PNGs cannot have, and segments without a pixel."""
        gt, pred = self.gt, self.pred
        record = f"image {gt.images[index].id}"
        ids = gt.ids[gt.rows(index)]
        for row in np.flatnonzero(true.areas == 0).tolist():
            message = "the true segment has no pixel, so nothing can find it"
            remedy = "Leave it out; it is not counted (mode panopticapi counts it as missed)."
            place = f"{record}, annotation {ids[row]}"
            findings.add(
                "segment.empty", message, remedy, file=name_of(gt.path), record=place, severity="warning"
            )
        refuse_gt_overlaps(gt, index, true, _DISJOINT, findings)
        if not isinstance(pred.source, PngSource):
            row_of = place_of(pred, index)
            add_overlaps("pred.overlap", masks, row_of, _PAINT, findings, file=pred.path, record=record)
            for row in np.flatnonzero(masks.areas == 0).tolist():
                message, remedy = f"{row_of(row)} has no pixel", "Leave out segments without a pixel."
                findings.add("segment.empty", message, remedy, file=name_of(pred.path), record=record)


def _with_empty_segments(source: MaskSource) -> MaskSource:
    """Return a source that takes segments without a pixel: ADE20K's panoptic files have some."""
    if not isinstance(source, PngSource):
        return source
    return replace(source, empty=np.ones(len(source.values), bool))


def _refuse_missing(pred: Predictions, findings: Findings) -> None:
    for index in np.flatnonzero(~pred.listed).tolist():
        message = "there is no prediction for this image, which panopticapi refuses"
        remedy = "Predict it, or count it as all void (--lenient, or mode canonical)."
        record = f"image {pred.images[index].id}"
        findings.add("image.missing", message, remedy, file=name_of(pred.path), record=record)


def _warn_of_areas(gt: Dataset, differing: int, pq: float | None, findings: Findings) -> None:
    shown = "undefined" if pq is None else f"{pq:.6f}"
    message = (
        f"{differing} true segments state an `area` that is not theirs; areas were counted from the masks, and with "
        f"the stated ones PQ would be {shown}"
    )
    remedy = "Nothing needs to be done; mode panopticapi takes the stated areas."
    findings.add("area.differs", message, remedy, file=name_of(gt.path), severity="warning")


def _read(path: str | Path, gt: Dataset, png_root: str | Path | None) -> Predictions:
    from entityseg.predictions.panoptic import read_panoptic_predictions

    return read_panoptic_predictions(path, gt, png_root=png_root)
