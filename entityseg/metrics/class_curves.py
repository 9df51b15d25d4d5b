"""Average precision and recall of each category, for weighted images: the numbers behind class-aware AP."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.matching import IOU_THRESHOLDS, ClassMatches, Mode
from entityseg.metrics.precision import FIGURES, RECALLS, SIZED_RECALLS

NAMES = (*FIGURES, *SIZED_RECALLS)
_KNOWN = FIGURES | SIZED_RECALLS
_T = len(IOU_THRESHOLDS)
_ALL_BITS = np.uint64((1 << _T) - 1)


class RankedClasses:
    """The predictions of all images, category by category, best score first.

    Attributes:
        categories: int64 [c], ascending; those with ground truth that counts, at least once.
    """

    def __init__(self, rows: Sequence[ClassMatches], mode: Mode) -> None:
        blocks = np.concatenate([np.empty(0, np.int64), *(row.categories for row in rows)])
        n_gt = np.concatenate([np.empty((0, 4), np.int64), *(row.n_gt for row in rows)])
        lengths = np.concatenate([np.empty(0, np.int64), *(np.diff(row.offsets) for row in rows)])
        block_images = np.repeat(np.arange(len(rows)), [len(row.categories) for row in rows])
        self.categories = np.unique(blocks[n_gt[:, 0] > 0])

        order = np.argsort(blocks, kind="stable")
        order = order[np.isin(blocks[order], self.categories)]
        self._gt_starts = self._starts(blocks[order])
        self._gt_images = block_images[order]
        self._gt_counts = n_gt[order]

        of = np.repeat(blocks, lengths)
        first = np.cumsum(lengths) - lengths
        scores = np.concatenate([np.empty(0), *(row.scores for row in rows)])
        # Stable: equal scores keep the order of image and rank, which pycocotools' curve depends on.
        order = np.lexsort((-scores, of))
        order = order[np.isin(of[order], self.categories)]
        self._of = of[order]
        self._images = np.repeat(block_images, lengths)[order]
        self._ranks = (np.arange(len(of)) - np.repeat(first, lengths))[order]
        self._scores = scores[order]
        self._hits = np.concatenate([np.empty(0, np.uint64), *(row.hits for row in rows)])[order]
        self._ignored = np.concatenate([np.empty(0, np.uint64), *(row.ignored for row in rows)])[order]
        self._most = int(self._ranks.max(initial=0)) + 1
        self._mode = mode
        # Resamples share these; a cache of the instance, so that it goes with it.
        self._predictions_of = cache(self._predictions)

    def figures(self, weights: Int64Array) -> dict[str, NDArray[np.float64]]:
        """Return each figure of each category for each row of weights [b, images], float64 [b, c].

        NaN where a category has no ground truth of the figure's area range.
        """
        done: dict[tuple[int, int], tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        result = {}
        for name in NAMES:
            figure = _KNOWN[name]
            key = figure.area, min(figure.max_detections, self._most)
            if key not in done:
                done[key] = self._averages(*key, weights)
            values = done[key][0 if figure.what == "AP" else 1]
            result[name] = values[:, :, list(figure.thresholds)].mean(axis=2)
        return result

    def _averages(
        self, area: int, max_detections: int, weights: Int64Array
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return average precision and recall at each IoU threshold, float64 [b, c, 10] each."""
        from entityseg.metrics import _class_curves

        shape = len(weights), len(self.categories), _T
        precision, recall = np.full(shape, np.nan), np.full(shape, np.nan)
        _class_curves.averages(
            *self._predictions_of(area, max_detections),
            self._gt_starts,
            self._gt_images,
            np.ascontiguousarray(self._gt_counts[:, area]),
            weights,
            RECALLS,
            float(np.spacing(1)) if self._mode == "pycocotools" else 0.0,
            precision,
            recall,
        )
        return precision, recall

    def _predictions(
        self, area: int, max_detections: int
    ) -> tuple[Int64Array, Int64Array, NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]]:
        """Return the kernel's first arguments, for the predictions that count at some threshold."""
        shift = np.uint64(area * _T)
        hits, ignored = (self._hits >> shift) & _ALL_BITS, (self._ignored >> shift) & _ALL_BITS
        counts = (self._ranks < max_detections) & (ignored != _ALL_BITS)
        of, scores = self._of[counts], self._scores[counts]
        block_ends = np.ones(len(of), bool)
        if self._mode == "canonical":
            # Equal scores form one block: the order inside it says nothing.
            block_ends[:-1] = (scores[1:] != scores[:-1]) | (of[1:] != of[:-1])
        return self._starts(of), self._images[counts], hits[counts], ignored[counts], block_ends

    def _starts(self, of: Int64Array) -> Int64Array:
        """Return where each category begins in a sorted list of categories, and its end."""
        return np.append(np.searchsorted(of, self.categories), len(of)).astype(np.int64)


def mean_over_categories(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of [b, c] over the categories where it is defined, float64 [b]; NaN where nowhere."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=1)
    total = np.where(defined, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
