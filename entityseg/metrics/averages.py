"""Weighted sums, ratios and means of units, and means over categories, for `Table.figures`; NaN where undefined."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.masks.runlengths import Int64Array

Float64Array = NDArray[np.float64]


def total(weights: Int64Array, values: ArrayLike) -> Float64Array:
    """Return the weighted sum of the units, float64 [b]; exact for integers, and rounded once for a single row.

    >>> total(np.array([[1, 2], [0, 1]]), [5, 7]).tolist()
    [19.0, 7.0]
    """
    column = np.asarray(values)
    if column.dtype == np.bool_ or np.issubdtype(column.dtype, np.integer):
        return (weights @ column.astype(np.int64)).astype(np.float64)
    if len(weights) == 1:
        return np.array([math.fsum((weights[0] * column).tolist())])
    # Not `@`, whose last bits hang on the number of threads of the linear algebra library.
    result: Float64Array = np.einsum("bi,i->b", weights.astype(np.float64), column)
    return result


def column_totals(weights: Int64Array, values: Float64Array) -> Float64Array:
    """Return the weighted sums of the units' curves, float64 [b, k], of values [units, k]; the same on any machine.

    >>> column_totals(np.array([[1, 2], [0, 1]]), np.array([[5.0, 1.0], [7.0, 0.5]])).tolist()
    [[19.0, 2.0], [7.0, 0.5]]
    """
    result: Float64Array = np.einsum("bi,ik->bk", weights.astype(np.float64), values)
    return result


def ratio(above: Float64Array, below: Float64Array) -> Float64Array:
    """Return `above / below`, NaN where `below` is 0.

    >>> ratio(np.array([1.0, 0.0]), np.array([4.0, 0.0])).tolist()
    [0.25, nan]
    """
    return np.where(below != 0, above / np.where(below != 0, below, 1), np.nan)


def mean(weights: Int64Array, values: ArrayLike, where: NDArray[np.bool_] | None = None) -> Float64Array:
    """Return the weighted mean of the units (of those `where` says so), float64 [b], NaN where there is none.

    >>> mean(np.array([[1, 1, 2]]), [0.5, 1.0, 0.25], np.array([True, False, True])).tolist()
    [0.3333333333333333]
    """
    column = np.asarray(values)
    if where is not None:
        weights, column = weights[:, where], column[where]
    return ratio(total(weights, column), weights.sum(axis=1).astype(np.float64))


def mean_where(values: Float64Array, there: NDArray[np.bool_]) -> Float64Array:
    """Return the mean of each row [b, c] over the columns where `there` says so, float64 [b]; NaN where nowhere.

    >>> mean_where(np.array([[0.5, 9.0], [9.0, 9.0]]), np.array([[True, False], [False, False]])).tolist()
    [0.5, nan]
    """
    number = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    return np.divide(total, number, out=np.full(len(number), np.nan), where=number > 0)


def mean_of_defined(values: Float64Array) -> Float64Array:
    """Return the mean of each row over the columns that are not NaN, float64 [b]; NaN where all are.

    >>> mean_of_defined(np.array([[0.5, np.nan], [np.nan, np.nan]])).tolist()
    [0.5, nan]
    """
    return mean_where(values, ~np.isnan(values))
