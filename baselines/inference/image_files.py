"""Which images are to be predicted, and what each is called in what is written."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from entityseg.data.images import EXTENSIONS, extension, locate_image
from entityseg.data.records import Dataset, ImageId
from entityseg.errors import Finding, Findings, MissingFileError
from entityseg.masks.runlengths import Size

# What tells a folder of predictions from one of photographs.
RUN = "run.json"
ID_MAPS = "id_maps"
# Bytes; file systems take names of 255, and temporary names are longer than final ones.
_LONGEST_NAME = 200


@dataclass(frozen=True)
class ImageFile:
    """An image to be predicted.

    Attributes:
        name: of its files in the output folder.
        path: its file.
        image_id: what it is called in predictions.
        size: (height, width) that a ground truth says; None: whatever the file has.
    """

    name: str
    path: Path
    image_id: ImageId
    size: Size | None = None


@dataclass(frozen=True)
class ImageFiles:
    """The images of a folder or of a ground truth.

    Attributes:
        files: one or more.
        findings: images that are not there, and folders that cannot be looked into.
    """

    files: tuple[ImageFile, ...]
    findings: Findings = field(default_factory=Findings)


def find_images(path: str | Path) -> ImageFiles:
    """Return the image files of a path; name and id are the path below the folder without ending, `/` as `__`.

    Links are followed, but no folder is looked into twice; hidden files and folders of predictions are passed over.
    Of images that differ in their ending alone, all keep it.

    Args:
        path: a file, whatever its ending, or a folder, with all that is below it.

    Raises:
        MissingFileError: there is no such file or folder, or no image in it.
        InputError: the folder cannot be looked into.

    >>> find_images("nowhere")
    Traceback (most recent call last):
    entityseg.errors.MissingFileError: error: nowhere: there is no such file or folder. Check the path. [file.missing]
    """
    path = Path(path)
    kind = _kind(path)
    if kind is None:
        message, remedy = "there is no such file or folder", "Check the path."
        raise MissingFileError(Finding("file.missing", message, remedy, file=str(path)))
    if kind == "file":
        name = _short(readable(path.stem))
        return ImageFiles((ImageFile(name, path, name),))
    findings = Findings()
    real = Path(os.path.realpath(path))
    # A link upwards would lead to all that lies beside the folder.
    seen = {str(one) for one in (real, *real.parents)}
    found = sorted(_walk(path, seen, findings))
    if not found:
        findings.raise_errors()
        remedy = f"Images end in {', '.join(sorted(EXTENSIONS))}."
        raise MissingFileError(Finding("images.none", "the folder has no image", remedy, file=str(path)))
    parts = [PurePosixPath(one.relative_to(path).as_posix()) for one in found]
    stems = [readable("__".join(one.with_suffix("").parts)) for one in parts]
    whole = [readable("__".join(one.parts)) for one in parts]
    names = _distinct(stems, whole)
    files = (ImageFile(name, file, name) for name, file in zip(names, found, strict=True))
    return ImageFiles(tuple(files), findings)


def images_of(dataset: Dataset) -> ImageFiles:
    """Return the images of a ground truth, by its ids; files are named by the image where names do not repeat.

    Raises:
        InputError: none of the images is below the dataset's `image_root`.
    """
    findings = Findings()
    stems = [readable(PurePosixPath(image.file_name).stem) for image in dataset.images]
    names = _distinct(stems, [readable(str(image.id)).replace("/", "__") for image in dataset.images])
    files = []
    for image, name in zip(dataset.images, names, strict=True):
        found = locate_image(dataset, image)
        if found.path is None:
            message = "the image was not found" if found.how != "ambiguous" else "several files have its name"
            remedy = "Give the folder that the ground truth's file names start from."
            findings.add("image.missing", message, remedy, file=image.file_name, record=f"image {image.id}")
        else:
            files.append(ImageFile(name, found.path, image.id, image.size))
    if not files:
        findings.raise_errors()
    return ImageFiles(tuple(files), findings)


def readable(name: str) -> str:
    r"""Return the name of a file as text that can be written; bytes that are no UTF-8 become `\xff`.

    >>> readable("caf\udce9.png")
    'caf\\xe9.png'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _walk(folder: Path, seen: set[str], findings: Findings) -> Iterator[Path]:
    try:
        below = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    except OSError as error:
        message = f"the folder cannot be looked into: {error.strerror or error}"
        findings.add("folder.unreadable", message, "Check its permissions.", file=str(folder))
        return
    kinds = {one: _kind(one) for one in below}
    yield from (one for one in below if kinds[one] == "file" and extension(one.name) in EXTENSIONS)
    # The folder itself before a link to it: it gives images their names.
    for one in sorted((one for one in below if kinds[one] == "folder"), key=Path.is_symlink):
        real = os.path.realpath(one)
        if real not in seen and not _is_output(one):
            seen.add(real)
            yield from _walk(one, seen, findings)


def _kind(path: Path) -> str | None:
    """Return `file` or `folder`; None for pipes, devices, and where there is nothing."""
    try:
        mode = path.stat().st_mode
    except OSError:
        # Whoever reads a link that leads nowhere says so; passed over, nobody would.
        return "file" if path.is_symlink() else None
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else None


def _is_output(folder: Path) -> bool:
    return (folder / RUN).is_file() and (folder / ID_MAPS).is_dir()


def _distinct(wanted: Iterable[str], else_: Iterable[str]) -> list[str]:
    """Return a name each: the wanted one, where it does not repeat, else the other, numbered if need be.

    >>> _distinct(["a", "b", "B"], ["a.png", "b.png", "B.png"])
    ['a', 'b.png', 'B.png~2']
    """
    short = [_short(one) for one in wanted]
    # Some file systems do not tell capitals apart.
    counts = Counter(one.casefold() for one in short)
    chosen: list[str] = []
    taken: set[str] = set()
    for one, other in zip(short, else_, strict=True):
        base = one if counts[one.casefold()] == 1 else _short(other)
        name, number = base, 1
        while name.casefold() in taken:
            number += 1
            name = f"{base}~{number}"
        taken.add(name.casefold())
        chosen.append(name)
    return chosen


def _short(name: str) -> str:
    """Return a name that files can have: a long one's end becomes a digest of the whole."""
    data = name.encode()
    if len(data) <= _LONGEST_NAME:
        return name
    return f"{data[: _LONGEST_NAME - 13].decode(errors='ignore')}~{hashlib.sha256(data).hexdigest()[:12]}"
