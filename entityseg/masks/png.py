"""PNG files whose pixels are ids, to `RunLengths` and back.

COCO panoptic's format: https://cocodataset.org/#format-data, id = R + 256 G + 65,536 B, 0 is void. Grey and
palette PNGs hold the id itself.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import Finding, Findings, InputError, MissingFileError, input_error
from entityseg.files import atomic_file
from entityseg.masks.coco import add_size_finding
from entityseg.masks.idmap import IdArray, check_ids, from_bytes, without_overlap, write_bytes
from entityseg.masks.png_header import PngHeader, damaged, pixel_stream_is_short, read_header, unpacked
from entityseg.masks.runlengths import Int64Array, RunLengths, Size

# Measured on 5.2 MP, 40 segments: level 1 writes in 70 ms, 136 KB, and reads in 21 ms; level 6 (Pillow's own
# choice) 89 ms, 67 KB, 41 ms. Beside the image's megabytes, 70 KB do not count, and a set is read more often
# than written.
_LEVEL = 1
_MOST_ID = {2: 2**16 - 1, 3: 2**24 - 1}


def from_panoptic_png(
    path_or_bytes: str | Path | bytes, *, size: Size | None = None, background: int | None = 0
) -> tuple[Int64Array, RunLengths]:
    """Read a PNG whose pixels are ids: RGB (id = R + 256 G + 65,536 B), 8 or 16 bit grey, or palette indices.

    Args:
        path_or_bytes: the file, or what is in it.
        size: (height, width) that the image must have. Give it for files of strangers: a small file can hold
            a huge image.
        background: the id that is no mask (COCO's void); None keeps every id.

    Returns:
        The ids that occur, int64 [n], ascending, and their masks.

    Raises:
        MissingFileError: there is no such file.
        InputError: no PNG, another kind of PNG, another size, or the file is cut or damaged.
    """
    file = None if isinstance(path_or_bytes, bytes) else str(path_or_bytes)
    data = path_or_bytes if isinstance(path_or_bytes, bytes) else _read(path_or_bytes)
    header = read_header(data, file)
    if size is not None and header.size != tuple(size):
        findings = Findings(file)
        add_size_finding(findings, header.size, size)
        raise InputError(replace(finding, kind="png.size") for finding in findings)
    rows = _unfiltered(data, header)
    if rows is not None:
        return from_bytes(rows, header.step, header.size, background)
    # Rare kinds, and files that are not whole, for which Pillow has the words.
    pixels = _decode(data, header, file)
    rows = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).reshape(header.size[0], -1)
    step = 3 if pixels.ndim == 3 else pixels.itemsize
    return from_bytes(rows.view(np.uint8), step, header.size, background)


def to_panoptic_png(path: str | Path, masks: RunLengths, ids: IdArray) -> None:
    """Write disjoint masks as a COCO panoptic PNG (RGB); void is 0. Equal masks and ids give equal bytes.

    Raises:
        InputError: masks overlap, or ids are not distinct numbers from 1 to 2^24 - 1.
    """
    _write(path, masks, _distinct(masks, ids, 3), 3)


def to_id_png(path: str | Path, masks: RunLengths, ids: IdArray | None = None) -> None:
    """Write disjoint masks as a PNG of ids: 16-bit grey where all ids are below 65,536, else RGB.

    The background is 0. Equal masks and ids give equal bytes.

    Args:
        path: the file to write.
        masks: n masks.
        ids: the id of each mask; 1 to n where not given.

    Raises:
        InputError: masks overlap, or ids are not distinct numbers from 1 to 2^24 - 1.
    """
    values = _distinct(masks, ids, 3)
    _write(path, masks, values, 2 if not len(values) or values.max() <= _MOST_ID[2] else 3)


def _distinct(masks: RunLengths, ids: IdArray | None, step: int) -> Int64Array:
    values = check_ids(masks, ids, 0, _MOST_ID[step], 0)
    unique, counts = np.unique(values, return_counts=True)
    if (counts > 1).any():
        message = "two masks have the same id, and a PNG would join them"
        value = int(unique[counts > 1][0])
        raise input_error("idmap.id", message, "Give each mask an id of its own.", value=value)
    return values


def _write(path: str | Path, masks: RunLengths, ids: Int64Array, step: int) -> None:
    from PIL import Image

    height, width = masks.size
    rows = np.zeros((height, width * step), np.uint8)
    write_bytes(without_overlap(masks, "refuse"), ids, rows, step)
    mode, raw = ("I;16", "I;16") if step == 2 else ("RGB", "RGB")
    image = Image.frombuffer(mode, (width, height), rows, "raw", raw, 0, 1)
    with atomic_file(path) as file:
        image.save(file, format="PNG", compress_level=_LEVEL)


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        remedy = "Check the path, or leave the record out."
        raise MissingFileError(
            Finding("file.missing", "there is no such file", remedy, file=str(path))
        ) from error


def _unfiltered(data: bytes, header: PngHeader) -> NDArray[np.uint8] | None:
    """Return the pixels' bytes, lowest first, uint8 [height, width * step]; None where Pillow has to look.

    Pillow needs twice the time: it unpacks row by row, makes four bytes of three, and copies all of them.
    """
    from entityseg.masks import _unfilter

    height, width = header.size
    stream = None if header.interlaced or not header.step else unpacked(data, header)
    if stream is None:
        return None
    rows = np.empty((height, width * header.step), np.uint8)
    filtered = stream.reshape(height, -1)
    if _unfilter.unfilter(filtered, header.step, rows) >= 0:
        return None
    # A PNG has the higher byte first.
    return rows.view(np.uint16).byteswap().view(np.uint8) if header.step == 2 else rows


def _decode(data: bytes, header: PngHeader, file: str | None) -> NDArray[Any]:
    """Return the pixels as Pillow decodes them, [height, width] or [height, width, 3]."""
    # The class itself, where `Image.open` would refuse large images: the size is checked already, and
    # Pillow's own limit is a setting of the whole process that is not ours to change.
    from PIL.PngImagePlugin import PngImageFile

    try:
        with PngImageFile(io.BytesIO(data)) as image:
            if image.size != (header.size[1], header.size[0]):
                raise damaged("the image is not of the size in its header", file)
            pixels = np.asarray(image)
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise damaged(f"the PNG file cannot be decoded ({error})", file) from error
    # Pillow leaves rows at zero, without a word, that a stream which ends early does not have. Counting is
    # slow, so only where the last row could be one of them.
    if (header.interlaced or not pixels[-1].any()) and pixel_stream_is_short(data, header):
        raise damaged("the PNG file has fewer rows of pixels than its header says", file)
    return pixels
