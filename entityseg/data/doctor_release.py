"""Check a tree of the EntitySeg release as a whole: which of its files and folders are there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from entityseg.data.formats import Reading
from entityseg.data.images import image_files
from entityseg.data.json_lists import is_list, parse_lists
from entityseg.data.layout import (
    ANNOTATION_SOURCE,
    IMAGE_SOURCE,
    PARTS,
    SUBSET,
    find_parts,
    subset_folders,
)
from entityseg.errors import Findings, InputError

_TREES = ("images", "images_lr")


def check_release(root: Path, findings: Findings) -> bool:
    """Add what a tree of the release lacks; return False if it is no such tree."""
    found = find_parts(root)
    trees = _image_trees(root, [one.image_root for one in found])
    # One list file of semantic maps, or one `images` folder, may be anybody's.
    if not any(one.part.kind == "entity" for one in found) and not any(
        subset_folders(tree) for tree in trees
    ):
        return False
    there = {one.part.split for one in found}
    for part in PARTS.values():
        if part.released and part.split not in there:
            names = f"{part.folder}/{part.entityv2} (or {part.entityseg[0]})"
            message = f"the annotation file of `{part.split}` is missing: {names}"
            remedy = f"Get it from {ANNOTATION_SOURCE}."
            findings.add("release.annotations", message, remedy, file=str(root), severity="warning")
    for name in _TREES:
        tree = next((tree for tree in trees if tree.name == name), None)
        if tree is None and name == "images":
            tree = next((tree for tree in trees if tree.name not in _TREES), None)
        if tree is None:
            message = f"the folder `{name}` with the images of the three subsets is missing"
            remedy = f"Get the images from {IMAGE_SOURCE}."
            findings.add("release.images", message, remedy, file=str(root), severity="warning")
        else:
            _check_tree(tree, findings)
    return True


def _image_trees(root: Path, roots: list[Path | None]) -> list[Path]:
    """Return the folders that hold the subsets' folders."""
    trees = [root / name for name in _TREES] + [root]
    for one in roots:
        if one is not None:
            trees.append(one.parent if SUBSET.fullmatch(one.name) else one)
    return [tree for tree in dict.fromkeys(trees) if subset_folders(tree)]


def _check_tree(tree: Path, findings: Findings) -> None:
    """Count the images of each subset: the folder's name says how many there should be."""
    folders = subset_folders(tree)
    for subset in ("01", "02", "03"):
        if subset not in folders:
            message = f"the folder of subset {subset} (`entity_{subset}_<count>`) is missing"
            findings.add(
                "release.images",
                message,
                f"Get the images from {IMAGE_SOURCE}.",
                file=str(tree),
                severity="warning",
            )
            continue
        match = SUBSET.fullmatch(folders[subset].name)
        wanted = int(match[2]) if match else 0
        count = sum(1 for _ in image_files(folders[subset]))
        if count != wanted:
            message = f"the folder should hold {wanted:,} images by its name and holds {count:,}"
            remedy = f"Unpack the archive again, or get the images from {IMAGE_SOURCE}."
            findings.add("release.count", message, remedy, file=str(folders[subset]), severity="warning")


def release_notes(reading: Reading) -> list[str]:
    """Return what users of other programs should know of a part of the release."""
    part = PARTS.get(reading.split)
    if part is None or part.kind != "panoptic":
        return []
    try:
        top = parse_lists(reading.path, ("images", "annotations"))
        records = top.get("annotations") if isinstance(top, dict) else None
        listed: Iterable[Any] = records if is_list(records) else ()
        names = [one.get("file_name") for one in listed if isinstance(one, dict)]
    except InputError:
        return []
    texts = [name for name in names if isinstance(name, str)]
    notes = []
    images = [name for name in texts if not name.lower().endswith(".png")]
    if images:
        notes.append(
            f"{reading.path}: file_name names the image ({images[0]}), not the PNG; panopticapi and "
            "detectron2's PQ need the PNG's name: convert with `--to coco-panoptic`"
        )
    dotted = [name for name in texts if name.rpartition("/")[2].count(".") > 1]
    if dotted:
        notes.append(
            f"{reading.path}: {len(dotted)} names have more than one dot ({dotted[0]}); the release's own "
            "code cuts at the first one and misses their PNGs"
        )
    return notes
