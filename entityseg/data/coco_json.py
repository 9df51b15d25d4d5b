"""COCO-like JSON (images, annotations, categories) to a `Dataset`: fast where the file is plain, telling where not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data import _scan, coco_slow
from entityseg.data.coco_records import Records, join
from entityseg.data.coco_scan import Scanned, Wanted, scan_list
from entityseg.data.json_file import is_integer, map_file, parse_json, parse_json_file, require_type
from entityseg.data.json_lists import is_list, parse_spans, top_spans
from entityseg.data.records import Category, Dataset, ImageId, ImageRecord
from entityseg.errors import SHOWN_PER_KIND, Findings
from entityseg.masks.size import size_problem

__all__ = ["parse_json_file", "read_categories", "read_coco", "read_images"]

_ANNOTATIONS = Wanted("annotations")


def read_coco(path: str | Path, *, image_root: Path | None = None) -> Dataset:
    """Read a COCO-like JSON file of instances or entities.

    Masks may be compressed RLE, uncompressed counts or polygons (several parts: their union). Masks in compressed RLE
    are decoded and checked when an image is asked for; `entityseg.load` checks them all.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no such file, or a record is wrong; all problems are listed.
    """
    path = Path(path)
    mapped, text = map_file(path)
    findings = Findings(str(path))
    scanned = _scan_file(text, str(path))
    records: Records | None = None
    if scanned is not None:
        top, annotated = scanned
        images = read_images(top.get("images"), findings)
        index_of = {image.id: index for index, image in enumerate(images)}
        records = join(annotated, text, images, index_of, _ANNOTATIONS, str(path))
    if records is None:
        findings = Findings(str(path))
        top = require_type(parse_json(mapped, str(path)), dict, "the file", str(path))
        annotations = require_type(top.pop("annotations", None), list, "`annotations`", str(path))
        images = read_images(top.get("images"), findings)
        index_of = {image.id: index for index, image in enumerate(images)}
        refused = _refused(top.get("images"), index_of)
        records = coco_slow.read_records(
            annotations, images, index_of, _ANNOTATIONS, findings, refused=refused
        )
    categories = read_categories(top.get("categories"), findings)
    findings.raise_errors()
    _warn_of_unknown_categories(records, categories, findings)
    return Dataset(
        images=tuple(images),
        categories=tuple(categories),
        offsets=records.offsets,
        ids=records.ids,
        category_ids=records.category_ids,
        iscrowd=records.iscrowd,
        source=records.source,
        file_areas=records.areas,
        info={key: value for key, value in top.items() if key not in ("images", "annotations", "categories")},
        path=path,
        image_root=image_root,
        warnings=findings,
    )


def _scan_file(text: NDArray[np.uint8], file: str) -> tuple[dict[str, Any], Scanned] | None:
    """Return the top-level values but `annotations`, and what those were scanned to; None for the slow reader."""
    annotations: Scanned | None = None

    def end_of(name: str, start: int) -> int:
        nonlocal annotations
        if name != "annotations":
            return int(_scan.value_end(text, start))
        annotations = scan_list(text, start, _ANNOTATIONS) if text[start] == _scan.OPEN_LIST else None
        return -1 if annotations is None else annotations.end

    spans = top_spans(text, end_of)
    if spans is None or annotations is None:
        return None
    del spans["annotations"]
    top = parse_spans(text, spans, ("images",), file)
    return None if top is None else (top, annotations)


def read_images(value: Any, findings: Findings) -> list[ImageRecord]:
    """Read the `images` of a COCO-like JSON, as `iter_images`."""
    return [image for _, image in iter_images(value, findings)]


def iter_images(value: Any, findings: Findings) -> Iterator[tuple[int, ImageRecord]]:
    """Give the `images` of a COCO-like JSON with their positions.

    Args:
        value: the list, or a `JsonList`.
        findings: where problems go; the records that have one are left out.
    """
    seen: dict[ImageId, int] = {}
    for i, record in _objects(value, "images", findings):
        where = f"images[{i}]"
        missing = [key for key in ("id", "file_name", "height", "width") if key not in record]
        if missing:
            message = f"the image has no {', '.join(missing)}"
            findings.add(
                "key.missing", message, "Give each image id, file_name, height and width.", record=where
            )
            continue
        image_id, name, size = record["id"], record["file_name"], (record["height"], record["width"])
        problem = size_problem(size)
        if not isinstance(image_id, str) and not is_integer(image_id):
            message = "the id of an image must be an integer"
            remedy = "Write a whole number of at most 63 bits."
            findings.add("id.type", message, remedy, record=where, field="id", value=image_id)
        elif not isinstance(name, str):
            message = "file_name must be a string"
            findings.add("name.type", message, "Write the name.", record=where, field="file_name", value=name)
        elif problem:
            findings.add("image.size", *problem, record=where, field="height, width", value=size)
        elif image_id in seen:
            message = f"the id is that of images[{seen[image_id]}] too"
            remedy = "Give each image of a file its own id."
            findings.add("id.duplicate", message, remedy, record=where, field="id", value=image_id)
        else:
            seen[image_id] = i
            extra = {k: v for k, v in record.items() if k not in ("id", "file_name", "height", "width")}
            yield i, ImageRecord(image_id, name, size[0], size[1], extra)


def _refused(value: Any, index_of: Mapping[ImageId, int]) -> frozenset[ImageId]:
    """Return the ids of images that were refused: their annotations need no finding of their own."""
    records = value if isinstance(value, list) else []
    ids = [record.get("id") for record in records if isinstance(record, dict)]
    return frozenset(one for one in ids if isinstance(one, int | str) and one not in index_of)


def read_categories(value: Any, findings: Findings) -> list[Category]:
    """Read the `categories` of a COCO-like JSON; thing or stuff comes from `isthing` or `type`."""
    categories: list[Category] = []
    seen: dict[int, int] = {}
    for i, record in _objects([] if value is None else value, "categories", findings):
        where = f"categories[{i}]"
        category_id, name = record.get("id"), record.get("name")
        if not is_integer(category_id) or not isinstance(name, str):
            message = "a category needs an integer id and a name"
            remedy = "Write the id as a whole number of at most 63 bits, and the name as a string."
            findings.add("category.invalid", message, remedy, record=where, field="id, name", value=record)
            continue
        if category_id in seen:
            message = f"the id is that of categories[{seen[category_id]}] too"
            remedy = "Give each category its own id; only names may repeat."
            findings.add("id.duplicate", message, remedy, record=where, field="id", value=category_id)
            continue
        seen[category_id] = i
        if record.get("isthing") not in (None, 0, 1):
            findings.add(
                "category.isthing",
                "isthing must be 0 or 1; the category counts as neither thing nor stuff",
                "Write 1 for a thing, 0 for stuff.",
                record=where,
                field="isthing",
                value=record["isthing"],
                severity="warning",
            )
        supercategory = record.get("supercategory")
        extra = {key: v for key, v in record.items() if key not in ("id", "name", "supercategory")}
        if supercategory is not None and not isinstance(supercategory, str):
            extra["supercategory"], supercategory = supercategory, None
        categories.append(Category(category_id, name, is_thing(record), supercategory, extra))
    return categories


def is_thing(record: Mapping[str, Any]) -> bool | None:
    """Return whether a category record is a thing, from `isthing` (COCO) or `type` (EntitySeg); None if unsaid.

    >>> is_thing({"isthing": 1}), is_thing({"type": "stuff"}), is_thing({})
    (True, False, None)
    """
    if record.get("isthing") in (0, 1):
        return bool(record["isthing"])
    return {"thing": True, "stuff": False}.get(str(record.get("type")))


def _objects(value: Any, name: str, findings: Findings) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a list with their positions; what is none is a finding."""
    if not is_list(value):
        message = f"`{name}` must be a list" if value is not None else f"the file has no `{name}`"
        findings.add("json.shape", message, "Check that this is a COCO-like file.", field=name)
        return
    for i, record in enumerate(value):
        if isinstance(record, dict):
            yield i, record
        else:
            message = "the record must be an object {...}"
            findings.add("record.type", message, "Write an object.", record=f"{name}[{i}]", value=record)


def _warn_of_unknown_categories(records: Records, categories: Sequence[Category], findings: Findings) -> None:
    known = np.array([category.id for category in categories], np.int64)
    unknown = np.flatnonzero(~np.isin(records.category_ids, known))
    for row in unknown[:SHOWN_PER_KIND].tolist():
        findings.add(
            "category.unknown",
            "no category has this id",
            "Add the category to `categories`, or score without classes.",
            record=f"annotations[{records.positions[row]}]",
            field="category_id",
            value=int(records.category_ids[row]),
            severity="warning",
        )
    # A file without `categories` has as many as annotations.
    findings.count_more("category.unknown", max(len(unknown) - SHOWN_PER_KIND, 0), "warning")
