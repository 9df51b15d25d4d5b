"""Images that are (nearly) the same, inside a set and across sets, by their perceptual hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import usage_error
from entityseg.masks.runlengths import Int64Array
from entityseg.stats.dataset.schema import IMAGES, Cell, Column, StatTable, read_statistics
from entityseg.stats.dataset.store import StoredColumns

# Bits in which the hashes of two versions of a picture may differ; unrelated pictures differ in 32 on average.
NEAR = 6
_BITS = 64
UInt64Array = NDArray[np.uint64]


@dataclass(frozen=True)
class Group:
    """Images that hang together by pairs of near hashes.

    Attributes:
        members: positions of the images, ascending.
        distances: bits in which each member's hash differs from the first one's.
    """

    members: tuple[int, ...]
    distances: tuple[int, ...]


def near_pairs(hashes: UInt64Array, near: int = NEAR) -> Int64Array:
    """Return all pairs of hashes that differ in at most `near` bits, int64 [pairs, 2], i < j, ascending.

    Two hashes that differ in at most d bits agree wholly in one of d + 1 stretches of their bits, so only hashes that
    share a stretch are compared: about n^2 (d + 1) / 2^(64 / (d + 1)) comparisons instead of n^2 / 2.

    Raises:
        ValueError: `near` is not 0 to 63.

    >>> near_pairs(np.array([0b1010, 0b1111, 0b1011, 1 << 60], np.uint64), near=1).tolist()
    [[0, 2], [1, 2]]
    """
    if not 0 <= near < _BITS:
        raise ValueError(f"near must be 0 to {_BITS - 1}, not {near}")
    bounds = np.linspace(0, _BITS, near + 2).astype(int)
    found: list[Int64Array] = [np.empty((0, 2), np.int64)]
    for low, high in pairwise(bounds.tolist()):
        width = np.uint64((1 << (high - low)) - 1)
        stretch = (hashes >> np.uint64(low)) & width
        order = np.argsort(stretch, kind="stable")
        stretch, values = stretch[order], hashes[order]
        # Neighbours at distance `shift` in this order; where they no longer agree, farther ones do not either.
        left = np.arange(len(order))
        for shift in range(1, len(order)):
            left = left[left + shift < len(order)]
            left = left[stretch[left] == stretch[left + shift]]
            if not len(left):
                break
            close = left[np.bitwise_count(values[left] ^ values[left + shift]) <= near]
            pairs = np.stack([order[close], order[close + shift]], axis=1)
            found.append(np.sort(pairs, axis=1))
    return np.unique(np.concatenate(found), axis=0)


def group_duplicates(hashes: Sequence[int | None], near: int = NEAR) -> list[Group]:
    """Return groups of images whose hashes are near, the first member's position ascending.

    Images hang together by single links: two members of a group may differ in more than `near` bits.

    Args:
        hashes: of each image, None for one without.
        near: bits in which two hashes may differ.

    >>> group_duplicates([5, None, 4, 1 << 40, 5], near=1)
    [Group(members=(0, 2, 4), distances=(0, 1, 0))]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    places = np.array([place for place, one in enumerate(hashes) if one is not None], np.int64)
    values = np.array([one for one in hashes if one is not None], np.uint64)
    # Equal hashes first: a thousand copies of one picture have half a million pairs.
    different, which = np.unique(values, return_inverse=True)
    pairs = near_pairs(different, near)
    n = len(different)
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    labels = connected_components(graph, directed=False)[1] if n else np.empty(0, np.int64)
    group_of = labels[which]
    order = np.argsort(group_of, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(group_of[order]) != 0]))[: len(order)]
    groups = []
    for rows in np.split(order, starts[1:]):
        if len(rows) > 1:
            distances = np.bitwise_count(values[rows] ^ values[rows[0]])
            groups.append(Group(tuple(places[rows].tolist()), tuple(distances.tolist())))
    return sorted(groups, key=lambda group: group.members)


@dataclass(frozen=True)
class HashedSet:
    """The images of a set, with their hashes.

    Attributes:
        name: what to call the set.
        images: columns image, file_name, width, height, picture and hash of `images.parquet`.
    """

    name: str
    images: Mapping[str, NDArray[Any]]


def hashed_set(folder: Path) -> HashedSet:
    """Read the hashes of a set from its folder of statistics.

    Raises:
        InputError: there are no statistics, or they are damaged.
        UsageError: they were computed without hashes.
    """
    images = StoredColumns(folder / IMAGES)
    pictures = images["picture"].tolist()
    if pictures and not any(pictures):
        message = "these statistics were computed without hashes"
        remedy = "Run `entityseg stats compute` on that set with `--hash`."
        raise usage_error("stats.against", message, remedy, file=str(folder))
    return HashedSet(read_statistics(folder).identity.name, images)


def duplicate_table(own: HashedSet, others: Sequence[HashedSet] = ()) -> StatTable:
    """Return the table `duplicates`: groups of near images of which at least one is of the own set.

    Other sets whose name is taken already get a number behind it.
    """
    sets = _told_apart([own, *others])
    hashes_of = [one.images["hash"].tolist() for one in sets]
    starts = np.cumsum([0, *map(len, hashes_of)]).tolist()
    hashes = [value for values in hashes_of for value in values]
    groups = [group for group in group_duplicates(hashes) if group.members[0] < starts[1]]
    described = _described(
        sets, starts, np.array([one for group in groups for one in group.members], np.int64)
    )
    rows: list[tuple[Cell, ...]] = []
    for number, group in enumerate(groups):
        across = group.members[-1] >= starts[1]
        for member, distance in zip(group.members, group.distances, strict=True):
            rows.append((number, across, *described[member], distance))
    columns = (
        Column("group"), Column("across", about="whether images of several sets are in the group"), Column("set"),
        Column("image", about="position in its dataset"), Column("file_name"), Column("width", "pixels"),
        Column("height", "pixels"), Column("distance", "bits", "in which its hash differs from the group's first"),
    )  # fmt: skip
    hashed = sum(value is not None for value in hashes_of[0])
    note = f"Perceptual hashes of {hashed} images that differ in at most {NEAR} of 64 bits."
    if not any(own.images["picture"].tolist()):
        note = "Not looked for: `--hash` reads the images."
    return StatTable("duplicates", "Images that are nearly the same", columns, tuple(rows), note)


def _told_apart(sets: Sequence[HashedSet]) -> list[HashedSet]:
    """Return the sets under names that differ: all files of annotations may be called `val.json`."""
    taken: set[str] = set()
    found = []
    for one in sets:
        numbered = (f"{one.name} ({number})" for number in count(2))
        name = next(name for name in chain([one.name], numbered) if name not in taken)
        taken.add(name)
        found.append(replace(one, name=name))
    return found


def _described(
    sets: Sequence[HashedSet], starts: Sequence[int], members: Int64Array
) -> dict[int, tuple[Cell, ...]]:
    """Return set, image, file_name, width and height of images by their positions in all sets together."""
    which = np.searchsorted(starts, members, side="right") - 1
    found: dict[int, tuple[Cell, ...]] = {}
    for number, one in enumerate(sets):
        mine = members[which == number]
        cells = (
            one.images[name][mine - starts[number]].tolist()
            for name in ("image", "file_name", "width", "height")
        )
        found.update((member, (one.name, *rest)) for member, *rest in zip(mine.tolist(), *cells, strict=True))
    return found
