"""Areas of convex hulls, on runs."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import usage_error
from entityseg.masks.columns import Columns, columns_of
from entityseg.masks.runlengths import RunLengths

HullPoints = Literal["corners", "centres"]


def hull_areas(masks: RunLengths | Columns, at: HullPoints = "corners") -> NDArray[np.float64]:
    """Return the area of the convex hull of each mask, exact, float64 [n] in pixels; 0 for an empty mask.

    Args:
        masks: n masks.
        at: `corners` takes the hull of the pixels as unit squares, which is never smaller than the mask's area.
            `centres` takes that of the middles of the pixels, as OpenCV's `convexHull` of a contour does; that of a
            pixel or a straight line is 0, and that of a convex mask is smaller than its area.

    Raises:
        UsageError: `at` is neither of the two.

    >>> stairs = RunLengths((2, 2), [0, 1, 2, 4], [0, 4])
    >>> hull_areas(stairs).tolist(), hull_areas(stairs, "centres").tolist()
    ([3.5], [0.5])
    """
    from entityseg.masks import _hulls

    if at not in ("corners", "centres"):
        raise usage_error("hulls.points", f"no hull is at {at!r}", "Give 'corners' or 'centres'.")
    columns = columns_of(masks)
    twice = np.empty(len(columns), np.int64)
    _hulls.twice_hull_areas(columns.firsts, columns.begins, columns.rows, int(at == "corners"), twice)
    return twice / 2
