"""Bridge to rlemasklib, whose single-mask operations work on runs in C.

Source: https://github.com/isarandi/rlemasklib. Imported by the functions that need it: it takes a while to
load.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from rlemasklib import RLEMask

from entityseg.errors import input_error
from entityseg.masks.runlengths import MAX_PIXELS, RunLengths, Size, UInt32Array


def to_rlemasks(masks: RunLengths) -> Iterator[RLEMask]:
    """Give each mask as rlemasklib's type."""
    for i in range(len(masks)):
        edges = masks.edges_of(i)
        counts = np.empty(len(edges) + 1, np.uint32)
        counts[:-1] = edges
        counts[-1] = masks.pixels
        counts[1:] -= edges
        # A last background run of length zero is not written.
        kept = counts if counts[-1] else counts[:-1]
        yield RLEMask.from_counts(kept, masks.size, validate_sum=False)


def from_rlemasks(masks: Iterable[RLEMask], size: Size) -> RunLengths:
    """Return rlemasklib's masks, all of the given size, as one value."""
    edges = [_edges(mask, size[0] * size[1]) for mask in masks]
    offsets = np.cumsum([0] + [len(one) for one in edges], dtype=np.int64)
    return RunLengths.trusted(size, np.concatenate([*edges, np.empty(0, np.uint32)]), offsets)


def padded(mask: RLEMask) -> RLEMask:
    """Return the mask with one pixel of background on each side.

    Raises:
        InputError: the image is too large for that.
    """
    height, width = mask.shape
    if (height + 2) * (width + 2) > MAX_PIXELS:
        message = f"an image of {height} x {width} pixels is too large for this operation"
        raise input_error("mask.size", message, "Crop the masks first.")
    return mask.pad(1, 1, 1, 1)


def unpadded(mask: RLEMask) -> RLEMask:
    """Return the mask without its outermost pixels."""
    height, width = mask.shape
    return mask.crop(np.array([1, 1, width - 2, height - 2]))


def _edges(mask: RLEMask, pixels: int) -> UInt32Array:
    counts = mask.counts
    edges = np.cumsum(counts, dtype=np.uint64)
    if len(counts) % 2:
        edges = edges[:-1]
    if (counts[1:] == 0).any():
        # Runs of length zero: an edge that stands twice is none.
        edges, times = np.unique(edges, return_counts=True)
        edges = edges[times % 2 == 1]
    return edges.astype(np.uint32)
