"""COCO instances: one JSON with `images`, `annotations` (RLE or polygons) and `categories`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from entityseg.data.coco_json import read_coco
from entityseg.data.coco_write import Encoding, write_coco
from entityseg.data.formats.base import Format, Holds, Reading
from entityseg.data.peek import json_files, peek
from entityseg.data.records import Dataset
from entityseg.data.targets import json_target
from entityseg.data.threads import Progress, no_progress
from entityseg.files import atomic_file

NAME = "coco-instances"
FILE_NAME = "annotations.json"


def readings(path: Path) -> list[Reading]:
    """List the instance files in a folder (two levels deep), or the file itself; their content decides."""
    top = path if path.is_dir() else path.parent
    files = json_files(path) if path.is_dir() else [path]
    return [
        Reading(NAME, split_name(file), file, image_folder(file, top))
        for file in files
        if peek(file) == "instances"
    ]


def read(path: Path, *, image_root: Path | None = None) -> Dataset:
    """Read COCO instances from a JSON file, or from the `annotations.json` of a folder; see `read_coco`."""
    path = Path(path)
    file = path / FILE_NAME if path.is_dir() else path
    return read_coco(file, image_root=image_root or image_folder(file, file.parent))


def write(
    dataset: Dataset,
    path: Path,
    *,
    encoding: Encoding = "rle",
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
    **unused: Any,
) -> None:
    """Write COCO instances to a `.json` file, or as `annotations.json` into a folder.

    Args:
        dataset: what to write.
        path: file (ends in `.json`) or folder.
        encoding: `rle` (default), `counts` (lists of run lengths, which every COCO tool reads) or `polygons`
            (holes are lost).
        overwrite: replace a file that is there.
        threads: images encoded side by side.
        progress: shows how far the images are.
        unused: options that the format does not have.

    Raises:
        UsageError: the file is there already, or an option is unknown.
    """
    file = json_target(path, FILE_NAME, overwrite=overwrite, unused=unused)
    with atomic_file(file) as out:
        write_coco(dataset, out, encoding=encoding, threads=threads, progress=progress)


def holds_of(encoding: Encoding) -> Holds:
    """Return what a file of this encoding can hold: polygons know no holes."""
    return replace(FORMAT.holds, holes=encoding != "polygons")


def split_name(file: Path) -> str:
    """Return a file's short name.

    >>> split_name(Path("annotations/instances_val2017.json"))
    'val2017'
    """
    return file.stem.removeprefix("instances_") or file.stem


def image_folder(file: Path, top: Path) -> Path | None:
    """Return where the images of a file most likely lie: COCO's own layout, `images`, or beside the file."""
    split = split_name(file)
    for base in (file.parent, file.parent.parent, top):
        for name in (split, f"images/{split}", "images"):
            if (base / name).is_dir():
                return base / name
    return file.parent


FORMAT = Format(
    name=NAME,
    summary="COCO instances: one JSON, masks as RLE, counts or polygons",
    readings=readings,
    read=read,
    write=write,
    holds=Holds(),
)
