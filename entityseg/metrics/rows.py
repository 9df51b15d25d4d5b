"""Masks compared one to one: what the metrics of texts need, where each text has one true and one predicted mask."""

from __future__ import annotations

import numpy as np

from entityseg.errors import input_error
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.masks.size import require_same_size


def row_intersections(a: RunLengths, b: RunLengths) -> Int64Array:
    """Return the pixels that mask i of `a` shares with mask i of `b`, int64 [n]; no pixel is ever decoded.

    Raises:
        InputError: the images differ in size, or the lists in length.

    >>> a = RunLengths((1, 10), [0, 6, 2, 3], [0, 2, 4])
    >>> b = RunLengths((1, 10), [4, 10, 8, 9], [0, 2, 4])
    >>> row_intersections(a, b).tolist()
    [2, 0]
    """
    from entityseg.metrics import _rows

    require_same_size(a.size, b.size)
    if len(a) != len(b):
        message = f"{len(a)} masks cannot be compared one to one with {len(b)}"
        raise input_error("mask.count", message, "Give a prediction, be it an empty mask, for each text.")
    common = np.zeros(len(a), np.int64)
    _rows.row_intersections(a.edges, a.offsets, b.edges, b.offsets, common)
    return common


def once(masks: RunLengths) -> RunLengths:
    """Return one mask: the pixels in exactly one of the masks, which is what is left where counts replace a union.

    >>> once(RunLengths((1, 9), [0, 4, 2, 6], [0, 2, 4])).edges.tolist()
    [0, 2, 4, 6]
    """
    places, inverse = np.unique(masks.edges, return_inverse=True)
    steps = np.zeros(len(places), np.int64)
    np.add.at(steps, inverse, np.where(np.arange(len(inverse)) % 2 == 0, 1, -1))
    inside = np.cumsum(steps) == 1
    # An edge stands where being inside changes.
    edges = places[inside != np.concatenate([[False], inside[:-1]])] if len(places) else places
    return RunLengths.trusted(masks.size, edges.astype(np.uint32), np.array([0, len(edges)], np.int64))
