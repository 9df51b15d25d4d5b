"""Counts by category of many units, summed with weights: what PQ, mIoU, VPQ and STQ are computed from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array


class CategorySums:
    """Rows of counts, each of a few categories, side by side.

    Attributes:
        categories: int64 [c], ascending, those that occur.

    >>> rows = [(np.array([3, 8]), np.array([[1, 2]])), (np.array([8]), np.array([[5]]))]
    >>> sums = CategorySums(rows, kinds=1)
    >>> sums.categories.tolist(), sums(np.array([[1, 1], [0, 2]])).tolist()
    ([3, 8], [[[1.0, 7.0], [0.0, 10.0]]])
    """

    def __init__(self, rows: Iterable[tuple[Int64Array, Int64Array]], kinds: int) -> None:
        """Lay the rows side by side.

        Args:
            rows: for each unit its categories, int64 [k], and their counts, int64 [kinds, k].
            kinds: of counts.
        """
        columns = list(rows)
        lengths = [len(categories) for categories, _ in columns]
        every = np.concatenate([np.empty(0, np.int64), *(categories for categories, _ in columns)])
        self.categories: Int64Array = np.unique(every)
        self._columns = np.searchsorted(self.categories, every).astype(np.int32)
        self._units = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        self._counts = np.empty((len(every), kinds), np.int64)
        ends = np.cumsum(lengths, dtype=np.int64)
        for (_, counts), length, end in zip(columns, lengths, ends.tolist(), strict=True):
            self._counts[end - length : end] = counts.T

    def __call__(self, weights: Int64Array | None = None) -> NDArray[np.float64]:
        """Return the sums for each row of weights [b, units] (once each if not given), float64 [kinds, b, c].

        They are exact: whole numbers, below 2^53 in all that images can hold.
        """
        from entityseg.metrics import _sums

        if weights is None:
            weights = np.ones((1, int(self._units.max(initial=-1)) + 1), np.int64)
        sums = np.empty((len(weights), len(self.categories), self._counts.shape[1]), np.int64)
        _sums.add_by_category(self._units, self._columns, self._counts, weights, sums)
        return np.moveaxis(sums, 2, 0).astype(np.float64, order="C")
