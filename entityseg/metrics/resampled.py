"""IoU after resampling, as two published evaluators of narrative grounding do it (compat modes only).

Both scale by bilinear interpolation with half-pixel centres and no smoothing, which blurs or widens small masks: even
a perfect mask does not score 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.masks.runlengths import Size
from entityseg.metrics.averages import Float64Array

_SMALL = (256, 256)
# PPMN's network: the short side 800 pixels, the long one 1,333 at the most; padded to multiples of 32.
_SHORT_SIDE, _LONG_SIDE, _MULTIPLE = 800, 1333, 32


def bilinear(image: ArrayLike, size: Size) -> Float64Array:
    """Scale an image, float64 [height, width], bilinearly: half-pixel centres, border pixels repeated.

    >>> bilinear([[0.0, 1.0]], (1, 4)).tolist()
    [[0.0, 0.25, 0.75, 1.0]]
    """
    values = np.asarray(image, np.float64)
    for axis in (0, 1):
        low, high, share = _sources(values.shape[axis], size[axis])
        below, above = values.take(low, axis), values.take(high, axis)
        weight = share[:, None] if axis == 0 else share[None, :]
        values = below * (1 - weight) + above * weight
    return values


def soft_iou_256(gt: NDArray[np.bool_], pred: NDArray[np.bool_]) -> tuple[float, float]:
    """Return numerator and denominator of the soft IoU of the PNG authors' evaluator (`png2021`).

    The prediction is scaled to 256 x 256 and rounded, the ground truth is not rounded; both are scaled back, and the
    IoU is sum(p g) / sum(p + g - p g).

    Args:
        gt: bool [height, width].
        pred: bool [height, width].
    """
    size = (gt.shape[0], gt.shape[1])
    truth = bilinear(bilinear(gt, _SMALL), size)
    guess = bilinear(np.round(bilinear(pred, _SMALL)), size)
    both = float((truth * guess).sum())
    return both, float(truth.sum() + guess.sum()) - both


def quarter_iou(gt: NDArray[np.bool_], pred: NDArray[np.bool_]) -> tuple[int, int]:
    """Return intersection and union at a quarter of PPMN's network resolution (`ppmn-quarter`).

    The ground truth counts every quarter pixel that it touches at all, the prediction those above one half.

    Args:
        gt: bool [height, width].
        pred: bool [height, width].
    """
    truth, guess = _quarter(gt) > 0, _quarter(pred) > 0.5
    return int((truth & guess).sum()), int((truth | guess).sum())


def network_size(size: Size) -> Size:
    """Return the size at which PPMN's network sees an image.

    >>> network_size((480, 640)), network_size((400, 1000))
    ((800, 1067), (533, 1333))
    """
    scale = min(_SHORT_SIDE / min(size), _LONG_SIDE / max(size))
    return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)


def _quarter(mask: NDArray[np.bool_]) -> Float64Array:
    size = network_size((mask.shape[0], mask.shape[1]))
    height, width = (-(-side // _MULTIPLE) * _MULTIPLE for side in size)
    padded = np.zeros((height, width))
    padded[: size[0], : size[1]] = bilinear(mask, size)
    return bilinear(padded, (height // 4, width // 4))


def _sources(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Float64Array]:
    """Return for each new pixel the two old ones and the share of the second."""
    at = np.maximum((np.arange(new) + 0.5) * (old / new) - 0.5, 0.0)
    low = np.minimum(at.astype(np.int64), old - 1)
    return low, np.minimum(low + 1, old - 1), at - low
