"""Shapes of masks: closed forms, a dense reference for every choice, properties, and what is undefined."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shapely
from hypothesis import given
from scipy import ndimage
from skimage import measure

from entityseg.errors import UsageError
from entityseg.masks import RunLengths, boundary_band, from_dense
from entityseg.stats.shape import SHAPE_COLUMNS, THIN_WITHIN, ShapeChoices, Shapes, every_choice, shapes
from tests.strategies import Dense, dense_stacks, far_corner, wiggly

EIGHT = np.ones((3, 3), bool)


def disc(radius: float, x: float = 0.0, y: float = 0.0) -> Dense:
    half = int(radius) + 2
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def one(mask: Dense, **choices: object) -> dict[str, float]:
    table = shapes(from_dense(mask[None]), ShapeChoices(**choices))  # type: ignore[arg-type]
    return {name: float(values[0]) for name, values in table.items()}


# Closed forms.


@pytest.mark.parametrize("radius", [50, 51, 51.66, 63.7, 100, 250])
def test_a_disc_is_simple_and_convex(radius: float) -> None:
    # Around the centre of a pixel with radius 51 is the closest call: convexity .9803.
    centres = [(0.0, 0.0), (0.5, 0.5), (0.5, 0.0), *np.random.default_rng(0).random((4, 2)).tolist()]
    for x, y in centres:
        found = one(disc(radius, x, y))
        assert found["convexity"] == pytest.approx(1, abs=0.02)
        assert found["simplicity"] == pytest.approx(1, abs=0.02)
        assert found["perimeter"] == pytest.approx(2 * math.pi * radius, rel=0.01)
        assert found["curvature"] == pytest.approx(1 / radius, rel=0.05 if radius <= 200 else 0.25)
        # Chessboard distance: 3 px along the sides, 3 sqrt(2) across them, 24 r in all.
        assert found["thinness"] == pytest.approx(24 / (math.pi * radius), rel=0.05)
        assert (found["parts"], found["holes"]) == (1, 0)


def test_a_square() -> None:
    found = one(np.ones((100, 100), bool), perimeter="edges")
    assert found["convexity"] == 1 and found["perimeter"] == found["boundary_length"] == 400
    assert found["simplicity"] == pytest.approx(math.sqrt(math.pi) / 2)
    assert found["compactness"] == pytest.approx(math.pi / 4)
    assert found["thinness"] == (100**2 - 94**2) / 100**2


def test_an_annulus() -> None:
    ring = disc(100) & ~np.pad(disc(50), 50)
    whole, outer = one(ring), one(ring, holes=False)
    assert whole["area"] == outer["area"] == ring.sum()
    assert whole["convexity"] == outer["convexity"] == pytest.approx(0.75, abs=0.02)
    assert whole["perimeter"] == pytest.approx(2 * math.pi * 150, rel=0.01)
    assert outer["perimeter"] == pytest.approx(2 * math.pi * 100, rel=0.01)
    assert whole["boundary_length"] == outer["boundary_length"] > outer["perimeter"]
    assert (whole["parts"], whole["holes"]) == (1, 1)
    # Two turns in all, by the length of both.
    assert whole["curvature"] == pytest.approx(2 / 150, rel=0.05)
    assert outer["curvature"] == pytest.approx(1 / 100, rel=0.05)


def test_a_cross() -> None:
    cross = np.zeros((30, 30), bool)
    cross[10:20] = cross[:, 10:20] = True
    found = one(cross, perimeter="edges")
    # Five squares of 100, in the square of 900 less four triangles of 50.
    assert found["area"] == 500 and found["hull_area"] == 700 and found["perimeter"] == 120
    assert found["convexity"] == 500 / 700
    assert found["simplicity"] == pytest.approx(math.sqrt(4 * math.pi * 500) / 120)


def test_parts_for_themselves() -> None:
    """Three equal discs in a row: as simple and as convex as one, if each is taken for itself."""
    single = disc(30)
    row = np.concatenate([single, single, single], axis=1)
    alone, whole, each = one(single), one(row), one(row, parts="each")
    assert each["parts"] == whole["parts"] == 3
    for name in ("convexity", "simplicity", "compactness", "curvature"):
        assert each[name] == pytest.approx(alone[name], rel=1e-12)
    assert each["hull_area"] == 3 * alone["hull_area"] < whole["hull_area"]
    assert each["perimeter"] == pytest.approx(whole["perimeter"])
    assert whole["simplicity"] == pytest.approx(alone["simplicity"] / math.sqrt(3))


def test_an_island_in_a_lake() -> None:
    """As a whole the filled mask has no island; as parts the island has an outline of its own."""
    mask = np.ones((9, 9), bool)
    mask[2:7, 2:7] = False
    mask[4, 4] = True
    lengths = {
        (holes, parts): one(mask, perimeter="edges", holes=holes, parts=parts)["perimeter"]
        for holes in (True, False)
        for parts in ("whole", "each")
    }
    assert lengths == {(True, "whole"): 60, (True, "each"): 60, (False, "whole"): 36, (False, "each"): 40}


# A dense reference.


def dense_shape(mask: Dense, choices: ShapeChoices) -> dict[str, float]:
    """Convexity and simplicity from pixels, by the definitions in the documentation."""
    labels, count = ndimage.label(mask, EIGHT)
    parts = [labels == k for k in range(1, count + 1)] if choices.parts == "each" else [mask]
    estimators = {
        "crofton": measure.perimeter_crofton,
        "skimage": measure.perimeter,
        "edges": lambda m: sum(np.abs(np.diff(np.pad(m, 1).astype(int), axis=a)).sum() for a in (0, 1)),
    }
    hull = perimeter = root = 0.0
    for part in parts:
        rows, columns = np.nonzero(part)
        if choices.hull == "corners":
            squares = shapely.MultiPolygon(shapely.box(columns, rows, columns + 1, rows + 1).tolist())
            hull += squares.convex_hull.area
        else:
            hull += shapely.MultiPoint(np.stack([columns, rows], axis=1)).convex_hull.area
        outline = part if choices.holes else ndimage.binary_fill_holes(part)
        perimeter += float(estimators[choices.perimeter](outline))
        root += math.sqrt(4 * math.pi * part.sum())
    return {
        "hull_area": hull,
        "convexity": mask.sum() / hull if hull > 0 else math.nan,
        "perimeter": perimeter,
        "simplicity": root / perimeter if perimeter > 0 else math.nan,
    }


def check(dense: Dense) -> None:
    measured = Shapes(from_dense(dense))
    for choices in every_choice():
        if choices.perimeter == "contour":
            continue  # Its reference is in tests/masks.
        table = measured.table(choices)
        assert list(table) == list(SHAPE_COLUMNS)
        for i, mask in enumerate(dense):
            for name, expected in dense_shape(mask, choices).items():
                assert table[name][i] == pytest.approx(expected, rel=1e-12, nan_ok=True), (name, choices.name)
        assert np.array_equal(table["compactness"], table["simplicity"] ** 2, equal_nan=True)


@given(dense_stacks(least=1))
def test_every_choice_against_pixels(dense: Dense) -> None:
    check(dense)


def test_rough_masks_against_pixels() -> None:
    rng = np.random.default_rng(0)
    check(np.concatenate([wiggly(rng, 3, 60, 45), rng.random((1, 60, 45)) < 0.6]))


@given(dense_stacks(least=1))
def test_what_no_choice_changes(dense: Dense) -> None:
    masks = from_dense(dense)
    tables = [shapes(masks, choices) for choices in every_choice()]
    inner = [ndimage.binary_erosion(np.pad(m, 1), np.ones((7, 7)))[1:-1, 1:-1].sum() for m in dense]
    for table in tables:
        assert table["area"].tolist() == dense.sum(axis=(1, 2)).tolist()
        assert table["parts"].tolist() == [ndimage.label(m, EIGHT)[1] for m in dense]
        filled = [ndimage.binary_fill_holes(m) & ~m for m in dense]
        assert table["holes"].tolist() == [
            ndimage.label(np.pad(gaps, 1))[1] if gaps.any() else 0 for gaps in filled
        ]
        for i, mask in enumerate(dense):
            if mask.any():
                assert table["thinness"][i] == pytest.approx(1 - inner[i] / mask.sum())
    assert THIN_WITHIN == 3


# Properties.


@given(dense_stacks(least=1))
def test_turned_mirrored_and_moved_masks_are_alike(dense: Dense) -> None:
    expected = shapes(from_dense(dense))
    others = [np.rot90(dense, axes=(1, 2)), dense[:, ::-1], dense[:, :, ::-1]]
    for other in [*(from_dense(np.ascontiguousarray(o)) for o in others), far_corner(dense)]:
        found = shapes(other)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("scale", [2, 5])
def test_enlarged_masks_are_as_convex_and_as_simple(scale: int) -> None:
    rng = np.random.default_rng(1)
    dense = wiggly(rng, 5, 50, 40)
    large = dense.repeat(scale, axis=1).repeat(scale, axis=2)
    small_table, large_table = (
        shapes(from_dense(d), ShapeChoices(perimeter="edges")) for d in (dense, large)
    )
    for name in ("convexity", "simplicity", "parts", "holes"):
        np.testing.assert_allclose(large_table[name], small_table[name], rtol=1e-12)
    np.testing.assert_allclose(large_table["area"], scale**2 * small_table["area"])


def test_a_mask_does_not_know_its_neighbours_nor_its_thread() -> None:
    rng = np.random.default_rng(2)
    images = [from_dense(wiggly(rng, 6, 90, 70)) for _ in range(6)]
    whole = [shapes(masks, ShapeChoices(parts="each", holes=False)) for masks in images]
    for masks, table in zip(images, whole, strict=True):
        for i in range(len(masks)):
            alone = shapes(masks[i], ShapeChoices(parts="each", holes=False))
            for name, values in table.items():
                assert alone[name].tolist() == values[i : i + 1].tolist(), name
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda m: shapes(m, ShapeChoices(parts="each", holes=False)), images * 4))
    for table, expected in zip(again, whole * 4, strict=True):
        for name, values in expected.items():
            assert table[name].tolist() == values.tolist(), name


# What is undefined.


def test_an_empty_mask() -> None:
    for choices in every_choice():
        table = shapes(RunLengths.empty((4, 5), 2), choices)
        for name, values in table.items():
            zero = name in {"area", "hull_area", "perimeter", "parts", "holes", "boundary_length"}
            assert values.tolist() == [0, 0] if zero else np.isnan(values).all(), name


def test_an_image_without_masks() -> None:
    for choices in every_choice():
        for name, values in shapes(RunLengths.empty((4, 5)), choices).items():
            assert values.shape == (0,), name


@pytest.mark.parametrize(("picture", "perimeter", "hull", "undefined"), [
    ("#", "crofton", "corners", set()),
    ("#", "contour", "corners", {"simplicity", "compactness"}),
    ("#", "skimage", "corners", {"simplicity", "compactness"}),
    ("#", "edges", "centres", {"convexity"}),
    ("######", "contour", "corners", set()),
    ("######", "contour", "centres", {"convexity"}),
])  # fmt: skip
def test_pixels_and_lines(picture: str, perimeter: str, hull: str, undefined: set[str]) -> None:
    mask = np.array([[character == "#" for character in picture]])
    for turned in (mask, mask.T):
        found = one(turned, perimeter=perimeter, hull=hull)
        assert {name for name, value in found.items() if math.isnan(value)} == undefined
        assert all(value >= 0 for value in found.values() if not math.isnan(value))
        assert found["thinness"] == 1 and (found["parts"], found["holes"]) == (1, 0)
    if hull == "corners":
        assert found["convexity"] == 1


def test_the_whole_of_the_largest_image() -> None:
    side = 65535
    table = shapes(RunLengths((side, side), [0, side**2], [0, 2]))
    assert table["convexity"].tolist() == [1] and table["boundary_length"].tolist() == [4 * side]
    assert table["simplicity"][0] == pytest.approx(math.sqrt(math.pi) / 2 / 0.948, rel=1e-3)
    for size in ((2, 2**31 - 1), (2**31 - 1, 2)):
        masks = RunLengths(size, [0, 3, 2**32 - 5, 2**32 - 2], [0, 2, 4])
        assert shapes(masks)["area"].tolist() == [3, 3]


def test_the_mini_image_of_the_docstring_is_wholly_boundary() -> None:
    square = RunLengths((4, 4), [0, 16], [0, 2])
    assert boundary_band(square, THIN_WITHIN) == square


# Choices.


def test_every_choice_is_another_one() -> None:
    choices = every_choice()
    assert len(choices) == len(set(choices)) == len({c.name for c in choices}) == 32
    assert choices[0] == ShapeChoices()


@pytest.mark.parametrize("bad", [
    {"perimeter": "arc"}, {"holes": 1}, {"holes": "yes"}, {"parts": "some"}, {"hull": "centers"}, {"hull": None},
])  # fmt: skip
def test_choices_that_are_none(bad: dict[str, object]) -> None:
    (field,) = bad
    with pytest.raises(UsageError, match=rf"the choice of {field} is .* Give one of"):
        ShapeChoices(**bad)  # type: ignore[arg-type]
