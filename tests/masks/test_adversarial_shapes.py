"""Shapes that are hard on runs: spirals, combs, boards, corners that touch, single rows and columns, longest sides."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from entityseg.masks import boundary_band, from_dense, to_dense
from entityseg.masks.columns import columns_of
from entityseg.masks.outlines import bending
from entityseg.masks.perimeters import ESTIMATORS, perimeters
from entityseg.masks.regions import fill_columns
from entityseg.stats.shape import Shapes, every_choice
from tests.masks.test_bands import band_by_distance
from tests.masks.test_hulls import check as check_hulls
from tests.masks.test_outlines import check as check_outlines
from tests.masks.test_perimeters import check as check_perimeters
from tests.masks.test_regions import check as check_regions
from tests.strategies import Dense, checked


def spiral(side: int, gap: int) -> Dense:
    """One path inwards, as wide as the gaps between its rounds."""
    mask = np.zeros((side, side), bool)
    top, left, bottom, right = 0, 0, side, side
    while bottom - top > 2 * gap and right - left > 2 * gap:
        mask[top : top + gap, max(left - gap, 0) : right] = True
        mask[top:bottom, right - gap : right] = True
        mask[bottom - gap : bottom, left:right] = True
        mask[top + 2 * gap : bottom, left : left + gap] = True
        top, left, bottom, right = top + 2 * gap, left + 2 * gap, bottom - 2 * gap, right - 2 * gap
    return mask


def rings(side: int) -> Dense:
    """Rings in rings, each an island in the hole of the one around it."""
    rows, columns = np.mgrid[:side, :side]
    return np.maximum(abs(2 * rows - side + 1), abs(2 * columns - side + 1)) // 2 % 2 == (side - 1) // 2 % 2


def shapes_of(height: int, width: int) -> Dense:
    """All adversarial shapes of one size, bool [n, height, width]."""
    rows, columns = np.mgrid[:height, :width]
    side = min(height, width)
    drawn = [
        (rows + columns) % 2 == 0,
        (rows // 2 + columns // 2) % 2 == 0,
        (rows % 3 > 0) & (columns % 3 > 0),
        rows % 2 == 0,
        columns % 2 == 0,
        (columns % 2 == 0) | (rows == 0),
        (rows % 2 == 0) | (columns == width - 1),
        rows == columns,
        rows + columns == side - 1,
        abs(rows - columns) <= 1,
        (rows == columns) | (rows + columns == side - 1),
        (rows % 4 == columns % 4) | (rows % 4 == 3 - columns % 4),
        (rows < height // 2) == (columns < width // 2),
        (rows == 0) | (columns == 0) | (rows == height - 1) | (columns == width - 1),
        np.ones((height, width), bool),
        (rows == height - 1) & (columns == width - 1),
        rows * width + columns < height * width // 2,
    ]
    for mask in (spiral(side, 1), spiral(side, 2), rings(side)):
        placed = np.zeros((height, width), bool)
        placed[-side:, -side:] = mask
        drawn += [placed, ~placed]
    return np.array(drawn)


def check_band(dense: Dense, distance: int) -> None:
    bands = to_dense(checked(boundary_band(from_dense(dense), distance)))
    np.testing.assert_array_equal(bands, [band_by_distance(mask, distance) for mask in dense])


SIZES = [
    (1, 1),
    (1, 2),
    (2, 1),
    (1, 37),
    (37, 1),
    (2, 2),
    (2, 19),
    (19, 2),
    (3, 3),
    (16, 16),
    (17, 23),
    (41, 40),
]
CHECKS: list[Callable[[Dense], None]] = [
    check_hulls,
    check_perimeters,
    check_regions,
    lambda dense: check_outlines(dense, 1),
    lambda dense: check_outlines(dense, 8),
    lambda dense: check_band(dense, 1),
    lambda dense: check_band(dense, 3),
]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_against_pixels(size: tuple[int, int]) -> None:
    dense = shapes_of(*size)
    for check in CHECKS:
        check(dense)


@pytest.mark.parametrize("size", [(65_535, 1), (1, 65_535), (65_535, 3), (3, 65_535)], ids=str)
def test_the_longest_sides(size: tuple[int, int]) -> None:
    dense = np.zeros((3, *size), bool)
    dense[0] = np.random.default_rng(0).random(size) < 0.999
    dense[1] = True
    dense[2].ravel()[[0, -1]] = True
    check_perimeters(dense)
    check_hulls(dense[1:])
    check_outlines(dense, 8)
    check_band(dense, 3)


@pytest.mark.parametrize("size", [(65_535, 2), (2, 65_535)], ids=str)
def test_as_many_pieces_as_the_longest_sides_can_hold(size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: size[0], : size[1]]
    masks = from_dense((rows + columns)[None] % 2 == 0)
    found = {name: float(perimeters(masks, name)[0]) for name in ESTIMATORS}
    assert found["edges"] == 4 * 65_535
    assert found["contour"] == pytest.approx(2 * 65_534 * 2**0.5, rel=1e-12)
    table = Shapes(masks).table(every_choice()[0])
    assert (table["parts"][0], table["holes"][0], table["thinness"][0]) == (1, 0, 1.0)
    # Two triangles of half a pixel are missing, at the ends.
    assert table["hull_area"][0] == 2 * 65_535 - 1
    check_band(to_dense(masks), 1)


def test_a_mask_does_not_know_its_neighbours() -> None:
    """All masks in one call, in any order, and each for itself give the same bits, on many threads too."""
    dense = shapes_of(40, 33)
    order = np.random.default_rng(0).permutation(len(dense))

    def everything(stack: Dense) -> np.ndarray:
        measured = Shapes(from_dense(stack))
        return np.array([list(measured.table(choices).values()) for choices in every_choice()])

    together = everything(dense)
    np.testing.assert_array_equal(everything(dense[order]), together[:, :, order])
    with ThreadPoolExecutor(8) as threads:
        alone = list(threads.map(everything, [mask[None] for mask in dense]))
        again = list(threads.map(everything, [dense] * 16))
    np.testing.assert_array_equal(np.concatenate(alone, axis=2), together)
    for one in again:
        np.testing.assert_array_equal(one, together)


def test_what_is_given_is_never_changed() -> None:
    """Kernels write to arrays of their own; the columns are shared by all of them."""
    masks = from_dense(shapes_of(17, 23))
    columns = columns_of(masks)
    before = [
        array.copy() for array in (columns.firsts, columns.begins, columns.rows, masks.edges, masks.offsets)
    ]
    for estimator in ESTIMATORS:
        perimeters(columns, estimator)
    bending(columns)
    bending(fill_columns(columns))
    boundary_band(masks, 3)
    after = (columns.firsts, columns.begins, columns.rows, masks.edges, masks.offsets)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
