"""Boundary IoU and boundary AP: AP whose IoU is the smaller one of mask IoU and boundary IoU.

Source: Cheng et al., Boundary IoU (CVPR 2021), as the authors' boundary-iou-api computes it. See
`docs/metrics/boundary.md`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import usage_error
from entityseg.masks.morphology import boundary_band
from entityseg.masks.pairwise import iou_matrix, iou_of_pairs
from entityseg.masks.runlengths import RunLengths, Size
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.instance_ap import InstanceAP
from entityseg.metrics.mask_matching import mask_iou
from entityseg.metrics.matching import Mode

RATIO = 0.02


def boundary_radius(size: Size, ratio: float = RATIO) -> int:
    """Return the width of the boundary band in pixels: the ratio of the image's diagonal, at least 1.

    Half a pixel goes to the even neighbour, as in the published code; other evaluators round it up.

    Raises:
        UsageError: the ratio is not above 0 and at most 1.

    >>> boundary_radius((375, 500)), boundary_radius((345, 460)), boundary_radius((4, 4))
    (12, 12, 1)
    """
    height, width = size
    return max(1, round(_checked(ratio) * math.sqrt(height**2 + width**2)))


def boundary_iou(a: RunLengths, b: RunLengths, ratio: float = RATIO) -> NDArray[np.float64]:
    """Return the IoU of the boundary bands of each mask of `a` with each of `b`, float64 [n, m].

    Raises:
        InputError: the images differ in size.
        UsageError: the ratio is not above 0 and at most 1.

    >>> whole, left = RunLengths((3, 4), [0, 12], [0, 2]), RunLengths((3, 4), [0, 9], [0, 2])
    >>> boundary_iou(whole, left).tolist()  # Bands of 10 and 8 pixels, 7 of them in both.
    [[0.6363636363636364]]
    """
    radius = boundary_radius(a.size, ratio)
    return iou_matrix(boundary_band(a, radius), boundary_band(b, radius))


@dataclass(frozen=True, slots=True)
class BoundaryIoU:
    """The smaller one of mask IoU and boundary IoU; for a crowd, mask IoU alone. An `IoU` for matching."""

    ratio: float = RATIO

    def __call__(
        self,
        pred: RunLengths,
        gt: RunLengths,
        *,
        crowd: NDArray[np.bool_],
        least_iou: float = 0.0,
        same: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return float64 [n, m]; bands are made only of masks that could match."""
        values = mask_iou(pred, gt, crowd=crowd, least_iou=least_iou, same=same)
        rows, columns = np.nonzero((values > 0) & (values >= least_iou) & ~crowd)
        if len(rows) == 0:
            return values
        radius = boundary_radius(gt.size, self.ratio)
        which, row_of = np.unique(rows, return_inverse=True)
        which_gt, column_of = np.unique(columns, return_inverse=True)
        bands, gt_bands = boundary_band(pred[which], radius), boundary_band(gt[which_gt], radius)
        values[rows, columns] = np.minimum(
            values[rows, columns], iou_of_pairs(bands, gt_bands, row_of, column_of)
        )
        return values


class BoundaryAP(EntityAP):
    """Boundary AP without classes: `EntityAP` with `BoundaryIoU`; feed images in any order, merge parts, compute.

    Area ranges are those of the masks, not of their bands.

    >>> metric = BoundaryAP()
    >>> square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    >>> metric.update(1, square, square, [0.9])
    >>> metric.compute()["AP"]
    1.0
    """

    def __init__(self, mode: Mode = "canonical", ratio: float = RATIO) -> None:
        super().__init__(mode)
        self.ratio = _checked(ratio)

    def _iou(self) -> BoundaryIoU:
        return BoundaryIoU(self.ratio)


class BoundaryInstanceAP(InstanceAP):
    """Boundary AP with classes: `InstanceAP` with `BoundaryIoU`."""

    def __init__(self, mode: Mode = "canonical", ratio: float = RATIO) -> None:
        super().__init__(mode)
        self.ratio = _checked(ratio)

    def _iou(self) -> BoundaryIoU:
        return BoundaryIoU(self.ratio)


def _checked(ratio: float) -> float:
    """Return the ratio.

    Raises:
        UsageError: it is not above 0 and at most 1.
    """
    if not 0 < ratio <= 1:
        message = f"the band's ratio to the diagonal must be above 0 and at most 1, not {ratio!r}"
        raise usage_error("boundary.ratio", message, "Use 0.02, the published value.")
    return ratio
