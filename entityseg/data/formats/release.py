"""The EntitySeg release, under both of its naming schemes (see `layout.py`), high and low resolution.

All parts read as they are: entity and instance files as COCO JSON, panoptic files with their maps, semantic
list files with theirs. Ids are unique within one file only, and categories are told apart by id, because
names repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from entityseg.data.coco_json import read_coco
from entityseg.data.coco_write import dumps, image_json, with_extra, write_coco, write_list
from entityseg.data.formats.base import Format, Holds, Reading
from entityseg.data.layout import PARTS, FoundPart, Part, Scheme, find_part, find_parts
from entityseg.data.peek import peek
from entityseg.data.records import AnnotatedImage, Dataset
from entityseg.data.targets import folder_target, json_target, refuse_options
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import input_error, usage_error
from entityseg.files import atomic_file

NAME = "entityseg-release"
SCHEMES: tuple[Scheme, ...] = ("entityv2", "entityseg")


def readings(path: Path) -> list[Reading]:
    """List the release's files in a folder (four levels deep), or the file itself; told by their names."""
    found = find_parts(path) if path.is_dir() else [find_part(path)]
    return [Reading(NAME, one.part.split, one.path, one.image_root) for one in found if one]


def read(path: Path, *, image_root: Path | None = None) -> Dataset:
    """Read one annotation file of the release; a file of another name is read by its content.

    Raises:
        MissingFileError: there is no such file, or a panoptic or semantic file has no folder of maps.
        InputError: the file is malformed; all problems are listed.
    """
    path = Path(path)
    if path.is_dir():
        message, remedy = "this is a folder", "Give one of its annotation files, or load it with `split`."
        raise input_error("file.folder", message, remedy, file=str(path))
    found = find_part(path)
    root = image_root or (found.image_root if found else None)
    if found is None or found.part.kind in ("entity", "instances"):
        if found is None and path.is_file() and peek(path) == "panoptic":
            from entityseg.data.formats import coco_panoptic

            return coco_panoptic.read(path, image_root=root)
        return read_coco(path, image_root=root)
    return _read_with_maps(found, root)


def _read_with_maps(found: FoundPart, root: Path | None) -> Dataset:
    if found.part.kind == "panoptic":
        from entityseg.data.formats import coco_panoptic

        return coco_panoptic.read(found.path, image_root=root, png_root=found.maps)
    from entityseg.data.formats import semantic

    return semantic.read(found.path, image_root=root, png_root=found.maps)


def write(
    dataset: Dataset,
    path: Path,
    *,
    split: str = "train",
    scheme: Scheme = "entityv2",
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
    **unused: Any,
) -> None:
    """Write a dataset as one part of the release: `annotations/entity_segmentation/<name>` below a folder.

    Args:
        dataset: what to write.
        path: the folder of the release, or a `.json` file.
        split: the part: `train`, `val`, `train_01`, `val_lr`, `instance_val`, `panoptic_train`, ...
        scheme: `entityv2` (DATA.md and the code) or `entityseg` (the assets of release v1.0).
        overwrite: replace the file that is there; other files of the folder stay as they are.
        threads: images encoded side by side.
        progress: shows how far the images are.
        unused: options that the format does not have.

    Raises:
        UsageError: no such part or scheme, a part this writer does not write, or the file is there already.
        InputError: masks overlap or ids are no pixel values (panoptic parts).
    """
    refuse_options(unused)
    part = part_named(split, scheme)
    path = Path(path)
    place = path if path.suffix.lower() == ".json" else path / part_path(part, scheme)
    if part.kind == "semantic":
        message = "semantic maps are written by their own format"
        raise usage_error("release.semantic", message, "Convert with `--to semantic`.", value=split)
    file = json_target(place, place.name, overwrite=overwrite)
    if part.kind == "panoptic":
        write_panoptic_part(
            dataset, file, file.parent / part.maps[0], overwrite=overwrite, threads=threads, progress=progress
        )
        return
    with atomic_file(file) as out:
        write_coco(dataset, out, thing_key="type", threads=threads, progress=progress)


def write_tree(
    datasets: Mapping[str, Dataset], path: Path, *, scheme: Scheme = "entityv2", **options: Any
) -> None:
    """Write several datasets as parts of one release; the keys are splits, `options` as for `write`."""
    for split in datasets:
        part_named(split, scheme)
    for split, dataset in datasets.items():
        write(dataset, path, split=split, scheme=scheme, **options)


def part_named(split: str, scheme: Scheme = "entityv2") -> Part:
    """Return a part of the release by the name of its reading.

    Raises:
        UsageError: there is no such part or scheme.
    """
    if scheme not in SCHEMES:
        remedy = f"Use one of {', '.join(SCHEMES)}."
        raise usage_error("release.scheme", "there is no such naming scheme", remedy, value=scheme)
    if split not in PARTS:
        remedy = f"Use one of {', '.join(PARTS)}."
        raise usage_error("release.split", "the release has no such part", remedy, value=split)
    return PARTS[split]


def part_path(part: Part, scheme: Scheme) -> Path:
    """Return where a part lies below the folder of the release.

    >>> part_path(PARTS["val"], "entityseg").as_posix()
    'annotations/entity_segmentation/entityseg_val.json'
    """
    return Path("annotations") / part.folder / part.name(scheme)


def write_panoptic_part(
    dataset: Dataset,
    file: Path,
    folder: Path,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write panoptic maps, and then their JSON, whose `file_name` is the image's, as the release has it.

    The release's code finds the PNG by cutting `file_name` at its first dot; so does the name written here.

    Raises:
        UsageError: the folder is there already and is not empty.
        InputError: two images would share a PNG, masks overlap, or an id is not in 1 to 2^24 - 1.
    """
    names = [png_name(image.file_name) for image in dataset.images]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        message = "two images would have the same PNG: the release cuts `file_name` at its first dot"
        raise input_error("panoptic.name", message, "Rename the images, or use `coco-panoptic`.", value=twice)
    file.unlink(missing_ok=True)
    with folder_target(folder, file.name, overwrite=overwrite) as target:

        def one_image(index: int) -> list[bytes]:
            return [_panoptic_record(dataset[index], target / names[index])]

        indices = progress(range(len(dataset)), len(dataset), "writing")
        lines = list(map_in_order(one_image, indices, threads=threads))
    write_panoptic_json(dataset, file, lines)


def write_panoptic_json(dataset: Dataset, file: Path, lines: list[list[bytes]]) -> None:
    """Write the JSON of a panoptic part; `lines` are the records of its `annotations`."""
    categories = [
        _panoptic_category(category.id, category.name, category.isthing) for category in dataset.categories
    ]
    records = (
        [dumps(with_extra({**record, "supercategory": category.supercategory or ""}, category.extra))]
        for record, category in zip(categories, dataset.categories, strict=True)
    )
    with atomic_file(file) as out:
        out.write(b"{")
        for key, value in dataset.info.items():
            out.write(dumps(key) + b":" + dumps(value) + b",\n")
        write_list(out, "images", ([dumps(image_json(image))] for image in dataset.images))
        out.write(b",\n")
        write_list(out, "annotations", iter(lines))
        out.write(b",\n")
        write_list(out, "categories", records)
        out.write(b"}\n")


def _panoptic_category(category_id: int, name: str, isthing: bool | None) -> dict[str, Any]:
    return {"id": category_id, "name": name, "isthing": int(isthing is not False)}


def png_name(file_name: str) -> str:
    """Return the name of an image's panoptic PNG as the release's code makes it.

    >>> png_name("entity_01_11580/a.b.jpg")
    'a.png'
    """
    return file_name.rpartition("/")[2].split(".")[0] + ".png"


def _panoptic_record(one: AnnotatedImage, png: Path) -> bytes:
    from entityseg.masks import to_panoptic_png

    to_panoptic_png(png, one.masks, one.ids)
    return panoptic_line(one)


def panoptic_line(one: AnnotatedImage) -> bytes:
    """Return an image's record in the `annotations` of a panoptic part."""
    columns = zip(
        one.ids.tolist(), one.category_ids.tolist(), one.masks.areas.tolist(), one.masks.boxes.tolist(),
        one.iscrowd.tolist(), strict=True,
    )  # fmt: skip
    segments = [
        with_extra(
            {"id": segment_id, "category_id": category_id, "area": area, "bbox": box, "iscrowd": int(crowd)},
            one.extra_of(row),
        )
        for row, (segment_id, category_id, area, box, crowd) in enumerate(columns)
    ]
    return dumps({"image_id": one.image.id, "file_name": one.image.file_name, "segments_info": segments})


FORMAT = Format(
    name=NAME,
    summary="the EntitySeg release, under both naming schemes",
    readings=readings,
    read=read,
    write=write,
    holds=Holds(),
)
