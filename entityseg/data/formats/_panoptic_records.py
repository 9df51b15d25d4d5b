"""The `annotations` of a panoptic JSON, checked and as columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.columns import GrowingColumns
from entityseg.data.formats._png_files import add_unsafe, unsafe
from entityseg.data.json_file import is_integer
from entityseg.data.json_lists import is_list
from entityseg.data.records import Category, ImageRecord
from entityseg.errors import Findings
from entityseg.masks.runlengths import Int64Array

# A pixel of an RGB PNG holds 24 bits, and 0 is void.
MAX_ID = 2**24 - 1
_SEGMENT_KEYS = frozenset({"id", "category_id", "area", "bbox", "iscrowd"})
_RECORD_KEYS = frozenset({"image_id", "file_name", "segments_info"})


@dataclass(frozen=True)
class Segments:
    """Segments as columns, grouped by image; per image its record's `file_name`, place and other keys."""

    offsets: Int64Array
    ids: Int64Array
    category_ids: Int64Array
    iscrowd: NDArray[np.bool_]
    areas: NDArray[np.float64]
    extras: list[Sequence[Mapping[str, Any]]]
    names: list[str | None]
    records: list[str]
    others: list[Mapping[str, Any]]


def read_segments(
    annotations: Any, images: Sequence[ImageRecord], categories: Sequence[Category], findings: Findings
) -> Segments:
    """Read the `annotations` list; problems are added to `findings`, and what has one is left out."""
    index_of = {image.id: index for index, image in enumerate(images)}
    known = {category.id for category in categories}
    rows = GrowingColumns(np.int64, np.int64, np.int64, bool, np.float64)
    extras: list[Sequence[Mapping[str, Any]]] = [() for _ in images]
    names: list[str | None] = [None] * len(images)
    records = [f"image {image.id}" for image in images]
    others: list[Mapping[str, Any]] = [{} for _ in images]
    if not is_list(annotations):
        message = "`annotations` must be a list"
        findings.add("json.shape", message, "Check that this is a COCO panoptic file.", field="annotations")
        annotations = []
    for i, record in enumerate(annotations):
        place = f"annotations[{i}]"
        index = _record_index(record, index_of, names, place, findings)
        if index is None:
            continue
        names[index], records[index] = record["file_name"], place
        others[index] = {key: value for key, value in record.items() if key not in _RECORD_KEYS}
        seen: set[int] = set()
        found: list[tuple[int, int, int, bool, float]] = []
        kept: list[Mapping[str, Any]] = []
        for k, segment in enumerate(record["segments_info"]):
            row = _segment(segment, f"{place}.segments_info[{k}]", seen, known, findings)
            if row is not None:
                found.append((index, *row))
                kept.append({key: value for key, value in segment.items() if key not in _SEGMENT_KEYS})
        rows.extend(found)
        extras[index] = kept if any(kept) else ()
    for image, name in zip(images, names, strict=True):
        if name is None:
            message = (
                "no record of `annotations` belongs to this image, so it is read as an image without segments"
            )
            remedy = "Give it a record, with an empty segments_info if it has none."
            findings.add(
                "panoptic.no_record", message, remedy, record=f"image {image.id}", severity="warning"
            )
    columns: list[Any] = rows.arrays()
    order = np.argsort(columns[0], kind="stable")
    image, ids, category_ids, iscrowd, areas = (column[order] for column in columns)
    return Segments(
        offsets=np.searchsorted(image, np.arange(len(images) + 1)).astype(np.int64),
        ids=ids,
        category_ids=category_ids,
        iscrowd=iscrowd,
        areas=areas,
        extras=extras,
        names=names,
        records=records,
        others=others,
    )


def _record_index(
    record: Any, index_of: Mapping[Any, int], names: Sequence[str | None], place: str, findings: Findings
) -> int | None:
    """Return the image's position if the record of an image is one, else None and say why not."""
    before = findings.errors
    if not isinstance(record, dict):
        message, remedy = "the record must be an object {...}", "Write image_id, file_name and segments_info."
        findings.add("record.type", message, remedy, record=place, value=record)
        return None
    for key in sorted(_RECORD_KEYS - record.keys()):
        findings.add("key.missing", f"the record has no {key}", f"Give it {key}.", record=place, field=key)
    if findings.errors > before:
        return None
    image_id, name = record["image_id"], record["file_name"]
    index = index_of.get(image_id) if isinstance(image_id, str) or is_integer(image_id) else None
    if index is None:
        remedy = "Use the ids of `images`, of the same type (number or string)."
        message = "no image has this id"
        findings.add("image.unknown", message, remedy, record=place, field="image_id", value=image_id)
    elif names[index] is not None:
        message, remedy = (
            "another record has this image_id too",
            "Give each image one record with all its segments.",
        )
        findings.add("id.duplicate", message, remedy, record=place, field="image_id", value=image_id)
    if not isinstance(name, str) or unsafe(name):
        add_unsafe(findings, name, place)
    if not isinstance(record["segments_info"], list):
        message, remedy = "segments_info must be a list", "Write a list of segments, empty if there are none."
        findings.add("json.shape", message, remedy, record=place, field="segments_info")
    return index if findings.errors == before else None


def _segment(
    segment: Any, place: str, seen: set[int], known: set[int], findings: Findings
) -> tuple[int, int, bool, float] | None:
    """Return id, category, crowd and area of a segment, None if something is wrong."""
    if not isinstance(segment, dict):
        message, remedy = (
            "the segment must be an object {...}",
            "Write id, category_id, area, bbox and iscrowd.",
        )
        findings.add("record.type", message, remedy, record=place, value=segment)
        return None

    def add(kind: str, message: str, remedy: str, key: str) -> None:
        findings.add(kind, message, remedy, record=place, field=key, value=segment.get(key))

    before = findings.errors
    segment_id, category_id = segment.get("id"), segment.get("category_id")
    if not is_integer(segment_id) or not 1 <= segment_id <= MAX_ID:
        message = "the id of a segment must be an integer in 1 to 2^24 - 1 (0 is void)"
        add("id.value", message, "Write R + 256 G + 65536 B.", "id")
    elif segment_id in seen:
        message = "another segment of the image has this id too"
        add("id.duplicate", message, "Give each segment its own id and colour.", "id")
    else:
        seen.add(segment_id)
    if not is_integer(category_id):
        add(
            "id.type", "category_id must be an integer", "Write the id of one of `categories`.", "category_id"
        )
    elif category_id not in known:
        add("category.unknown", "no category has this id", "Add the category to `categories`.", "category_id")
    crowd = segment.get("iscrowd", 0)
    if crowd not in (0, 1) or isinstance(crowd, float):
        add("iscrowd.value", "iscrowd must be 0 or 1", "Write 0 or 1.", "iscrowd")
    if findings.errors > before or not is_integer(segment_id) or not is_integer(category_id):
        return None
    area: Any = segment.get("area")
    is_area = isinstance(area, int | float) and not isinstance(area, bool) and 0 <= area < 2**53
    if area is not None and not is_area:
        message = "the area is no number of pixels; it is counted from the PNG"
        remedy = "Write the number of the segment's pixels, or leave the area out."
        findings.add(
            "area.value", message, remedy, record=place, field="area", value=area, severity="warning"
        )
    return segment_id, category_id, bool(crowd), float(area) if is_area else math.nan
