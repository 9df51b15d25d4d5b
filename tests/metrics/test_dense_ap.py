"""Every kind of canonical AP (entities, instances, boundaries, tubes) against one plain reference of all figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from scipy import ndimage

from entityseg.metrics.boundary import BoundaryAP, BoundaryInstanceAP
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.instance_ap import InstanceAP
from entityseg.metrics.video_ap import VideoAP
from tests.metrics import dense_ap
from tests.metrics.class_cases import random_class_case
from tests.metrics.dense_ap import Image, Item
from tests.metrics.families import tubes

SEEDS = range(700, 712)


def images_of(seed: int, *, classes: bool) -> list[Image]:
    """Small images with crowds, ties of score and of area, empty masks, and sides without any mask."""
    gt, predictions = random_class_case(seed, n_images=4, most_predictions=9)
    images = []
    for record in gt["images"]:
        image = Image()
        for one in gt["annotations"]:
            if one["image_id"] == record["id"]:
                item = Item(decoded(one), one["category_id"] if classes else 1, crowd=bool(one["iscrowd"]))
                image.gt.append(item)
        for one in predictions:
            if one["image_id"] == record["id"]:
                category = one["category_id"] if classes else 1
                image.pred.append(Item(decoded(one), category, score=round(one["score"], 1)))
        images.append(image)
        image.size = record["height"], record["width"]  # type: ignore[attr-defined]
    return images


def decoded(record: dict[str, Any]) -> NDArray[np.bool_]:
    return coco_mask.decode(record["segmentation"]).astype(bool)


def stacked(items: list[Item], size: tuple[int, int]) -> NDArray[np.bool_]:
    return np.array([item.mask for item in items], bool).reshape(-1, *size)


def fed(metric: Any, images: list[Image], *, classes: bool) -> dict[str, float | None]:
    for unit, image in enumerate(images):
        options: dict[str, Any] = {"crowd": np.array([item.crowd for item in image.gt], bool)}
        if classes:
            options |= {
                "gt_categories": [item.category for item in image.gt],
                "pred_categories": [item.category for item in image.pred],
            }
        sides = (stacked(side, image.size) for side in (image.gt, image.pred))  # type: ignore[attr-defined]
        metric.update(unit, *sides, [item.score for item in image.pred], **options)
    values: dict[str, float | None] = metric.compute()
    return values


def agree(found: dict[str, float | None], expected: dict[str, float | None]) -> None:
    assert set(found) <= set(expected) and len(found) >= 9
    assert found == {
        name: None if expected[name] is None else pytest.approx(expected[name], abs=1e-12) for name in found
    }


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("boundary", [False, True])
@pytest.mark.parametrize("classes", [False, True])
def test_ap_of_masks(seed: int, boundary: bool, classes: bool) -> None:
    images = images_of(seed, classes=classes)
    plain, bands = (InstanceAP, BoundaryInstanceAP) if classes else (EntityAP, BoundaryAP)
    found = fed(bands() if boundary else plain(), images, classes=classes)
    iou = dense_ap.boundary_iou if boundary else dense_ap.mask_iou
    agree(found, dense_ap.figures(images, iou=iou, by_class=classes))


def test_the_two_kinds_of_iou_differ_on_the_cases() -> None:
    images = images_of(SEEDS[0], classes=False)
    values = [dense_ap.figures(images, iou=iou)["AP"] for iou in (dense_ap.mask_iou, dense_ap.boundary_iou)]
    assert values[0] != values[1]


def test_more_predictions_than_count() -> None:
    rng = np.random.default_rng(0)
    images = []
    for _ in range(2):
        image = Image()
        image.size = (9, 14)  # type: ignore[attr-defined]
        image.gt = [Item(rng.random((9, 14)) < 0.5) for _ in range(12)]
        for k in range(330):
            noise = rng.random((9, 14)) < rng.choice([0.02, 0.3])
            image.pred.append(Item(image.gt[k % 12].mask ^ noise, score=round(rng.random(), 2)))
        images.append(image)
    found = fed(EntityAP(), images, classes=False)
    agree(found, dense_ap.figures(images))
    assert len({found[name] for name in ("AR@1", "AR@10", "AR@100")}) == 3 and found["AP@300"] != found["AP"]


def random_tubes(rng: np.random.Generator, n: int) -> list[NDArray[np.bool_]]:
    """Masks of 2 frames of 300 x 300 side by side, in all three sizes; some miss a frame, some are seen nowhere."""
    found = []
    for _ in range(n):
        size = rng.choice([60, 110, 150, 270])
        mask = np.zeros((300, 600), bool)
        for start in (0, 300):
            y, x = rng.integers(0, 300 - size + 1, 2)
            if rng.random() < 0.8:
                mask[y : y + size, start + x : start + x + size] = True
        found.append(mask)
    return found


def moved(rng: np.random.Generator, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    frames = [ndimage.shift(half, rng.integers(-14, 15, 2), order=0) for half in np.split(mask, 2, axis=1)]
    return np.concatenate([frames[0], frames[1] & (rng.random() < 0.8)], axis=1)


def mean_area(mask: NDArray[np.bool_]) -> float:
    areas = [half.sum() for half in np.split(mask, 2, axis=1) if half.any()]
    return float(np.mean(areas)) if areas else 0.0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("classes", [False, True])
def test_ap_of_tubes(seed: int, classes: bool) -> None:
    rng = np.random.default_rng([seed, classes])
    metric, videos = VideoAP(), []
    for unit in range(4):
        truth = random_tubes(rng, 5 * (unit != 2))
        guesses = [moved(rng, truth[k % len(truth)]) for k in range(8)] if truth else random_tubes(rng, 2)
        kinds = rng.integers(1, 4, len(truth)) if classes else np.ones(len(truth), int)
        wrong = rng.random(len(guesses)) < 0.2
        of_pred = np.array([kinds[k % len(truth)] if truth else 1 for k in range(len(guesses))])
        of_pred = np.where(wrong & classes, 4, of_pred)
        scores, crowd = np.round(rng.random(len(guesses)), 1), rng.random(len(truth)) < 0.2
        metric.update(
            unit, tubes(np.array(truth, bool).reshape(-1, 300, 600)), tubes(np.array(guesses)), scores,
            gt_categories=kinds, pred_categories=of_pred, crowd=crowd,
        )  # fmt: skip
        columns = zip(truth, kinds.tolist(), crowd.tolist(), strict=True)
        gt = [Item(m, category, crowd=flag, area=mean_area(m)) for m, category, flag in columns]
        columns = zip(guesses, of_pred.tolist(), scores.tolist(), strict=True)
        pred = [Item(m, category, score=score, area=mean_area(m)) for m, category, score in columns]
        videos.append(Image(gt, pred))
    found = metric.compute()
    agree(found, dense_ap.figures(videos, areas=dense_ap.TUBE_AREAS, by_class=classes))
    assert any(found[name] is not None for name in ("APm", "APl"))
