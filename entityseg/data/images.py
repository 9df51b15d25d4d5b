"""Where the file of an image is: as the record says, in an archive's folder, or wherever its name is."""

from __future__ import annotations

import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

from entityseg.data.layout import ARCHIVE_FOLDERS, SUBSET
from entityseg.data.records import Dataset, ImageRecord

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
# `archive`, in a folder that an archive made; `moved`, elsewhere; `renamed`, with another case or extension;
# `ambiguous`, several files; `outside`, the name leaves the root.
How = Literal["as written", "archive", "moved", "renamed", "ambiguous", "missing", "outside"]
_DEEPEST = 6
# A label map has its image's name but for the extension, and must not be taken for it.
_LABEL_FOLDER = re.compile(
    r"annotations?|labels?|masks?|panoptic.*|(.*_)?maps(_.*)?|stuffthingmaps.*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class FoundImage:
    """Where an image is.

    Attributes:
        path: its file; None if there is none, or more than one.
        how: how it was found.
        candidates: the files among which the choice is not clear.
    """

    path: Path | None
    how: How
    candidates: tuple[Path, ...] = ()


class ImageFinder:
    """Finds the files of image records below a folder; may be used from several threads.

    Files that lie where the record says are found without listing anything. For the others the folder is
    listed once, symbolic links followed, and they are looked up by their bare name, then by the name without
    its extension (`.jpg`, `.JPG`, `.jpeg` and `.png` are mixed in the wild), the case of letters aside. Folders of
    label maps are not listed.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._lock = threading.Lock()
        self._by_name: dict[str, list[Path]] | None = None
        self._by_stem: dict[str, list[Path]] = {}

    def find(self, file_name: str) -> Path | None:
        """Return the file of an image, None if there is none or the choice is not clear."""
        return self.locate(file_name).path

    def locate(self, file_name: str) -> FoundImage:
        """Return the file of an image, and how it was found."""
        parts = PurePosixPath(file_name.replace("\\", "/")).parts
        if (
            not parts
            or ".." in parts
            or Path(file_name).is_absolute()
            or "\0" in file_name
            or ":" in parts[0]
        ):
            return FoundImage(None, "outside")
        written = self.root.joinpath(*parts)
        if _is_file(written):
            return FoundImage(written, "as written")
        for path in self._archive_paths(parts):
            if _is_file(path):
                return FoundImage(path, "archive")
        return self._look_up(parts)

    def _archive_paths(self, parts: tuple[str, ...]) -> Iterator[Path]:
        """Yield where the archives put a file, and where it is if `root` is the subset's folder itself."""
        folder, name = (parts[-2] if len(parts) > 1 else ""), parts[-1]
        match = SUBSET.fullmatch(folder or self.root.name)
        if not match:
            return
        bases = [self.root / folder] if folder else [self.root]
        if folder and folder == self.root.name:
            bases.append(self.root)
        for base in bases:
            for inner in ARCHIVE_FOLDERS:
                yield base / inner.format(subset=match[1], count=match[2]) / name

    def _look_up(self, parts: tuple[str, ...]) -> FoundImage:
        by_name = self._index()
        name = parts[-1].lower()
        how: How = "moved"
        found = by_name.get(name, [])
        if not found:
            how, found = "renamed", self._by_stem.get(_stem(name), [])
        elif all(path.name != parts[-1] for path in found):
            how = "renamed"
        if len(found) > 1 and len(parts) > 1:
            # The same name in several subsets: the record's own folder tells which.
            same = [path for path in found if parts[-2].lower() in (part.lower() for part in path.parts)]
            found = same or found
        if len(found) > 1:
            exact = [path for path in found if path.name == parts[-1]]
            found = exact if len(exact) == 1 else found
        if len(found) == 1:
            return FoundImage(found[0], how)
        return FoundImage(None, "ambiguous" if found else "missing", tuple(found))

    def _index(self) -> dict[str, list[Path]]:
        with self._lock:
            if self._by_name is None:
                by_name, by_stem = defaultdict(list), defaultdict(list)
                for path in image_files(self.root):
                    by_name[path.name.lower()].append(path)
                    by_stem[_stem(path.name.lower())].append(path)
                self._by_stem = dict(by_stem)
                self._by_name = dict(by_name)
            return self._by_name


def find_image(dataset: Dataset, image: ImageRecord) -> Path | None:
    """Return the file of an image of a dataset, None if it is not found or the choice is not clear."""
    return locate_image(dataset, image).path


def locate_image(dataset: Dataset, image: ImageRecord) -> FoundImage:
    """Return the file of an image of a dataset, and how it was found."""
    root = dataset.image_root
    if root is None and dataset.path is not None:
        root = dataset.path if dataset.path.is_dir() else dataset.path.parent
    # Absolute, because finders are kept and the working folder may change.
    return finder_for(root.absolute()).locate(image.file_name) if root else FoundImage(None, "missing")


@lru_cache(maxsize=16)
def finder_for(root: Path) -> ImageFinder:
    """Return the finder of a folder; the last 16 are kept, with what they have listed until `look_again`."""
    return ImageFinder(root)


def look_again() -> None:
    """Forget which files folders have: images may have been unpacked or moved since they were listed."""
    finder_for.cache_clear()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # A name too long for the file system.
        return False


def extension(name: str) -> str:
    """Return the extension of a name in small letters; faster than making a path of each of 30,000 names.

    >>> extension("a.b.JPG"), extension("jpg")
    ('.jpg', '')
    """
    _, dot, last = name.rpartition(".")
    return dot + last.lower() if dot else ""


def _stem(name: str) -> str:
    """Return a name without an image's extension; other dots belong to the name."""
    stem, dot, extension = name.rpartition(".")
    return stem if dot and "." + extension in EXTENSIONS else name


def image_files(folder: Path) -> Iterator[Path]:
    """Yield the image files in a folder and up to six levels below it, as `ImageFinder` lists them.

    Folders of label maps, such as `semantic_maps_val` or `panoptic_val2017`, are left out.
    """
    return _walk(folder, _DEEPEST, set())


def _walk(folder: Path, depth: int, seen: set[str]) -> Iterator[Path]:
    """Yield the image files below a folder in order; links are followed, but no folder is listed twice."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in listed:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if depth > 0 and not _LABEL_FOLDER.fullmatch(entry.name):
                yield from _walk(folder / entry.name, depth - 1, seen)
        elif extension(entry.name) in EXTENSIONS:
            yield folder / entry.name
