"""The one reader of images as pixels: every kind of file becomes uint8 RGB, or is refused with the reason."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.image_header import read_header
from entityseg.errors import Finding, InputError
from entityseg.masks.runlengths import Size

# Grey values of 16 bits are shown by their higher byte, as Pillow does with 16-bit RGB.
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


class _UnknownRangeError(ValueError):
    """Values of which nobody knows what is black and what is white."""


def read_rgb(path: str | Path, size: Size | None = None, *, record: str | None = None) -> NDArray[np.uint8]:
    """Read an image as uint8 [height, width, 3].

    CMYK and palettes are converted, alpha is dropped (the colours below it are taken as stored, as detectron2
    and torchvision do), grey becomes three equal channels, and of 16 bits the higher eight are kept.

    Args:
        path: the file.
        size: (height, width) that its record says. Pixels are taken as they are stored, unless only the image
            turned by its EXIF orientation has this size: some sets were annotated on what a viewer shows.
            Without a size the image is turned as a viewer turns it.
        record: where the image was named, for messages.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no image, cut off, of floating-point values, or of another size than its record says.
    """
    from PIL import Image, ImageOps

    path = Path(path)
    header = read_header(path)
    if size is not None and size not in (header.size, header.shown_size):
        message = f"the image is {header.size[0]} x {header.size[1]}, its record says {size[0]} x {size[1]}"
        remedy = "Use the images that belong to these annotations (HR and LR have the same names)."
        raise InputError(Finding("image.size", message, remedy, file=str(path), record=record))
    try:
        with open_image(path) as opened:
            opened.load()
            turn = header.orientation != 1 if size is None else header.size != size
            return _rgb(ImageOps.exif_transpose(opened) if turn else opened)
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as error:
        message, remedy = f"the image cannot be read: {error}", "Download or unpack the file again."
        if isinstance(error, _UnknownRangeError):
            remedy = "Convert it to 8 or 16 bits a channel."
        found = Finding("image.unreadable", message, remedy, file=str(path), record=record)
        raise InputError(found) from None


def open_image(path: Path) -> Any:
    """Open an image; JPEG and PNG by their own classes, as `Image.open` refuses the set's largest images."""
    from PIL import Image, JpegImagePlugin, PngImagePlugin

    with open(path, "rb") as file:
        start = file.read(4)
    if start[:2] == b"\xff\xd8":
        return JpegImagePlugin.JpegImageFile(path)
    if start == b"\x89PNG":
        return PngImagePlugin.PngImageFile(path)
    with warnings.catch_warnings():
        # Above the size that is warned of, Pillow refuses by an error.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path)


def sixteen_bits(image: Any) -> NDArray[np.uint16] | None:
    """Return the values of a grey image of 16 bits, uint16 [height, width]; None for other images of integers.

    Raises:
        ValueError: its pixels are floating-point values or beyond 16 bits, whose range is not known.
    """
    if image.mode == "F":
        raise _UnknownRangeError("its pixels are floating-point values, whose range is not known")
    if image.mode not in _SIXTEEN_BITS and image.mode != "I":
        return None
    values = np.asarray(image).astype(np.int64)
    if values.size and not 0 <= int(values.min()) <= int(values.max()) < 2**16:
        # What 32-bit values mean, the file does not say.
        raise _UnknownRangeError(f"its grey values, {values.min()} to {values.max()}, are beyond 16 bits")
    return values.astype(np.uint16)


def _rgb(image: Any) -> NDArray[np.uint8]:
    values = sixteen_bits(image)
    if values is not None:
        return np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2)
    # Pillow warns of a palette with transparency, which is dropped here as all alpha is.
    image.info.pop("transparency", None)
    return np.asarray(image.convert("RGB"))
