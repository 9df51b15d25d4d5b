"""Where the PNG of an image lies, what a written one is called, and PNGs with a JSON that comes last."""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from entityseg.data.records import Dataset, ImageRecord
from entityseg.data.targets import folder_target, json_target
from entityseg.errors import Finding, Findings, InputError, MissingFileError, input_error
from entityseg.masks.runlengths import Size

R = TypeVar("R")

# Names tried to tell whether a folder is the one.
_TRIED = 20


def unsafe(name: str) -> bool:
    """Return whether a file name of outside data leaves its folder or cannot be a file name.

    >>> unsafe("val/a.png"), unsafe("../a.png"), unsafe("/etc/passwd")
    (False, True, True)
    """
    if not PurePosixPath(name).name or any(ord(character) < 32 for character in name):
        return True
    return name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in name.replace("\\", "/").split("/")


def add_unsafe(findings: Findings, name: object, record: str) -> None:
    """Add the finding for a name that `unsafe` refuses."""
    message = "the file name is empty, absolute, has `..` or control characters"
    remedy = "Write the name relative to the folder of the files."
    findings.add("file.name", message, remedy, record=record, field="file_name", value=name)


def png_candidates(name: str) -> list[str]:
    """Return the PNG names that a `file_name` may stand for, the likeliest first.

    COCO names the PNG itself. The EntitySeg release names the image, and its code cuts at the first dot.

    >>> png_candidates("a.b.jpg")
    ['a.b.png', 'a.png', 'a.b.jpg.png']
    """
    folder, _, bare = name.rpartition("/")
    stem = bare.rpartition(".")[0] or bare
    names = [f"{stem}.png", f"{bare.split('.')[0]}.png", f"{bare}.png"]
    if bare.lower().endswith(".png"):
        names.insert(0, bare)
    if folder:
        names = [f"{folder}/{one}" for one in names] + names
    return list(dict.fromkeys(names))


def find_png(root: Path, name: str) -> Path | None:
    """Return the PNG of a `file_name` in the folder `root`, None if there is none."""
    for candidate in png_candidates(name):
        try:
            if (root / candidate).is_file():
                return root / candidate
        except OSError:  # A name that is too long.
            return None
    return None


def find_root(folders: Iterable[Path], names: Sequence[str]) -> Path | None:
    """Return the folder that has most of the first PNGs, None if none has any; the first of equals."""
    tried = [name for name in names if not unsafe(name)][:_TRIED]
    best, best_count = None, 0
    for folder in dict.fromkeys(folders):
        if folder.is_dir():
            count = sum(find_png(folder, name) is not None for name in tried)
            if count > best_count:
                best, best_count = folder, count
    return best


def missing_folder(what: str, file: Path, folders: Iterable[Path]) -> MissingFileError:
    """Return the error for a set whose PNG folder is not where it should be."""
    tried = ", ".join(str(folder) for folder in dict.fromkeys(folders))
    message = f"no PNG of the {what} was found; looked in {tried}"
    return MissingFileError(Finding("png.folder", message, "Give the folder as `png_root`.", file=str(file)))


def add_strangers(findings: Findings, folders: Iterable[Path], named: Container[Path | None]) -> None:
    """Warn of each PNG in the folders that no record names, and that is therefore not scored."""
    for folder in folders:
        for path in sorted(folder.glob("*.png")):
            if path not in named:
                message = "no record of the JSON names this PNG; it is not scored"
                remedy = "Give it a record in `annotations`, or take it away."
                findings.add("png.extra", message, remedy, file=str(path), severity="warning")


def missing_file(path: Path, record: str) -> Finding:
    """Return the finding for a PNG that is not there."""
    message, remedy = "there is no such PNG", "Unpack the archive of the PNGs again, or check `png_root`."
    return Finding("png.missing", message, remedy, file=str(path), record=record)


def located(error: InputError, file: Path, record: str) -> Iterator[Finding]:
    """Yield the findings of an error with the file and the record they belong to."""
    for finding in error.findings:
        yield replace(finding, file=finding.file or str(file), record=finding.record or record)


def image_folder(file: Path, split: str, names: Sequence[str]) -> Path:
    """Return the folder of the images of an annotation file whose own PNGs lie near it.

    It is the customary folder, or one beside the file that has the first images under their very names.
    Folders of maps must not be searched: a map has its image's name but for the extension.
    """
    for base in (file.parent, file.parent.parent):
        for name in (split, f"images/{split}", "images"):
            folder = base / name
            if folder.is_dir() and folder != file.with_suffix("") and folder not in file.parents:
                return folder
    tried = [name for name in names if not unsafe(name)][:_TRIED]
    if file.parent.is_dir():
        for folder in sorted(entry for entry in file.parent.iterdir() if entry.is_dir()):
            if any((folder / name).is_file() for name in tried):
                return folder
    return file.parent / "images"


def png_size(path: Path, most_pixels: int) -> Size:
    """Return (height, width) from the header of a PNG.

    Raises:
        InputError: it is no PNG, or has more pixels than allowed.
    """
    with open(path, "rb") as file:
        head = file.read(24)
    if len(head) < 24 or head[:8] != b"\x89PNG\r\n\x1a\n":
        remedy = "Give a PNG; other formats alter the ids."
        raise input_error("png.type", "this is no PNG file", remedy, file=str(path))
    width, height = struct.unpack(">II", head[16:24])
    if height * width > most_pixels:
        message = f"the PNG has {height} x {width} pixels, more than the limit of {most_pixels}"
        raise input_error("png.size", message, "Check the file.", file=str(path))
    return height, width


def refuse_colour(path: Path) -> None:
    """Raise `InputError` if a PNG is in colour, which a map of labels never is; other problems are the reader's."""
    with open(path, "rb") as file:
        head = file.read(26)
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[25:] == b"\2":
        message = "a map of labels is grey or has a palette, this PNG is in colour"
        remedy = "Save the labels themselves as 8 or 16 bit grey, not the colours that they are drawn in."
        raise input_error("png.kind", message, remedy, file=str(path))


def written_names(images: Sequence[ImageRecord]) -> list[str]:
    """Return a PNG name for each image: its file name with `.png`, sub-folders kept, unique.

    Where a file name would leave its folder, all images are numbered instead.

    >>> written_names([ImageRecord(1, "a.jpg", 2, 2), ImageRecord(2, "a.png", 2, 2)])
    ['a.png', 'a.png.png']
    """
    if any(unsafe(image.file_name) for image in images):
        return [f"{number:012d}.png" for number in range(1, len(images) + 1)]
    names: list[str] = []
    taken: set[str] = set()
    for image in images:
        path = PurePosixPath(image.file_name)
        name, number = str(path.with_suffix(".png")), 1
        # Some file systems do not tell capitals from small letters.
        while name.casefold() in taken:
            name = f"{path}{'' if number == 1 else f'.{number}'}.png"
            number += 1
        taken.add(name.casefold())
        names.append(name)
    return names


def write_set(
    path: Path,
    json_name: str,
    folder_name: str,
    write_pngs: Callable[[Path], R],
    write_json: Callable[[Path, R], None],
    *,
    overwrite: bool,
) -> None:
    """Write a folder of PNGs, then the JSON that says they are whole.

    Args:
        path: a `.json` file, whose PNGs go into the folder of its name beside it; or a folder for both.
        json_name: name of the JSON in a folder.
        folder_name: name of the PNGs' folder in a folder.
        write_pngs: writes the PNGs into a folder and returns what the JSON needs.
        write_json: writes the JSON.
        overwrite: whether what is there may be replaced.

    Raises:
        UsageError: the target is there and `overwrite` is not set.
    """
    if path.suffix.lower() != ".json":
        with folder_target(path, json_name, overwrite=overwrite) as folder:
            write_json(folder / json_name, write_pngs(folder / folder_name))
        return
    file = json_target(path, json_name, overwrite=overwrite)
    file.unlink(missing_ok=True)
    with folder_target(file.with_suffix(""), file.name, overwrite=overwrite) as folder:
        made = write_pngs(folder)
    write_json(file, made)


def require_known_categories(dataset: Dataset) -> None:
    """Raise `InputError` if an annotation has a category that the dataset does not list."""
    known = np.array(sorted(dataset.category_of), np.int64)
    rows = np.flatnonzero(~np.isin(dataset.category_ids, known))
    if len(rows):
        image = dataset.images[int(np.searchsorted(dataset.offsets, rows[0], side="right")) - 1]
        message = f"{len(rows)} annotations have a category that `categories` does not list"
        remedy = "Add it to `categories`, or make the dataset class-agnostic (`agnostic`)."
        where = f"image {image.id}, annotation {dataset.ids[rows[0]]}"
        value = int(dataset.category_ids[rows[0]])
        raise input_error("category.unknown", message, remedy, record=where, field="category_id", value=value)
