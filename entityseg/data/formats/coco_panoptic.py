"""COCO panoptic: a JSON with each image's segments, and PNGs whose pixels R + 256 G + 65,536 B are their ids.

The EntitySeg release keeps to it but for `file_name`, which names the image instead of the PNG. Reading keeps
void as unlabelled pixels and crowd segments as `iscrowd`; masks are read from an image's PNG when they are
asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.coco_json import read_categories, read_images
from entityseg.data.coco_write import category_json, dumps, image_json, with_extra, write_list
from entityseg.data.formats import _png_files as png
from entityseg.data.formats._panoptic_records import MAX_ID, read_segments
from entityseg.data.formats._png_source import PngSource
from entityseg.data.formats.base import Format, Holds, Reading
from entityseg.data.json_file import require_type
from entityseg.data.json_lists import parse_lists
from entityseg.data.peek import json_files, peek
from entityseg.data.records import AnnotatedImage, Dataset, ImageRecord
from entityseg.data.targets import refuse_options
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Findings, input_error, usage_error
from entityseg.files import atomic_file
from entityseg.masks.runlengths import Int64Array

NAME = "coco-panoptic"
FILE_NAME = "panoptic.json"
FOLDER_NAME = "panoptic"
# Key of an image's record under which what is special in its record of `annotations` is kept for writing.
KEPT = "panoptic_annotation"
_LISTS = ("images", "annotations", "categories")


def readings(path: Path) -> list[Reading]:
    """List the panoptic JSON files in a folder (two levels deep), or the file itself, by their content."""
    files = json_files(path) if path.is_dir() else [path]
    return [Reading(NAME, split_name(file), file) for file in files if peek(file) == "panoptic"]


def split_name(file: Path) -> str:
    """Return a file's short name.

    >>> split_name(Path("panoptic_val2017.json")), split_name(Path("entityv2_01_panoptic_val.json"))
    ('val2017', 'val')
    """
    return re.sub(r"^.*(panoptic|panseg)_(?=.)", "", file.stem)


def png_folders(file: Path) -> list[Path]:
    """Return the folders where the PNGs of a JSON may lie, the customary one first."""
    split = split_name(file)
    words = (
        file.stem,
        f"panoptic_maps_{split}",
        f"entityseg_panseg_maps_{split}",
        f"panoptic_{split}",
        "panoptic",
    )
    folders = [file.parent / word for word in words]
    folders += [file.parent / f"entityseg_panseg_maps_{split}" / f"panoptic_maps_{split}"]
    return [*folders, file.parent, *(file.parent.parent / word for word in words)]


def read(path: Path, *, image_root: Path | None = None, png_root: Path | None = None) -> Dataset:
    """Read a panoptic JSON (or the `panoptic.json` of a folder) with its folder of PNGs.

    Args:
        path: the JSON or the folder.
        image_root: folder of the images.
        png_root: folder of the PNGs; by default the folder of the JSON's name beside it, or
            `panoptic_maps_*`.

    Raises:
        MissingFileError: there is no such file, or no folder with its PNGs.
        InputError: a record of the JSON is wrong; all problems are listed. PNGs are checked when an image is
            asked for, all of them by `entityseg.load`.
    """
    path = Path(path)
    file = path / FILE_NAME if path.is_dir() else path
    top = require_type(parse_lists(file, ("images", "annotations")), dict, "the file", str(file))
    findings = Findings(str(file))
    images = read_images(top.get("images"), findings)
    categories = read_categories(top.get("categories"), findings)
    segments = read_segments(top.get("annotations"), images, categories, findings)
    findings.raise_errors()

    names = [name for name in segments.names if name is not None]
    folders = png_folders(file) if png_root is None else [Path(png_root)]
    root = png.find_root(folders, names)
    if root is None and names:
        raise png.missing_folder("panoptic JSON", file, folders)
    source = PngSource(
        json=str(file),
        list_name="segments_info",
        root=root or folders[0],
        images=tuple(images),
        names=segments.names,
        records=segments.records,
        offsets=segments.offsets,
        values=segments.ids,
        kept=segments.extras,
    )
    return Dataset(
        images=_with_kept(images, segments.names, segments.others),
        categories=tuple(categories),
        offsets=segments.offsets,
        ids=segments.ids,
        category_ids=segments.category_ids,
        iscrowd=segments.iscrowd,
        source=source,
        file_areas=segments.areas,
        info={key: value for key, value in top.items() if key not in _LISTS},
        path=file,
        image_root=image_root or png.image_folder(file, split_name(file), [one.file_name for one in images]),
        warnings=findings,
    )


def _with_kept(
    images: Sequence[ImageRecord], names: Sequence[str | None], others: Sequence[Mapping[str, Any]]
) -> tuple[ImageRecord, ...]:
    """Return the images with what their records of `annotations` have beside what we would write."""
    usual = _written_names(images)
    result = []
    for image, name, other, would in zip(images, names, others, usual, strict=True):
        own = name is not None and name != would and name.lower().endswith(".png")
        kept = {**({"file_name": name} if own else {}), **other}
        extra = {**image.extra, KEPT: kept} if kept else image.extra
        result.append(ImageRecord(image.id, image.file_name, image.height, image.width, extra))
    return tuple(result)


def _kept(image: ImageRecord) -> dict[str, Any]:
    kept = image.extra.get(KEPT)
    return dict(kept) if isinstance(kept, Mapping) else {}


def _written_names(images: Sequence[ImageRecord]) -> list[str]:
    """Return the PNG names to write: those that were read, else made from the images' names."""
    stated = [_kept(image).get("file_name") for image in images]
    return png.written_names(
        [
            ImageRecord(0, name if isinstance(name, str) else image.file_name, 1, 1)
            for image, name in zip(images, stated, strict=True)
        ]
    )


def write(
    dataset: Dataset,
    path: Path,
    *,
    renumber: bool = False,
    isthing: bool = True,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
    **unused: Any,
) -> None:
    """Write panoptic PNGs and then their JSON, with `area` and `bbox` recomputed and other keys kept.

    Args:
        dataset: what to write; the masks of an image must not overlap.
        path: a `.json` file, whose PNGs go into the folder of its name beside it; or a folder.
        renumber: number the segments of each image from 1 and keep their ids as `original_id`.
        isthing: give each category `isthing` 0 or 1, as COCO's tools want it; 1 where it is not known.
        overwrite: replace what is there.
        threads: images written side by side.
        progress: shows how far the images are.
        unused: options that the format does not have.

    Raises:
        UsageError: the target is there already, or ids are not unique in their image or not in 1 to 2^24 - 1.
        InputError: masks overlap or are empty.
    """
    refuse_options(unused)
    if not renumber:
        _refuse_ids(dataset)
    png.require_known_categories(dataset)
    names = _written_names(dataset.images)

    def write_pngs(folder: Path) -> list[bytes]:
        folder.mkdir(parents=True, exist_ok=True)

        def one_image(index: int) -> bytes:
            return _write_image(dataset[index], folder, names[index], renumber)

        indices = progress(range(len(dataset)), len(dataset), "writing")
        return list(map_in_order(one_image, indices, threads=threads))

    def write_json(file: Path, lines: list[bytes]) -> None:
        images = [_without_kept(image) for image in dataset.images]
        categories = [category_json(category, "isthing") for category in dataset.categories]
        if isthing:
            for record, category in zip(categories, dataset.categories, strict=True):
                record["isthing"] = int(category.isthing is not False)
        with atomic_file(file) as out:
            out.write(b"{")
            for key, value in dataset.info.items():
                out.write(dumps(key) + b":" + dumps(value) + b",\n" if key not in _LISTS else b"")
            write_list(out, "images", ([dumps(image_json(image))] for image in images))
            out.write(b",\n")
            write_list(out, "annotations", ([line] for line in lines))
            out.write(b",\n")
            write_list(out, "categories", ([dumps(record)] for record in categories))
            out.write(b"}\n")

    png.write_set(Path(path), FILE_NAME, FOLDER_NAME, write_pngs, write_json, overwrite=overwrite)


def _without_kept(image: ImageRecord) -> ImageRecord:
    extra = {key: value for key, value in image.extra.items() if key != KEPT}
    return ImageRecord(image.id, image.file_name, image.height, image.width, extra)


def bad_ids(dataset: Dataset) -> Int64Array:
    """Return the rows whose id cannot be a segment's: not in 1 to 2^24 - 1, or seen before in the image."""
    index = np.repeat(np.arange(len(dataset)), np.diff(dataset.offsets))
    order = np.lexsort((dataset.ids, index))
    again = np.zeros(len(index), bool)
    same = (np.diff(index[order]) == 0) & (np.diff(dataset.ids[order]) == 0)
    again[order[1:][same]] = True
    return np.flatnonzero(again | (dataset.ids < 1) | (dataset.ids > MAX_ID))


def _refuse_ids(dataset: Dataset) -> None:
    rows = bad_ids(dataset)
    if len(rows):
        image = dataset.images[int(np.searchsorted(dataset.offsets, rows[0], side="right")) - 1]
        message = (
            f"{len(rows)} ids repeat in their image or are not in 1 to 2^24 - 1, as pixels of a PNG must be"
        )
        remedy = "Number the segments of each image anew (`renumber`); ids are then kept as `original_id`."
        where = f"image {image.id}"
        raise usage_error(
            "panoptic.id", message, remedy, record=where, field="id", value=int(dataset.ids[rows[0]])
        )


def _write_image(one: AnnotatedImage, folder: Path, name: str, renumber: bool) -> bytes:
    """Write the PNG of an image and return its record."""
    from entityseg.masks import to_panoptic_png

    ids = np.arange(1, len(one) + 1, dtype=np.int64) if renumber else one.ids
    empty = np.flatnonzero(one.masks.areas == 0)
    if len(empty):
        message, remedy = (
            "an empty mask cannot be a segment",
            "Leave it out (`--lossy`), or use another format.",
        )
        place = f"image {one.image.id}, annotation {one.ids[empty[0]]}"
        raise input_error("mask.empty", message, remedy, record=place)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    to_panoptic_png(folder / name, one.masks, ids)
    segments = []
    columns = zip(
        ids.tolist(), one.category_ids.tolist(), one.masks.areas.tolist(), one.masks.boxes.tolist(),
        one.iscrowd.tolist(), strict=True,
    )  # fmt: skip
    for row, (segment_id, category_id, area, box, crowd) in enumerate(columns):
        segment = {
            "id": segment_id,
            "category_id": category_id,
            "area": area,
            "bbox": box,
            "iscrowd": int(crowd),
        }
        if renumber:
            segment["original_id"] = int(one.ids[row])
        segments.append(with_extra(segment, one.extra_of(row)))
    record = {"image_id": one.image.id, "file_name": name, "segments_info": segments}
    return dumps(with_extra(record, _kept(one.image)))


FORMAT = Format(
    name=NAME,
    summary="COCO panoptic: a JSON and a PNG an image, one segment a pixel",
    readings=readings,
    read=read,
    write=write,
    holds=Holds(overlap=False, max_id=MAX_ID, empty_masks=False),
)
