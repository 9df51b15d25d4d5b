"""What callers may give for a mask or a map, brought into the one form in which metrics compute."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.errors import input_error
from entityseg.masks import RunLengths, from_dense, to_dense, union
from entityseg.masks.runlengths import Int64Array


def as_masks(masks: RunLengths | ArrayLike) -> RunLengths:
    """Return masks as run lengths; takes them dense too, bool [n, height, width].

    Raises:
        InputError: they are none.
    """
    return masks if isinstance(masks, RunLengths) else from_dense(np.asarray(masks))


def as_masks_or_one(masks: RunLengths | ArrayLike) -> RunLengths:
    """Return masks as run lengths; takes bool [height, width] for one mask.

    >>> as_masks_or_one(np.array([[True, False]])).areas.tolist()
    [1]
    """
    if isinstance(masks, RunLengths):
        return masks
    dense: NDArray[Any] = np.asarray(masks)
    return from_dense(dense[None] if dense.ndim == 2 else dense)


def as_one_mask(masks: RunLengths | ArrayLike) -> RunLengths:
    """Return one mask, the union of those given.

    >>> as_one_mask(RunLengths((1, 9), [0, 4, 2, 6], [0, 2, 4])).areas.tolist()
    [6]
    """
    found = as_masks_or_one(masks)
    return found if len(found) == 1 else union(found)


def as_scores(scores: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return the scores of n masks, float64 [n].

    Raises:
        InputError: there are not n of them, or one is not finite.
    """
    column = np.ascontiguousarray(scores, np.float64)
    if column.shape != (n,) or not np.isfinite(column).all():
        message = f"{n} masks need as many finite scores, not {column.shape}"
        raise input_error("score.finite", message, "Give one finite score a mask.")
    return column


def as_categories(ids: ArrayLike, n: int) -> Int64Array:
    """Return the category ids of n masks, int64 [n].

    Raises:
        InputError: there are not n of them, or they are no integers.

    >>> as_categories([], 0).tolist(), as_categories([3, 1], 2).tolist()
    ([], [3, 1])
    """
    column: NDArray[Any] = np.asarray(ids)
    # An empty list is one of floats to numpy.
    if column.shape != (n,) or (n and column.dtype.kind not in "iu"):
        message = f"{n} masks need as many category ids, integers, not {column.dtype} of shape {column.shape}"
        raise input_error("category.shape", message, "Give one category id a mask.")
    return column.astype(np.int64)


def as_flags(crowd: ArrayLike | None, n: int) -> NDArray[np.bool_]:
    """Return the crowd flags of n masks, bool [n]; none of them is crowd where it is not said.

    Raises:
        InputError: there are not n of them.
    """
    flags = np.zeros(n, bool) if crowd is None else np.asarray(crowd, bool)
    if flags.shape != (n,):
        message = f"{n} masks need as many crowd flags, not {flags.shape}"
        raise input_error("iscrowd.shape", message, "Give one flag a mask.")
    return flags


def as_grey(values: RunLengths | ArrayLike) -> NDArray[np.uint8]:
    """Return a map, uint8 [height, width], C-contiguous; what is true becomes 255.

    Raises:
        InputError: it is neither a bool nor a uint8 map with pixels, nor one mask.
    """
    if isinstance(values, RunLengths):
        if len(values) != 1:
            message = f"{len(values)} masks are no map"
            raise input_error("map.kind", message, "Give one mask, such as the union of all.")
        values = to_dense(values)[0]
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype not in (np.bool_, np.uint8) or not array.size:
        message = f"a map is bool or uint8 [height, width], not {array.dtype} {list(array.shape)}"
        remedy = "Round probabilities times 255 to uint8."
        raise input_error("map.kind", message, remedy)
    grey = array.astype(np.uint8) * 255 if array.dtype == np.bool_ else array
    return np.ascontiguousarray(grey, np.uint8)
