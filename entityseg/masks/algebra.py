"""Unions, intersections, differences, overlap and painting of the masks of one image, on runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import input_error, usage_error
from entityseg.masks.runlengths import Int64Array, RunLengths, UInt32Array, frozen


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Which masks of an image share pixels.

    Attributes:
        pairs: int64 [k, 2], indices i < j of masks with a common pixel, ascending.
        pixels: int64 [k], the pixels each pair shares.
        total: sum of the masks' areas minus the area of their union, in pixels.
        complete: whether all pairs are there; of very many only the first ones are looked for.
    """

    pairs: Int64Array
    pixels: Int64Array
    total: int
    complete: bool = True

    def __len__(self) -> int:
        return len(self.pairs)


def union(masks: RunLengths) -> RunLengths:
    """Return one mask: the pixels in at least one of the masks.

    >>> union(RunLengths((1, 9), [0, 4, 2, 6], [0, 2, 4])).edges.tolist()
    [0, 6]
    """
    if len(masks.edges) == 0:
        return RunLengths.empty(masks.size, 1)
    starts, stops = np.sort(masks.edges[0::2]), np.sort(masks.edges[1::2])
    # The i-th start opens a run of the union if all i runs that began before it have ended before it.
    opens = np.concatenate([[True], stops[:-1] < starts[1:]])
    closes = np.concatenate([opens[1:], [True]])
    return _from_runs(masks, starts[opens], stops[closes])


def intersection(masks: RunLengths) -> RunLengths:
    """Return one mask: the pixels in every mask; the whole image where there is no mask.

    >>> intersection(RunLengths((1, 9), [0, 4, 2, 6], [0, 2, 4])).edges.tolist()
    [2, 4]
    """
    n = len(masks)
    if n == 0:
        return complement(RunLengths.empty(masks.size, 1))
    starts, stops = np.sort(masks.edges[0::2]), np.sort(masks.edges[1::2])
    # At the i-th start n masks are open if only i + 1 - n runs have ended by then.
    starts, stops = starts[n - 1 :], stops[: max(len(stops) - n + 1, 0)]
    inside = starts < stops
    return _from_runs(masks, starts[inside], stops[inside])


def complement(masks: RunLengths) -> RunLengths:
    """Return for each mask the pixels that are not in it.

    >>> complement(RunLengths((1, 9), [0, 4], [0, 2])).edges.tolist()
    [4, 9]
    """
    n, lengths = len(masks), np.diff(masks.offsets)
    offsets = masks.offsets + 2 * np.arange(n + 1)
    first, last = offsets[:-1], offsets[1:] - 1
    edges = np.empty(len(masks.edges) + 2 * n, np.uint32)
    edges[np.arange(len(masks.edges)) + np.repeat(2 * np.arange(n) + 1, lengths)] = masks.edges
    edges[first], edges[last] = 0, masks.pixels
    # A run of length zero at either end goes.
    keep = np.ones(len(edges), np.bool_)
    at_start, at_end = edges[first + 1] == 0, edges[last - 1] == masks.pixels
    keep[first[at_start]] = keep[first[at_start] + 1] = False
    keep[last[at_end]] = keep[last[at_end] - 1] = False
    kept = np.concatenate([[0], np.cumsum(keep)])
    return RunLengths.trusted(masks.size, edges[keep], kept[offsets].astype(np.int64))


def difference(a: RunLengths, b: RunLengths) -> RunLengths:
    """Return for each mask of `a` the pixels that are not in the mask of `b` at the same place.

    Args:
        a: n masks.
        b: n masks, or one mask that is taken from all of `a`.

    Raises:
        InputError: the images differ in size, or the numbers of masks do not fit.

    >>> difference(RunLengths((1, 9), [0, 6], [0, 2]), RunLengths((1, 9), [2, 4], [0, 2])).edges.tolist()
    [0, 2, 4, 6]
    """
    if a.size != b.size:
        message = f"masks of images of {a.size} and {b.size} (height, width) cannot be combined"
        raise input_error("mask.size", message, "Bring both to the same image size first.")
    if len(b) not in (1, len(a)):
        message = f"{len(b)} masks cannot be taken from {len(a)} masks"
        raise input_error("mask.count", message, "Give one mask, or as many masks as there are on the left.")
    rest = complement(b)
    if len(b) != len(a):
        rest = rest[np.zeros(len(a), np.int64)]
    # All masks one after the other on one long scan line, with a gap between them; there, depth two is in
    # both.
    stride = a.pixels + 1
    lines = [
        m.edges.astype(np.int64) + np.repeat(np.arange(len(m)) * stride, np.diff(m.offsets))
        for m in (a, rest)
    ]
    edges = np.concatenate(lines)
    starts, stops = np.sort(edges[0::2], kind="stable")[1:], np.sort(edges[1::2], kind="stable")[:-1]
    inside = starts < stops
    starts, stops = starts[inside], stops[inside]
    offsets = 2 * np.searchsorted(starts, np.arange(len(a) + 1) * stride)
    both = np.empty(2 * len(starts), np.uint32)
    both[0::2], both[1::2] = starts % stride, stops % stride
    return RunLengths.trusted(a.size, both, offsets.astype(np.int64))


def union_area(masks: RunLengths) -> int:
    """Return how many pixels are in at least one mask.

    >>> union_area(RunLengths((1, 9), [0, 4, 2, 6], [0, 2, 4]))
    6
    """
    if are_disjoint(masks):
        return int(masks.areas.sum())
    return int(union(masks).areas[0])


def coverage(masks: RunLengths) -> float:
    """Return the share of the image's pixels that is in at least one mask, 0 to 1.

    >>> coverage(RunLengths((1, 8), [0, 4, 2, 6], [0, 2, 4]))
    0.75
    """
    return union_area(masks) / masks.pixels


def are_disjoint(masks: RunLengths) -> bool:
    """Return True if no pixel is in two masks.

    >>> are_disjoint(RunLengths((1, 9), [0, 4, 2, 6], [0, 2, 4]))
    False
    """
    from entityseg.masks import _disjoint

    if len(masks) < 2:
        return True
    # Cheap where the areas are known already, as they are after decoding.
    if "_measures" in masks.__dict__ and int(masks.areas.sum()) > masks.pixels:
        return False
    return bool(_disjoint.disjoint(masks.edges, masks.pixels))


_MATRIX_CELLS = 1 << 20
# A million masks have 5e11 pairs: neither memory nor time would do for all of them.
_MOST_PAIRS, _MOST_COMPARED = 1 << 20, 1 << 31


def overlaps(masks: RunLengths) -> Overlaps:
    """Return which masks share pixels, and how many.

    All pairs are compared where that is possible in seconds; else the first ones are, and the result says so.

    >>> found = overlaps(RunLengths((1, 9), [0, 4, 2, 6, 7, 9], [0, 2, 4, 6]))
    >>> found.pairs.tolist(), found.pixels.tolist(), found.total
    ([[0, 1]], [2], 2)
    """
    if are_disjoint(masks):
        return Overlaps(frozen(np.empty((0, 2), np.int64)), frozen(np.empty(0, np.int64)), 0)
    from entityseg.masks.pairwise import intersections

    pairs, pixels = [], []
    # Some rows of the matrix at a time: of many thousand masks it would not fit into memory.
    step = max(1, _MATRIX_CELLS // len(masks))
    listed = compared = start = 0
    while start < len(masks) and listed < _MOST_PAIRS and compared < _MOST_COMPARED:
        common = intersections(masks[start : start + step], masks[start:])
        rows, columns = np.nonzero(np.triu(common, k=1))
        pairs.append(np.stack([rows, columns], axis=1) + start)
        pixels.append(common[rows, columns])
        listed, compared, start = listed + len(rows), compared + common.size, start + step
    total = int(masks.areas.sum()) - int(union(masks).areas[0])
    complete = start >= len(masks)
    return Overlaps(frozen(np.concatenate(pairs)), frozen(np.concatenate(pixels)), total, complete)


def paint(masks: RunLengths, order: Sequence[int] | NDArray[np.integer]) -> RunLengths:
    """Make masks disjoint by painting them one over the other (the painter's algorithm).

    Args:
        masks: n masks.
        order: indices of masks, the first is painted first; later ones win. What is not listed is not
        painted.

    Returns:
        n masks at their old places, without the pixels that a later one has; some may be empty.

    Raises:
        UsageError: `order` holds something that is no index, or one twice.

    >>> painted = paint(RunLengths((1, 9), [0, 6, 2, 4], [0, 2, 4]), [0, 1])
    >>> painted.edges.tolist(), painted.offsets.tolist()
    ([0, 2, 4, 6, 2, 4], [0, 4, 6])
    """
    from entityseg.masks import _paint

    n = len(masks)
    given = np.asarray(order)
    if given.size and (given.ndim != 1 or not np.issubdtype(given.dtype, np.integer)):
        raise usage_error(
            "paint.order", "the painting order is no list of mask indices", "Give indices 0 to n - 1."
        )
    order = given.astype(np.int64)
    if order.size and (order.min() < 0 or order.max() >= n or len(np.unique(order)) != len(order)):
        message = f"the painting order must hold indices of the {n} masks, each once at the most"
        raise usage_error("paint.order", message, "Give, for instance, `numpy.argsort(scores)`.")
    room = np.empty(2 * len(masks.edges), np.uint32)
    starts, stops = np.zeros(n, np.int64), np.zeros(n, np.int64)
    _paint.paint(masks.edges, masks.offsets, masks.pixels, order, room, starts, stops)
    edges = [room[start:stop] for start, stop in zip(starts, stops, strict=True)]
    offsets = np.concatenate([[0], np.cumsum(stops - starts)])
    flat: UInt32Array = np.concatenate([*edges, np.empty(0, np.uint32)])
    return RunLengths.trusted(masks.size, flat, offsets.astype(np.int64))


def overlap_error(masks: RunLengths, remedy: str, **where: object) -> Exception:
    """Return an `InputError` that names the masks that overlap and how many pixels they share."""
    found = overlaps(masks)
    pairs = ", ".join(
        f"{i} and {j} ({pixels} pixels)"
        for (i, j), pixels in zip(found.pairs[:5], found.pixels[:5], strict=True)
    )
    more = f" and {len(found) - 5} more pairs" if len(found) > 5 else ""
    message = f"masks overlap by {found.total} pixels: {pairs}{more}"
    return input_error("mask.overlap", message, remedy, **where)


def _from_runs(like: RunLengths, starts: UInt32Array, stops: UInt32Array) -> RunLengths:
    """Return one mask from its runs."""
    edges = np.empty(2 * len(starts), np.uint32)
    edges[0::2], edges[1::2] = starts, stops
    return RunLengths.trusted(like.size, edges, np.array([0, len(edges)], np.int64))
