"""HCE: how many corner points and regions a person would have to set to correct a mask.

Qin et al., Highly Accurate Dichotomous Image Segmentation, ECCV 2022, section 5. Borders and their simplification are
those of OpenCV 4 (`findContours` with `RETR_TREE`, `approxPolyDP`), without OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Pixels by which the errors are relaxed, and of the simplification of borders.
RELAX = 5
EPSILON = 2.0


@dataclass(frozen=True, slots=True)
class Effort:
    """What there is to correct in one image.

    Attributes:
        fp_points, fn_points: corner points of the borders of false positives and false negatives.
        fp_regions, fn_regions: regions that one click removes or adds as a whole.
    """

    fp_points: int
    fp_regions: int
    fn_points: int
    fn_regions: int

    @property
    def total(self) -> int:
        """Their sum, HCE."""
        return self.fp_points + self.fp_regions + self.fn_points + self.fn_regions


def correction_effort(
    gt: NDArray[np.bool_],
    pred: NDArray[np.bool_],
    *,
    skeleton: NDArray[np.bool_] | None = None,
    relax: int = RELAX,
    epsilon: float = EPSILON,
) -> Effort:
    """Return the human correction effort of one image.

    Args:
        gt, pred: bool [height, width].
        skeleton: bool [height, width], of the ground truth; made of it if not given (Zhang and Suen, 1984).
        relax: pixels by which errors near the true border are forgiven.
        epsilon: pixels, of the simplification of borders.

    >>> gt = np.zeros((40, 40), bool)
    >>> gt[10:30, 10:30] = True
    >>> correction_effort(gt, gt).total, correction_effort(gt, ~gt).total > 0
    (0, True)
    """
    from entityseg.metrics import _hce

    width = gt.shape[1] + 2
    truth, found = _framed(gt), _framed(pred)
    missed, invented = truth & ~found & 1, found & ~truth & 1
    if not missed.any() and not invented.any():
        return Effort(0, 0, 0, 0)
    kept = np.empty_like(truth)
    _hce.erode(truth, found, width, relax, kept)
    fp, fn = np.empty_like(truth), np.empty_like(truth)
    _hce.grow(invented, truth, kept, width, relax, fp)
    _hce.grow(missed, found, kept, width, relax, fn)
    if missed.any():
        thin = _framed(skeleton) if skeleton is not None else truth.copy()
        if skeleton is None:
            _hce.skeleton(thin, width, _THINNING)
        # Thin structures stay, however close they are to what was found.
        fn |= thin & ~(truth & found)
    hit = truth & found
    fp_points, fp_regions = _border_effort(fp, hit | fn, width, epsilon)
    rest = _framed(np.ones(gt.shape, bool)) & (1 - (hit | fp | fn)).astype(np.uint8)
    fn_points, fn_regions = _border_effort(fn, rest, width, epsilon)
    return Effort(fp_points, fp_regions, fn_points, fn_regions)


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the skeleton of a mask, bool [height, width] (Zhang and Suen, 1984)."""
    from entityseg.metrics import _hce

    pixels = _framed(mask)
    _hce.skeleton(pixels, mask.shape[1] + 2, _THINNING)
    return pixels.reshape(mask.shape[0] + 2, -1)[1:-1, 1:-1] != 0


def _border_effort(
    mask: NDArray[np.uint8], condition: NDArray[np.uint8], width: int, epsilon: float
) -> tuple[int, int]:
    from entityseg.metrics import _hce

    if not mask.any():
        return 0, 0
    points, ends, holes, parents, order = _hce.borders(mask.astype(np.int32), width)
    vertices, independent = _hce.effort(points, ends, holes, parents, order, condition, width, float(epsilon))
    return int(vertices), int(independent)


def _framed(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the mask as a flat map with a frame of zeros."""
    framed = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)
    framed[1:-1, 1:-1] = mask
    return framed.ravel()


# Where scikit-image's table departs from the paper's rule: ends and corners that it keeps, and steps of a staircase
# that it takes away. The second half step is the first one turned by 180 degrees, but for three neighbourhoods.
_KEPT = ("E SE", "SE S", "E SE S", "S SW", "S SW W", "SW W", "W NW")
_DELETED = ("N E", "N E NW", "E S", "N W", "N NE W", "S W", "S W NW", "N SW W", "N NE SW W")
_SECOND_KEPT, _SECOND_DELETED = ("NE E S", "SE S"), ("E SE",)
_NEIGHBOURS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


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
