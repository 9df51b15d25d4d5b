"""Columns of numbers that grow by rows: a tuple and its numbers take twenty times the memory of a row here."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np
from numpy.typing import DTypeLike, NDArray


class GrowingColumns:
    """Columns of these types, to which rows are appended.

    >>> columns = GrowingColumns(np.int64, bool)
    >>> columns.extend([(7, True), (8, False)])
    >>> [column.tolist() for column in columns.arrays()]
    [[7, 8], [True, False]]
    """

    def __init__(self, *dtypes: DTypeLike) -> None:
        self._dtypes = [np.dtype(dtype) for dtype in dtypes]
        self._columns = [array("b" if dtype.kind == "b" else dtype.char) for dtype in self._dtypes]

    def extend(self, rows: Iterable[tuple[float, ...]]) -> None:
        """Add rows, each with a number for each column."""
        for column, values in zip(self._columns, zip(*rows, strict=True), strict=False):
            column.extend(values)  # type: ignore[arg-type]

    def arrays(self) -> list[NDArray[np.generic]]:
        """Return the columns as arrays of n rows; no more rows can be added while one is in use."""
        return [np.frombuffer(one, dtype) for one, dtype in zip(self._columns, self._dtypes, strict=True)]
