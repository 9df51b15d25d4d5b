"""Score a predictions file against a ground truth by class-aware AP."""

from __future__ import annotations

from pathlib import Path

from entityseg.data.records import Dataset
from entityseg.data.threads import Progress
from entityseg.metrics.class_curves import NAMES
from entityseg.metrics.class_score import ClassScore
from entityseg.metrics.instance_ap import InstanceAP
from entityseg.metrics.matching import Mode
from entityseg.metrics.scoring_images import opened
from entityseg.metrics.scoring_matches import category_records, evaluate_matches
from entityseg.predictions.records import Predictions


def score_instance(
    gt: str | Path | Dataset,
    pred: str | Path | Predictions,
    *,
    mode: Mode = "canonical",
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> ClassScore:
    """Score predictions with categories by COCO's mask AP, the mean over the categories with ground truth.

    Args:
        gt: ground truth, as `entityseg.load` takes it, or loaded.
        pred: predictions, as `entityseg.predictions.read_predictions` takes them, or read; each with a category.
        mode: `canonical` ranks; `pycocotools` gives pycocotools' numbers, quirks included.
        bootstrap: resamples of the images for the intervals, 0 for none.
        seed: of the resampling.
        per_image: whether to give the figures of each image alone.
        threads: worker threads, all cores if not given.
        progress: wraps the images as (iterable, total, label), to show a progress bar.

    Raises:
        InputError: something is wrong with a file, or a category is unknown; all problems are listed.
    """
    dataset, predictions = opened(gt, pred, mode)
    table = InstanceAP(mode)
    counts, findings = evaluate_matches(table, dataset, predictions, threads=threads, progress=progress)
    return ClassScore(
        metric="instance AP",
        mode=mode,
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed, threads=threads) if bootstrap else {},
        counts=counts,
        warnings=findings,
        per_image=table.per_image() if per_image else None,
        per_category=category_records(table, dataset, predictions, NAMES),
    )
