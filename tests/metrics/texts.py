"""Made-up ground truths of texts on disk, in the datasets' own layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from entityseg.masks import from_dense, to_coco, to_panoptic_png

Dense = NDArray[np.bool_]


def rle(mask: Dense) -> dict[str, Any]:
    return to_coco(from_dense(np.asarray(mask, bool)[None]))[0]


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def write_referring(
    folder: Path, masks: dict[int, tuple[int, Any]], expressions: list[dict[str, Any]], size=(6, 8)
) -> Path:  # type: ignore[no-untyped-def]
    """Masks are {annotation id: (image id, segmentation)}; the path is that of the expressions."""
    images = sorted({image for image, _ in masks.values()} | {one["image_id"] for one in expressions})
    write_json(
        folder / "instances.json",
        {
            "images": [
                {"id": i, "file_name": f"{i}.jpg", "height": size[0], "width": size[1]} for i in images
            ],
            "annotations": [
                {"id": ann_id, "image_id": image, "category_id": 1, "segmentation": segmentation}
                for ann_id, (image, segmentation) in masks.items()
            ],
            "categories": [{"id": 1, "name": "thing"}],
        },
    )
    top = {"dataset": "refcoco", "split_by": "unc", "split": "val", "expressions": expressions}
    return write_json(folder / "expressions.json", top)


def expression(expr_id: int, image_id: int, *ann_ids: int, text: str = "left one") -> dict[str, Any]:
    return {
        "expr_id": expr_id,
        "ref_id": expr_id,
        "image_id": image_id,
        "ann_ids": list(ann_ids),
        "text": text,
    }


def write_png(folder: Path, maps: dict[int, NDArray[np.int64]], narratives: list[dict[str, Any]]) -> Path:
    """Id maps of images whose segments below 10 are things, the others stuff; the path is that of the narratives."""
    images, annotations = [], []
    for image_id, ids in maps.items():
        height, width = ids.shape
        images.append({"id": image_id, "file_name": f"{image_id}.jpg", "height": height, "width": width})
        values = [int(v) for v in np.unique(ids) if v]
        name = f"{image_id:012d}.png"
        target = folder / "panoptic_segmentation" / "val2017" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        to_panoptic_png(target, from_dense(np.array([ids == v for v in values])), np.array(values))
        segments = [
            {
                "id": v,
                "category_id": 1 if v < 10 else 2,
                "area": int((ids == v).sum()),
                "bbox": [0, 0, 1, 1],
                "iscrowd": 0,
            }
            for v in values
        ]
        annotations.append({"image_id": image_id, "file_name": name, "segments_info": segments})
    categories = [{"id": 1, "name": "dog", "isthing": 1}, {"id": 2, "name": "sky", "isthing": 0}]
    write_json(
        folder / "panoptic_val2017.json",
        {"images": images, "annotations": annotations, "categories": categories},
    )
    return write_json(folder / "png_coco_val2017.json", narratives)


def narrative(image_id: Any, *segments: tuple[str, list[Any], bool, bool]) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "caption": " ".join(text for text, *_ in segments),
        "segments": [
            {"utterance": text, "segment_ids": ids, "noun": noun, "plural": plural}
            for text, ids, noun, plural in segments
        ],
    }


def write_reason(
    folder: Path,
    name: str,
    size: tuple[int, int],
    texts: list[str],
    shapes: list[Any],
    long: bool = False,
    encoding: str = "utf-8",
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size[1], size[0])).save(folder / f"{name}.jpg")
    records = [{"label": label, "points": points} for label, points in shapes]
    text = json.dumps({"text": texts, "is_sentence": long, "shapes": records}, ensure_ascii=False)
    (folder / f"{name}.json").write_bytes(text.encode(encoding))
