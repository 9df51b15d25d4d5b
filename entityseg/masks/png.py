"""PNG files whose pixels are ids, to `RunLengths` and back.

COCO panoptic's format: https://cocodataset.org/#format-data, id = R + 256 G + 65,536 B, 0 is void. Grey and
palette PNGs hold the id itself.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import Finding, InputError, MissingFileError, input_error
from entityseg.files import atomic_file
from entityseg.masks.idmap import IdArray, check_ids, from_bytes, without_overlap, write_bytes
from entityseg.masks.runlengths import Int64Array, RunLengths, Size
from entityseg.masks.size import size_problem

# Measured on 5.2 MP, 40 segments: level 1 writes in 70 ms, 136 KB, and reads in 21 ms; level 6 (Pillow's own
# choice) 89 ms, 67 KB, 41 ms. Beside the image's megabytes, 70 KB do not count, and a set is read more often
# than written.
_LEVEL = 1
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# (colour type, bits a sample) -> bytes a pixel of the array that Pillow gives. Grey of 1, 2 or 4 bits is
# scaled by Pillow, and colour of 16 bits is cut to 8: neither would be the id any more.
_KINDS = {(0, 8): 1, (0, 16): 2, (2, 8): 3, (3, 1): 1, (3, 2): 1, (3, 4): 1, (3, 8): 1}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MOST_ID = {2: 2**16 - 1, 3: 2**24 - 1}
# Deflate cannot pack more than 1,032 bytes into one.
_MOST_PACKED = 1032


def from_panoptic_png(
    path_or_bytes: str | Path | bytes, *, size: Size | None = None, background: int | None = 0
) -> tuple[Int64Array, RunLengths]:
    """Read a PNG whose pixels are ids: RGB (id = R + 256 G + 65,536 B), 8 or 16 bit grey, or palette indices.

    Args:
        path_or_bytes: the file, or what is in it.
        size: (height, width) that the image must have; give it for files of strangers, as a small file can
        hold
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
    header_size, step = _check_header(data, size, file)
    pixels = _decode(data, header_size, file)
    if pixels.dtype.kind == "i":
        # 32-bit grey, which some releases of Pillow give for 16 bits.
        step = pixels.itemsize
    rows = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).reshape(header_size[0], -1)
    return from_bytes(rows.view(np.uint8), step, header_size, background)


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


def _check_header(data: bytes, size: Size | None, file: str | None) -> tuple[Size, int]:
    """Return (height, width) and the bytes a pixel has; every chunk is checked before anything is decoded."""
    if not data.startswith(_SIGNATURE):
        raise input_error(
            "png.type", "this is no PNG file", "Give a PNG; other formats alter the ids.", file=file
        )
    packed, name, position = 0, b"", len(_SIGNATURE)
    header = b""
    while name != b"IEND":
        length, name = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        stop = position + 12 + length
        if stop > len(data):
            raise _damaged("the PNG file is cut", file)
        if zlib.crc32(data[position + 4 : stop - 4]) != int.from_bytes(data[stop - 4 : stop], "big"):
            raise _damaged(f"the chunk {name.decode('latin-1')!r} of the PNG file is damaged", file)
        if (name == b"IHDR") != (not header) or (name == b"IHDR" and length != 13):
            raise _damaged("the PNG file does not begin with its one header", file)
        header = header or data[position + 8 : stop - 4]
        packed += length if name == b"IDAT" else 0
        position = stop
    width, height, bits, colour = struct.unpack(">IIBB", header[:10])
    problem = size_problem([height, width])
    if problem:
        raise input_error("mask.size", *problem, file=file, value=[height, width])
    if size is not None and (height, width) != tuple(size):
        message = f"the PNG is {height} x {width}, expected {size[0]} x {size[1]} (height x width)"
        remedy = "Give the map that belongs to this image, at the image's own resolution."
        raise input_error("png.size", message, remedy, file=file)
    if (colour, bits) not in _KINDS:
        message = f"a PNG of colour type {colour} with {bits} bits holds no ids"
        remedy = "Save it as RGB, as 8 or 16 bit grey, or with a palette, without an alpha channel."
        raise input_error("png.kind", message, remedy, file=file)
    if height * (1 + (width * bits * _CHANNELS[colour] + 7) // 8) > packed * _MOST_PACKED:
        raise _damaged("the PNG file is far too small for the size in its header", file)
    return (height, width), _KINDS[colour, bits]


def _decode(data: bytes, size: Size, file: str | None) -> NDArray[Any]:
    """Return the pixels as Pillow decodes them, [height, width] or [height, width, 3]."""
    # The class itself, where `Image.open` would refuse large images: the size is checked already, and
    # Pillow's own limit is a setting of the whole process that is not ours to change.
    from PIL.PngImagePlugin import PngImageFile

    try:
        with PngImageFile(io.BytesIO(data)) as image:
            if image.size != (size[1], size[0]):
                raise _damaged("the image is not of the size in its header", file)
            return np.asarray(image)
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _damaged(f"the PNG file cannot be decoded ({error})", file) from error


def _damaged(message: str, file: str | None) -> InputError:
    return input_error("png.damaged", message, "Fetch or write the file again; it is not whole.", file=file)
