"""Connected components and holes of masks, on runs.

Connectivity 4 joins pixels that share a side, 8 also those that share a corner. What lies outside the image is
background. A hole is a connected component of the background that is not connected with the outside.
"""

from __future__ import annotations

import numpy as np

from entityseg.errors import usage_error
from entityseg.masks.algebra import difference
from entityseg.masks.columns import Columns, columns_of
from entityseg.masks.runlengths import Int64Array, RunLengths


def components(masks: RunLengths, connectivity: int = 8) -> list[RunLengths]:
    """Return the connected components of each mask, in the order in which the scan line meets them.

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.

    >>> [len(parts) for parts in components(RunLengths((2, 2), [0, 1, 3, 4], [0, 4]), 4)]
    [2]
    """
    parts, stops = split_components(masks, connectivity)
    return [parts[stops[i] : stops[i + 1]] for i in range(len(masks))]


def split_components(masks: RunLengths, connectivity: int = 8) -> tuple[RunLengths, Int64Array]:
    """Return the components of all masks in a row, and int64 [n + 1]: mask `i` has stops[i] to stops[i + 1] - 1.

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.

    >>> parts, stops = split_components(RunLengths((2, 3), [0, 1, 3, 4, 5, 6, 0, 6], [0, 6, 8]), 4)
    >>> parts.areas.tolist(), stops.tolist()
    ([1, 2, 6], [0, 2, 3])
    """
    columns = columns_of(masks)
    labels, stops = _labels(columns, connectivity)
    return _gathered(columns, labels, int(stops[-1]), masks), stops


def count_components(masks: RunLengths | Columns, connectivity: int = 8) -> Int64Array:
    """Return how many connected components each mask has, int64 [n].

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.

    >>> count_components(RunLengths((2, 2), [0, 1, 3, 4], [0, 4])).tolist()
    [1]
    """
    return np.diff(_labels(columns_of(masks), connectivity)[1])


def holes(masks: RunLengths, connectivity: int = 4) -> list[RunLengths]:
    """Return the holes of each mask, in the order in which the scan line meets them.

    `connectivity` is that of the background: 4 goes with 8-connected components, 8 with 4-connected ones.

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.

    >>> ring = RunLengths((3, 3), [0, 4, 5, 9], [0, 4])
    >>> holes(ring)[0].edges.tolist()
    [4, 5]
    """
    return components(difference(fill_holes(masks, connectivity), masks), connectivity)


def count_holes(masks: RunLengths | Columns, connectivity: int = 4) -> Int64Array:
    """Return how many holes each mask has, int64 [n]; `connectivity` is that of the background.

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.

    >>> count_holes(RunLengths((3, 3), [0, 4, 5, 9], [0, 4])).tolist()
    [1]
    """
    return _filled(columns_of(masks), connectivity)[1]


def fill_holes(masks: RunLengths, connectivity: int = 4) -> RunLengths:
    """Return each mask with its holes filled, and so with its components that lie in holes.

    `connectivity` is that of the background.

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.

    >>> fill_holes(RunLengths((3, 3), [0, 4, 5, 9], [0, 4])).edges.tolist()
    [0, 9]
    """
    columns = fill_columns(masks, connectivity)
    owners = np.repeat(np.arange(len(columns)), np.diff(columns.begins[columns.firsts]))
    return _gathered(columns, owners, len(columns), masks)


def fill_columns(masks: RunLengths | Columns, connectivity: int = 4) -> Columns:
    """Return what `fill_holes` does as pieces of columns, without making runs of them.

    Raises:
        UsageError: `connectivity` is neither 4 nor 8.

    >>> fill_columns(RunLengths((3, 3), [0, 4, 5, 9], [0, 4])).rows.tolist()
    [0, 3, 0, 3, 0, 3]
    """
    return _filled(columns_of(masks), connectivity)[0]


def _filled(columns: Columns, connectivity: int) -> tuple[Columns, Int64Array]:
    """Return the columns with holes filled, and how many each mask has."""
    from entityseg.masks import _regions

    begins, rows = np.empty_like(columns.begins), np.empty_like(columns.rows)
    counts = np.empty(len(columns), np.int64)
    corners = _corners(connectivity)
    n = _regions.fill(columns.firsts, columns.begins, columns.rows, corners, begins, rows, counts)
    return Columns(columns.height, columns.lefts, columns.firsts, begins, rows[: 2 * n]), counts


def _labels(columns: Columns, connectivity: int) -> tuple[Int64Array, Int64Array]:
    """Return the component of each piece, and where those of each mask stop."""
    from entityseg.masks import _regions

    labels = np.empty(len(columns.rows) // 2, np.int64)
    stops = np.empty(len(columns) + 1, np.int64)
    corners = _corners(connectivity)
    _regions.label(columns.firsts, columns.begins, columns.rows, corners, labels, stops)
    return labels, stops


def _gathered(columns: Columns, labels: Int64Array, count: int, like: RunLengths) -> RunLengths:
    """Return `count` masks of the pieces with their labels."""
    from entityseg.masks import _regions

    offsets = np.empty(count + 1, np.int64)
    edges = _regions.gather(
        columns.lefts, columns.firsts, columns.begins, columns.rows, columns.height, labels, offsets
    )
    return RunLengths.trusted(like.size, edges, offsets)


def _corners(connectivity: int) -> int:
    if connectivity not in (4, 8):
        message = f"connectivity is {connectivity!r}"
        raise usage_error("regions.connectivity", message, "Give 4 or 8.")
    return int(connectivity == 8)
