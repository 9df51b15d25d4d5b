"""Where entities lie in their images: centroids, and pixel counts on a grid laid over every image alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array, RunLengths, Size

# Cells along each side of the grid.
CELLS = 16
# Shares of cells are kept as integers of this unit, so that their sums do not depend on the order of the images.
UNIT = 1 << 24


@dataclass(frozen=True)
class Located:
    """Where the masks of an image lie.

    Attributes:
        counts: int64 [n, CELLS, CELLS], pixels of each mask in each cell, by row and column of cells.
        centroids: float64 [n, 2], x and y of the mean pixel centre in pixels from the image's left top corner; NaN for
            an empty mask.
    """

    counts: Int64Array
    centroids: NDArray[np.float64]


def locate(masks: RunLengths) -> Located:
    """Return where the masks of an image lie.

    Pixel column x belongs to cell column `x * CELLS // width`, rows likewise.

    >>> found = locate(RunLengths((4, 4), [0, 2], [0, 2]))
    >>> found.centroids.tolist(), int(found.counts[0, 0, 0])
    ([[0.5, 1.0]], 1)
    """
    from entityseg.stats.dataset import _spatial

    n, (height, width) = len(masks), masks.size
    counts, sums = np.zeros((n, CELLS, CELLS), np.int64), np.zeros((n, 2), np.int64)
    rows, columns = _cells_of(height), _cells_of(width)
    _spatial.locate(masks.edges, masks.offsets, height, width, rows, columns, counts, sums)
    areas = masks.areas[:, None]
    with np.errstate(invalid="ignore"):
        centroids = np.where(areas > 0, sums / areas + 0.5, np.nan)
    return Located(counts, centroids)


def shares(counts: Int64Array, size: Size) -> Int64Array:
    """Return the share of each cell's pixels that `counts` are, in units of 1 / UNIT, int64 of the same shape.

    >>> int(shares(np.ones((CELLS, CELLS), np.int64), (CELLS, 2 * CELLS))[0, 0]) / UNIT
    0.5
    """
    pixels = cell_pixels(size)
    # Rounded half up in integers; a cell without pixels has no share.
    return np.where(pixels > 0, (2 * counts * UNIT + pixels) // np.maximum(2 * pixels, 1), 0)


def cell_pixels(size: Size) -> Int64Array:
    """Return how many pixels each cell of an image has, int64 [CELLS, CELLS]; 0 where the image is too small."""
    rows, columns = (np.bincount(_cells_of(side), minlength=CELLS) for side in size)
    return np.outer(rows, columns).astype(np.int64)


def _cells_of(side: int) -> Int64Array:
    return np.arange(side, dtype=np.int64) * CELLS // side
