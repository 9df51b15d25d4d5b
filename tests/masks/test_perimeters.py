"""Perimeters against scikit-image's estimators and its outlines, closed forms and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from skimage import measure

from entityseg.errors import UsageError
from entityseg.masks import RunLengths, count_components, count_holes, fill_holes, from_dense
from entityseg.masks.perimeters import ESTIMATORS, count_squares, edge_lengths, euler_numbers, perimeters
from entityseg.masks.regions import fill_columns
from tests.masks.level_lines import inner_pixels, level_lines
from tests.strategies import Dense, dense_stacks, far_corner, wiggly


def contour_length(mask: Dense) -> float:
    """The way from centre to centre of the pixels along the outlines."""
    total = 0.0
    for line in level_lines(mask):
        pixels = inner_pixels(line, mask)
        total += float(np.linalg.norm(pixels - np.roll(pixels, 1, axis=0), axis=1).sum())
    return total


def edge_length(mask: Dense) -> int:
    padded = np.pad(mask, 1)
    return int((padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum())


REFERENCES = {
    "crofton": lambda mask: measure.perimeter_crofton(mask, directions=4),
    "crofton2": lambda mask: measure.perimeter_crofton(mask, directions=2),
    "skimage": lambda mask: measure.perimeter(mask, neighborhood=4),
    "contour": contour_length,
    "edges": edge_length,
}


def check(dense: Dense) -> None:
    masks = from_dense(dense)
    for name in ESTIMATORS:
        expected = [REFERENCES[name](mask) for mask in dense]
        np.testing.assert_allclose(perimeters(masks, name), expected, rtol=1e-12, atol=1e-9)
    squares = count_squares(masks)
    assert edge_lengths(squares).tolist() == [edge_length(mask) for mask in dense]
    euler = [measure.euler_number(mask, connectivity=2) for mask in dense]
    assert euler_numbers(squares).tolist() == euler
    assert (count_components(masks) - count_holes(masks)).tolist() == euler


@given(dense_stacks())
def test_against_scikit_image(dense: Dense) -> None:
    check(dense)


@pytest.mark.parametrize("seed", range(6))
def test_rough_masks_against_scikit_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(20, 120, 2))
    dense = np.concatenate([wiggly(rng, 4, height, width), rng.random((4, height, width)) < 0.99])
    dense[4, :, ::3] = False
    dense[5, ::3] = False
    dense[6] ^= dense[0]
    check(dense)


def test_patterns_are_those_of_the_padded_mask() -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((20, 30)) < 0.5
    padded = np.pad(mask, 1).astype(int)
    patterns = 8 * padded[:-1, :-1] + 4 * padded[:-1, 1:] + 2 * padded[1:, :-1] + padded[1:, 1:]
    expected = np.bincount(patterns.ravel(), minlength=16)
    expected[0] = 0
    assert count_squares(from_dense(mask[None]))[0].tolist() == expected.tolist()


@given(dense_stacks(least=1))
def test_not_a_bit_changes_when_turned_mirrored_or_moved(dense: Dense) -> None:
    for name in ESTIMATORS:
        expected = perimeters(from_dense(dense), name).tolist()
        for other in (np.rot90(dense, axes=(1, 2)), dense[:, ::-1], dense[:, :, ::-1]):
            assert perimeters(from_dense(np.ascontiguousarray(other)), name).tolist() == expected
        assert perimeters(far_corner(dense), name).tolist() == expected


@given(dense_stacks())
def test_outer_outlines_are_those_of_the_filled_mask(dense: Dense) -> None:
    masks = from_dense(dense)
    for name in ESTIMATORS:
        assert perimeters(fill_columns(masks), name).tolist() == perimeters(fill_holes(masks), name).tolist()


def test_by_hand() -> None:
    def of(picture: list[str]) -> dict[str, float]:
        masks = from_dense(np.array([[[character == "#" for character in row] for row in picture]]))
        return {name: float(perimeters(masks, name)[0]) for name in ESTIMATORS}

    assert of(["#"]) == pytest.approx(
        {
            "crofton": math.pi / 8 * (4 + 4 / math.sqrt(2)),
            "crofton2": math.pi,
            "contour": 0.0,
            "skimage": 0.0,
            "edges": 4.0,
        }
    )
    # There and back.
    line = of(["#####"])
    assert line["contour"] == 8 and line["edges"] == 12
    # The outer square through the centres, and a diamond around the hole.
    ring = of(["###", "#.#", "###"])
    assert ring["contour"] == pytest.approx(8 + 4 * math.sqrt(2)) and ring["edges"] == 16
    # Two pixels that share a corner: from one to the other and back.
    pair = of(["#.", ".#"])
    assert pair["contour"] == pytest.approx(2 * math.sqrt(2)) and pair["edges"] == 8


def test_the_whole_of_the_largest_image() -> None:
    side = 65535
    full = RunLengths((side, side), [0, side**2], [0, 2])
    assert perimeters(full, "edges").tolist() == [4 * side]
    assert perimeters(full, "contour").tolist() == [4 * (side - 1)]
    assert perimeters(full, "skimage").tolist() == [4 * (side - 1)]


@pytest.mark.parametrize("degrees", [0, 10, 22.5, 30, 45])
def test_crofton_of_straight_sides(degrees: float) -> None:
    """What four directions make of a straight side in a fifth: 5 % too little up to 3 % too much."""
    half = 200.0
    y, x = np.mgrid[-300:301, -300:301]
    angle = math.radians(degrees)
    c, s = math.cos(angle), math.sin(angle)
    square = np.maximum(abs(c * x + s * y), abs(c * y - s * x)) <= half
    expected = math.pi / 8 * (c + s + (abs(c + s) + abs(c - s)) / math.sqrt(2)) * 8 * half
    found = float(perimeters(from_dense(square[None]))[0])
    assert found == pytest.approx(expected, rel=0.01)
    assert 0.94 < found / (8 * half) < 1.035


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match="Give one of crofton, crofton2, contour, skimage, edges"):
        perimeters(RunLengths.empty((3, 3), 1), "arc")  # type: ignore[arg-type]
