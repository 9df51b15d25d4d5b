"""Parquet: images, entities with their runs, and categories as tables; 600,000 masks open in an instant.

A folder holds `images.parquet`, `entities.parquet`, `categories.parquet` and, written last, `dataset.json`
with the format's version, the counts, the size and SHA-256 of each table and the dataset's info. The rows of
`entities.parquet` stand image by image; no row group cuts an image, so that the masks of an image come from
one row group. Pages carry checksums.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from entityseg.data.coco_write import dumps
from entityseg.data.formats.base import Format, Holds, Reading
from entityseg.data.json_file import parse_json_file
from entityseg.data.parquet_tables import (
    CATEGORIES,
    ENTITIES,
    IMAGES,
    ParquetSource,
    Table,
    open_table,
    read_column,
    read_rows,
    schemas,
)
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageId, ImageRecord
from entityseg.data.targets import folder_target, refuse_options
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Finding, Findings, MissingFileError, input_error
from entityseg.files import atomic_file, write_json
from entityseg.masks.coco import to_strings
from entityseg.masks.size import size_problem

NAME = "parquet"
MARKER = "dataset.json"
VERSION = "entityseg/parquet@1"
IMAGES_A_GROUP = 256
# A row group is what is read at once; pictures with hundreds of fine entities must not make it huge.
_BYTES_A_GROUP = 1 << 25


def readings(path: Path) -> list[Reading]:
    """Return the set that a folder is, or the sets in the folders right below it."""
    if not path.is_dir():
        path = path.parent if path.name == MARKER else path
    if _is_ours(path):
        return [Reading(NAME, path.name, path)]
    if not path.is_dir():
        return []
    return [Reading(NAME, child.name, child) for child in sorted(path.iterdir()) if _is_ours(child)]


def _is_ours(folder: Path) -> bool:
    """Whether a folder has our tables; statistics of a dataset have two of them, with other columns."""
    third = (folder / CATEGORIES).is_file() or (folder / MARKER).is_file()
    return third and (folder / ENTITIES).is_file() and (folder / IMAGES).is_file()


def read(path: Path, *, image_root: Path | None = None) -> Dataset:
    """Open a Parquet set; masks are read row group by row group, when an image is asked for.

    Raises:
        MissingFileError: a table is missing, or the set was never finished.
        InputError: a table is malformed, of another size than `dataset.json` says, or disagrees with the
            others.
    """
    folder = Path(path).parent if Path(path).name == MARKER else Path(path)
    about = _read_about(folder)
    images, counts = _read_images(open_table(folder / IMAGES, schemas()[IMAGES]))
    categories = _read_categories(open_table(folder / CATEGORIES, schemas()[CATEGORIES]))
    table = open_table(folder / ENTITIES, schemas()[ENTITIES])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    index = read_column(table, "image")
    if len(index) != offsets[-1] or not np.array_equal(index, np.repeat(np.arange(len(images)), counts)):
        message = "the rows of the entities are not those that the images' `entities` column counts"
        raise input_error("parquet.rows", message, "Convert the dataset again.", file=str(folder / ENTITIES))
    return Dataset(
        images=tuple(images),
        categories=tuple(categories),
        offsets=offsets,
        ids=read_column(table, "id"),
        category_ids=read_column(table, "category_id"),
        iscrowd=read_column(table, "iscrowd"),
        source=ParquetSource(table, offsets, [image.size for image in images]),
        file_areas=read_column(table, "area").astype(np.float64),
        info=about.get("info") or {},
        path=folder,
        image_root=image_root or _recorded_root(about, folder),
    )


def write(
    dataset: Dataset,
    path: Path,
    *,
    overwrite: bool = False,
    images_a_group: int = IMAGES_A_GROUP,
    threads: int | None = None,
    progress: Progress = no_progress,
    **unused: Any,
) -> None:
    """Write a Parquet set into a folder; `dataset.json` comes last.

    Args:
        dataset: what to write.
        path: the folder.
        overwrite: write into a folder that holds something.
        images_a_group: images whose masks are read at once.
        threads: images encoded side by side.
        progress: shows how far the images are.
        unused: options that the format does not have.

    Raises:
        UsageError: the folder is not empty, or an option is unknown.
    """
    refuse_options(unused)
    with folder_target(path, MARKER, overwrite=overwrite) as folder:
        batches = _entity_batches(dataset, images_a_group, threads, progress)
        files = {
            IMAGES: _write_table(folder / IMAGES, iter([_image_columns(dataset)])),
            CATEGORIES: _write_table(folder / CATEGORIES, iter([_category_columns(dataset)])),
            ENTITIES: _write_table(folder / ENTITIES, batches),
        }
        counts = {
            "images": len(dataset),
            "entities": dataset.n_annotations,
            "categories": len(dataset.categories),
        }
        info = orjson.loads(dumps(dict(dataset.info)))
        about: dict[str, Any] = {"format": VERSION, "counts": counts, "files": files, "info": info}
        write_json(folder / MARKER, about, indent=True)


def _read_about(folder: Path) -> dict[str, Any]:
    marker = folder / MARKER
    if not marker.is_file():
        message = "there is no dataset.json, which is written last: the set was never finished, or is none"
        remedy = "Run the conversion again."
        raise MissingFileError(Finding("parquet.unfinished", message, remedy, file=str(folder)))
    about = parse_json_file(marker)
    version = about.get("format") if isinstance(about, dict) else None
    if version != VERSION:
        message = f"this program reads {VERSION} only"
        raise input_error(
            "parquet.version", message, "Convert again.", file=str(marker), field="format", value=version
        )
    findings = Findings(str(folder))
    files = about.get("files")
    for name in (IMAGES, ENTITIES, CATEGORIES):
        entry = files.get(name) if isinstance(files, dict) else None
        want = entry.get("bytes") if isinstance(entry, dict) else None
        file = folder / name
        got = file.stat().st_size if file.is_file() else None
        if got != want or got is None:
            message = f"the table should have {want} bytes" if got is not None else "the table is missing"
            remedy = "Copy the set again, or run the conversion again."
            findings.add("parquet.size", message, remedy, file=str(file), value=got)
    findings.raise_errors()
    return dict(about)


def _recorded_root(about: Mapping[str, Any], folder: Path) -> Path | None:
    images = folder / "images"
    return images if images.is_dir() else None


def _read_images(table: Table) -> tuple[list[ImageRecord], np.ndarray[Any, Any]]:
    findings = Findings(str(table.path))
    images: list[ImageRecord] = []
    seen: set[ImageId] = set()
    for row, record in enumerate(read_rows(table)):
        written, name, extra = record["id"], record["file_name"], record["extra"]
        height, width = record["height"], record["width"]
        image_id = _parsed(written, int | str)
        more = {} if extra is None else _parsed(extra, dict)
        problem = size_problem((height, width))
        if problem:
            findings.add("image.size", *problem, record=f"row {row}", value=(height, width))
        elif image_id is None or image_id in seen:
            message = "the id must be an integer or a string in JSON, and another one for each image"
            findings.add("id.type", message, "Convert again.", record=f"row {row}", field="id", value=written)
        elif name is None or more is None:
            message = "the image has no file_name, or its `extra` is no JSON object"
            findings.add("parquet.value", message, "Convert again.", record=f"row {row}")
        else:
            seen.add(image_id)
            images.append(ImageRecord(image_id, name, height, width, more))
    counts = read_column(table, "entities")
    if (counts < 0).any():
        findings.add(
            "parquet.value", "an image has fewer than no entities", "Convert again.", field="entities"
        )
    findings.raise_errors()
    return images, counts


def _parsed(text: str | None, kind: Any) -> Any:
    """Return JSON text as a value of this kind, None if it is no such thing."""
    try:
        value = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, kind) and not isinstance(value, bool) else None


def _read_categories(table: Table) -> list[Category]:
    findings = Findings(str(table.path))
    categories = []
    for row, record in enumerate(read_rows(table)):
        extra = {} if record["extra"] is None else _parsed(record["extra"], dict)
        if record["id"] is None or record["name"] is None or extra is None:
            message = "a category needs an id, a name, and a JSON object as `extra` or none"
            findings.add("category.invalid", message, "Convert again.", record=f"row {row}", value=record)
            continue
        isthing, supercategory = record["isthing"], record["supercategory"]
        categories.append(Category(record["id"], record["name"], isthing, supercategory, extra))
    findings.raise_errors()
    return categories


def _image_columns(dataset: Dataset) -> dict[str, Any]:
    images = dataset.images
    return {
        "id": [dumps(image.id).decode() for image in images],
        "file_name": [image.file_name for image in images],
        "height": [image.height for image in images],
        "width": [image.width for image in images],
        "entities": np.diff(dataset.offsets),
        "extra": [_extra_text(image.extra) for image in images],
    }


def _category_columns(dataset: Dataset) -> dict[str, Any]:
    categories = dataset.categories
    return {
        "id": [category.id for category in categories],
        "name": [category.name for category in categories],
        "isthing": [category.isthing for category in categories],
        "supercategory": [category.supercategory for category in categories],
        "extra": [_extra_text(category.extra) for category in categories],
    }


def _extra_text(extra: Mapping[str, Any]) -> str | None:
    return dumps(dict(extra)).decode() if extra else None


def _entity_batches(
    dataset: Dataset, images_a_group: int, threads: int | None, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Yield the columns of one row group after the other."""

    def encode(index: int) -> tuple[AnnotatedImage, list[bytes]]:
        one = dataset[index]
        one.masks.areas  # noqa: B018 - measured here, side by side
        return one, to_strings(one.masks)

    group: list[tuple[int, AnnotatedImage, list[bytes]]] = []
    size = 0
    indices = progress(range(len(dataset)), len(dataset), "writing")
    for index, (one, strings) in enumerate(map_in_order(encode, indices, threads=threads)):
        group.append((index, one, strings))
        size += sum(map(len, strings))
        if len(group) >= images_a_group or size >= _BYTES_A_GROUP:
            yield _entity_columns(group)
            group, size = [], 0
    if group:
        yield _entity_columns(group)


def _entity_columns(group: list[tuple[int, AnnotatedImage, list[bytes]]]) -> dict[str, Any]:
    boxes = np.concatenate([one.masks.boxes for _, one, _ in group])
    return {
        "image": np.concatenate([np.full(len(one), index) for index, one, _ in group]),
        "id": np.concatenate([one.ids for _, one, _ in group]),
        "category_id": np.concatenate([one.category_ids for _, one, _ in group]),
        "iscrowd": np.concatenate([one.iscrowd for _, one, _ in group]),
        "area": np.concatenate([one.masks.areas for _, one, _ in group]),
        **{f"bbox_{side}": boxes[:, k] for k, side in enumerate(("x", "y", "width", "height"))},
        "counts": [string for _, _, strings in group for string in strings],
        "extra": [_extra_text(one.extra_of(row)) for _, one, _ in group for row in range(len(one))],
    }


def _write_table(path: Path, batches: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Write a table, one row group a batch; return its size in bytes and its SHA-256."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = schemas()[path.name]
    # Ids and categories compress well as dictionaries; runs, areas and boxes are all different.
    few = [name for name in ("image", "category_id", "iscrowd", "extra") if name in schema.names]
    with atomic_file(path) as file:
        with pq.ParquetWriter(
            file, schema, compression="zstd", compression_level=1, use_dictionary=few,
            write_statistics=False, write_page_checksum=True, store_schema=False,
        ) as writer:  # fmt: skip
            for columns in batches:
                arrays = [pa.array(columns[field.name], field.type) for field in schema]
                rows = len(arrays[0])
                if rows:
                    writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=rows)
        file.flush()
        with open(file.name, "rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
            size = written.tell()
    return {"bytes": size, "sha256": digest}


FORMAT = Format(
    name=NAME,
    summary="Parquet tables of images, entities with their runs, and categories",
    readings=readings,
    read=read,
    write=write,
    holds=Holds(),
    folder_only=True,
)
