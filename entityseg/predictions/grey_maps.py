"""Grey maps, one 8-bit PNG an image, as dichotomous segmentation has them: 255 is foreground for sure, 0 background."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entityseg.data.targets import folder_target
from entityseg.errors import Finding, Findings, InputError, MissingFileError, input_error
from entityseg.files import atomic_file
from entityseg.masks.coco import add_size_finding
from entityseg.masks.png_header import damaged, pixel_stream_is_short, read_header
from entityseg.masks.runlengths import Size

GREY_REMEDY = "Save it as 8-bit grey, without palette and alpha channel."
_GREY, _COLOUR = 0, 2
# Larger than any image of the datasets, small enough to be measured.
_MAX_PIXELS = 2**28


def list_grey_maps(folder: str | Path, findings: Findings) -> dict[str, Path]:
    """Return the PNG files of a folder by their stems; other files, but for hidden ones, are findings.

    Raises:
        MissingFileError: there is no such folder.
        InputError: the path is a file.
    """
    folder = Path(folder)
    if not folder.exists():
        raise MissingFileError(
            Finding("file.missing", "there is no such folder", "Check the path.", file=str(folder))
        )
    if not folder.is_dir():
        message, remedy = "this is a file, not a folder of PNG files", "Give the folder."
        raise input_error("file.folder", message, remedy, file=str(folder))
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() != ".png" or not path.is_file():
            message, remedy = "this is no PNG file", "Take it away; maps are 8-bit grey PNG files."
            findings.add("map.file", message, remedy, file=str(path))
        elif path.stem in found:
            message = f"{found[path.stem].name} has the same stem"
            findings.add("map.duplicate", message, "Keep one of the two.", file=str(path))
        else:
            found[path.stem] = path
    if not found:
        message, remedy = "the folder has no PNG file", "Check the path."
        findings.add("map.none", message, remedy, file=str(folder))
    return found


def read_grey_map(path: str | Path, *, size: Size | None = None) -> NDArray[np.uint8]:
    """Read a map, uint8 [height, width]; colour is taken where its three channels are equal.

    Args:
        path: the PNG file.
        size: (height, width) that it must have.

    Raises:
        MissingFileError: there is no such file.
        InputError: no 8-bit grey PNG, another size, or the file is cut or damaged.
    """
    from PIL.PngImagePlugin import PngImageFile

    file = str(path)
    data = _kind_checked(Path(path))
    header = read_header(data, file)
    if header.size[0] * header.size[1] > _MAX_PIXELS:
        message = (
            f"the PNG has {header.size[0]} x {header.size[1]} pixels, more than the limit of {_MAX_PIXELS}"
        )
        raise input_error("map.size", message, "Check the file.", file=file)
    if size is not None and header.size != tuple(size):
        findings = Findings(file)
        add_size_finding(findings, header.size, size)
        raise InputError(replace(finding, kind="map.size") for finding in findings)
    try:
        with PngImageFile(io.BytesIO(data)) as image:
            pixels = np.asarray(image)
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error, ValueError) as error:
        raise damaged(f"the PNG file cannot be decoded ({error})", file) from error
    if (header.interlaced or not pixels[-1].any()) and pixel_stream_is_short(data, header):
        raise damaged("the PNG file has fewer rows of pixels than its header says", file)
    if pixels.ndim == 3:
        if (pixels != pixels[:, :, :1]).any():
            message = "the PNG is in colour, and its channels differ"
            raise input_error("map.kind", message, GREY_REMEDY, file=file)
        pixels = pixels[:, :, 0]
    return np.ascontiguousarray(pixels, np.uint8)


def write_grey_maps(folder: str | Path, maps: Iterable[tuple[str, NDArray[np.uint8]]]) -> None:
    """Write maps as PNG files of an otherwise empty folder, which appears when all are written.

    Args:
        folder: to make.
        maps: the stem of each map, and its pixels, uint8 [height, width].

    Raises:
        UsageError: the folder is there and holds something.
        InputError: a map is not uint8 [height, width], or a stem leaves the folder.
    """
    from PIL import Image

    with folder_target(folder, "") as target:
        for stem, pixels in maps:
            if Path(stem).name != stem or stem in ("", ".", ".."):
                message, remedy = "a stem is a file name without its extension", "Leave out folders."
                raise input_error("map.name", message, remedy, value=stem)
            if pixels.dtype != np.uint8 or pixels.ndim != 2:
                message = f"a map is uint8 [height, width], not {pixels.dtype} {list(pixels.shape)}"
                raise input_error("map.kind", message, "Round probabilities times 255 to uint8.", record=stem)
            with atomic_file(target / f"{stem}.png") as file:
                Image.fromarray(pixels).save(file, format="PNG", compress_level=1)


def _kind_checked(path: Path) -> bytes:
    """Return the file's bytes, once its header says 8-bit grey or colour."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        message, remedy = "there is no such file", "Check the path."
        raise MissingFileError(Finding("file.missing", message, remedy, file=str(path))) from error
    bits, colour = (data[24], data[25]) if len(data) > 25 and data[12:16] == b"IHDR" else (8, _GREY)
    if bits != 8 or colour not in (_GREY, _COLOUR):
        message = f"a PNG of colour type {colour} with {bits} bits is no 8-bit grey map"
        raise input_error("map.kind", message, GREY_REMEDY, file=str(path))
    return data
