"""Our own JSON: COCO's layout, so that pycocotools reads it too; compressed RLE only; loses nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from entityseg.data.coco_json import read_coco
from entityseg.data.coco_write import write_coco
from entityseg.data.formats.base import Format, Holds, Reading
from entityseg.data.formats.coco_instances import FILE_NAME, image_folder
from entityseg.data.peek import json_files, peek
from entityseg.data.records import Dataset
from entityseg.data.targets import json_target
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import input_error
from entityseg.files import atomic_file

NAME = "entity"
KEY = "entityseg"
VERSION = "entity@1"


def readings(path: Path) -> list[Reading]:
    """List the entity files in a folder (two levels deep), or the file itself; told by their marker."""
    top = path if path.is_dir() else path.parent
    files = json_files(path) if path.is_dir() else [path]
    return [
        Reading(NAME, file.stem, file, image_folder(file, top)) for file in files if peek(file) == "entity"
    ]


def read(path: Path, *, image_root: Path | None = None) -> Dataset:
    """Read an entity JSON, or the `annotations.json` of a folder.

    A COCO instances file without our marker is read as well.

    Raises:
        InputError: the file is malformed (see `read_coco`), or its version is not known.
    """
    path = Path(path)
    file = path / FILE_NAME if path.is_dir() else path
    dataset = read_coco(file, image_root=image_root or image_folder(file, file.parent))
    marker = dataset.info.get(KEY)
    version = marker.get("format") if isinstance(marker, dict) else marker
    if marker is not None and version != VERSION:
        message, remedy = f"this program reads {VERSION} only", "Update entityseg, or write the file again."
        raise input_error("entity.version", message, remedy, file=str(file), field=KEY, value=version)
    return replace(dataset, info={key: value for key, value in dataset.info.items() if key != KEY})


def write(
    dataset: Dataset,
    path: Path,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
    **unused: Any,
) -> None:
    """Write an entity JSON to a `.json` file, or as `annotations.json` into a folder.

    Raises:
        UsageError: the file is there already, or an option is unknown.
    """
    file = json_target(path, FILE_NAME, overwrite=overwrite, unused=unused)
    with atomic_file(file) as out:
        write_coco(dataset, out, head={KEY: {"format": VERSION}}, threads=threads, progress=progress)


FORMAT = Format(
    name=NAME,
    summary="our own JSON: COCO's layout with compressed RLE, loses nothing",
    readings=readings,
    read=read,
    write=write,
    holds=Holds(),
)
