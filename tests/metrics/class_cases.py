"""Random class-aware scoring problems, and pycocotools' answers to them."""

from __future__ import annotations

import contextlib
import copy
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.metrics.cases import Record, random_case

FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR@1", "AR@10", "AR@100", "ARs", "ARm", "ARl")
# 0 is a legal id (SGinW starts there); 5 is never annotated, 9 neither annotated nor predicted.
CATEGORIES = (0, 2, 7, 5, 9)


def random_class_case(seed: int, **options: Any) -> tuple[Record, list[Record]]:
    """As `random_case`, with categories; most predictions of an image have one of its own."""
    gt, predictions = random_case(seed, **options)
    rng = np.random.default_rng([seed, 1])
    gt["categories"] = [{"id": i, "name": f"category {i}"} for i in CATEGORIES]
    for annotation in gt["annotations"]:
        annotation["category_id"] = int(rng.choice(CATEGORIES[:3]))
    for prediction in predictions:
        prediction["category_id"] = int(rng.choice(CATEGORIES[:4]))
    return gt, predictions


def evaluated(
    gt: Record, predictions: list[Record], evaluator: type[COCOeval] = COCOeval, **parameters: Any
) -> COCOeval:
    """Return pycocotools' evaluator (or one made of it) after it ran; `stats` has the twelve figures."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = copy.deepcopy(gt)
        coco.createIndex()
        found = evaluator(coco, coco.loadRes(copy.deepcopy(predictions)), "segm")
        for name, value in parameters.items():
            setattr(found.params, name, value)
        found.evaluate()
        found.accumulate()
        found.summarize()
    return found


def assert_equal(found: dict[str, float | None], stats: Any) -> None:
    """pycocotools says -1 where a figure is undefined."""
    for name, value in zip(FIGURES, stats, strict=True):
        ours = -1.0 if found[name] is None else found[name]
        assert ours is not None and abs(ours - value) <= 1e-12, (name, ours, value)
