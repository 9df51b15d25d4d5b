"""What a dataset format must offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from entityseg.data.records import Dataset


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a folder or file.

    Attributes:
        format: name of the format.
        split: short name that tells this reading from the others of the same folder, such as `val` or `val_lr`.
        path: the annotation file or folder to give to the format's reader.
        image_root: the folder that `file_name` starts from, if there is one.
    """

    format: str
    split: str
    path: Path
    image_root: Path | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """What a format can hold; a conversion that would lose something else is refused without `--lossy`.

    Attributes:
        overlap: masks that share pixels.
        categories: a class for each annotation.
        empty_images: images without annotations.
        holes: exact masks (holes, touching parts); polygons do not hold them.
        crowd: `iscrowd`.
        ids: annotation ids (up to `max_id` where that is not None).
        max_id: the largest annotation id.
        extras: other keys of the records.
        same_class_apart: several annotations of one category in one image.
        empty_masks: annotations without a pixel.
    """

    overlap: bool = True
    categories: bool = True
    empty_images: bool = True
    holes: bool = True
    crowd: bool = True
    ids: bool = True
    max_id: int | None = None
    extras: bool = True
    same_class_apart: bool = True
    empty_masks: bool = True


class Reader(Protocol):
    """Reads an annotation file or folder."""

    def __call__(self, path: Path, *, image_root: Path | None = None) -> Dataset:
        """Read `path` as a dataset; raises `InputError` with all findings."""
        ...


class Writer(Protocol):
    """Writes a dataset."""

    def __call__(self, dataset: Dataset, path: Path, **options: Any) -> None:
        """Write `dataset` to `path`, whole or not at all; options are the format's own."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """A dataset format.

    Attributes:
        name: as `--from` and `--to` know it.
        summary: one line for `--help`.
        readings: finds the ways to read a folder or file in this format; empty if it is none of its kind.
        read: reads one of them.
        write: writes a dataset, None if the format is only read.
        holds: what a written dataset can hold.
        folder_only: whether it is written as a folder, never as a `.json` file.
    """

    name: str
    summary: str
    readings: Callable[[Path], list[Reading]]
    read: Reader
    write: Writer | None
    holds: Holds
    folder_only: bool = False
