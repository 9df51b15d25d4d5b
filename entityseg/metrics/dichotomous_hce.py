"""HCE: how many corner points and regions a person would have to set to correct a mask.

Qin et al., Highly Accurate Dichotomous Image Segmentation, ECCV 2022, section 5. Its steps, and where they are:

1. false positives and negatives near the true border are forgiven (`_hce_relax`), but for thin structures, which are
   those of the truth's skeleton (`dichotomous_skeleton`);
2. the borders of what is left are followed (`_hce_borders`), and their parts that need correction are simplified and
   counted (`_hce_points`).

Borders and their simplification are those of OpenCV 4 (`findContours` with `RETR_TREE`, `approxPolyDP`), without
OpenCV. Kernels take maps as flat uint8 arrays of (height + 2) x (width + 2) pixels: a frame of one zero pixel spares
every test of bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.metrics.dichotomous_skeleton import thin

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
    from entityseg.metrics import _hce_relax

    width = gt.shape[1] + 2
    truth, found = _framed(gt), _framed(pred)
    hit, missed, invented = truth & found, truth & ~found, found & ~truth
    # Thin structures stay, however close they are to what was found. A skeleton made here lies inside the truth, so
    # without a missed pixel there is none of it to find; one that is given need not.
    thin_missed = np.zeros_like(truth)
    if skeleton is not None:
        thin_missed = _framed(skeleton) & ~hit
    elif missed.any():
        thin_missed = _framed(thin(gt)) & ~hit
    if not missed.any() and not invented.any() and not thin_missed.any():
        return Effort(0, 0, 0, 0)
    kept, fp, fn = np.empty_like(truth), np.empty_like(truth), np.empty_like(truth)
    _hce_relax.erode(truth, found, width, relax, kept)
    _hce_relax.grow(invented, truth, kept, width, relax, fp)
    _hce_relax.grow(missed, found, kept, width, relax, fn)
    fn |= thin_missed
    rest = _framed(np.ones(gt.shape, bool)) & ~(hit | fp | fn)
    fp_points, fp_regions = _border_effort(fp, hit | fn, width, epsilon)
    fn_points, fn_regions = _border_effort(fn, rest, width, epsilon)
    return Effort(fp_points, fp_regions, fn_points, fn_regions)


def _border_effort(
    wrong: NDArray[np.uint8], opposite: NDArray[np.uint8], width: int, epsilon: float
) -> tuple[int, int]:
    """Return the points and regions of a map of errors; borders need points where they meet the `opposite` map."""
    from entityseg.metrics import _hce_borders, _hce_points

    if not wrong.any():
        return 0, 0
    borders = _hce_borders.borders(wrong.astype(np.int32), width)
    points, regions = _hce_points.points_and_regions(*borders, opposite, width, float(epsilon))
    return int(points), int(regions)


def _framed(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the mask as a flat map with a frame of zeros."""
    framed = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)
    framed[1:-1, 1:-1] = mask
    return framed.ravel()
