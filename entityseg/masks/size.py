"""What the size of an image may be, and that two are the same."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np

from entityseg.errors import input_error
from entityseg.masks.runlengths import Size

_MAX_PIXELS = 2**32 - 1
_REMEDY = "Give the size as [height, width] of the image, in pixels."


def size_problem(size: object) -> tuple[str, str] | None:
    """Return (message, remedy) if `size` is no image size, else None.

    >>> size_problem([480, 640])
    >>> size_problem([0, 640])[0]
    'size must be two positive integers'
    """
    if isinstance(size, str | bytes) or not isinstance(size, Sequence | np.ndarray) or len(size) != 2:
        return "size must be two positive integers", _REMEDY
    for side in size:
        if isinstance(side, bool) or not isinstance(side, Integral) or side < 1:
            return "size must be two positive integers", _REMEDY
    if int(size[0]) * int(size[1]) > _MAX_PIXELS:
        return "the image has 2^32 pixels or more, which run lengths of 32 bits cannot address", _REMEDY
    return None


def require_same_size(a: Size, b: Size) -> None:
    """Raise if masks of two images are to be compared that differ in size, (height, width).

    Raises:
        InputError: they do.
    """
    if a != b:
        message = f"masks of images of {a} and {b} (height, width) cannot be compared"
        raise input_error("mask.size", message, "Bring both to the same image size first.")
