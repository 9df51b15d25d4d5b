"""Average precision and recall of each category, for weighted images: the numbers behind class-aware AP."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.matching import IOU_THRESHOLDS, ClassMatches, Mode
from entityseg.metrics.precision import ALL_BITS, ALL_FIGURES, RECALLS, bits_of

NAMES = tuple(ALL_FIGURES)
_T = len(IOU_THRESHOLDS)


class RankedClasses:
    """The predictions of all images, category by category, best score first.

    Attributes:
        categories: int64 [c], ascending; those with ground truth that counts, at least once.
    """

    def __init__(self, rows: Sequence[ClassMatches], mode: Mode) -> None:
        # As narrow as they may be: what is kept of a prediction decides how many fit into memory.
        blocks = np.concatenate([np.empty(0, np.int64), *(row.categories for row in rows)])
        n_gt = np.concatenate([np.empty((0, 4), np.int32), *(row.n_gt for row in rows)], dtype=np.int32)
        lengths = np.concatenate([np.empty(0, np.int64), *(np.diff(row.offsets) for row in rows)])
        numbers = np.arange(len(rows), dtype=np.int32)
        block_images = np.repeat(numbers, [len(row.categories) for row in rows])
        self.categories = np.unique(blocks[n_gt[:, 0] > 0])
        # The number of each block's category; one without ground truth stands behind all others, and is cut off.
        of_block = np.searchsorted(self.categories, blocks).astype(np.int32)
        of_block[~np.isin(blocks, self.categories)] = len(self.categories)

        order = np.argsort(of_block, kind="stable")
        order = order[of_block[order] < len(self.categories)]
        self._gt_starts = self._starts(of_block[order])
        self._gt_images = block_images[order]
        self._gt_counts = np.ascontiguousarray(n_gt[order].T)

        of = np.repeat(of_block, lengths)
        scores = np.concatenate([np.empty(0), *(row.scores for row in rows)])
        # Stable: equal scores keep the order of image and rank, which pycocotools' curve depends on.
        order = np.lexsort((-scores, of))
        order = order[: np.count_nonzero(of < len(self.categories))]
        self._of, self._scores = of[order], scores[order]
        del of, scores
        self._images = np.repeat(block_images, lengths)[order]
        ranks = (np.arange(length, dtype=np.int16) for length in lengths)
        self._ranks = np.concatenate([np.empty(0, np.int16), *ranks])[order]
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
            figure = ALL_FIGURES[name]
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
        from entityseg.metrics import _curves

        shape = len(weights), len(self.categories), _T
        precision, recall = np.full(shape, np.nan), np.full(shape, np.nan)
        _curves.averages(
            *self._predictions_of(area, max_detections),
            self._gt_starts,
            self._gt_images,
            self._gt_counts[area],
            weights,
            RECALLS,
            float(np.spacing(1)) if self._mode == "pycocotools" else 0.0,
            precision,
            recall,
        )
        return precision, recall

    def _predictions(
        self, area: int, max_detections: int
    ) -> tuple[Int64Array, NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]:
        """Return the kernel's first arguments, for the predictions that count at some threshold."""
        hits, ignored = bits_of(self._hits, area), bits_of(self._ignored, area)
        counts = (self._ranks < max_detections) & (ignored != ALL_BITS)
        of, scores = self._of[counts], self._scores[counts]
        block_ends = np.ones(len(of), bool)
        if self._mode == "canonical":
            # Equal scores form one block: the order inside it says nothing.
            block_ends[:-1] = (scores[1:] != scores[:-1]) | (of[1:] != of[:-1])
        return self._starts(of), self._images[counts], hits[counts], ignored[counts], block_ends

    def _starts(self, of: NDArray[np.int32]) -> Int64Array:
        """Return where each category begins in a sorted list of their numbers, and its end."""
        return np.searchsorted(of, np.arange(len(self.categories) + 1)).astype(np.int64)
