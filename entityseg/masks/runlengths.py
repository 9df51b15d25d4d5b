"""`RunLengths`: all masks of one image as run-length arrays.

The scan line runs down the columns of the image, column by column (column-major order, as in COCO); a pixel at row y
and column x has position `x * height + y`. A mask is a sorted list of edges: positions where its foreground starts
and stops, in turns. Equal masks have equal arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import input_error

# Positions are uint32, so an image has fewer than 2^32 pixels (65,535 x 65,535).
MAX_PIXELS = 2**32 - 1

Size = tuple[int, int]
UInt32Array = NDArray[np.uint32]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RunLengths:
    """The masks of one image, run-length encoded; a value: it never changes.

    Attributes:
        size: (height, width) of the image in pixels.
        edges: uint32 [E], for every mask the strictly increasing starts and stops of its foreground runs.
        offsets: int64 [n + 1], mask `i` has the edges `edges[offsets[i]:offsets[i + 1]]`.

    Raises:
        InputError: the arrays do not describe masks of such an image.

    >>> square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    >>> square.areas.tolist(), square.boxes.tolist()
    ([4], [[1, 1, 2, 2]])
    """

    size: Size
    edges: UInt32Array
    offsets: Int64Array

    def __post_init__(self) -> None:
        size = check_size(self.size)
        edges = np.ascontiguousarray(self.edges)
        offsets = np.ascontiguousarray(self.offsets, dtype=np.int64)
        problem = _problem(size, edges, offsets)
        if problem:
            remedy = "Make masks by `from_coco`, `from_dense`, `from_id_map` or `from_polygons`."
            raise input_error("runlengths.invalid", problem, remedy)
        self._set(size, edges.astype(np.uint32, copy=False), offsets)

    def _set(self, size: Size, edges: UInt32Array, offsets: Int64Array) -> None:
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "edges", frozen(edges))
        object.__setattr__(self, "offsets", frozen(offsets))

    @classmethod
    def trusted(cls, size: Size, edges: UInt32Array, offsets: Int64Array) -> RunLengths:
        """Wrap arrays that are right by construction, unchecked; for the code that makes them."""
        masks = cls.__new__(cls)
        masks._set(size, edges, offsets)
        return masks

    @classmethod
    def empty(cls, size: Size, count: int = 0) -> RunLengths:
        """Return `count` masks without foreground."""
        return cls(size, np.empty(0, np.uint32), np.zeros(count + 1, np.int64))

    @classmethod
    def concatenate(cls, parts: Iterable[RunLengths]) -> RunLengths:
        """Return the masks of several values of the same image, one after the other.

        Raises:
            InputError: there is no part, or the sizes differ.
        """
        parts = list(parts)
        sizes = sorted({part.size for part in parts})
        if len(sizes) != 1:
            message = f"masks of {len(sizes)} image sizes cannot stand together"
            raise input_error("mask.size", message, "Give masks of one image.", field="size", value=sizes)
        starts = np.cumsum([0] + [len(part.edges) for part in parts])
        offsets = [part.offsets[:-1] + start for part, start in zip(parts, starts, strict=False)]
        edges = np.concatenate([part.edges for part in parts])
        return cls.trusted(sizes[0], edges, np.concatenate([*offsets, starts[-1:]]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[RunLengths]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, which: int | slice | Sequence[int] | NDArray[np.integer | np.bool_]) -> RunLengths:
        """Return some of the masks, in the order asked for; an integer gives one mask."""
        n = len(self)
        if isinstance(which, int | np.integer):
            if not -n <= which < n:
                raise IndexError(f"mask {which} of {n}")
            i = int(which) % n
            which = slice(i, i + 1)
        if isinstance(which, slice):
            start, stop, step = which.indices(n)
            if step == 1:
                stop = max(start, stop)
                offsets = self.offsets[start : stop + 1]
                edges = self.edges[offsets[0] : offsets[-1]]
                return self.trusted(self.size, edges, offsets - offsets[0])
        rows = np.arange(n)[which]
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        # Position k of the result lies at self.offsets[row] + (k - offsets[of its row]).
        source = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths)
        return self.trusted(self.size, self.edges[source], offsets)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunLengths):
            return NotImplemented
        return (
            self.size == other.size
            and np.array_equal(self.offsets, other.offsets)
            and np.array_equal(self.edges, other.edges)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"RunLengths({len(self)} masks, size={self.size}, {len(self.edges) // 2} runs)"

    def edges_of(self, index: int) -> UInt32Array:
        """Return the edges of one mask."""
        return self.edges[self.offsets[index] : self.offsets[index + 1]]

    @property
    def height(self) -> int:
        """Height of the image in pixels."""
        return self.size[0]

    @property
    def width(self) -> int:
        """Width of the image in pixels."""
        return self.size[1]

    @property
    def pixels(self) -> int:
        """Pixels of the image."""
        return self.size[0] * self.size[1]

    @property
    def run_counts(self) -> Int64Array:
        """Foreground runs of each mask, int64 [n]."""
        return np.diff(self.offsets) // 2

    @property
    def areas(self) -> Int64Array:
        """Foreground pixels of each mask, int64 [n]."""
        return self._measures[0]

    @property
    def boxes(self) -> Int64Array:
        """Tight boxes, int64 [n, 4]: x, y, width, height in pixels; zeros for an empty mask."""
        return self._measures[1]

    @property
    def profiles(self) -> UInt32Array:
        """Foreground pixels in each of 16 equal stretches of the scan line, uint32 [n, 16]."""
        return self._measures[2]

    @cached_property
    def _measures(self) -> tuple[Int64Array, Int64Array, UInt32Array]:
        from entityseg.masks import _decode

        n = len(self)
        areas, boxes = np.zeros(n, np.int64), np.zeros((n, 4), np.int64)
        profiles = np.zeros((n, _decode.STRETCHES), np.uint32)
        _decode.measure(self.edges, self.offsets, self.size[0], self.size[1], areas, boxes, profiles)
        return frozen(areas), frozen(boxes), frozen(profiles)

    def keep_measures(self, areas: Int64Array, boxes: Int64Array, profiles: UInt32Array) -> RunLengths:
        """Store what the decoder measured on the way, so that it is not measured again; return self."""
        self.__dict__["_measures"] = (frozen(areas), frozen(boxes), frozen(profiles))
        return self


def check_size(size: object, **where: object) -> Size:
    """Return (height, width) as two ints.

    Raises:
        InputError: not two positive integers, or the image has 2^32 pixels or more; `where` says where it stood.
    """
    from entityseg.masks.size import size_problem

    problem = size_problem(size)
    if problem:
        raise input_error("mask.size", *problem, **{"field": "size", "value": size, **where})  # type: ignore[arg-type]
    height, width = size  # type: ignore[misc, has-type]
    return int(height), int(width)  # type: ignore[has-type]


def frozen(array: NDArray) -> NDArray:  # type: ignore[type-arg]
    """Make an array read-only and return it."""
    array.flags.writeable = False
    return array


def _problem(size: Size, edges: NDArray, offsets: Int64Array) -> str | None:  # type: ignore[type-arg]
    if edges.ndim != 1 or (edges.size and not np.issubdtype(edges.dtype, np.integer)):
        return f"edges must be a flat array of integers, not {edges.dtype} of shape {edges.shape}"
    if offsets.ndim != 1 or len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != len(edges):
        return f"offsets must run from 0 to the number of edges, {len(edges)}"
    lengths = np.diff(offsets)
    if (lengths < 0).any() or (lengths % 2).any():
        return "every mask needs an even number of edges, a start and a stop for each run"
    if edges.size == 0:
        return None
    if int(edges.min()) < 0 or int(edges.max()) > size[0] * size[1]:
        return f"an edge lies outside the image of {size[0]} x {size[1]} pixels"
    rising = np.diff(edges.astype(np.int64)) > 0
    border = offsets[1:-1] - 1
    rising[border[(border >= 0) & (border < len(rising))]] = True
    return None if rising.all() else "the edges of a mask must strictly increase"
