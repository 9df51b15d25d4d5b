"""The licence of a dataset's source, found beside it and carried into what is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from entityseg.data.images import EXTENSIONS, extension
from entityseg.data.records import Dataset

FILE_NAME = "LICENSE-SOURCE.txt"
_NAMES = ("license", "licence", "copying")
_MOST_BYTES = 1 << 20
# Folders of a dataset's tree; a licence above others than these belongs to something else.
_INNER = frozenset(
    {
        "annotations", "entity_segmentation", "instance_segmentation", "panoptic_segmentation",
        "semantic_segmentation", "panoptic",
    }
)  # fmt: skip
ENTITYSEG_NOTE = """\
This dataset was converted from EntitySeg, whose source had no licence file beside it.

Annotations: Adobe Research License (see the repository adobe-research/EntitySeg-Dataset). Non-commercial
research and teaching only; whoever gets a copy, converted ones included, must get a copy of that licence with
it.

Images: the authors of EntitySeg do not own their copyright. The rights stay with each image's owner; its
source is named in `url.json` of the release, and following that source's licence is the user's
responsibility.
"""


@dataclass(frozen=True, slots=True)
class Licence:
    """The text that a converted set must carry.

    Attributes:
        text: as it was found.
        origin: `file` if it lay beside the source, `note` if we wrote it.
        name: name of the file it came from.
    """

    text: bytes
    origin: Literal["file", "note"]
    name: str | None = None


def find_licence(dataset: Dataset, *, entityseg: bool = False) -> Licence | None:
    """Return the licence text of a dataset's source.

    It is looked for beside the source and in the folders of a dataset's tree above it. Where there is none
    and the source is EntitySeg (and its own `licenses` do not say otherwise), it is a note on EntitySeg's
    licences.

    Args:
        dataset: as it was read.
        entityseg: whether the source is the EntitySeg release.
    """
    if dataset.path is not None:
        folder = dataset.path if dataset.path.is_dir() else dataset.path.parent
        stem = None if dataset.path.is_dir() else dataset.path.stem
        for _ in range(4):
            found = _in_folder(folder, stem)
            if found is not None:
                return Licence(found.read_bytes(), "file", found.name)
            if folder.name.lower() not in _INNER:
                break
            folder = folder.parent
    if entityseg and not dataset.info.get("licenses"):
        return Licence(ENTITYSEG_NOTE.encode(), "note")
    return None


def _may_be_one(file: Path) -> bool:
    # A set of licence plates has annotations and pictures of this name.
    name = file.name.lower()
    return name.startswith(_NAMES) and extension(name) not in {".json", *EXTENSIONS}


def _in_folder(folder: Path, stem: str | None) -> Path | None:
    """Return the licence file of a folder; the one named after the source file first."""
    try:
        files = sorted(entry for entry in folder.iterdir() if entry.is_file())
    except OSError:
        return None
    own = f"{stem}.{FILE_NAME}"
    fitting = [
        file
        for file in files
        if file.name == own or (_may_be_one(file) and file.stat().st_size <= _MOST_BYTES)
    ]
    return next((file for file in fitting if file.name == own), fitting[0] if fitting else None)
