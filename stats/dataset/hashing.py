"""A perceptual hash: 64 bits that stay (nearly) the same when a picture is scaled, recompressed or touched up."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entityseg.data.pixels import open_image
from entityseg.errors import InputError

SIDE = 32
_FREQUENCIES = 8
# A picture whose grey values lie closer together than this has no structure to hash.
_LEAST_CONTRAST = 4.0
# A JPEG is decoded at an eighth of its size; other files above this many pixels are left out.
MAX_PIXELS = 1 << 28
# Why a picture has a hash or none; `flat`: all of one shade; `large`: too many pixels to decode.
Picture = Literal["hashed", "missing", "unreadable", "flat", "large"]


def perceptual_hash(grey: NDArray[Any]) -> int | None:
    """Return the hash of a grey picture of 32 x 32, None if it has no structure.

    Each bit says whether one of the 64 lowest frequencies (of the two-dimensional DCT-II) lies above their median.
    Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2.1.

    Args:
        grey: numbers [32, 32], 0 to 255.

    >>> grey = np.random.default_rng(0).random((32, 32)) * 200
    >>> perceptual_hash(grey) == perceptual_hash(grey + 40), perceptual_hash(np.full((32, 32), 9))
    (True, None)
    """
    values = np.asarray(grey, np.float64)
    if values.shape != (SIDE, SIDE):
        raise ValueError(f"the picture must be {SIDE} x {SIDE}, not {values.shape}")
    if values.max() - values.min() < _LEAST_CONTRAST:
        return None
    # Frequencies 1 to 8 of both directions: 0 is the mean and gradients across all of it, which light moves.
    frequencies = _BASIS @ values @ _BASIS.T
    bits = (frequencies > np.median(frequencies)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def hash_image(path: Path | None) -> tuple[Picture, int | None]:
    """Return the perceptual hash of an image file, or why it has none; transparency counts as it is stored.

    Args:
        path: the file; None if it was not found.
    """
    from PIL import Image

    if path is None:
        return "missing", None
    try:
        with open_image(path) as opened:
            opened.draft("L", (2 * SIDE, 2 * SIDE))
            if opened.width * opened.height > MAX_PIXELS:
                return "large", None
            grey = _grey(opened).resize((SIDE, SIDE), Image.Resampling.BOX)
    except (
        InputError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        struct.error,
        Image.DecompressionBombError,
    ):
        return "unreadable", None
    found = perceptual_hash(np.asarray(grey))
    return ("flat", None) if found is None else ("hashed", found)


def _grey(image: Any) -> Any:
    """Return an image in shades of grey; of 16 bits the higher eight, where Pillow would cut at 255."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image.convert("L")
    return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


def _basis() -> NDArray[np.float64]:
    places = (2 * np.arange(SIDE) + 1) * math.pi / (2 * SIDE)
    return np.cos(np.outer(np.arange(1, _FREQUENCIES + 1), places))


_BASIS = _basis()
