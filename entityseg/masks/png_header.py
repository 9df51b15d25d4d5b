"""What a PNG file says of itself, and whether it is whole, before anything is decoded.

Format: https://www.w3.org/TR/png-3/ (PNG, third edition), sections 5 and 8.1.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import InputError, input_error
from entityseg.masks.runlengths import Size
from entityseg.masks.size import size_problem

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# (colour type, bits a sample) whose values Pillow gives as they are. It scales grey of 1, 2 or 4 bits, and
# cuts colour of 16 bits to 8: neither would be the id any more.
_KINDS = {(0, 8), (0, 16), (2, 8), (3, 1), (3, 2), (3, 4), (3, 8)}
_CHANNELS = {0: 1, 2: 3, 3: 1}
# First column, first row, column step and row step of the seven passes of an interlaced image.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
# Deflate cannot pack more than 1,032 bytes into one.
_MOST_PACKED = 1032
_PIECE = 1 << 20
_COPIED = 1 << 15


@dataclass(frozen=True, slots=True)
class PngHeader:
    """A PNG file whose chunks are whole and whose kind can hold ids.

    Attributes:
        size: (height, width).
        stream_bytes: how long the pixels are when unpacked.
        interlaced: the rows stand in seven passes.
        packed: where the packed pixels lie in the file, as (start, stop).
        step: bytes a pixel, 0 where a byte holds several pixels or the packing is unknown.
    """

    size: Size
    stream_bytes: int
    interlaced: bool
    packed: tuple[tuple[int, int], ...]
    step: int = 0


def read_header(data: bytes, file: str | None = None) -> PngHeader:
    """Check every chunk of a PNG and return what its header says.

    Raises:
        InputError: no PNG, cut, damaged, a kind that holds no ids, or an impossible size; `file` is named.
    """
    if not data.startswith(_SIGNATURE):
        remedy = "Give a PNG; other formats alter the ids."
        raise input_error("png.type", "this is no PNG file", remedy, file=file)
    header, packed, name, position = b"", [], b"", len(_SIGNATURE)
    while name != b"IEND":
        length, name = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        stop = position + 12 + length
        if stop > len(data):
            raise damaged("the PNG file is cut", file)
        if zlib.crc32(data[position + 4 : stop - 4]) != int.from_bytes(data[stop - 4 : stop], "big"):
            raise damaged(f"the chunk {name.decode('latin-1')!r} of the PNG file is damaged", file)
        if (name == b"IHDR") != (not header) or (name == b"IHDR" and length != 13):
            raise damaged("the PNG file does not begin with its one header", file)
        header = header or data[position + 8 : stop - 4]
        if name == b"IDAT":
            packed.append((position + 8, stop - 4))
        position = stop
    width, height, bits, colour, packing, filtering, interlaced = struct.unpack(">IIBBBBB", header)
    problem = size_problem([height, width])
    if problem:
        raise input_error("mask.size", *problem, file=file, value=[height, width])
    if (colour, bits) not in _KINDS:
        message = f"a PNG of colour type {colour} with {bits} bits holds no ids"
        remedy = "Save it as RGB, as 8 or 16 bit grey, or with a palette, without an alpha channel."
        raise input_error("png.kind", message, remedy, file=file)
    stream_bytes = _stream_bytes(width, height, bits * _CHANNELS[colour], bool(interlaced))
    if stream_bytes > _MOST_PACKED * sum(stop - start for start, stop in packed):
        raise damaged("the PNG file is far too small for the size in its header", file)
    step = bits * _CHANNELS[colour] // 8 if packing == filtering == 0 else 0
    return PngHeader((height, width), stream_bytes, bool(interlaced), tuple(packed), step)


def unpacked(data: bytes, header: PngHeader) -> NDArray[np.uint8] | None:
    """Return the pixels' bytes as the filters left them; None if there are too few of them, or they are no stream."""
    stream = np.empty(header.stream_bytes, np.uint8)
    unpacker = zlib.decompressobj()
    total = 0
    try:
        for start, stop in header.packed:
            rest = data[start:stop]
            while rest and total < len(stream):
                # Small pieces stay in the processor's cache until they are copied to their place.
                piece = unpacker.decompress(rest, min(_COPIED, len(stream) - total))
                stream[total : total + len(piece)] = np.frombuffer(piece, np.uint8)
                total += len(piece)
                rest = unpacker.unconsumed_tail
    except zlib.error:
        return None
    return stream if total == len(stream) else None


def pixel_stream_is_short(data: bytes, header: PngHeader) -> bool:
    """Return whether the packed pixels unpack to fewer bytes than the image has."""
    try:
        return _unpacked_bytes(data, header) < header.stream_bytes
    except zlib.error:
        return True


def _unpacked_bytes(data: bytes, header: PngHeader) -> int:
    """Return the length of the unpacked pixels; it stops counting where there is enough."""
    unpacker = zlib.decompressobj()
    total = 0
    for start, stop in header.packed:
        rest = data[start:stop]
        while rest and total < header.stream_bytes:
            total += len(unpacker.decompress(rest, _PIECE))
            rest = unpacker.unconsumed_tail
    return total + len(unpacker.flush())


def damaged(message: str, file: str | None) -> InputError:
    """Return the error for a PNG that is not whole."""
    return input_error("png.damaged", message, "Fetch or write the file again; it is not whole.", file=file)


def _stream_bytes(width: int, height: int, pixel_bits: int, interlaced: bool) -> int:
    """Return the bytes of all rows, one byte of filter type before each."""
    total = 0
    for x, y, dx, dy in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((x - width) // dx), -((y - height) // dy)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * pixel_bits + 7) // 8)
    return total
