"""One order of the masks of an image that does not depend on how they were listed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from entityseg.masks import coco
from entityseg.masks.runlengths import Int64Array, RunLengths


def by_score(masks: RunLengths, scores: NDArray[np.float64]) -> Int64Array:
    """Return the masks' indices, best first: higher score, then larger area, then lower bytes of the compressed RLE.

    >>> masks = RunLengths((1, 9), [0, 1, 4, 6, 8, 9], [0, 2, 4, 6])
    >>> by_score(masks, np.array([0.5, 0.5, 0.9])).tolist()
    [2, 1, 0]
    """
    order = np.lexsort((-masks.areas, -scores))
    same = (scores[order][1:] == scores[order][:-1]) & (masks.areas[order][1:] == masks.areas[order][:-1])
    return _break_ties(masks, order, same)


def by_size(masks: RunLengths) -> Int64Array:
    """Return the masks' indices: larger area first, then lower bytes of the compressed RLE."""
    order = np.argsort(-masks.areas, kind="stable")
    return _break_ties(masks, order, masks.areas[order][1:] == masks.areas[order][:-1])


def _break_ties(masks: RunLengths, order: Int64Array, same_as_next: NDArray[np.bool_]) -> Int64Array:
    """Sort each stretch of equals by the bytes of the masks."""
    order = order.astype(np.int64)
    if not same_as_next.any():
        return order
    starts = np.flatnonzero(np.concatenate([[True], ~same_as_next]))
    for start, stop in zip(starts, np.append(starts[1:], len(order)), strict=True):
        if stop - start > 1:
            group = order[start:stop]
            texts = coco.to_strings(masks[group])
            order[start:stop] = group[sorted(range(len(group)), key=texts.__getitem__)]
    return order
