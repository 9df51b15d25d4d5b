"""Random panoptic problems as plain pixels, and the published evaluator's rules as one plain loop over them."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

CATEGORIES = [
    {"id": 3, "name": "cat", "isthing": 1},
    {"id": 5, "name": "dog", "isthing": 1},
    {"id": 8, "name": "sky", "isthing": 0},
    {"id": 11, "name": "road", "isthing": 0},
]


@dataclass
class Side:
    """An id map (0 is void) and its segments, as a panoptic JSON lists them."""

    ids: NDArray[np.int64]
    segments: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Case:
    image_id: int
    gt: Side
    pred: Side


def random_cases(seed: int, n: int = 4) -> list[Case]:
    """Images with void, several crowds of a category, areas that are stated wrongly, and good and bad predictions."""
    rng = np.random.default_rng(seed)
    cases = []
    for image_id in rng.permutation(100)[:n].tolist():
        height, width = (int(side) for side in rng.integers(4, 40, 2))
        ids = _cells(rng, int(rng.integers(1, 9)), height, width)
        moved = ids.copy()
        if rng.random() < 0.7:
            dy, dx = rng.integers(-3, 4, 2)
            moved = np.roll(ids, (dy, dx), (0, 1))
        noise = rng.random(ids.shape) < rng.choice([0.0, 0.1, 0.4])
        moved = np.where(noise, _cells(rng, 5, height, width), moved)
        gt, pred = Side(ids), Side(moved)
        for value in np.unique(ids[ids > 0]).tolist():
            area = int((ids == value).sum())
            gt.segments.append(
                {
                    "id": value,
                    "category_id": _category(rng, value),
                    "area": area if rng.random() < 0.7 else int(rng.integers(area, 2 * area + 2)),
                    "bbox": [0, 0, 1, 1],
                    "iscrowd": int(rng.random() < 0.25),
                }
            )
        pred.segments = [
            {"id": value, "category_id": _category(rng, value)}
            for value in np.unique(moved[moved > 0]).tolist()
        ]
        cases.append(Case(image_id, gt, pred))
    return cases


def _cells(rng: np.random.Generator, n: int, height: int, width: int) -> NDArray[np.int64]:
    fields = [ndimage.gaussian_filter(rng.standard_normal((height, width)), 3) for _ in range(n + 1)]
    # Ids that need all three bytes of a pixel; the first cell is void.
    values = np.array([0] + [70_001 * k for k in range(1, n + 1)])
    found: NDArray[np.int64] = values[np.argmax(fields, axis=0)]
    return found


def _category(rng: np.random.Generator, value: int) -> int:
    # Mostly the same for one id, so that true and predicted segments match.
    k = value // 70_001 if rng.random() < 0.85 else int(rng.integers(4))
    return int(CATEGORIES[k % 4]["id"])


def plain_pq(
    cases: list[Case], *, stated_areas: bool, last_crowd_only: bool
) -> tuple[dict[str, Any], dict[int, list[float]]]:
    """PQ by a loop over pairs of ids, pixel by pixel: the figures, and [IoU sum, TP, FP, FN] by category."""
    stats: dict[int, list[float]] = defaultdict(lambda: [0.0, 0, 0, 0])
    for case in cases:
        gt, pred = case.gt.ids, case.pred.ids
        true = {segment["id"]: segment for segment in case.gt.segments}
        guessed = {segment["id"]: segment for segment in case.pred.segments}
        area = {value: int((pred == value).sum()) for value in guessed}
        found, used = set(), set()
        for g, segment in true.items():
            if segment["iscrowd"]:
                continue
            gt_area = segment["area"] if stated_areas else int((gt == g).sum())
            for p, guess in guessed.items():
                common = int(((gt == g) & (pred == p)).sum())
                if not common or guess["category_id"] != segment["category_id"]:
                    continue
                union = gt_area + area[p] - common - int(((gt == 0) & (pred == p)).sum())
                if common / union > 0.5:
                    stats[segment["category_id"]][0] += common / union
                    stats[segment["category_id"]][1] += 1
                    found.add(g)
                    used.add(p)
        crowds: dict[int, list[int]] = defaultdict(list)
        for g, segment in true.items():
            if segment["iscrowd"]:
                crowds[segment["category_id"]].append(g)
            elif g not in found:
                stats[segment["category_id"]][3] += 1
        for p, guess in guessed.items():
            if p in used:
                continue
            regions = crowds[guess["category_id"]]
            allowed = [0, *(regions[-1:] if last_crowd_only else regions)]
            if int((np.isin(gt, allowed) & (pred == p)).sum()) / area[p] > 0.5:
                continue
            stats[guess["category_id"]][2] += 1
    figures = {}
    for suffix, kind in (("", None), ("_things", 1), ("_stuff", 0)):
        members = [one["id"] for one in CATEGORIES if kind in (None, one["isthing"])]
        rows = [stats[c] for c in members if c in stats and sum(stats[c][1:]) > 0]
        half = [tp + fp / 2 + fn / 2 for _, tp, fp, fn in rows]
        for name, values in (
            ("PQ", [row[0] / h for row, h in zip(rows, half, strict=True)]),
            ("SQ", [row[0] / row[1] if row[1] else 0.0 for row in rows]),
            ("RQ", [row[1] / h for row, h in zip(rows, half, strict=True)]),
        ):
            figures[name + suffix] = sum(values) / len(values) if values else None
    return figures, dict(stats)


def write_png(path: Path, ids: NDArray[np.int64]) -> None:
    rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2).astype(np.uint8)
    Image.fromarray(rgb).save(path)


def write_side(folder: Path, name: str, cases: list[Case], *, pred: bool) -> Path:
    """Write `name.json` and the PNGs in the folder `name`; predictions have `annotations` only."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    annotations, images = [], []
    for case in cases:
        side = case.pred if pred else case.gt
        write_png(folder / name / f"{case.image_id}.png", side.ids)
        annotations.append(
            {"image_id": case.image_id, "file_name": f"{case.image_id}.png", "segments_info": side.segments}
        )
        height, width = side.ids.shape
        images.append(
            {"id": case.image_id, "file_name": f"{case.image_id}.jpg", "height": height, "width": width}
        )
    top: dict[str, Any] = {"annotations": annotations}
    if not pred:
        top |= {"images": images, "categories": CATEGORIES}
    (folder / f"{name}.json").write_text(json.dumps(top))
    return folder / f"{name}.json"
