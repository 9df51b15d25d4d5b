"""Pixels of one image by category: what semantic figures are computed from, counted on masks or on maps of labels."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.masks.idmap import from_id_map
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.crossing import crossing
from entityseg.metrics.inputs import as_categories

TP, GT, PRED, SKIPPED = range(4)
KINDS = 4
_LABELS = 256


@dataclass(frozen=True, slots=True, eq=False)
class ClassPixels:
    """What one image adds to semantic figures: pixels by category, those without a true class left out.

    Attributes:
        categories: int64 [k], ascending.
        counts: int64 [4, k]: pixels of the category that are predicted as it, that are truly it, that are predicted as
            it, and that are truly it where nothing is predicted.
    """

    categories: Int64Array
    counts: Int64Array


def count_pixels(
    gt: RunLengths, gt_categories: ArrayLike, pred: RunLengths, pred_categories: ArrayLike
) -> ClassPixels:
    """Count the pixels of each category in an image.

    Args:
        gt, pred: m and n masks, neither of which overlap among themselves; pixels in no mask have no class.
        gt_categories, pred_categories: [m] and [n], category ids; masks of one category are taken together.

    Raises:
        InputError: sizes differ, or there are not as many categories as masks.

    >>> gt = RunLengths((1, 10), [0, 4, 4, 8], [0, 2, 4])
    >>> pred = RunLengths((1, 10), [0, 5, 6, 10], [0, 2, 4])
    >>> count_pixels(gt, [1, 2], pred, [1, 2]).counts.tolist()
    [[4, 2], [4, 4], [5, 2], [0, 1]]
    """
    gt_cats, pred_cats = as_categories(gt_categories, len(gt)), as_categories(pred_categories, len(pred))
    common = crossing(pred, gt)
    same = pred_cats[:, None] == gt_cats[None, :]
    categories, index = np.unique(np.concatenate([gt_cats, pred_cats]), return_inverse=True)
    gt_index, pred_index = index[: len(gt)], index[len(gt) :]
    counts = np.zeros((KINDS, len(categories)), np.int64)
    np.add.at(counts[TP], gt_index, np.where(same, common, 0).sum(axis=0))
    np.add.at(counts[GT], gt_index, gt.areas)
    np.add.at(counts[PRED], pred_index, common.sum(axis=1))
    np.add.at(counts[SKIPPED], gt_index, gt.areas - common.sum(axis=0))
    return ClassPixels(categories, counts)


def count_labels(
    gt: NDArray[np.integer[Any]], pred: NDArray[np.integer[Any]], ignore: Collection[int] = (255, 65535)
) -> ClassPixels:
    """Count the pixels of each category in an image by its maps of labels.

    Args:
        gt, pred: integers [height, width]; quickest where they are uint8, or could be.
        ignore: labels that are no class.

    Raises:
        InputError: the maps are none or differ in size.

    >>> count_labels(np.array([[1, 1, 2, 255]]), np.array([[1, 2, 2, 1]])).counts.tolist()
    [[1, 1], [2, 1], [1, 2], [0, 0]]
    """
    from entityseg.metrics import _labels

    maps = [_as_bytes(np.asarray(one)) for one in (gt, pred)]
    if maps[0] is None or maps[1] is None or maps[0].shape != maps[1].shape:
        # Any labels at all, and any mistake, by way of runs.
        (gt_labels, gt_masks), (labels, masks) = (from_id_map(one, background=None) for one in (gt, pred))
        true, guessed = (~np.isin(one, list(ignore)) for one in (gt_labels, labels))
        return count_pixels(gt_masks[true], gt_labels[true], masks[guessed], labels[guessed])
    table = np.zeros((_LABELS, _LABELS), np.int64)
    _labels.count_pairs(*maps, table)
    is_class = ~np.isin(np.arange(_LABELS), list(ignore))
    categories = np.flatnonzero(is_class & (table.any(axis=0) | table.any(axis=1)))
    counts = np.empty((KINDS, len(categories)), np.int64)
    counts[TP] = table[categories, categories]
    counts[GT] = table[categories].sum(axis=1)
    counts[PRED] = table[is_class][:, categories].sum(axis=0)
    counts[SKIPPED] = table[categories][:, ~is_class].sum(axis=1)
    return ClassPixels(categories, counts)


def _as_bytes(labels: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Return a map with labels from 0 to 255 as uint8, None if it is no such map."""
    if labels.ndim != 2 or labels.dtype.kind not in "iu" or not labels.size:
        return None
    if labels.dtype != np.uint8 and (labels.min() < 0 or labels.max() >= _LABELS):
        return None
    return np.ascontiguousarray(labels, np.uint8)
