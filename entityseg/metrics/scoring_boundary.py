"""Score a predictions file against a ground truth by boundary AP."""

from __future__ import annotations

from pathlib import Path

from entityseg.data.records import Dataset
from entityseg.data.threads import Progress
from entityseg.metrics.boundary import RATIO, BoundaryAP, BoundaryInstanceAP, BoundaryIoU
from entityseg.metrics.class_curves import NAMES
from entityseg.metrics.class_score import ClassScore
from entityseg.metrics.matching import Mode
from entityseg.metrics.scoring_images import opened
from entityseg.metrics.scoring_matches import category_records, evaluate_matches
from entityseg.predictions.records import Predictions


def score_boundary(
    gt: str | Path | Dataset,
    pred: str | Path | Predictions,
    *,
    mode: Mode = "canonical",
    class_aware: bool = False,
    ratio: float = RATIO,
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> ClassScore:
    """Score predictions by boundary AP: AP whose IoU is the smaller one of mask IoU and boundary IoU.

    Predictions may overlap. Arguments and errors are those of `score_instance`, and:

    Args:
        class_aware: match by category, and take the mean over categories; categories are ignored otherwise.
        ratio: width of the boundary band as a fraction of the image's diagonal.

    Raises:
        UsageError: the ratio is not above 0 and at most 1.
    """
    table = BoundaryInstanceAP(mode, ratio) if class_aware else BoundaryAP(mode, ratio)
    dataset, predictions = opened(gt, pred, mode)
    counts, findings = evaluate_matches(
        table, dataset, predictions, iou=BoundaryIoU(ratio), threads=threads, progress=progress
    )
    return ClassScore(
        metric="boundary AP",
        mode=mode,
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed, threads=threads) if bootstrap else {},
        counts=counts,
        options={"classes": "aware" if class_aware else "agnostic", "ratio": str(ratio)},
        warnings=findings,
        per_image=table.per_image() if per_image else None,
        per_category=category_records(table, dataset, predictions, NAMES)
        if isinstance(table, BoundaryInstanceAP)
        else (),
    )
