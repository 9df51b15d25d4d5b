"""Mask logits of one or several views to masks of the image, in bands of rows (CropFormer, section 4.1, Inference).

A view's logits are resized to the network's input, cut to the view, resized to the view's place in the image, and
made probabilities; a pixel's fused probability is the mean over the views that cover it. Bands run side by side on
threads and give the same numbers however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from entityseg.baselines.inference import _fuse
from entityseg.baselines.views.cutting import View
from entityseg.data.threads import map_in_order
from entityseg.errors import input_error
from entityseg.masks.runlengths import Int64Array, Size

RealArray = NDArray[np.floating[Any]]
BAND = _fuse.TILE
Result = TypeVar("Result")
# An id map of 16 bits holds every query, and 0 for nobody.
_MOST_QUERIES = 2**16 - 1


@dataclass(frozen=True, eq=False)
class ViewLogits:
    """The mask logits of an image's views, and where the views lie.

    Attributes:
        maps: of each view, float32 or float64 [queries, h, w] (the same type for all), any number of queries.
        padded: (height, width) of the network's input of each view.
        views: where each one lies.
        image_size: (height, width) of the image.
        query_of: int64 [views, queries]; which query of a view is which entity, -1 where the view has none.

    Raises:
        InputError: a logit is not finite, or a map has fewer than three pixels a side.
    """

    maps: tuple[RealArray, ...]
    padded: tuple[Size, ...]
    views: tuple[View, ...]
    image_size: Size
    query_of: Int64Array

    def __post_init__(self) -> None:
        for one in self.maps:
            if not np.isfinite(one).all():
                remedy = "The weights are damaged, or half precision overflowed (leave out `amp`)."
                raise input_error("model.finite", "the model's mask logits are not finite", remedy)
            if min(one.shape[1:]) < _fuse.TAPS or one.shape[0] > _MOST_QUERIES:
                message = f"maps of shape {one.shape} are too small, or too many"
                raise input_error("model.maps", message, "Give maps of 3 x 3 pixels or more.")

    @classmethod
    def build(cls, maps: RealArray, padded: Size, views: Sequence[View], image_size: Size) -> ViewLogits:
        """Wrap the maps [queries, views, h, w] of a network whose query is the same entity in every view."""
        count = len(views)
        query_of = np.tile(np.arange(len(maps), dtype=np.int64), (count, 1))
        return cls(
            tuple(maps[:, v] for v in range(count)), (padded,) * count, tuple(views), image_size, query_of
        )

    @property
    def queries(self) -> int:
        """How many entities there are."""
        return self.query_of.shape[1]

    @cached_property
    def _tables(self) -> tuple[Any, ...]:
        """The arguments that all kernels begin with."""
        values, starts, strides = _flat(self.maps)
        widths = np.array([one.shape[2] for one in self.maps], np.int64)
        regions = np.array([view.region for view in self.views], np.int64).reshape(-1, 4)
        columns, rows = [], []
        for one, padded, view in zip(self.maps, self.padded, self.views, strict=True):
            x0, y0, x1, y1 = view.region
            rows.append(taps(one.shape[1], padded[0], view.size[0], y1 - y0))
            columns.append(taps(one.shape[2], padded[1], view.size[1], x1 - x0))
        return values, starts, strides, widths, regions, *_joined(rows), *_joined(columns)

    def paint(
        self, order: Int64Array, *, threads: int | None = None
    ) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
        """Give each pixel to the first query in `order` whose fused probability there is above 1/2.

        Args:
            order: int64 [k], queries, the best first.
            threads: bands side by side; all processors where not given.

        Returns:
            The owner of each pixel, uint16 [height, width], 1 + position in `order`, 0 for nobody; and for each
            position float64 [k, 3]: pixels, sum of their probabilities, sum of the sigmoids of these.
        """
        query_of = np.ascontiguousarray(self.query_of[:, order])
        owner = np.zeros(self.image_size, np.uint16)
        run = _fuse.paint64 if self.maps[0].dtype == np.float64 else _fuse.paint32
        tables = self._tables

        def band(top: int) -> NDArray[np.float64]:
            sums = np.zeros((len(order), 3))
            run(*tables, query_of, top, owner[top : top + BAND], sums)
            return sums

        total = np.zeros((len(order), 3))
        for sums in map_in_order(band, range(0, self.image_size[0], BAND), threads=threads):
            total += sums
        return owner, total

    def rows(self, queries: Int64Array, top: int, bottom: int) -> RealArray:
        """Return the fused probabilities of some rows, float [k, bottom - top, width]; 0 where no view looks."""
        query_of = np.ascontiguousarray(self.query_of[:, queries])
        dtype = self.maps[0].dtype
        out = np.empty((len(queries), bottom - top, self.image_size[1]), dtype)
        run = _fuse.fill64 if dtype == np.float64 else _fuse.fill32
        run(*self._tables, query_of, top, out)
        return out

    def bands(
        self,
        queries: Int64Array,
        function: Callable[[int, RealArray], Result],
        *,
        threads: int | None = None,
    ) -> Iterator[Result]:
        """Yield `function(first row, probabilities)` of each band in order; the function runs on the threads."""
        height = self.image_size[0]

        def band(top: int) -> Result:
            return function(top, self.rows(queries, top, min(top + BAND, height)))

        yield from map_in_order(band, range(0, height, BAND), threads=threads)


def linear(old: int, new: int) -> tuple[Int64Array, NDArray[np.float64]]:
    """Return for each of `new` pixels the first of the two old ones it is between, and the second one's weight.

    The rule of torch's `interpolate(mode="bilinear", align_corners=False)`: centres at half-integers, the border
    repeated.

    >>> linear(2, 4)
    (array([0, 0, 0, 1]), array([0.  , 0.25, 0.75, 0.  ]))
    """
    place = np.maximum((np.arange(new) + 0.5) * (old / new) - 0.5, 0.0)
    first = np.minimum(place.astype(np.int64), old - 1)
    return first, np.where(first < old - 1, place - first, 0.0)


def taps(small: int, padded: int, kept: int, out: int) -> tuple[Int64Array, NDArray[np.float64]]:
    """Return what a side's pixels are made of when it is resized, cut and resized again.

    Args:
        small: pixels of the map.
        padded: pixels of the network's input, to which the map is resized first.
        kept: pixels of it that are not padding.
        out: pixels of the result.

    Returns:
        The first of the three pixels of the map that a pixel is made of, int64 [out], and their weights, float64
        [out, 3], at least 0, adding up to 1.

    Raises:
        InputError: the map is larger than the network's input.

    >>> first, weights = taps(4, 8, 8, 8)
    >>> first.tolist(), weights[1].tolist()
    ([0, 0, 0, 1, 1, 1, 1, 1], [0.75, 0.25, 0.0])
    """
    if small > padded:
        message = f"a map of {small} pixels is larger than the network's input of {padded}"
        raise input_error("model.maps", message, "Give maps that are no larger than the input.")
    inner_first, inner_weight = linear(small, padded)
    outer_first, outer_weight = linear(kept, out)
    outer_second = np.minimum(outer_first + 1, kept - 1)
    first = np.minimum(inner_first[outer_first], small - _fuse.TAPS)
    weights = np.zeros((out, _fuse.TAPS))
    every = np.arange(out)
    for chosen, share in ((outer_first, 1 - outer_weight), (outer_second, outer_weight)):
        begin, second = inner_first[chosen], inner_weight[chosen]
        weights[every, begin - first] += share * (1 - second)
        # Where the weight is 0 there may be no next pixel.
        weights[every, np.minimum(begin + 1, small - 1) - first] += share * second
    return first, weights


def _flat(maps: Sequence[RealArray]) -> tuple[RealArray, Int64Array, Int64Array]:
    """Return the maps as one flat array, where each view's begin, and how far apart its queries are.

    Views that are slices of one array stay where they are.
    """
    base = maps[0].base
    if (
        isinstance(base, np.ndarray)
        and base.flags.c_contiguous
        and all(one.base is base and _rows_are_dense(one) for one in maps)
    ):
        origin, item = base.ctypes.data, base.itemsize
        starts = np.array([(one.ctypes.data - origin) // item for one in maps], np.int64)
        return base.reshape(-1), starts, np.array([one.strides[0] // item for one in maps], np.int64)
    starts = np.cumsum([0] + [one.size for one in maps])[:-1].astype(np.int64)
    values = np.concatenate([np.ascontiguousarray(one).reshape(-1) for one in maps])
    return values, starts, np.array([one.shape[1] * one.shape[2] for one in maps], np.int64)


def _rows_are_dense(one: RealArray) -> bool:
    return one.strides[2] == one.itemsize and one.strides[1] == one.shape[2] * one.itemsize


def _joined(tables: Sequence[tuple[Int64Array, NDArray[np.float64]]]) -> tuple[Any, ...]:
    offsets = np.cumsum([0] + [len(first) for first, _ in tables])[:-1].astype(np.int64)
    return offsets, np.concatenate([first for first, _ in tables]), np.concatenate([w for _, w in tables])
