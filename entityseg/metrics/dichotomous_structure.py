"""S-measure and E-measure of grey maps, from histograms.

Fan et al., Structure-measure, ICCV 2017 (alpha = 0.5); Fan et al., Enhanced-alignment measure, IJCAI 2018.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array, Size
from entityseg.metrics.averages import Float64Array
from entityseg.metrics.dichotomous_fmeasure import Scale, cumulative

ALPHA = 0.5


def s_measure(
    quadrants: Int64Array, row: int, column: int, size: Size, scale: Scale, epsilon: float = 0.0
) -> float:
    """Return the S-measure; without foreground 1 - mean, with nothing but foreground the mean of the map.

    Args:
        quadrants: int64 [4, 2, 256], the map's histograms by quadrant (upper left, upper right, lower left, lower
            right), over background and foreground.
        row, column: where the lower right quadrant begins.
        size: (height, width).
        scale: of the map.
        epsilon: added to the denominators of quadrants, for `pysod`.
    """
    bg, fg = quadrants.sum(axis=0)
    n_gt, n = int(fg.sum()), size[0] * size[1]
    if n_gt in (0, n):
        mean = _sums(fg + bg, scale.steps)[1] / (n * scale.top)
        return mean if n_gt else 1 - mean
    share = n_gt / n
    by_object = share * _object(fg, scale.steps, scale.top)
    by_object += (1 - share) * _object(bg, scale.top - scale.steps, scale.top)
    height, width = size
    above, below = (
        (row * column, row * (width - column)),
        ((height - row) * column, (height - row) * (width - column)),
    )
    by_region = sum(
        _ssim(histograms, scale, epsilon) * area / n
        for histograms, area in zip(quadrants, (*above, *below), strict=True)
        if area
    )
    return max(0.0, ALPHA * by_object + (1 - ALPHA) * by_region)


def split_point(n_gt: int, rows: int, columns: int) -> tuple[int, int]:
    """Return where the lower right quadrant begins: one after the rounded centroid of the foreground.

    Args:
        n_gt: foreground pixels, at least one.
        rows, columns: the sums of their coordinates.

    >>> split_point(2, 1, 10)
    (1, 6)
    """
    return round(rows / n_gt) + 1, round(columns / n_gt) + 1


def _sums(histogram: Int64Array, steps: Int64Array) -> tuple[int, int, int]:
    """Return the number, the sum and the sum of squares of values."""
    return int(histogram.sum()), int((histogram * steps).sum()), int((histogram * steps**2).sum())


def _object(histogram: Int64Array, steps: Int64Array, top: int) -> float:
    """Return 2 mean / (mean^2 + 1 + deviation) of the values steps / top that occur so often."""
    n, total, squares = _sums(histogram, steps)
    mean = total / (n * top)
    variance = (n * squares - total**2) / (n * (n - 1) * top**2) if n > 1 else 0.0
    return 2 * mean / (mean**2 + 1 + variance**0.5)


def _ssim(histograms: Int64Array, scale: Scale, epsilon: float) -> float:
    """Return the structural similarity of map and truth in one quadrant.

    In integers up to the last division, so that what is constant has no variance, whatever its value.
    """
    n_gt, hits, _ = _sums(histograms[1], scale.steps)
    n, total, squares = _sums(histograms[0] + histograms[1], scale.steps)
    pairs = n * max(n - 1, 1)
    covariance = n * hits - n_gt * total
    variance = n * squares - total**2
    truth_variance = n * n_gt - n_gt**2
    x, y, top = total / (n * scale.top), n_gt / n, scale.top
    above = 4 * x * y * (covariance / (pairs * top))
    below = (x**2 + y**2) * (variance / (pairs * top**2) + truth_variance / pairs)
    if above != 0:
        return above / (below + epsilon)
    return 1.0 if below == 0 else 0.0


def e_curve(fg: Int64Array, bg: Int64Array, scale: Scale, epsilon: float = 0.0) -> Float64Array:
    """Return the E-measure at the thresholds floor(255 p) >= 0, ..., 255, float64 [256]."""
    hits, false = cumulative(fg, scale.bins), cumulative(bg, scale.bins)
    return e_measure(hits, false, int(fg.sum()), int(bg.sum()), epsilon)


def e_measure(
    hits: NDArray[np.int64], false: NDArray[np.int64], n_gt: int, n_rest: int, epsilon: float = 0.0
) -> Float64Array:
    """Return the E-measure of binary maps with so many true and false positives.

    Its sum over pixels is divided by their number less one, as published, so that a perfect map has a little more
    than 1; an image of one pixel is not divided. `epsilon` is added to the denominators of pixels, for `pysod`.
    """
    n = n_gt + n_rest
    found = np.asarray(hits + false, np.float64)
    if n_gt == 0:
        return np.asarray((n - found) / max(n - 1, 1))
    if n_rest == 0:
        return np.asarray(found / max(n - 1, 1))
    mean_found, mean_gt = found / n, n_gt / n
    total = np.zeros(len(found))
    parts = (
        (hits, 1 - mean_found, 1 - mean_gt),
        (false, 1 - mean_found, -mean_gt),
        (n_gt - hits, -mean_found, 1 - mean_gt),
        (n_rest - false, -mean_found, -mean_gt),
    )
    for count, b, g in parts:
        # g is never 0 where there is foreground and background.
        align = 2 * b * g / (b**2 + g**2 + epsilon)
        total += (1 + align) ** 2 / 4 * count
    return total / (n - 1)
