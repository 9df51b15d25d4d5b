"""Sets with names that no training file has, on disk: ADE20K's files and the small sets of SGinW; and LVIS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.mini.categories import CATEGORIES, UNKNOWN_ID
from entityseg.data.mini.coco_shapes import annotation, put
from entityseg.data.mini.partitions import ABOUT, Segment, partition, segment_record, write_panoptic
from entityseg.data.mini.task_scenes import TaskScene, image_record
from entityseg.data.mini.vocabulary import THEMES, label_lines, new_name, vocabulary
from entityseg.files import write_bytes, write_json

_THEME_IMAGES = 4
_ADE_LABELS = "mini_vocabulary.txt"


def write_ade(root: Path, scenes: Sequence[TaskScene], seed: int) -> None:
    """Write `ADEChallengeData2016/`: the scenes for validation with new names.

    Category ids run from 0, things first; image ids are strings; `mini_vocabulary.txt` has the names with
    synonyms.
    """
    chosen = [scene for scene in scenes if scene.half == "val"]
    names = vocabulary([item for scene in chosen for item in scene.items])
    number = {one.names: k for k, one in enumerate(names)}
    categories = [{"id": k, "name": one.names[0], "isthing": int(one.isthing)} for k, one in enumerate(names)]
    named: dict[int, int] = {}

    def stem(scene: TaskScene) -> str:
        return f"ADE_val_{scene.image_id:08d}"

    def record(segment: Segment) -> dict[str, Any]:
        return segment_record(segment, named[segment.id])

    segmented = []
    records: list[dict[str, Any]] = []
    for scene in chosen:
        put(root / "images" / "validation" / f"{stem(scene)}.jpg", scene.jpeg)
        segments = partition(scene, seed, crowds=False)
        for one in segments:
            row = scene.row[one.numbers[0]]
            named[one.id] = number[new_name(scene.items[row])]
            if one.isthing:
                shape = scene.shapes[row]
                # Instance files number their pictures, where the panoptic ones name them.
                records.append(annotation(len(records) + 1, scene.image_id, named[one.id], shape))
        segmented.append((scene, segments))
    write_panoptic(
        root / "ade20k_panoptic_val.json", root / "ade20k_panoptic_val", segmented, categories,
        name=stem, image_id=stem, record=record,
    )  # fmt: skip
    top = {
        "info": ABOUT,
        "images": [image_record(scene, f"{stem(scene)}.jpg") for scene in chosen],
        "annotations": records,
        "categories": [one for one in categories if one["isthing"]],
    }
    write_json(root / "ade20k_instance_val.json", top)
    write_bytes(root / _ADE_LABELS, label_lines(names).encode())


def write_seginw(root: Path, scenes: Sequence[TaskScene]) -> None:
    """Write `seginw/`: small sets of one theme each, as exported by Roboflow; all ids count from 0.

    Scenes for validation come first; a theme that they do not have takes others.
    """
    ordered = sorted(scenes, key=lambda scene: (scene.half != "val", scene.index))
    for theme, renamed in THEMES.items():
        having = [scene for scene in ordered if any(item.category in renamed for item in scene.items)]
        folder = root / theme / "valid"
        images: list[dict[str, Any]] = []
        records: list[dict[str, Any]] = []
        names = list(renamed)
        for scene in having[:_THEME_IMAGES]:
            image_id = len(images)
            file_name = f"{scene.name}_jpg.rf.{scene.index:032x}.jpg"
            put(folder / file_name, scene.jpeg)
            images.append({**image_record(scene, file_name, image_id), "license": 1})
            for row, item in enumerate(scene.items):
                if item.category in renamed:
                    category_id = names.index(item.category)
                    shape = scene.shapes[row]
                    records.append(annotation(len(records), image_id, category_id, shape))
        if images:
            categories = [
                {"id": k, "name": renamed[name], "supercategory": theme} for k, name in enumerate(names)
            ]
            licenses = [{"id": 1, "url": "https://creativecommons.org/publicdomain/zero/1.0/", "name": "CC0"}]
            top = {"info": ABOUT, "licenses": licenses, "categories": categories, "images": images}
            write_json(folder / "_annotations_min1cat.coco.json", {**top, "annotations": records})


def write_lvis(root: Path, scenes: Sequence[TaskScene], seed: int) -> None:
    """Write `lvis/lvis_v1_val.json`: federated labels over the pictures of `coco/`.

    A picture has every entity of some categories, some entities of others (`not_exhaustive_category_ids`), and
    nothing at all of the rest.
    """
    classes = [one for one in CATEGORIES if one["type"] == "thing" and one["id"] != UNKNOWN_ID]
    images = []
    records: list[dict[str, Any]] = []
    seen: dict[int, list[int]] = {one["id"]: [] for one in classes}
    for scene in (scene for scene in scenes if scene.half == "val"):
        rng = np.random.default_rng([seed, 24, scene.index])
        present = list(dict.fromkeys(item.category_id for item in scene.items if item.isthing))
        present = [one for one in present if one in seen]
        labelled = [one for k, one in enumerate(present) if k == 0 or rng.random() < 0.7]
        partly: list[int] = []
        for category_id in labelled:
            rows = [row for row, item in enumerate(scene.items) if item.category_id == category_id]
            if len(rows) > 6:
                partly.append(category_id)
                rows = sorted(rng.choice(rows, 5, replace=False).tolist())
            for row in rows:
                one = annotation(
                    len(records) + 1,
                    scene.image_id,
                    category_id,
                    scene.shapes[row],
                )
                del one["iscrowd"]
                records.append(one)
                seen[category_id].append(scene.image_id)
        absent = [one["id"] for one in classes if one["id"] not in present]
        images.append(
            {
                "id": scene.image_id,
                "coco_url": f"https://example.org/val2017/{scene.image_id:012d}.jpg",
                "height": scene.masks.height,
                "width": scene.masks.width,
                "license": 1,
                "neg_category_ids": sorted(rng.choice(absent, min(5, len(absent)), replace=False).tolist()),
                "not_exhaustive_category_ids": sorted(partly),
            }
        )
    categories = [
        {
            "id": one["id"],
            "name": one["name"],
            "synset": f"{one['name']}.n.01",
            "synonyms": [one["name"]],
            "def": f"a {one['name']} of the mini dataset",
            "frequency": "rcf"[(len(set(seen[one["id"]])) > 1) + (len(set(seen[one["id"]])) > 4)],
            "image_count": len(set(seen[one["id"]])),
            "instance_count": len(seen[one["id"]]),
        }
        for one in classes
    ]
    top = {"info": ABOUT, "images": images, "annotations": records, "categories": categories, "licenses": []}
    write_json(root / "lvis_v1_val.json", top)
