"""Outlines of dense masks as scikit-image traces them, for references."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from tests.strategies import Dense


def level_lines(mask: Dense) -> list[NDArray[np.float64]]:
    """Return the closed outlines of an 8-connected mask: the middles of the sides of pixels, float64 [n, 2]."""
    # Padded, so that outlines close; the last point is the first once more.
    lines = measure.find_contours(np.pad(mask, 1).astype(float), 0.5, fully_connected="high")
    return [line[:-1] for line in lines]


def inner_pixels(line: NDArray[np.float64], mask: Dense) -> NDArray[np.int64]:
    """Return for each point of an outline the mask's pixel beside it, int64 [n, 2], in the padded mask."""
    padded = np.pad(mask, 1)
    near, far = np.floor(line).astype(np.int64), np.ceil(line).astype(np.int64)
    return np.where(padded[near[:, 0], near[:, 1]][:, None], near, far)
