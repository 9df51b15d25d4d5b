"""Zipf's law fitted to the frequencies of classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_STEEPEST = 64.0
_STEPS = 200


@dataclass(frozen=True)
class ZipfFit:
    """A law `frequency of rank r ~ r^-s` over the ranks 1 to n of the classes that occur.

    Attributes:
        exponent: s of most likelihood; 0 for classes that are all alike.
        ks: Kolmogorov-Smirnov distance: largest difference of the cumulative shares of data and law.
        slope: s by least squares of log frequency on log rank, as it is often reported; it weighs rare classes most.
        r_squared: of that line; None if all classes are equally frequent.
        classes: n.
    """

    exponent: float
    ks: float
    slope: float
    r_squared: float | None
    classes: int


def fit_zipf(counts: ArrayLike) -> ZipfFit | None:
    """Fit Zipf's law to how often each class occurs; classes that do not are left out. None for less than two.

    The likelihood is that of drawing ranks from r^-s / (1^-s + ... + n^-s); ranks are those of the data itself, which
    makes any data look a little steeper than it is. Goldstein et al., "Problems with fitting to the power-law
    distribution", 2004 (why least squares mislead).

    >>> fit = fit_zipf([600, 300, 200, 150, 120])
    >>> round(fit.exponent, 6), round(fit.ks, 6), round(fit.slope, 6)
    (1.0, 0.0, 1.0)
    """
    frequencies = np.sort(np.asarray(counts, np.float64))[::-1]
    frequencies = frequencies[frequencies > 0]
    n = len(frequencies)
    if n < 2:
        return None
    shares, logs = frequencies / frequencies.sum(), np.log(np.arange(1, n + 1))
    # At the best s the law's mean of log rank is the data's; it falls with s, so halving the bracket finds it.
    wanted, low, high = float(shares @ logs), 0.0, _STEEPEST
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if float(_law(middle, logs) @ logs) > wanted else (low, middle)
    ks = float(np.abs(np.cumsum(shares) - np.cumsum(_law(low, logs))).max())
    heights = np.log(frequencies)
    centred = logs - logs.mean()
    slope = float(centred @ heights / (centred @ centred))
    spread = float(((heights - heights.mean()) ** 2).sum())
    left = float(((heights - heights.mean() - slope * centred) ** 2).sum())
    return ZipfFit(low, ks, -slope, 1 - left / spread if frequencies[0] > frequencies[-1] else None, n)


def _law(exponent: float, logs: NDArray[np.float64]) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.exp(-exponent * logs)
    return weights / weights.sum()
