"""What the size of an image may be."""

from __future__ import annotations

from numbers import Integral

_MAX_PIXELS = 2**32 - 1
_REMEDY = "Give the size as [height, width] of the image, in pixels."


def size_problem(size: object) -> tuple[str, str] | None:
    """Return (message, remedy) if `size` is no image size, else None.

    >>> size_problem([480, 640])
    >>> size_problem([0, 640])[0]
    'size must be two positive integers'
    """
    if isinstance(size, str | bytes) or not hasattr(size, "__len__") or len(size) != 2:
        return "size must be two positive integers", _REMEDY
    height, width = size  # type: ignore[misc]
    for side in (height, width):
        if isinstance(side, bool) or not isinstance(side, Integral) or side < 1:
            return "size must be two positive integers", _REMEDY
    if int(height) * int(width) > _MAX_PIXELS:
        return "the image has 2^32 pixels or more, which run lengths of 32 bits cannot address", _REMEDY
    return None
