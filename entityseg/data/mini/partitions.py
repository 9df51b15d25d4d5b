"""Panoptic files over the scenes, as COCO has them: segments with crowds, a JSON and a folder of PNG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.mini.categories import BLUR_ID, CATEGORIES, UNKNOWN_ID
from entityseg.data.mini.phrases import Item
from entityseg.data.mini.task_scenes import TaskScene, image_record
from entityseg.files import write_json
from entityseg.masks import RunLengths, to_panoptic_png, union

ABOUT = {
    "description": "the mini dataset of entityseg, made by a program",
    "version": "1",
    "license": "CC0-1.0",
}
# Of more things of a kind than this, the smallest become one crowd region, as annotators of COCO did it.
_MOST = 14
_TOLD_APART = 10


@dataclass(frozen=True)
class Segment:
    """A segment: its id in the PNG, its category, and the numbers of its entities (one, or many of a crowd)."""

    id: int
    category_id: int
    isthing: bool
    numbers: tuple[int, ...]
    crowd: bool
    mask: RunLengths


def coco_categories() -> list[dict[str, Any]]:
    """The categories of COCO-like files: the mini dataset's without the two that are no class."""
    colours = np.random.default_rng(7).integers(40, 256, (len(CATEGORIES), 3)).tolist()
    return [
        {
            "id": one["id"],
            "name": one["name"],
            "supercategory": one["supercategory"],
            "isthing": int(one["type"] == "thing"),
            "color": colour,
        }
        for one, colour in zip(CATEGORIES, colours, strict=True)
        if one["id"] not in (UNKNOWN_ID, BLUR_ID)
    ]


def partition(scene: TaskScene, seed: int, *, crowds: bool = True) -> list[Segment]:
    """Split a scene into segments; entities without a class are left out and become void.

    Args:
        scene: The scene.
        seed: Draws the segments' ids, which spread over 24 bits as COCO's do.
        crowds: Whether the smallest of very many things of a kind are one crowd region.
    """
    groups: list[tuple[Item, ...]] = []
    by_category: dict[int, list[Item]] = {}
    for item in scene.items:
        if item.category_id not in (UNKNOWN_ID, BLUR_ID):
            by_category.setdefault(item.category_id, []).append(item)
    for members in by_category.values():
        if crowds and members[0].isthing and len(members) > _MOST:
            ranked = sorted(members, key=lambda item: (-item.area, item.number))
            groups.append(tuple(ranked[_TOLD_APART:]))
            members = ranked[:_TOLD_APART]
        groups += [(item,) for item in members]
    groups.sort(key=lambda group: min(item.number for item in group))
    rng = np.random.default_rng([seed, 20, scene.index])
    ids = 1 + rng.choice(2**24 - 1, len(groups), replace=False)
    segments = []
    for one_id, group in zip(ids.tolist(), groups, strict=True):
        numbers = tuple(sorted(item.number for item in group))
        mask = union(scene.mask(numbers))
        segments.append(
            Segment(one_id, group[0].category_id, group[0].isthing, numbers, len(group) > 1, mask)
        )
    return segments


def segment_record(segment: Segment, category_id: int | None = None) -> dict[str, Any]:
    """A segment as a panoptic JSON writes it."""
    return {
        "id": segment.id,
        "category_id": segment.category_id if category_id is None else category_id,
        "area": int(segment.mask.areas[0]),
        "bbox": segment.mask.boxes[0].tolist(),
        "iscrowd": int(segment.crowd),
    }


def write_panoptic(
    json: Path,
    pngs: Path,
    scenes: Sequence[tuple[TaskScene, Sequence[Segment]]],
    categories: Iterable[dict[str, Any]],
    *,
    name: Callable[[TaskScene], str],
    image_id: Callable[[TaskScene], int | str] = lambda scene: scene.image_id,
    record: Callable[[Segment], dict[str, Any]] = segment_record,
) -> None:
    """Write a panoptic JSON and its PNG.

    Args:
        json: The file.
        pngs: The folder of the PNG.
        scenes: Scenes with their segments.
        categories: For the JSON.
        name: A picture's file name without its suffix.
        image_id: A picture's id.
        record: A segment's record.
    """
    pngs.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for scene, segments in scenes:
        masks = RunLengths.concatenate([segment.mask for segment in segments])
        to_panoptic_png(pngs / f"{name(scene)}.png", masks, [segment.id for segment in segments])
        images.append(image_record(scene, f"{name(scene)}.jpg", image_id(scene)))
        annotations.append(
            {
                "image_id": image_id(scene),
                "file_name": f"{name(scene)}.png",
                "segments_info": [record(segment) for segment in segments],
            }
        )
    top = {"info": ABOUT, "images": images, "annotations": annotations, "categories": list(categories)}
    write_json(json, top)
