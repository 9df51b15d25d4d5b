"""Variation of information between two partitions of an image (Meila, COLT 2003), from pixel counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array


@dataclass(frozen=True, slots=True)
class Information:
    """Conditional entropies in bits.

    Attributes:
        a_given_b: H(A|B), what A splits and B does not.
        b_given_a: H(B|A), what B splits and A does not.
    """

    a_given_b: float
    b_given_a: float

    @property
    def variation(self) -> float:
        """H(A|B) + H(B|A), bits: 0 for equal partitions; symmetric, and a metric."""
        return self.a_given_b + self.b_given_a


def information(areas_a: Int64Array, areas_b: Int64Array, common: Int64Array, pixels: int) -> Information:
    """Return the conditional entropies of two partitions.

    The pixels of no mask are one more region of each side, as in `skimage.metrics.variation_of_information`.

    Args:
        areas_a, areas_b: int64 [n] and [m], pixels of the masks, which are disjoint on each side.
        common: int64 [n, m], pixels of both.
        pixels: of the image.

    >>> halves, whole = np.array([8, 8]), np.array([16])
    >>> information(halves, whole, np.array([[8], [8]]), 16)
    Information(a_given_b=1.0, b_given_a=0.0)
    """
    joint = np.zeros((len(areas_a) + 1, len(areas_b) + 1), np.int64)
    joint[:-1, :-1] = common
    joint[:-1, -1] = areas_a - common.sum(axis=1)
    joint[-1, :-1] = areas_b - common.sum(axis=0)
    joint[-1, -1] = pixels - joint.sum()
    sum_a, sum_b = joint.sum(axis=1), joint.sum(axis=0)
    return Information(
        _conditional(joint, sum_b[None, :], pixels), _conditional(joint, sum_a[:, None], pixels)
    )


def _conditional(joint: Int64Array, given: Int64Array, pixels: int) -> float:
    there = joint > 0
    counts = joint[there].astype(np.float64)
    terms: NDArray[np.float64] = counts * np.log2(np.broadcast_to(given, joint.shape)[there] / counts)
    # Sorted, so that the sum does not depend on how the masks were listed.
    return float(np.sort(terms).sum() / pixels)
