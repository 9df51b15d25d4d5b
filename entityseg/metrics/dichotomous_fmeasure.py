"""F-measures of grey maps: the curve over 256 thresholds, the adaptive one, and the weighted one.

Achanta et al., CVPR 2009 (beta^2 = 0.3); Margolin et al., How to evaluate foreground maps?, CVPR 2014 (beta = 1).
All but the weighted F-measure need nothing but the histograms of a map over true foreground and background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.averages import Float64Array

Mode = Literal["canonical", "pysod", "dis-official"]

BETA_SQUARED = 0.3
LEVELS = 256
_FILTER_SIZE, _FILTER_SIGMA = 7, 5.0
# What IS-Net's code adds to its denominators.
_ISNET_PIXELS, _ISNET_MEAN = 1e-4, 1e-8


@dataclass(frozen=True, slots=True)
class Scale:
    """What the 256 grey values of a map stand for: its lowest value 0, its highest 1; a constant map stays as it is.

    Attributes:
        steps: int64 [256], the value above the lowest one.
        top: the step that stands for 1.
        p: float64 [256], the value as a probability, steps / top.
        bins: int64 [256], floor(255 p).
    """

    steps: Int64Array
    top: int
    p: Float64Array
    bins: Int64Array


def scale_of(histogram: Int64Array, mode: Mode) -> Scale:
    """Return the scale of a map with these values.

    Args:
        histogram: int64 [256].
        mode: `canonical` computes with integers; `pysod` with floats in the order of PySODMetrics, which puts a few
            values one bin lower; `dis-official` as `canonical`.
    """
    values = np.arange(LEVELS)
    there = np.flatnonzero(histogram)
    low, high = (int(there[0]), int(there[-1])) if len(there) else (0, LEVELS - 1)
    if low == high:
        low, high = 0, LEVELS - 1
    steps = np.clip(values - low, 0, high - low)
    if mode != "pysod":
        return Scale(steps, high - low, steps / (high - low), steps * (LEVELS - 1) // (high - low))
    p = values / 255
    if len(there) > 1:
        p = np.clip((p - p[low]) / (p[high] - p[low]), 0, 1)
    return Scale(steps, high - low, p, (p * 255).astype(np.int64))


def cumulative(histogram: Int64Array, bins: Int64Array, n_bins: int = LEVELS) -> Int64Array:
    """Return how many pixels have at least each bin, int64 [n_bins].

    >>> cumulative(np.array([3, 0, 2]), np.array([0, 1, 2]), 3).tolist()
    [5, 2, 2]
    """
    counts = np.bincount(bins, histogram, n_bins).astype(np.int64)
    return counts[::-1].cumsum()[::-1]


def f_measure(hits: NDArray[np.generic], found: NDArray[np.generic], n_gt: int) -> Float64Array:
    """Return F at each threshold, 0 where nothing is hit."""
    precision = np.asarray(hits, np.float64) / np.maximum(np.asarray(found, np.float64), 1)
    recall = np.asarray(hits, np.float64) / max(n_gt, 1)
    above = (1 + BETA_SQUARED) * precision * recall
    below = np.where(above == 0, 1, BETA_SQUARED * precision + recall)
    return above / below


def f_curve(fg: Int64Array, bg: Int64Array, scale: Scale) -> Float64Array:
    """Return F at the thresholds floor(255 p) >= 0, ..., 255, float64 [256].

    Args:
        fg, bg: int64 [256], histograms of the map over true foreground and background.
        scale: of the map.
    """
    hits = cumulative(fg, scale.bins)
    return f_measure(hits, hits + cumulative(bg, scale.bins), int(fg.sum()))


def is_above_adaptive(histogram: Int64Array, scale: Scale, mode: Mode) -> NDArray[np.bool_]:
    """Return which values reach the adaptive threshold, twice the mean of the map but at most 1, bool [256]."""
    if mode == "pysod":
        mean = float((histogram * scale.p).sum() / histogram.sum())
        return np.asarray(scale.p >= min(2 * mean, 1.0))
    # In integers: p >= 2 mean, or p = 1.
    reached = scale.steps * int(histogram.sum()) >= 2 * int((histogram * scale.steps).sum())
    return np.asarray(reached | (scale.steps >= scale.top))


def isnet_curves(fg: Int64Array, bg: Int64Array) -> Float64Array:
    """Return precision and recall of n images as IS-Net's code computes them, float64 [2, n, 255].

    It has 255 bins for 256 values, so that 254 and 255 share one, takes the values as they are, and adds 0.0001 to
    each denominator.

    Args:
        fg, bg: int64 [n, 256], histograms of the maps over true foreground and background.
    """
    hits, false = (one[:, ::-1].cumsum(axis=1)[:, ::-1][:, : LEVELS - 1] for one in (fg, bg))
    return np.stack([hits / (hits + false + _ISNET_PIXELS), hits / (hits[:, :1] + _ISNET_PIXELS)])


def isnet_f(precision: Float64Array, recall: Float64Array) -> Float64Array:
    """Return IS-Net's F of mean precision and mean recall."""
    above = (1 + BETA_SQUARED) * precision * recall
    return np.asarray(above / (BETA_SQUARED * precision + recall + _ISNET_MEAN))


def weighted_f(gt: NDArray[np.uint8], pred: NDArray[np.uint8], scale: Scale, n_gt: int) -> float:
    """Return the weighted F-measure; 0 where there is no true foreground.

    Args:
        gt, pred: uint8 [height, width]; foreground is gt > 128.
        scale: of the prediction.
        n_gt: foreground pixels.
    """
    from entityseg.metrics import _grey

    if n_gt == 0:
        return 0.0
    inside, outside = np.empty(gt.shape[0]), np.empty(gt.shape[0])
    _grey.weighted_errors(gt, pred, 1 - scale.p, scale.p, _taps(), inside, outside)
    missed, invented = math.fsum(inside), math.fsum(outside)
    recall = 1 - missed / n_gt
    hits = n_gt - missed
    precision = hits / (hits + invented) if hits + invented > 0 else 0.0
    return 2 * recall * precision / (recall + precision) if recall + precision > 0 else 0.0


def _taps() -> Float64Array:
    """Return the 7 weights of the Gaussian of sigma 5, which add up to 1."""
    half = _FILTER_SIZE // 2
    taps = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * _FILTER_SIGMA**2))
    return np.asarray(taps / taps.sum(), np.float64)
