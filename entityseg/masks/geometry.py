"""Crop, flip and resize the masks of one image, on runs."""

from __future__ import annotations

import numpy as np

from entityseg.errors import usage_error
from entityseg.masks.runlengths import Int64Array, RunLengths, Size, check_size


def crop(masks: RunLengths, x: int, y: int, width: int, height: int) -> RunLengths:
    """Return the masks of a part of the image.

    Args:
        masks: n masks.
        x: the left column of the part.
        y: its top row.
        width: its width in pixels.
        height: its height in pixels.

    Returns:
        n masks of size (height, width).

    Raises:
        UsageError: the part is empty or not inside the image.

    >>> crop(RunLengths((3, 3), [4, 6], [0, 2]), 1, 1, 2, 2).edges.tolist()
    [0, 2]
    """
    from entityseg.masks._rlemasklib import from_rlemasks, to_rlemasks

    if min(x, y) < 0 or min(width, height) < 1 or x + width > masks.width or y + height > masks.height:
        image = f"{masks.width} x {masks.height}"
        message = (
            f"{width} x {height} pixels (width x height) at x {x}, y {y} are not inside the image of {image}"
        )
        raise usage_error("crop.box", message, "Cut the box to the image first.")
    box = np.array([x, y, width, height])
    return from_rlemasks((mask.crop(box) for mask in to_rlemasks(masks)), (int(height), int(width)))


def flip(masks: RunLengths, *, horizontal: bool = False, vertical: bool = False) -> RunLengths:
    """Mirror the masks: `horizontal` swaps left and right, `vertical` swaps top and bottom.

    >>> flip(RunLengths((2, 2), [0, 1], [0, 2]), horizontal=True).edges.tolist()
    [2, 3]
    """
    from entityseg.masks._rlemasklib import from_rlemasks, to_rlemasks

    flipped = to_rlemasks(masks)
    if horizontal:
        flipped = (mask.fliplr() for mask in flipped)
    if vertical:
        flipped = (mask.flipud() for mask in flipped)
    return from_rlemasks(flipped, masks.size)


def resize(masks: RunLengths, size: Size) -> RunLengths:
    """Resize the masks to another image size, nearest neighbour.

    The pixel rule is Pillow's NEAREST: a new pixel takes the old pixel that its centre falls into,
    `floor((new + 0.5) * old_side / new_side)`, with the products summed up in float64 as Pillow sums them.

    Args:
        masks: n masks.
        size: (height, width) of the result.

    Raises:
        InputError: `size` is no image size.

    >>> resize(RunLengths((2, 2), [0, 1], [0, 2]), (4, 4)).edges.tolist()
    [0, 2, 4, 6]
    """
    from entityseg.masks import _resize

    size = check_size(size)
    if size == masks.size:
        return masks
    rows = nearest_sources(masks.height, size[0])
    first_rows = np.searchsorted(rows, np.arange(masks.height + 1)).astype(np.int64)
    columns = nearest_sources(masks.width, size[1])
    edges, offsets = _resize.resize(masks.edges, masks.offsets, masks.height, size[0], columns, first_rows)
    return RunLengths.trusted(size, edges, offsets)


def nearest_sources(old: int, new: int) -> Int64Array:
    """Return for each of `new` pixels along a side which of the `old` ones it takes, int64 [new].

    >>> nearest_sources(4, 2).tolist(), nearest_sources(2, 3).tolist()
    ([1, 3], [0, 1, 1])
    """
    scale = old / new
    steps = np.full(new, scale)
    steps[0] = 0.5 * scale
    return np.minimum(np.cumsum(steps).astype(np.int64), old - 1)
