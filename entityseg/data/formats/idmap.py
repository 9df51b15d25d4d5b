"""Id maps: a PNG for each image whose pixel k belongs to entity k of that image, and one `index.json`.

A PNG is 16-bit grey, or RGB (k = R + 256 G + 65,536 B) in an image of more than 65,535 entities; 0 is no
entity. The index lists each image with its map and its entities: `value` is the pixel's, `id` the
annotation's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.coco_json import iter_images, read_categories
from entityseg.data.coco_write import category_json, dumps, image_json, with_extra, write_list
from entityseg.data.columns import GrowingColumns
from entityseg.data.formats import _png_files as png
from entityseg.data.formats._png_source import PngSource
from entityseg.data.formats.base import Format, Holds, Reading
from entityseg.data.json_file import is_integer, require_type
from entityseg.data.json_lists import parse_lists
from entityseg.data.peek import json_files
from entityseg.data.records import AnnotatedImage, Dataset
from entityseg.data.targets import folder_target, refuse_options
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Findings, input_error
from entityseg.files import atomic_file

NAME = "idmap"
FILE_NAME = "index.json"
FOLDER_NAME = "maps"
VERSION = "idmap@1"
_MARKER = b'"entityseg-idmap"'
_KEY = "entityseg-idmap"
_MAX_VALUE = 2**24 - 1
_ENTITY_KEYS = frozenset({"value", "id", "category_id", "area", "iscrowd"})
_IMAGE_KEYS = frozenset({"map", "entities"})
# Key under which a record keeps other keys of its source that are called like ours.
_NAMESAKES = "entityseg-others"
_LISTS = ("images", "categories", _KEY)


def readings(path: Path) -> list[Reading]:
    """List the id map sets in a folder (two levels deep), or the index itself; told by its marker."""
    files = json_files(path) if path.is_dir() else [path]
    found = [file for file in files if _is_index(file)]
    return [
        Reading(NAME, file.resolve().parent.name if file.name == FILE_NAME else file.stem, file)
        for file in found
    ]


def _is_index(file: Path) -> bool:
    with open(file, "rb") as opened:
        return _MARKER in opened.read(4096)


def read(path: Path, *, image_root: Path | None = None, png_root: Path | None = None) -> Dataset:
    """Read a set of id maps from its folder or its index.

    Raises:
        MissingFileError: there is no index, or no folder with its maps.
        InputError: a record of the index is wrong; all problems are listed. Maps are checked when an image is
            asked for, all of them by `entityseg.load`.
    """
    path = Path(path)
    file = path / FILE_NAME if path.is_dir() else path
    top = require_type(parse_lists(file, ("images",)), dict, "the file", str(file))
    marker = top.get(_KEY)
    if not isinstance(marker, dict) or marker.get("format") != VERSION:
        message, remedy = (
            f"this is no index of id maps ({VERSION})",
            "Give the `index.json` of a set of id maps.",
        )
        raise input_error("idmap.version", message, remedy, file=str(file), field=_KEY, value=marker)
    findings = Findings(str(file))
    categories = read_categories(top.get("categories"), findings)
    findings.raise_errors()
    known = {category.id for category in categories}
    rows = GrowingColumns(np.int64, np.int64, np.int64, bool, np.float64)
    images, counts, kept = [], [], []
    names: list[Any] = []
    for i, image in iter_images(top.get("images"), findings):
        reader = _Entities(f"images[{i}]", known, findings)
        found, extras = reader.read(image.extra.get("entities"))
        name = image.extra.get("map")
        if not isinstance(name, str) or png.unsafe(name):
            png.add_unsafe(findings, name, f"images[{i}].map")
        rows.extend(found)
        counts.append(len(found))
        kept.append(extras if any(extras) else ())
        names.append(name)
        images.append(replace(image, extra=_others(image.extra, _IMAGE_KEYS)))
    findings.raise_errors()

    folders = [file.parent / FOLDER_NAME, file.parent] if png_root is None else [Path(png_root)]
    root = png.find_root(folders, names)
    if root is None and names:
        raise png.missing_folder("index", file, folders)
    offsets = np.cumsum([0, *counts], dtype=np.int64)
    columns: list[Any] = rows.arrays()
    values, ids, category_ids, iscrowd, areas = columns
    source = PngSource(
        json=str(file),
        list_name="entities",
        root=root or folders[0],
        images=tuple(images),
        names=names,
        records=[f"images[{i}]" for i in range(len(images))],
        offsets=offsets,
        values=values,
        kept=kept,
        empty=areas == 0,
    )
    return Dataset(
        images=tuple(images),
        categories=tuple(categories),
        offsets=offsets,
        ids=ids,
        category_ids=category_ids,
        iscrowd=iscrowd,
        source=source,
        file_areas=areas,
        info={key: value for key, value in top.items() if key not in _LISTS},
        path=file,
        image_root=image_root or png.image_folder(file, file.parent.name, [one.file_name for one in images]),
        warnings=findings,
    )


class _Entities:
    """Reads the entities of an image's record."""

    def __init__(self, place: str, known: set[int], findings: Findings) -> None:
        self.place = place
        self.known = known
        self.findings = findings

    def read(self, value: Any) -> tuple[list[tuple[int, int, int, bool, float]], Sequence[Mapping[str, Any]]]:
        """Return value, id, category, crowd and area of each entity, and its other keys."""
        if not isinstance(value, list):
            message, remedy = "`entities` must be a list", "Write a list, empty if the image has none."
            self.findings.add("json.shape", message, remedy, record=self.place, field="entities")
            return [], ()
        rows, extras = [], []
        seen: set[int] = set()
        for k, record in enumerate(value):
            row = self._entity(record, f"{self.place}.entities[{k}]", seen)
            if row is not None:
                rows.append(row)
                extras.append(_others(record, _ENTITY_KEYS))
        return rows, extras

    def _entity(self, record: Any, place: str, seen: set[int]) -> tuple[int, int, int, bool, float] | None:
        before = self.findings.errors
        if not isinstance(record, dict):
            message, remedy = "the entity must be an object {...}", "Write value, id, category_id and area."
            self.findings.add("record.type", message, remedy, record=place, value=record)
            return None
        for key in ("value", "id", "category_id"):
            number = record.get(key)
            if not is_integer(number):
                message = f"{key} must be an integer"
                self.findings.add("id.type", message, "Write it.", record=place, field=key, value=number)
        if self.findings.errors > before:
            return None
        value, category_id = record["value"], record["category_id"]
        if not 1 <= value <= _MAX_VALUE or value in seen:
            message = "value must be in 1 to 2^24 - 1 and unlike those of the image's other entities"
            remedy = "Give each entity the value of its pixels in the map."
            self.findings.add("idmap.value", message, remedy, record=place, field="value", value=value)
        seen.add(value)
        if category_id not in self.known:
            message, remedy = "no category has this id", "Add the category to `categories`."
            where = {"record": place, "field": "category_id", "value": category_id}
            self.findings.add("category.unknown", message, remedy, **where)
        crowd = record.get("iscrowd", 0)
        if crowd not in (0, 1) or isinstance(crowd, float):
            message = "iscrowd must be 0 or 1"
            self.findings.add(
                "iscrowd.value", message, "Write 0 or 1.", record=place, field="iscrowd", value=crowd
            )
        if self.findings.errors > before:
            return None
        area: Any = record.get("area")
        is_area = isinstance(area, int | float) and not isinstance(area, bool) and abs(area) < 2**53
        return value, record["id"], category_id, bool(crowd), float(area) if is_area else math.nan


def write(
    dataset: Dataset,
    path: Path,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
    **unused: Any,
) -> None:
    """Write a folder with `maps/*.png` and, last, `index.json`.

    Args:
        dataset: what to write; the masks of an image must not overlap.
        path: the folder.
        overwrite: replace what is there.
        threads: images written side by side.
        progress: shows how far the images are.
        unused: options that the format does not have.

    Raises:
        UsageError: the folder is there and is not empty, or an option is unknown.
        InputError: masks overlap.
    """
    refuse_options(unused)
    png.require_known_categories(dataset)
    names = png.written_names(dataset.images)
    with folder_target(path, FILE_NAME, overwrite=overwrite) as folder:

        def one_image(index: int) -> bytes:
            return _write_image(dataset[index], folder / FOLDER_NAME, names[index])

        (folder / FOLDER_NAME).mkdir(parents=True, exist_ok=True)
        indices = progress(range(len(dataset)), len(dataset), "writing")
        lines = list(map_in_order(one_image, indices, threads=threads))
        with atomic_file(folder / FILE_NAME) as out:
            out.write(b"{" + dumps(_KEY) + b":" + dumps({"format": VERSION}) + b",\n")
            for key, value in dataset.info.items():
                out.write(dumps(key) + b":" + dumps(value) + b",\n" if key not in _LISTS else b"")
            write_list(out, "images", ([line] for line in lines))
            out.write(b",\n")
            write_list(
                out, "categories", ([dumps(category_json(one, "isthing"))] for one in dataset.categories)
            )
            out.write(b"}\n")


def _write_image(one: AnnotatedImage, folder: Path, name: str) -> bytes:
    """Write the map of an image and return its record."""
    from entityseg.masks import to_id_png

    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    to_id_png(folder / name, one.masks)
    entities = []
    columns = zip(
        one.ids.tolist(),
        one.category_ids.tolist(),
        one.masks.areas.tolist(),
        one.iscrowd.tolist(),
        strict=True,
    )
    for row, (annotation_id, category_id, area, crowd) in enumerate(columns):
        entity = {"value": row + 1, "id": annotation_id, "category_id": category_id, "area": area}
        extra = one.extra_of(row)
        entities.append(
            with_extra({**entity, "iscrowd": int(crowd), **_namesakes(extra, _ENTITY_KEYS)}, extra)
        )
    record = {**image_json(one.image), **_namesakes(one.image.extra, _IMAGE_KEYS)}
    return dumps({**record, "map": name, "entities": entities})


def _namesakes(extra: Mapping[str, Any], ours: frozenset[str]) -> dict[str, Any]:
    found = {key: value for key, value in extra.items() if key in ours}
    return {_NAMESAKES: found} if found else {}


def _others(record: Mapping[str, Any], ours: frozenset[str]) -> dict[str, Any]:
    """Return the keys of a record that came from its source."""
    others = {key: value for key, value in record.items() if key not in ours}
    kept = others.get(_NAMESAKES)
    return {**others.pop(_NAMESAKES), **others} if isinstance(kept, dict) else others


FORMAT = Format(
    name=NAME,
    summary="a PNG of entity numbers for each image and one index.json",
    readings=readings,
    read=read,
    write=write,
    holds=Holds(overlap=False),
    folder_only=True,
)
