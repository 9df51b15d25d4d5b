"""Made-up truths and grey maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.uint8]


def field(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> NDArray[np.float64]:
    values = ndimage.gaussian_filter(rng.standard_normal(shape), sigma)
    return (values - values.min()) / max(float(np.ptp(values)), 1e-9)


def case(seed: int, most: int = 60) -> tuple[Grey, Grey]:
    """A truth and a map: soft, shifted, constant, perfect, or of something else; sometimes empty or full."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(2, most)), int(rng.integers(2, most)))
    values = field(rng, shape, float(rng.choice([0.5, 1, 2, 5])))
    gt = (values > np.quantile(values, rng.choice([0, 0.3, 0.7, 0.95, 1.0]))).astype(np.uint8) * 255
    kind = seed % 5
    if kind == 0:
        noise = rng.normal(0, 20, shape)
        pred = ndimage.gaussian_filter(gt.astype(float), 2) + noise
    elif kind == 1:
        pred = np.roll(gt, 4, 1).astype(float)
    elif kind == 2:
        pred = 40 + 150 * field(rng, shape, 2)
    elif kind == 3:
        pred = gt.astype(float)
    else:
        pred = np.full(shape, float(rng.integers(256)))
    return gt, np.clip(pred, 0, 255).astype(np.uint8)
