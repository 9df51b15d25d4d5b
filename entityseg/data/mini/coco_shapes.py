"""Masks, annotations and pictures as the files of COCO and its kin hold them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.masks import RunLengths, from_polygons, to_counts, to_polygons

QUALITY = 90


@dataclass(frozen=True)
class Shape:
    """A mask as COCO writes it: polygons or run lengths, with the area and box [x, y, w, h] that they have."""

    segmentation: Any
    area: int
    box: list[float]


def shapes_of(masks: RunLengths) -> list[Shape]:
    """Masks as outer contours, or as run lengths where contours would fill holes of some size.

    >>> shapes_of(RunLengths((3, 4), [4, 5], [0, 2]))[0].segmentation
    [[1.0, 1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 2.0]]
    """
    polygons = to_polygons(masks)
    filled = from_polygons(polygons, masks.size)
    alike = masks.areas > 0.95 * filled.areas
    return [
        Shape(polygons[k], int(filled.areas[k]), filled.boxes[k].astype(float).tolist())
        if alike[k]
        else as_runs(masks[[k]])
        for k in range(len(masks))
    ]


def as_runs(mask: RunLengths) -> Shape:
    """One mask as uncompressed run lengths."""
    return Shape(as_counts(mask), int(mask.areas[0]), mask.boxes[0].astype(float).tolist())


def as_counts(mask: RunLengths) -> dict[str, Any]:
    """One mask as COCO's uncompressed run lengths."""
    return {"size": list(mask.size), "counts": to_counts(mask)[0]}


def annotation(
    number: int, image_id: int, category_id: int, shape: Shape, *, crowd: bool = False
) -> dict[str, Any]:
    """An annotation as COCO writes it."""
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": shape.segmentation,
        "area": shape.area,
        "bbox": shape.box,
        "iscrowd": int(crowd),
    }


def to_jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A picture [height, width, 3] as the bytes of a JPEG file."""
    return _encoded(picture, format="JPEG", quality=QUALITY)


def to_png(values: NDArray[np.uint8]) -> bytes:
    """A picture [height, width] or [height, width, 3] as the bytes of a PNG file."""
    return _encoded(values, format="PNG", compress_level=1)


def _encoded(values: NDArray[np.uint8], **options: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(values).save(out, **options)
    return out.getvalue()


def put(path: Path, data: bytes) -> None:
    """Write a file inside a folder that only appears when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
