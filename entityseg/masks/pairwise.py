"""Intersections and IoU of the masks of one image, on runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from entityseg.masks import _pairs
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.masks.size import require_same_size


def intersections(
    a: RunLengths, b: RunLengths, *, crowd: NDArray[np.bool_] | None = None, least_iou: float = 0.0
) -> Int64Array:
    """Count the pixels that each mask of `a` shares with each mask of `b`.

    Args:
        a, b: n and m masks of the same image.
        crowd: bool [m], masks of b for which IoU means intersection over the area of a.
        least_iou: leave out (as 0) pairs whose IoU cannot reach this; 0 counts all.

    Returns:
        int64 [n, m], pixels.

    Raises:
        InputError: the images differ in size.

    >>> a = RunLengths((1, 10), [0, 6], [0, 2])
    >>> b = RunLengths((1, 10), [4, 10, 8, 9], [0, 2, 4])
    >>> intersections(a, b).tolist()
    [[2, 0]]
    """
    require_same_size(a.size, b.size)
    common = np.zeros((len(a), len(b)), np.int64)
    flags = np.zeros(len(b), np.bool_) if crowd is None else np.ascontiguousarray(crowd, np.bool_)
    _pairs.intersections(
        a.edges, a.offsets, a.areas, a.boxes, a.profiles,
        b.edges, b.offsets, b.areas, b.boxes, b.profiles,
        flags, least_iou, common,
    )  # fmt: skip
    return common


def iou_matrix(
    a: RunLengths, b: RunLengths, *, crowd: NDArray[np.bool_] | None = None, least_iou: float = 0.0
) -> NDArray[np.float64]:
    """Return the IoU of each mask of `a` with each mask of `b`, float64 [n, m]; equal to pycocotools' `iou`.

    Two empty masks have IoU 0. Arguments and errors are those of `intersections`.

    >>> a = RunLengths((1, 10), [0, 6], [0, 2])
    >>> iou_matrix(a, RunLengths((1, 10), [4, 10], [0, 2])).tolist()
    [[0.2]]
    """
    common = intersections(a, b, crowd=crowd, least_iou=least_iou)
    union = a.areas[:, None] + b.areas[None, :] - common
    if crowd is not None:
        union = np.where(np.asarray(crowd, bool)[None, :], a.areas[:, None], union)
    return common / np.maximum(union, 1)


def iou_of_pairs(a: RunLengths, b: RunLengths, of_a: Int64Array, of_b: Int64Array) -> NDArray[np.float64]:
    """Return the IoU of mask `of_a[k]` of `a` with mask `of_b[k]` of `b`, float64 [k].

    Two empty masks have IoU 0.

    Raises:
        InputError: the images differ in size.

    >>> a, b = RunLengths((1, 10), [0, 6], [0, 2]), RunLengths((1, 10), [4, 10, 0, 5], [0, 2, 4])
    >>> iou_of_pairs(a, b, np.array([0, 0]), np.array([0, 1])).round(4).tolist()
    [0.2, 0.8333]
    """
    require_same_size(a.size, b.size)
    of_a, of_b = np.ascontiguousarray(of_a, np.int64), np.ascontiguousarray(of_b, np.int64)
    # The kernel takes indices as they come.
    areas_a, areas_b = a.areas[of_a], b.areas[of_b]
    of_a, of_b = of_a % max(len(a), 1), of_b % max(len(b), 1)
    common = np.zeros(len(of_a), np.int64)
    _pairs.intersections_of_pairs(a.edges, a.offsets, b.edges, b.offsets, of_a, of_b, common)
    return common / np.maximum(areas_a + areas_b - common, 1)
