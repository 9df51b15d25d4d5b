"""The EntitySeg release on disk: its files under both naming schemes, its folders, and their sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Scheme = Literal["entityv2", "entityseg"]
Kind = Literal["entity", "instances", "panoptic", "semantic"]

# The number of images in each subset is part of its folder's name: 11,580 + 11,598 + 10,049 = 33,227.
SUBSET = re.compile(r"entity_(0[123])_(\d+)", re.IGNORECASE)
# What the archives of the images unpack to below the subset's folder.
ARCHIVE_FOLDERS = ("images_merge", "images", "images_{subset}_{count}", "")
_DEEPEST = 4

ANNOTATION_SOURCE = (
    "GitHub release v1.0 of adobe-research/EntitySeg-Dataset (annotations and url.json), under the Adobe "
    "Research License: non-commercial research only, pass the licence on with every copy"
)
IMAGE_SOURCE = (
    "the gated Hugging Face dataset repository qqlu1992/Adobe_EntitySeg, the Google Drive folder linked from "
    "qqlu/Entity, or each image's own source in url.json; the images' owners hold the rights, see each "
    "source's licence"
)


@dataclass(frozen=True, slots=True)
class Part:
    """One annotation file of the release.

    Attributes:
        split: the name of its reading.
        kind: what it annotates.
        folder: where it lies below `annotations`.
        entityv2: its name in DATA.md and the code.
        entityseg: its names among the assets of release v1.0.
        maps: folders of its PNG files, the first one is written.
        images: `images` (high resolution) or `images_lr`.
        subset: `01`, `02` or `03` where `file_name` is bare and starts from the subset's folder.
        released: whether the release has it (older drafts listed more).
    """

    split: str
    kind: Kind
    folder: str
    entityv2: str
    entityseg: tuple[str, ...]
    maps: tuple[str, ...] = ()
    images: str = "images"
    subset: str | None = None
    released: bool = True

    def name(self, scheme: Scheme) -> str:
        """Return the file's name under a scheme."""
        return self.entityv2 if scheme == "entityv2" else self.entityseg[0]

    @property
    def names(self) -> tuple[str, ...]:
        """All names of the file."""
        return (self.entityv2, *self.entityseg)


def _parts() -> Iterator[Part]:
    folder = "entity_segmentation"
    for half in ("train", "val"):
        for subset in ("01", "02", "03"):
            yield Part(
                f"{half}_{subset}", "entity", folder, f"entityv2_{subset}_entity_{half}.json",
                (f"entityseg_{half}_{subset}.json",), subset=subset, released=half == "train",
            )  # fmt: skip
        for tail in ("", "_lr"):
            yield Part(
                half + tail, "entity", folder, f"entityv2_010203_entity_{half}{tail}.json",
                (f"entityseg_{half}{tail}.json",), images="images" + tail,
            )  # fmt: skip
        yield Part(
            f"instance_{half}", "instances", "instance_segmentation", f"entityv2_01_instances_{half}.json",
            (f"entityseg_insseg_{half}.json", f"entityseg_insseg_{half}_annotations.json"), subset="01",
        )  # fmt: skip
        maps = (f"panoptic_maps_{half}", f"entityseg_panseg_maps_{half}")
        yield Part(
            f"panoptic_{half}", "panoptic", "panoptic_segmentation", f"entityv2_01_panoptic_{half}.json",
            (f"entityseg_panseg_{half}.json",), maps, subset="01",
        )  # fmt: skip
        maps = (f"semantic_maps_{half}", f"entityseg_semseg_maps_{half}")
        yield Part(
            f"semantic_{half}", "semantic", "semantic_segmentation", f"{half}.txt",
            (f"entityseg_semseg_{half}.txt",), maps, subset="01",
        )  # fmt: skip


PARTS: dict[str, Part] = {part.split: part for part in _parts()}
_BY_NAME = {name.lower(): part for part in PARTS.values() for name in part.names}


@dataclass(frozen=True, slots=True)
class FoundPart:
    """A file of the release that is there, with the folders that belong to it, where they are there."""

    part: Part
    path: Path
    maps: Path | None
    image_root: Path | None


def part_of(path: Path) -> Part | None:
    """Return the part that a file is by its name, None if it has no name of the release."""
    part = _BY_NAME.get(path.name.lower())
    if part is None or part.kind != "semantic" or path.name.lower() != part.entityv2:
        return part
    # `train.txt` is anybody's name.
    return part if path.parent.name == part.folder or find_maps(path, part) else None


def find_part(path: Path, top: Path | None = None) -> FoundPart | None:
    """Return a file of the release with its folders; `top` is the folder that was asked for."""
    part = part_of(path)
    if part is None:
        return None
    return FoundPart(part, path, find_maps(path, part), find_image_root(path, part, top or path.parent))


def find_parts(top: Path) -> list[FoundPart]:
    """List the release's files in a folder and up to four levels below it, folders of images left out."""
    found = [find_part(path, top) for path in _annotation_files(top, _DEEPEST)]
    order = list(PARTS)
    return sorted((one for one in found if one), key=lambda one: (order.index(one.part.split), str(one.path)))


def _annotation_files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        name = entry.name.lower()
        if name.endswith((".json", ".txt")):
            if entry.is_file():
                yield entry
        elif depth > 0 and not _holds_pictures(name) and entry.is_dir():
            yield from _annotation_files(entry, depth - 1)


def _holds_pictures(name: str) -> bool:
    return name.startswith((".", "images")) or "_maps_" in name or SUBSET.match(name) is not None


def find_maps(path: Path, part: Part) -> Path | None:
    """Return the folder of a part's PNGs, beside the file or one level up, nested by the archive or not."""
    for base in (path.parent, path.parent.parent):
        for name in part.maps:
            folder = base / name
            if folder.is_dir():
                nested = folder / part.maps[0]
                return nested if nested.is_dir() else folder
    return None


def find_image_root(path: Path, part: Part, top: Path) -> Path | None:
    """Return the folder that a part's `file_name` starts from; None if no folder of images is near.

    Looks for `images` (or `images_lr`) in the folders above the file, and for the subsets' folders
    themselves.
    """
    inside = top in path.parents
    for base in [path.parent, *path.parents][: _DEEPEST + 2]:
        candidates = [base / part.images] if part.images != "images" else [base / "images", base]
        for folder in candidates:
            subsets = subset_folders(folder)
            # An `images` folder without subsets may be anybody's, unless it belongs to what was asked for.
            own = (
                folder != base
                and folder.is_dir()
                and (base in (top, path.parent) or (inside and top in base.parents))
            )
            if subsets or own:
                return subsets.get(part.subset, folder) if part.subset else folder
        if base == base.parent:
            break
    return None


def subset_folders(folder: Path) -> dict[str, Path]:
    """Return the subsets' folders (`entity_01_<count>`, ...) that lie in a folder, by their number."""
    if not folder.is_dir():
        return {}
    found = {}
    for entry in sorted(folder.iterdir()):
        match = SUBSET.fullmatch(entry.name)
        if match and entry.is_dir():
            found[match[1]] = entry
    return found
