"""Size, EXIF orientation and wholeness of an image file, told without decoding it.

JPEG (ITU T.81, EXIF 2.32) and PNG (ISO 15948) are read here, so that pictures of any size, and of any number,
cost next to nothing; Pillow reads the headers of the other kinds.
"""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from entityseg.errors import Finding, InputError, MissingFileError, input_error
from entityseg.masks.runlengths import Size

_PNG = b"\x89PNG\r\n\x1a\n"
_ORIENTATION_TAG = 0x0112
# Camera makers put thumbnails and notes behind the picture, so the end marker is looked for in the last
# bytes.
_TAIL = 1 << 16
# Segments and chunks before the size; real files have a few dozen.
_MOST_PARTS = 10_000
# Start-of-frame markers; C4, C8 and CC among them mean other things.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file says of its picture.

    Attributes:
        size: (height, width) of the stored pixels.
        orientation: EXIF orientation, 1 (upright) to 8; 5 to 8 turn the picture by a quarter when it is
            shown.
        whole: whether the file's end is there (JPEG and PNG; True for other kinds).
    """

    size: Size
    orientation: int = 1
    whole: bool = True

    @property
    def shown_size(self) -> Size:
        """(height, width) as viewers show the picture.

        >>> ImageHeader((480, 640), orientation=6).shown_size
        (640, 480)
        """
        return self.size if self.orientation < 5 else (self.size[1], self.size[0])


def read_header(path: str | Path) -> ImageHeader:
    """Read the header of an image file.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no image, or its header is damaged.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            start = file.read(8)
            if start[:2] == b"\xff\xd8":
                header = _jpeg(file)
            elif start == _PNG:
                header = _png(file)
            else:
                header = _other(path)
    except FileNotFoundError as error:
        finding = Finding("file.missing", "there is no such file", "Check the path.", file=str(path))
        raise MissingFileError(finding) from error
    except (OSError, struct.error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _broken(path, str(error)) from None
    if header is None or min(header.size) < 1:
        raise _broken(path, "the header has no size")
    return header


def _broken(path: Path, reason: str) -> InputError:
    message = f"the image cannot be read: {reason}"
    return input_error("image.unreadable", message, "Download or unpack the file again.", file=str(path))


def _jpeg(file: IO[bytes]) -> ImageHeader | None:
    orientation = 1
    position = 2
    for _ in range(_MOST_PARTS):
        file.seek(position)
        marker, kind = file.read(2).ljust(2, b"\0")
        if marker != 0xFF:
            return None
        if kind == 0xFF:  # A filling byte.
            position += 1
            continue
        if kind == 0x01 or 0xD0 <= kind <= 0xD8:
            position += 2
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if kind in _FRAMES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return ImageHeader((height, width), orientation, _ends_with(file, b"\xff\xd9"))
        if kind == 0xE1 and orientation == 1:
            data = file.read(length - 2)
            if data[:6] == b"Exif\0\0":
                orientation = _orientation(data[6:])
        if kind in (0xD9, 0xDA) or length < 2:
            return None
        position += 2 + length
    return None


def _png(file: IO[bytes]) -> ImageHeader | None:
    size, orientation = None, 1
    position = 8
    for _ in range(_MOST_PARTS):
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"IHDR":
            width, height = struct.unpack(">II", file.read(8))
            size = (height, width)
        elif kind == b"eXIf" and length < _TAIL:
            orientation = _orientation(file.read(length))
        elif kind in (b"IDAT", b"IEND"):
            break
        position += 12 + length
    return ImageHeader(size, orientation, _ends_with(file, b"IEND\xaeB`\x82")) if size else None


def _other(path: Path) -> ImageHeader:
    from PIL import Image

    with warnings.catch_warnings():
        # Nothing is decoded here, so a huge picture is no danger.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                return ImageHeader((image.height, image.width), _known(image.getexif().get(_ORIENTATION_TAG)))
        except Image.DecompressionBombError as error:
            raise ValueError(str(error)) from None


def _ends_with(file: IO[bytes], marker: bytes) -> bool:
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL))
    return marker in file.read(_TAIL)


def _orientation(tiff: bytes) -> int:
    """Return the orientation in an EXIF block's first directory, 1 if it says none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    if start + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for entry in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", tiff, entry)
        if tag == _ORIENTATION_TAG and kind == 3:
            return _known(struct.unpack_from(order + "H", tiff, entry + 8)[0])
    return 1


def _known(orientation: object) -> int:
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
