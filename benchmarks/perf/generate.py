"""Made-up high-resolution ground truth and predictions to time the evaluators on, seeded and byte-stable.

An image is a set of Voronoi cells looked up through a warped grid (several octaves of smooth noise), so that
outlines are wiggly, entities have several parts, and the cover is complete. Predictions are the ground truth
moved, thickened, thinned, merged and split. Larger files repeat the same masks under new ids: no evaluator
may know that, and every one of them works linearly in images.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rlemasklib import RLEMask

from entityseg.benchmarks.perf.scenes import Warp, jittered, make_warp
from entityseg.files import atomic_file

PREDICTIONS_PER_IMAGE = 100
ASPECTS = (3 / 4, 2 / 3, 9 / 16, 5 / 7)
LONG_SIDES = (1000, 4500)
ENTITIES = (8, 60)
# Displacement of the jittered copies, as a fraction of the long side: a good, a fair and a poor model.
JITTER = (0.002, 0.006, 0.016)
INFO = {"description": "made-up entities for the speed benchmark of entityseg"}
CATEGORIES = [{"id": 1, "name": "entity", "supercategory": "entity"}]


@dataclass(frozen=True)
class Scored:
    """One predicted mask with its score in (0, 1)."""

    mask: RLEMask
    score: float


@dataclass(frozen=True)
class Image:
    """One made image: its size in pixels, its entities, and the predictions for it."""

    height: int
    width: int
    entities: list[RLEMask]
    predictions: list[Scored]


def generate(
    out: Path,
    images: int = 60,
    replicas: Iterable[int] = (10, 40),
    seed: int = 0,
    long_sides: tuple[int, int] = LONG_SIDES,
    predictions: int = PREDICTIONS_PER_IMAGE,
) -> list[Path]:
    """Writes `gt.json`, `dt_over.json` and `dt_non.json` in `out/<images>`, for each replica count.

    Args:
        out: Folder to write below; made if absent.
        images: Number of distinct images.
        replicas: How often to repeat them under new ids, besides once.
        seed: Seed of everything random; the same seed gives the same bytes.
        long_sides: Shortest and longest long side in pixels.
        predictions: Predictions an image in `dt_over.json`; `dt_non.json` has what of them stays visible.

    Returns:
        The folders written, smallest first.

    Raises:
        ValueError: If a count is below 1.
    """
    if images < 1 or predictions < 1 or min(replicas := [1, *replicas]) < 1:
        raise ValueError("images, predictions and replicas must be at least 1")
    made = list(make_images(images, seed, long_sides, predictions))
    sizes = [(image.height, image.width) for image in made]
    truth = [[_truth_body(mask) for mask in image.entities] for image in made]
    overlapping = [[_prediction_body(p) for p in image.predictions] for image in made]
    disjoint = [[_prediction_body(p) for p in paint(image.predictions)] for image in made]
    folders = []
    for times in sorted(set(replicas)):
        folder = out / str(images * times)
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "gt.json", _truth_text(sizes, truth, times))
        _write(folder / "dt_over.json", _results_text(overlapping, times))
        _write(folder / "dt_non.json", _results_text(disjoint, times))
        folders.append(folder)
    return folders


def make_images(images: int, seed: int, long_sides: tuple[int, int], predictions: int) -> Iterator[Image]:
    """Yields the made images; each has its own random stream, so that image 7 is the same in any set size."""
    order = np.random.default_rng([seed, 0]).permutation(images)
    for index in range(images):
        rng = np.random.default_rng([seed, 1, index])
        low, high = long_sides
        # Stratified, so that a small set covers the whole range of sizes too.
        long = round(low + (high - low) * (int(order[index]) + rng.random()) / images)
        short = round(long * ASPECTS[int(rng.integers(len(ASPECTS)))])
        height, width = (long, short) if rng.random() < 0.25 else (short, long)
        entities = round(ENTITIES[0] + (ENTITIES[1] - ENTITIES[0]) * float(rng.beta(1.5, 3.0)))
        yield make_image(rng, height, width, entities, predictions)


def make_image(rng: np.random.Generator, height: int, width: int, entities: int, predictions: int) -> Image:
    """Makes one image of `entities` entities (a few may end up hidden) and `predictions` predictions."""
    warp = make_warp(rng, height, width, entities)
    masks = _masks(warp)
    copies = [_masks(jittered(rng, warp, amount * max(height, width))) for amount in JITTER]
    scored = _predict(rng, warp, masks, copies, predictions)
    return Image(height, width, [mask for mask in masks if mask.any()], scored)


def paint(predictions: list[Scored]) -> list[Scored]:
    """Returns the part of each mask that no better-scored one covers, best first, without empty ones.

    Equal scores go by position: the earlier one is on top.
    """
    best_first = sorted(predictions, key=lambda p: -p.score)
    ascending = best_first[::-1]
    labels = RLEMask.merge_to_label_map([p.mask for p in ascending])
    visible = RLEMask.from_label_map(labels)
    return [Scored(visible[k], ascending[k - 1].score) for k in range(len(ascending), 0, -1) if k in visible]


def _masks(warp: Warp) -> list[RLEMask]:
    """One mask for each entity, in order; hidden ones are empty (their place keeps the copies aligned)."""
    found = RLEMask.from_label_map(warp.labels())
    empty = RLEMask.zeros((warp.height, warp.width))
    return [found.get(k + 1, empty) for k in range(warp.entities)]


def _predict(
    rng: np.random.Generator, warp: Warp, entities: list[RLEMask], copies: list[list[RLEMask]], count: int
) -> list[Scored]:
    """Makes `count` predictions from the entities and their jittered copies."""
    long = max(warp.height, warp.width)
    seen = [k for k, mask in enumerate(entities) if mask.any()]
    kinds = ["jitter", "dilate", "erode", "shift", "merge", "split"]
    scored: list[Scored] = []
    for _ in range(count):
        k = seen[int(rng.integers(len(seen)))]
        copy = copies[int(rng.choice(len(copies), p=(0.5, 0.3, 0.2)))]
        base = copy[k] if copy[k].any() else entities[k]
        kind = kinds[int(rng.choice(len(kinds), p=(0.35, 0.13, 0.13, 0.13, 0.13, 0.13)))]
        sources = [k]
        mask = base
        if kind == "dilate":
            mask = base.dilate("circle", 2 * int(rng.integers(1, long // 150 + 2)) + 1)
        elif kind == "erode":
            mask = base.erode("circle", 2 * int(rng.integers(1, long // 150 + 2)) + 1)
        elif kind == "shift":
            offset = rng.integers(-(long // 60) - 1, long // 60 + 2, size=2)
            mask = base.shift((int(offset[0]), int(offset[1])))
        elif kind == "merge":
            other = warp.nearest(k, int(rng.integers(1, 4)))
            sources.append(other)
            mask = base | copy[other]
        elif kind == "split":
            mask = base & _half(rng, base)
        mask = mask if mask.any() else base
        quality = max(float(mask.iou(entities[s])) for s in sources)
        logit = 6.0 * (quality - 0.55) + float(rng.normal(0.0, 1.2))
        score = round(min(max(1.0 / (1.0 + float(np.exp(-logit))), 0.001), 0.999), 6)
        if scored and rng.random() < 0.03:
            score = scored[int(rng.integers(len(scored)))].score
        scored.append(Scored(mask, score))
    return scored


def _half(rng: np.random.Generator, mask: RLEMask) -> RLEMask:
    """A rectangle over one side of the mask's box, cut at 30 to 70 % of it."""
    x, y, w, h = (int(v) for v in mask.bbox())
    share = float(rng.uniform(0.3, 0.7))
    first = rng.random() < 0.5
    if rng.random() < 0.5:
        cut = max(1, round(w * share))
        box = (x, y, cut, h) if first else (x + cut, y, max(1, w - cut), h)
    else:
        cut = max(1, round(h * share))
        box = (x, y, w, cut) if first else (x, y + cut, w, max(1, h - cut))
    return RLEMask.from_bbox(np.asarray(box, dtype=np.float64), imshape=mask.shape)


def segmentation(mask: RLEMask) -> dict[str, Any]:
    """Returns the mask as a COCO record: `size` as [height, width] and `counts` as a compressed string."""
    record = mask.to_dict()
    return {"size": [int(v) for v in record["size"]], "counts": bytes(record["counts"]).decode("ascii")}


def _truth_body(mask: RLEMask) -> str:
    """An annotation's JSON text without its ids and braces."""
    record = {
        "category_id": 1,
        "segmentation": segmentation(mask),
        "area": int(mask.area()),
        "bbox": [int(v) for v in mask.bbox()],
        "iscrowd": 0,
    }
    return json.dumps(record)[1:-1]


def _prediction_body(prediction: Scored) -> str:
    """A result's JSON text without its image id and braces.

    It has no `bbox`: pycocotools would take the box's area for the mask's, and APs/m/l would change.
    """
    record = {
        "category_id": 1,
        "segmentation": segmentation(prediction.mask),
        "score": prediction.score,
    }
    return json.dumps(record)[1:-1]


def _truth_text(sizes: list[tuple[int, int]], bodies: list[list[str]], times: int) -> Iterator[str]:
    yield f'{{"info": {json.dumps(INFO)}, "categories": {json.dumps(CATEGORIES)}, "images": ['
    for k in range(len(sizes) * times):
        height, width = sizes[k % len(sizes)]
        name = f"{k + 1:06d}.jpg"
        image = {"id": k + 1, "file_name": name, "height": height, "width": width}
        yield (", " if k else "") + json.dumps(image)
    yield '], "annotations": ['
    number = 0
    for k in range(len(bodies) * times):
        for body in bodies[k % len(bodies)]:
            number += 1
            yield f'{", " if number > 1 else ""}{{"id": {number}, "image_id": {k + 1}, {body}}}'
    yield "]}\n"


def _results_text(bodies: list[list[str]], times: int) -> Iterator[str]:
    yield "["
    separator = ""
    for k in range(len(bodies) * times):
        for body in bodies[k % len(bodies)]:
            yield f'{separator}{{"image_id": {k + 1}, {body}}}'
            separator = ", "
    yield "]\n"


def _write(path: Path, parts: Iterable[str]) -> None:
    with atomic_file(path) as file:
        for part in parts:
            file.write(part.encode("ascii"))
