"""Score semantic predictions against a ground truth: read, check, count pixels image by image on threads, compute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from entityseg.data.records import Dataset
from entityseg.data.threads import Progress
from entityseg.errors import Findings
from entityseg.masks import RunLengths
from entityseg.metrics.class_pixels import ClassPixels, count_pixels
from entityseg.metrics.class_score import ClassScore
from entityseg.metrics.result import Counts
from entityseg.metrics.scoring_images import (
    counts_of,
    each_image,
    masks_of,
    opened_truth,
    refuse_gt_overlaps,
    refuse_unknown_categories,
)
from entityseg.metrics.semantic import SemanticIoU, SemanticMode
from entityseg.predictions.overlapping import add_overlaps
from entityseg.predictions.semantic import SemanticPredictions, read_semantic_predictions

_DISJOINT = "Semantic figures need a ground truth whose masks do not overlap."
_PAINT = "Give each pixel one class at most, or write label PNGs."


def score_semantic(
    gt: str | Path | Dataset,
    pred: str | Path | SemanticPredictions,
    *,
    mode: SemanticMode = "canonical",
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> ClassScore:
    """Score semantic predictions by mIoU, fwIoU, mACC and pACC.

    Args:
        gt: ground truth, as `entityseg.load` takes it, or loaded: semantic maps, or any other whose masks of an image
            do not overlap. Pixels in no mask have no class, and do not count.
        pred: predictions, as `read_semantic_predictions` takes them, or read.
        mode: `canonical` ranks; `d2-semseg` gives detectron2's numbers, `mmseg` those of mmsegmentation.
        bootstrap: resamples of the images for the intervals, 0 for none.
        seed: of the resampling.
        per_image: whether to give the figures of each image alone.
        threads: worker threads, all cores if not given.
        progress: wraps the images as (iterable, total, label), to show a progress bar.

    Raises:
        InputError: something is wrong with a file, or masks overlap; all problems are listed.
    """
    dataset = opened_truth(gt)
    predictions = pred if isinstance(pred, SemanticPredictions) else read_semantic_predictions(pred, dataset)
    table, counts, findings = evaluate_semantic(
        dataset, predictions, mode=mode, threads=threads, progress=progress
    )
    by_category = table.per_category()
    nothing = {"IoU": None, "ACC": None, "gt_pixels": 0, "pred_pixels": 0, "common_pixels": 0}
    return ClassScore(
        metric="mIoU",
        mode=mode,
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed, threads=threads) if bootstrap else {},
        counts=counts,
        warnings=findings,
        per_image=table.per_unit() if per_image else None,
        per_category=[
            {"id": one.id, "name": one.name, **by_category.get(one.id, nothing)} for one in dataset.categories
        ],
    )


def evaluate_semantic(
    gt: Dataset,
    pred: SemanticPredictions,
    *,
    mode: SemanticMode = "canonical",
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[SemanticIoU, Counts, Findings]:
    """Count all images and return table, counts and warnings; arguments and errors are those of `score_semantic`."""
    findings = Findings()
    findings.extend(gt.warnings)
    findings.extend(pred.warnings)
    refuse_unknown_categories(gt, findings)
    findings.raise_errors()
    job = _Job(gt, pred)
    table = SemanticIoU(mode)
    empty = 0
    images = each_image(job.image, gt, (gt.source,), findings, threads=threads, progress=progress)
    for image_id, image in images:
        table.add(image_id, image.pixels)
        empty += image.empty
    findings.raise_errors()
    occurring = sum(values["gt_pixels"] > 0 for values in table.per_category().values())
    return table, counts_of(gt, pred.listed, empty, {"categories": occurring}), findings


@dataclass(frozen=True, slots=True)
class _Image:
    pixels: ClassPixels
    findings: Findings
    empty: bool


@dataclass(frozen=True)
class _Job:
    """Scores one image; several threads call it at once."""

    gt: Dataset
    pred: SemanticPredictions

    def image(self, index: int) -> _Image:
        gt, pred = self.gt, self.pred
        findings = Findings()
        true = masks_of(gt, index, findings)
        categories, masks = pred.classes(index, findings)
        if not findings.errors:
            self._check(index, true, masks, findings)
        if findings.errors:
            # The findings are raised in the end, whatever the figures.
            return _Image(count_pixels(true[:0], [], masks[:0], []), findings, False)
        empty = bool(pred.listed[index]) and not masks.areas.any()
        return _Image(count_pixels(true, gt.category_ids[gt.rows(index)], masks, categories), findings, empty)

    def _check(self, index: int, true: RunLengths, masks: RunLengths, findings: Findings) -> None:
        """Find overlap, which PNGs cannot have."""
        gt, pred = self.gt, self.pred
        refuse_gt_overlaps(gt, index, true, _DISJOINT, findings)
        if not pred.disjoint:
            add_overlaps(
                "pred.overlap", masks, lambda row: pred.place(index, row), _PAINT, findings,
                file=pred.path, record=f"image {gt.images[index].id}",
            )  # fmt: skip
