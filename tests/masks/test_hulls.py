"""Hull areas against shapely, cases by hand, and the largest image."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given

from entityseg.errors import UsageError
from entityseg.masks import RunLengths, from_dense
from entityseg.masks.hulls import hull_areas
from tests.strategies import Dense, dense_stacks, far_corner, wiggly


def shapely_hull(mask: Dense, at: str) -> float:
    rows, columns = np.nonzero(mask)
    if at == "corners":
        squares = shapely.box(columns, rows, columns + 1, rows + 1)
        return float(shapely.MultiPolygon(squares.tolist()).convex_hull.area)
    return float(shapely.MultiPoint(np.stack([columns, rows], axis=1)).convex_hull.area)


def check(dense: Dense) -> None:
    masks = from_dense(dense)
    for at in ("corners", "centres"):
        expected = [shapely_hull(mask, at) if mask.any() else 0.0 for mask in dense]
        np.testing.assert_allclose(hull_areas(masks, at), expected, rtol=1e-12, atol=1e-9)


@given(dense_stacks())
def test_against_shapely(dense: Dense) -> None:
    check(dense)


@pytest.mark.parametrize("seed", range(5))
def test_rough_masks_against_shapely(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(20, 120, 2))
    check(np.concatenate([wiggly(rng, 4, height, width), rng.random((3, height, width)) < 0.002]))


@given(dense_stacks(least=1))
def test_turned_and_mirrored_masks_have_the_same_hull(dense: Dense) -> None:
    for at in ("corners", "centres"):
        expected = hull_areas(from_dense(dense), at).tolist()
        for other in (np.rot90(dense, axes=(1, 2)), dense[:, ::-1], dense[:, :, ::-1]):
            assert hull_areas(from_dense(np.ascontiguousarray(other)), at).tolist() == expected
        assert hull_areas(far_corner(dense), at).tolist() == expected


def test_by_hand() -> None:
    cross = np.zeros((1, 9, 9), bool)
    cross[0, 3:6] = cross[0, :, 3:6] = True
    # The square of 9 less four triangles with legs of 3.
    assert hull_areas(from_dense(cross)).tolist() == [81 - 4 * 4.5]
    line = RunLengths((5, 5), [5, 10], [0, 2])
    assert hull_areas(line).tolist() == [5.0] and hull_areas(line, "centres").tolist() == [0.0]


def test_the_largest_hull() -> None:
    """The first and the last pixel of the largest image: a band of width sqrt(2) along its diagonal."""
    side = 65535
    ends = RunLengths((side, side), [0, 1, side**2 - 1, side**2], [0, 4])
    assert hull_areas(ends).tolist() == [2 * (side - 1) + 1]
    full = RunLengths((side, side), [0, side**2], [0, 2])
    assert hull_areas(full).tolist() == [side**2]
    assert hull_areas(full, "centres").tolist() == [(side - 1) ** 2]


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match="Give 'corners' or 'centres'"):
        hull_areas(RunLengths.empty((3, 3), 1), "centers")  # type: ignore[arg-type]
