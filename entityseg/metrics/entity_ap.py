"""AP and AP^e: COCO's mask average precision, class-agnostic, as a mergeable table.

AP^e is AP of masks that do not overlap (Qi et al., High-Quality Entity Segmentation, ICCV 2023, section 5). The
definition of AP is pycocotools'; see `docs/metrics.md` for where `canonical` and `compat` differ.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.data.records import ImageId
from entityseg.errors import input_error
from entityseg.masks.order import by_score, by_size
from entityseg.masks.pairwise import intersections
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.table import Table, sorted_units

Mode = Literal["canonical", "pycocotools"]

# pycocotools' own floats: .55 is 0.55, but the seventh recall is 0.07 and not 0.07000000000000001.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
# Pixels; both ends belong to the range.
AREA_RANGES = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
MAX_DETECTIONS = 300
# Resamples that one thread computes at once.
_BATCH = 64
_RANGES = np.array(list(AREA_RANGES.values()))
_T = len(IOU_THRESHOLDS)


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


@dataclass(frozen=True, slots=True)
class ImageMatches:
    """What one image adds to AP: its ground truth counted, and its best 300 predictions with their match bits.

    Attributes:
        n_gt: int64 [4], ground-truth masks that count, by area range.
        scores: float64 [n], best first.
        hits, ignored: uint64 [n], bit `range * 10 + threshold`.
    """

    n_gt: Int64Array
    scores: NDArray[np.float64]
    hits: NDArray[np.uint64]
    ignored: NDArray[np.uint64]


def match_image(
    gt: RunLengths,
    pred: RunLengths,
    scores: NDArray[np.float64],
    *,
    crowd: NDArray[np.bool_] | None = None,
    mode: Mode = "canonical",
    gt_ids: Int64Array | None = None,
    gt_areas: NDArray[np.float64] | None = None,
    pred_areas: NDArray[np.float64] | None = None,
) -> ImageMatches:
    """Match the predictions of one image with its ground truth.

    Args:
        gt, pred: m and n masks of the image.
        scores: float64 [n], finite.
        crowd: bool [m], ground truth that counts neither way; many predictions may match one.
        mode: `canonical` does not depend on the order of the masks; `pycocotools` does, as it does.
        gt_ids: int64 [m], for `pycocotools`, to which a match with annotation id 0 is none.
        gt_areas, pred_areas: float64, for `pycocotools`, which takes areas from the file; NaN is the mask's own.

    Raises:
        InputError: sizes differ, a score is not finite, or the number of scores is not that of the masks.
    """
    from entityseg.metrics import _match

    scores = np.ascontiguousarray(scores, np.float64)
    if scores.shape != (len(pred),) or not np.isfinite(scores).all():
        message = f"{len(pred)} masks need as many finite scores, not {scores.shape}"
        raise input_error("score.finite", message, "Give one finite score a mask.")
    flags = np.zeros(len(gt), bool) if crowd is None else np.asarray(crowd, bool)
    if flags.shape != (len(gt),):
        message = f"{len(gt)} masks need as many crowd flags, not {flags.shape}"
        raise input_error("iscrowd.shape", message, "Give one flag a mask.")
    if mode == "canonical":
        best = by_score(pred, scores)[:MAX_DETECTIONS]
        # The matcher lets the last of equal IoUs win: of two such masks that shall be the larger one.
        gt_order = by_size(gt)[::-1]
    else:
        best = np.argsort(-scores, kind="stable")[:MAX_DETECTIONS]
        gt_order = np.arange(len(gt))
    stated = _range_areas(pred, pred_areas if mode == "pycocotools" else None)[best]
    scores = scores[best]
    if len(best) < len(pred):
        # A file may hold any number of predictions for an image; only the best ones cost anything.
        pred, best = pred[best], np.arange(len(best))
    common = intersections(pred, gt, crowd=flags, least_iou=float(IOU_THRESHOLDS[0]))
    common = np.ascontiguousarray(common[np.ix_(best, gt_order)])
    never_hit = np.zeros(len(gt), bool)
    if mode == "pycocotools" and gt_ids is not None:
        never_hit = gt_ids == 0
    hits, ignored = np.zeros(len(best), np.uint64), np.zeros(len(best), np.uint64)
    n_gt = np.zeros(len(_RANGES), np.int64)
    _match.match(
        common,
        pred.areas[best],
        gt.areas[gt_order],
        stated,
        _range_areas(gt, gt_areas if mode == "pycocotools" else None)[gt_order],
        flags[gt_order],
        never_hit[gt_order],
        IOU_THRESHOLDS,
        _RANGES,
        hits,
        ignored,
        n_gt,
    )
    return ImageMatches(n_gt, scores, hits, ignored)


def _range_areas(masks: RunLengths, stated: NDArray[np.float64] | None) -> NDArray[np.float64]:
    own = masks.areas.astype(np.float64)
    return own if stated is None else np.where(np.isnan(stated), own, stated)


class EntityAP(Table[ImageMatches]):
    """AP, AP^e and AR over images: feed images in any order, merge parts, compute; for use in a training loop.

    Whether the figure is AP or AP^e is up to the masks: AP^e if no two predictions of an image share a pixel.

    >>> from entityseg.masks import RunLengths
    >>> metric = EntityAP()
    >>> square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    >>> metric.update(1, square, square, [0.9])
    >>> metric.compute()["AP"]
    1.0
    """

    def __init__(self, mode: Mode = "canonical") -> None:
        super().__init__()
        self.mode: Mode = mode

    def update(
        self,
        image_id: ImageId,
        gt: RunLengths | ArrayLike,
        pred: RunLengths | ArrayLike,
        scores: ArrayLike,
        *,
        crowd: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add one image.

        Args:
            image_id: unique among the images added.
            gt, pred: masks, run-length or dense (bool [n, height, width]; arrays and tensors on the CPU).
            scores: [n], finite.
            crowd: bool [m], ground truth that counts neither way.

        Raises:
            InputError: the image was added before, or the masks and scores do not fit.
        """
        gt, pred = _as_masks(gt), _as_masks(pred)
        matches = match_image(gt, pred, np.asarray(scores, np.float64), crowd=crowd, mode=self.mode)
        self.add(image_id, matches)

    def compute(self, weights: Mapping[ImageId, int] | None = None) -> dict[str, float | None]:
        """Return all figures as fractions, None where undefined (no ground truth in the range).

        Args:
            weights: how often each image counts; once where not given.
        """
        columns = _Columns(self.units, self.mode)
        given = None if weights is None else [weights.get(unit, 0) for unit in columns.units]
        counts = np.ones((1, len(columns.units)), np.int64) if given is None else np.array([given], np.int64)
        return {name: _or_none(values[0]) for name, values in columns.figures(counts).items()}

    def curves(self) -> NDArray[np.float64] | None:
        """Return precision at the 101 recalls for each IoU threshold, float64 [10, 101]; None without ground truth."""
        columns = _Columns(self.units, self.mode)
        curves = columns.curves(0, 100, np.ones((1, len(columns.units)), np.int64))[0]
        return None if np.isnan(curves).any() else curves

    def bootstrap(
        self, n: int = 1000, seed: int = 0, *, level: float = 0.95, threads: int | None = None
    ) -> dict[str, tuple[float, float] | None]:
        """Return the percentile interval of every figure under resampling of the images.

        Resamples in which a figure is undefined do not count for it.
        """
        columns = _Columns(self.units, self.mode)
        n_units = len(columns.units)
        if n_units == 0 or n == 0:
            return dict.fromkeys(FIGURES)
        generator = np.random.default_rng(seed)
        # Small batches keep the weights of a large dataset small; the draws do not depend on the batches.
        sizes = [min(_BATCH, n - start) for start in range(0, n, _BATCH)]
        drawn = [_drawn(generator, size, n_units) for size in sizes]
        columns.figures(drawn[0][:1])  # Fills the caches that the threads share.
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            samples = list(pool.map(columns.figures, drawn))
        tail = 50 * (1 - level)
        result: dict[str, tuple[float, float] | None] = {}
        for name in FIGURES:
            values = np.concatenate([sample[name] for sample in samples])
            values = values[~np.isnan(values)]
            low, high = np.percentile(values, [tail, 100 - tail]).tolist() if len(values) else (0.0, 0.0)
            result[name] = (low, high) if len(values) else None
        return result

    def per_image(self) -> dict[ImageId, dict[str, float | None]]:
        """Return AP, AP50, AP75 and AR@100 of each image alone."""
        names = ("AP", "AP50", "AP75", "AR@100")
        result = {}
        for unit in sorted_units(self.units):
            columns = _Columns({unit: self.units[unit]}, self.mode)
            values = columns.figures(np.ones((1, 1), np.int64), names)
            result[unit] = {name: _or_none(values[name][0]) for name in names}
        return result


def _as_masks(masks: RunLengths | ArrayLike) -> RunLengths:
    from entityseg.masks import from_dense

    return masks if isinstance(masks, RunLengths) else from_dense(np.asarray(masks))


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


class _Columns:
    """The predictions of all images in one order, best score first."""

    def __init__(self, units: Mapping[ImageId, ImageMatches], mode: Mode) -> None:
        self.units = sorted_units(units)
        matches = [units[unit] for unit in self.units]
        counts = [len(match.scores) for match in matches]
        scores = np.concatenate([np.empty(0), *(match.scores for match in matches)])
        # Stable: equal scores keep the order of image and rank, which pycocotools' curve depends on.
        order = np.argsort(-scores, kind="stable")
        self.image = np.repeat(np.arange(len(matches)), counts)[order]
        self.rank = np.concatenate([np.empty(0, np.int64), *(np.arange(count) for count in counts)])[order]
        self.hits = np.concatenate([np.empty(0, np.uint64), *(match.hits for match in matches)])[order]
        self.ignored = np.concatenate([np.empty(0, np.uint64), *(match.ignored for match in matches)])[order]
        self.scores = scores[order]
        self.n_gt = np.array([match.n_gt for match in matches], np.int64).reshape(-1, len(_RANGES))
        self.mode = mode
        self.most = max(counts, default=0)
        # Resamples share these; caches of the instance, so that they go with it.
        self._predictions_of = cache(self._predictions)
        self._found_of = cache(self._found)

    def figures(self, weights: Int64Array, names: Sequence[str] = tuple(FIGURES)) -> dict[str, NDArray[np.float64]]:
        """Return each figure for each row of weights [b, images], NaN where undefined."""
        done: dict[tuple[str, int, int], NDArray[np.float64]] = {}
        result = {}
        for name in names:
            figure = FIGURES[name]
            key = (figure.what, figure.area, min(figure.max_detections, self.most))
            if key not in done:
                done[key] = self._by_threshold(*key, weights)
            values = done[key][:, list(figure.thresholds)]
            result[name] = np.array([math.fsum(row) for row in values]) / values.shape[1]
        return result

    def _by_threshold(self, what: str, area: int, max_detections: int, weights: Int64Array) -> NDArray[np.float64]:
        """Return AP or recall at each IoU threshold, float64 [b, 10]."""
        if what == "AR":
            return self._recalls(area, max_detections, weights)
        curves = self.curves(area, max_detections, weights)
        if len(weights) > 1:
            return curves.mean(axis=2)
        return np.array([[math.fsum(curve) for curve in one] for one in curves]) / len(RECALLS)

    def _bits(self, area: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        shift, all_bits = np.uint64(area * _T), np.uint64((1 << _T) - 1)
        return (self.hits >> shift) & all_bits, (self.ignored >> shift) & all_bits

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
    ) -> tuple[Int64Array, NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]]:
        """Return image, hits, ignored and block ends of the predictions that count at some threshold."""
        hits, ignored = self._bits(area)
        counts = (self.rank < max_detections) & (ignored != (1 << _T) - 1)
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
        hits = np.where(self.rank < max_detections, hits & ~ignored, np.uint64(0))
        found = np.empty((len(self.units), _T), np.int64)
        for t in range(_T):
            hit = (hits >> np.uint64(t)) & np.uint64(1) != 0
            found[:, t] = np.bincount(self.image[hit], minlength=len(self.units))
        return found


def _drawn(generator: np.random.Generator, n: int, n_units: int) -> Int64Array:
    """Return how often each unit is drawn in n resamples of all units, int64 [n, units]."""
    drawn = generator.integers(0, n_units, (n, n_units)) + np.arange(n)[:, None] * n_units
    return np.bincount(drawn.ravel(), minlength=n * n_units).reshape(n, n_units).astype(np.int64)
