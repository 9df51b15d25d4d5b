"""Erosion, dilation and the boundary band, with squares, on runs.

Distances are chessboard distances in pixels: the eight neighbours of a pixel are at distance 1. What lies
outside the image is background.
"""

from __future__ import annotations

import numpy as np

from entityseg.errors import usage_error
from entityseg.masks.runlengths import RunLengths


def boundary_band(masks: RunLengths, distance: int) -> RunLengths:
    """Return the foreground pixels within `distance` of the background.

    This is the region of Boundary IoU (Cheng et al., CVPR 2021, section 4, as its published code computes it:
    one pixel of background around the image, then `distance` erosions by a 3 x 3 square).

    Raises:
        UsageError: `distance` is no integer from 0.

    >>> square = RunLengths((3, 3), [0, 9], [0, 2])
    >>> boundary_band(square, 1).edges.tolist()
    [0, 4, 5, 9]
    """
    from entityseg.masks import _bands

    _check(distance)
    if distance == 0:
        return RunLengths.empty(masks.size, len(masks))
    offsets = np.empty(len(masks) + 1, np.int64)
    edges = _bands.bands(masks.edges, masks.offsets, masks.height, int(distance), offsets)
    return RunLengths.trusted(masks.size, edges, offsets)


def erode(masks: RunLengths, distance: int) -> RunLengths:
    """Return the foreground pixels that are farther than `distance` from the background.

    Raises:
        UsageError: `distance` is no integer from 0.
        InputError: the image is too large to be padded.

    >>> erode(RunLengths((3, 3), [0, 9], [0, 2]), 1).edges.tolist()
    [4, 5]
    """
    from entityseg.masks._rlemasklib import from_rlemasks, padded, to_rlemasks, unpadded

    _check(distance)
    if distance == 0:
        return masks
    eroded = (
        unpadded(padded(m).erode("square", 2 * int(distance) + 1, inplace=True)) for m in to_rlemasks(masks)
    )
    return from_rlemasks(eroded, masks.size)


def dilate(masks: RunLengths, distance: int) -> RunLengths:
    """Return the pixels of the image within `distance` of the foreground.

    Raises:
        UsageError: `distance` is no integer from 0.

    >>> dilate(RunLengths((3, 4), [0, 1], [0, 2]), 1).edges.tolist()
    [0, 2, 3, 5]
    """
    from entityseg.masks._rlemasklib import from_rlemasks, to_rlemasks

    _check(distance)
    if distance == 0:
        return masks
    return from_rlemasks((m.dilate("square", 2 * int(distance) + 1) for m in to_rlemasks(masks)), masks.size)


def _check(distance: int) -> None:
    if isinstance(distance, bool) or not hasattr(distance, "__index__") or not 0 <= int(distance) < 2**31:
        message = f"a distance must be an integer from 0, not {distance!r}"
        raise usage_error("morphology.distance", message, "Round it first; it is in pixels.")
