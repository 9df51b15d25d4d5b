"""Connected components and holes of masks, on runs.

Connectivity 4 joins pixels that share a side, 8 also those that share a corner.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from entityseg.errors import usage_error
from entityseg.masks.runlengths import Int64Array, RunLengths

if TYPE_CHECKING:
    from rlemasklib import RLEMask


def components(masks: RunLengths, connectivity: int = 8) -> list[RunLengths]:
    """Return the connected components of each mask, in the order in which the scan line meets them.

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.

    >>> [len(parts) for parts in components(RunLengths((2, 2), [0, 1, 3, 4], [0, 4]), 4)]
    [2]
    """
    from entityseg.masks._rlemasklib import from_rlemasks, to_rlemasks

    _check(connectivity)
    return [
        _in_order(from_rlemasks(mask.connected_components(connectivity), masks.size))
        for mask in to_rlemasks(masks)
    ]


def count_components(masks: RunLengths, connectivity: int = 8) -> Int64Array:
    """Return how many connected components each mask has, int64 [n].

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.

    >>> count_components(RunLengths((2, 2), [0, 1, 3, 4], [0, 4])).tolist()
    [1]
    """
    from entityseg.masks._rlemasklib import to_rlemasks

    _check(connectivity)
    counts = [mask.count_connected_components(connectivity) for mask in to_rlemasks(masks)]
    return np.array(counts, np.int64)


def holes(masks: RunLengths, connectivity: int = 4) -> list[RunLengths]:
    """Return the holes of each mask, in the order in which the scan line meets them.

    A hole is a connected component of the background that is not connected with the outside of the image; the
    background beyond the image's border is one piece. `connectivity` is that of the background: 4 goes with
    8-connected components, 8 with 4-connected ones.

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.
        InputError: the image is too large to be padded.

    >>> ring = RunLengths((3, 3), [0, 4, 5, 9], [0, 4])
    >>> holes(ring)[0].edges.tolist()
    [4, 5]
    """
    from entityseg.masks._rlemasklib import from_rlemasks, unpadded

    _check(connectivity)
    result = []
    for background in _backgrounds(masks):
        parts = background.connected_components(connectivity)
        inside = (unpadded(part) for part in parts if not _is_outside(part))
        result.append(_in_order(from_rlemasks(inside, masks.size)))
    return result


def count_holes(masks: RunLengths, connectivity: int = 4) -> Int64Array:
    """Return how many holes each mask has, int64 [n]; for what a hole is, see `holes`.

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.
        InputError: the image is too large to be padded.

    >>> count_holes(RunLengths((3, 3), [0, 4, 5, 9], [0, 4])).tolist()
    [1]
    """
    _check(connectivity)
    # One component is the outside, which the padding makes one piece that is always there.
    counts = [background.count_connected_components(connectivity) - 1 for background in _backgrounds(masks)]
    return np.array(counts, np.int64)


def fill_holes(masks: RunLengths, connectivity: int = 4) -> RunLengths:
    """Return each mask with its holes filled; for what a hole is, see `holes`.

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.
        InputError: the image is too large to be padded.

    >>> fill_holes(RunLengths((3, 3), [0, 4, 5, 9], [0, 4])).edges.tolist()
    [0, 9]
    """
    from entityseg.masks._rlemasklib import from_rlemasks, unpadded

    _check(connectivity)
    filled = []
    for background in _backgrounds(masks):
        outside = next(part for part in background.connected_components(connectivity) if _is_outside(part))
        filled.append(unpadded(outside.complement()))
    return from_rlemasks(filled, masks.size)


def _backgrounds(masks: RunLengths) -> Iterator[RLEMask]:
    """Give the background of each mask, with one pixel around the image."""
    from entityseg.masks._rlemasklib import padded, to_rlemasks

    return (padded(mask).complement(inplace=True) for mask in to_rlemasks(masks))


def _is_outside(part: RLEMask) -> bool:
    # The first pixel of the padding.
    return int(part.counts_view[0]) == 0


def _in_order(parts: RunLengths) -> RunLengths:
    return parts[np.argsort(parts.edges[parts.offsets[:-1]], kind="stable")] if len(parts) else parts


def _check(connectivity: int) -> None:
    if connectivity not in (4, 8):
        message = f"connectivity is {connectivity!r}"
        raise usage_error("regions.connectivity", message, "Give 4 or 8.")
