"""COCO panoptic to COCO-Entity and back.

COCO-Entity (Qi et al., "Open-World Entity Segmentation", TPAMI 2022) makes every panoptic segment an entity.
The canonical form loses nothing; `compat` gives the published files, quirks included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.coco_write import category_json, dumps, image_json, write_list
from entityseg.data.formats._panoptic_records import MAX_ID
from entityseg.data.records import AnnotatedImage, Dataset
from entityseg.data.targets import json_target
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.data.views import select, with_extras
from entityseg.errors import input_error
from entityseg.files import atomic_file
from entityseg.masks.runlengths import Int64Array

# Key of an entity under which the id of its panoptic segment is kept.
SEGMENT_ID = "segment_id"
_LISTS = ("images", "annotations", "categories")


def panoptic_to_entity(dataset: Dataset, *, compat: bool = False) -> Dataset:
    """Make every segment of a panoptic dataset an entity; no mask is decoded.

    Canonical: ids run from 1 through the file (segment ids repeat from image to image) and the segment's id
        is kept
    as `segment_id`; crowd segments stay, as `iscrowd`; categories stay as they are.

    With `compat`, as the published `entity_*2017.json`: crowd segments are dropped, ids run from 0,
    categories are numbered from 0 in the order of the file (0 to 132 for COCO). Its boxes and areas are
    `write_compat`'s matter.

    Args:
        dataset: a panoptic dataset; any dataset will do.
        compat: make what the published scripts made.

    Raises:
        InputError: `compat`, and a segment's category is not among the categories.
    """
    if not compat:
        return _numbered(dataset, first=1)
    entities = select(dataset, keep=~dataset.iscrowd)
    place = {category.id: k for k, category in enumerate(dataset.categories)}
    unknown = sorted(set(np.unique(entities.category_ids).tolist()) - place.keys())
    if unknown:
        message, remedy = (
            "segments have a category that `categories` does not list",
            "Add it to `categories`.",
        )
        raise input_error("category.unknown", message, remedy, field="category_id", value=unknown)
    categories = tuple(replace(category, id=place[category.id]) for category in dataset.categories)
    numbers = np.array([place[one] for one in entities.category_ids.tolist()], np.int64)
    entities = replace(entities, categories=categories, category_ids=numbers, file_areas=None)
    return replace(entities, ids=np.arange(entities.n_annotations, dtype=np.int64))


def _numbered(dataset: Dataset, first: int) -> Dataset:
    """Return the dataset with ids that run through the file; the old ones become `segment_id`."""

    def add(index: int, records: list[dict[str, Any]]) -> Sequence[Mapping[str, Any]]:
        ids = dataset.ids[dataset.rows(index)].tolist()
        return [{**record, SEGMENT_ID: segment} for record, segment in zip(records, ids, strict=True)]

    return with_extras(dataset, add, ids=np.arange(first, first + dataset.n_annotations, dtype=np.int64))


def entity_to_panoptic(dataset: Dataset) -> Dataset:
    """Turn entities into panoptic segments: the way back of `panoptic_to_entity`.

    The segments of an image get the ids kept as `segment_id`; where one has none, their annotation ids; and
    where those cannot be pixel values (1 to 2^24 - 1, unlike in the image), numbers from 1.
    """
    ids = dataset.ids.copy()
    for index in range(len(dataset)):
        rows = dataset.rows(index)
        kept: list[Any] = [record.get(SEGMENT_ID) for record in dataset.source.extras(index)]
        for candidate in (kept, dataset.ids[rows].tolist()):
            if len(candidate) == rows.stop - rows.start and _are_segment_ids(candidate):
                ids[rows] = np.array(candidate, np.int64)
                break
        else:
            ids[rows] = np.arange(1, rows.stop - rows.start + 1)

    def drop(index: int, records: list[dict[str, Any]]) -> Sequence[Mapping[str, Any]]:
        return [{key: one for key, one in record.items() if key != SEGMENT_ID} for record in records]

    return with_extras(dataset, drop, ids=ids)


def _are_segment_ids(values: Sequence[Any]) -> bool:
    proper = all(isinstance(one, int) and not isinstance(one, bool) and 1 <= one <= MAX_ID for one in values)
    return proper and len(set(values)) == len(values)


def keeps_segment_ids(dataset: Dataset) -> bool:
    """Return whether the first annotated image has entities with a `segment_id`."""
    for index in np.flatnonzero(np.diff(dataset.offsets))[:1].tolist():
        return any(SEGMENT_ID in record for record in dataset.source.extras(index))
    return False


def write_compat(
    dataset: Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> Path:
    """Write a panoptic dataset as the published COCO-Entity JSON, quirks included.

    The box is [x, y, x2 - x, y2 - y] with inclusive x2 and y2, so one pixel short each way; `area` is that
    box's; `iscrowd` is always 0, for crowd segments are dropped. For everything else see
    `panoptic_to_entity`. Source: `make_data/entity_to_json.py` of qqlu/Entity.

    Args:
        dataset: a panoptic dataset, as it was read.
        path: a `.json` file, or a folder for `annotations.json`.
        overwrite: replace a file that is there.
        threads: images encoded side by side.
        progress: shows how far the images are.

    Returns:
        The file that was written.

    Raises:
        UsageError: the file is there already.
    """
    file = json_target(path, "annotations.json", overwrite=overwrite)
    entities = panoptic_to_entity(dataset, compat=True)
    with atomic_file(file) as out:
        out.write(b"{")
        for key, value in entities.info.items():
            out.write(dumps(key) + b":" + dumps(value) + b",\n" if key not in _LISTS else b"")
        write_list(out, "images", ([dumps(image_json(image))] for image in entities.images))
        out.write(b",\n")
        indices = progress(range(len(entities)), len(entities), "writing")
        lines = map_in_order(lambda index: _compat_lines(entities[index]), indices, threads=threads)
        write_list(out, "annotations", lines)
        out.write(b",\n")
        write_list(out, "categories", ([dumps(category_json(one, "isthing"))] for one in entities.categories))
        out.write(b"}\n")
    return file


def _compat_lines(one: AnnotatedImage) -> list[bytes]:
    from entityseg.masks import to_coco

    columns = zip(
        one.ids.tolist(), one.category_ids.tolist(), compat_boxes(one.masks.boxes).tolist(),
        to_coco(one.masks), strict=True,
    )  # fmt: skip
    return [
        dumps(
            {
                "id": entity_id,
                "image_id": one.image.id,
                "category_id": category_id,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
                "segmentation": segmentation,
            }
        )
        for entity_id, category_id, box, segmentation in columns
    ]


def compat_boxes(boxes: Int64Array) -> Int64Array:
    """Return boxes whose sides are the inclusive maximum minus the minimum, one pixel short; int64 [n, 4].

    >>> compat_boxes(np.array([[2, 3, 10, 5]])).tolist()
    [[2, 3, 9, 4]]
    """
    short = boxes.copy()
    short[:, 2:] = np.maximum(short[:, 2:] - 1, 0)
    return short
