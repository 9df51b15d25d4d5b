"""Precision and recall of the predictions of many images: the curves and figures of AP, for weighted images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.matching import AREA_RANGES, IOU_THRESHOLDS, ImageMatches, Mode

# pycocotools' own floats: the one at 35 % is 0.35000000000000003.
RECALLS = np.linspace(0.0, 1.0, 101)
_T = len(IOU_THRESHOLDS)
ALL_BITS = np.uint16((1 << _T) - 1)


@dataclass(frozen=True, slots=True)
class _Average:
    """One reported figure: the mean over IoU thresholds of precision (AP) or of recall (AR)."""

    what: Literal["AP", "AR"]
    area: int
    thresholds: tuple[int, ...]
    max_detections: int


_ALL = tuple(range(_T))
FIGURES: dict[str, _Average] = {
    "AP": _Average("AP", 0, _ALL, 100),
    "AP50": _Average("AP", 0, (0,), 100),
    "AP75": _Average("AP", 0, (5,), 100),
    "APs": _Average("AP", 1, _ALL, 100),
    "APm": _Average("AP", 2, _ALL, 100),
    "APl": _Average("AP", 3, _ALL, 100),
    "AR@1": _Average("AR", 0, _ALL, 1),
    "AR@10": _Average("AR", 0, _ALL, 10),
    "AR@100": _Average("AR", 0, _ALL, 100),
    "AR@100@.5": _Average("AR", 0, (0,), 100),
    "AP@300": _Average("AP", 0, _ALL, 300),
}
# COCO's last three figures; AP^e does not report them.
SIZED_RECALLS: dict[str, _Average] = {
    "ARs": _Average("AR", 1, _ALL, 100),
    "ARm": _Average("AR", 2, _ALL, 100),
    "ARl": _Average("AR", 3, _ALL, 100),
}
ALL_FIGURES = FIGURES | SIZED_RECALLS


class Ranked:
    """The predictions of all images in one order, best score first."""

    def __init__(self, matches: Sequence[ImageMatches], mode: Mode) -> None:
        counts = [len(match.scores) for match in matches]
        scores = np.concatenate([np.empty(0), *(match.scores for match in matches)])
        # Stable: equal scores keep the order of image and rank, which pycocotools' curve depends on.
        order = np.argsort(-scores, kind="stable")
        self.scores = scores[order]
        del scores
        # As narrow as they may be: what is kept of a prediction decides how many fit into memory.
        self.image = np.repeat(np.arange(len(matches), dtype=np.int32), counts)[order]
        ranks = (np.arange(count, dtype=np.int16) for count in counts)
        self.rank = np.concatenate([np.empty(0, np.int16), *ranks])[order]
        self.hits = np.concatenate([np.empty(0, np.uint64), *(match.hits for match in matches)])[order]
        self.ignored = np.concatenate([np.empty(0, np.uint64), *(match.ignored for match in matches)])[order]
        self.n_gt = np.array([match.n_gt for match in matches], np.int64).reshape(-1, len(AREA_RANGES))
        self.mode = mode
        self.most = max(counts, default=0)
        # Resamples share these; caches of the instance, so that they go with it.
        self._predictions_of = cache(self._predictions)
        self._found_of = cache(self._found)

    def figures(
        self, weights: Int64Array, names: Sequence[str] = tuple(FIGURES)
    ) -> dict[str, NDArray[np.float64]]:
        """Return each figure for each row of weights [b, images], NaN where undefined."""
        done: dict[tuple[str, int, int], NDArray[np.float64]] = {}
        result = {}
        for name in names:
            figure = ALL_FIGURES[name]
            key = (figure.what, figure.area, min(figure.max_detections, self.most))
            if key not in done:
                done[key] = self._by_threshold(*key, weights)
            values = done[key][:, list(figure.thresholds)]
            result[name] = np.array([math.fsum(row) for row in values]) / values.shape[1]
        return result

    def _by_threshold(
        self, what: str, area: int, max_detections: int, weights: Int64Array
    ) -> NDArray[np.float64]:
        """Return AP or recall at each IoU threshold, float64 [b, 10]."""
        if what == "AR":
            return self._recalls(area, max_detections, weights)
        curves = self.curves(area, max_detections, weights)
        if len(weights) > 1:
            return curves.mean(axis=2)
        return np.array([[math.fsum(curve) for curve in one] for one in curves]) / len(RECALLS)

    def _bits(self, area: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        return bits_of(self.hits, area), bits_of(self.ignored, area)

    def curves(self, area: int, max_detections: int, weights: Int64Array) -> NDArray[np.float64]:
        """Return precision at each recall, float64 [b, 10, 101], NaN where there is no ground truth."""
        from entityseg.metrics import _curves

        n_gt = weights @ self.n_gt[:, area]
        curves = np.empty((len(weights), _T, len(RECALLS)))
        epsilon = float(np.spacing(1)) if self.mode == "pycocotools" else 0.0
        predictions = self._predictions_of(area, max_detections)
        _curves.precisions(*predictions, weights, np.maximum(n_gt, 1), RECALLS, epsilon, curves)
        curves[n_gt == 0] = np.nan
        return curves

    def _predictions(
        self, area: int, max_detections: int
    ) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]:
        """Return image, hits, ignored and block ends of the predictions that count at some threshold."""
        hits, ignored = self._bits(area)
        counts = (self.rank < max_detections) & (ignored != ALL_BITS)
        scores = self.scores[counts]
        if self.mode == "canonical":
            # Equal scores form one block: the order inside it says nothing.
            block_ends = np.append(scores[1:] != scores[:-1], True)[: len(scores)]
        else:
            block_ends = np.ones(len(scores), bool)
        return self.image[counts], hits[counts], ignored[counts], block_ends

    def _recalls(self, area: int, max_detections: int, weights: Int64Array) -> NDArray[np.float64]:
        n_gt = weights @ self.n_gt[:, area]
        found = weights @ self._found_of(area, max_detections)
        return np.where(n_gt[:, None] > 0, found / np.maximum(n_gt, 1)[:, None], np.nan)

    def _found(self, area: int, max_detections: int) -> Int64Array:
        """Return the hits of each image at each threshold, int64 [images, 10]."""
        hits, ignored = self._bits(area)
        hits = np.where(self.rank < max_detections, hits & ~ignored, np.uint16(0))
        found = np.empty((len(self.n_gt), _T), np.int64)
        for t in range(_T):
            hit = hits & np.uint16(1 << t) != 0
            found[:, t] = np.bincount(self.image[hit], minlength=len(self.n_gt))
        return found


def bits_of(matches: NDArray[np.uint64], area: int) -> NDArray[np.uint16]:
    """Return the bits of one area range out of `hits` or `ignored`, bit t for threshold t.

    >>> bits_of(np.array([0b11 << 10], np.uint64), 1).tolist()
    [3]
    """
    return ((matches >> np.uint64(area * _T)) & np.uint64(ALL_BITS)).astype(np.uint16)
