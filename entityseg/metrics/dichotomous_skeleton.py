"""Skeletons of masks, pixel for pixel those of scikit-image's `skeletonize`.

Zhang and Suen, A fast parallel algorithm for thinning digital patterns, 1984, with scikit-image's exceptions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Where scikit-image's table departs from the paper's rule: ends and corners that it keeps, and steps of a staircase
# that it takes away. The second half step is the first one turned by 180 degrees, but for three neighbourhoods.
_KEPT = ("E SE", "SE S", "E SE S", "S SW", "S SW W", "SW W", "W NW")
_DELETED = ("N E", "N E NW", "E S", "N W", "N NE W", "S W", "S W NW", "N SW W", "N NE SW W")
_SECOND_KEPT, _SECOND_DELETED = ("NE E S", "SE S"), ("E SE",)
_NEIGHBOURS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the skeleton of a mask, bool [height, width].

    >>> thin(np.ones((3, 5), bool)).astype(int).tolist()
    [[0, 0, 0, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]
    """
    from entityseg.metrics import _hce_skeleton

    pixels = np.pad(mask, 1).astype(np.uint8)
    _hce_skeleton.thin(pixels.ravel(), pixels.shape[1], _THINNING)
    return pixels[1:-1, 1:-1] != 0


def _thinning() -> NDArray[np.uint8]:
    """Return for each neighbourhood (N, NE, ... NW as bits 0 ... 7) in which half step it is deleted."""
    kept, deleted, second_kept, second_deleted = (
        {_code(names) for names in group} for group in (_KEPT, _DELETED, _SECOND_KEPT, _SECOND_DELETED)
    )
    first = {code for code in range(256) if _zhang_suen(code)} - kept | deleted
    second = {(code >> 4 | code << 4) & 255 for code in first} - second_kept | second_deleted
    return np.array([(code in first) + 2 * (code in second) for code in range(256)], np.uint8)


def _zhang_suen(code: int) -> bool:
    """Return whether the paper's first half step deletes a pixel with these neighbours."""
    near = [code >> j & 1 for j in range(8)]
    north, east, south, west = near[::2]
    rises = sum(near[j] == 0 and near[(j + 1) % 8] == 1 for j in range(8))
    border = not (north and east and south) and not (east and south and west)
    return 2 <= sum(near) <= 6 and rises == 1 and border


def _code(names: str) -> int:
    return sum(1 << _NEIGHBOURS.index(name) for name in names.split())


_THINNING = _thinning()
