"""A whole dataset measured through its files, against numpy, scikit-image and shapely on decoded pixels.

Nothing of the package is used for what is expected: not to write the dataset, and not to measure it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from scipy import ndimage
from skimage import measure

from entityseg.stats import DatasetChoices, ShapeChoices, compute, table1_row
from tests.masks.test_outlines import reference as bending
from tests.masks.test_perimeters import contour_length
from tests.strategies import Dense, wiggly

EIGHT = np.ones((3, 3), bool)
CATEGORIES = [
    {"id": 1, "name": "cat", "isthing": 1},
    {"id": 2, "name": "sky", "isthing": 0},
    {"id": 3, "name": "animal_ot", "isthing": 0},
    {"id": 4, "name": "unknown"},
]
STUFF = {2, 3}


class Entity(NamedTuple):
    mask: Dense
    category: int
    crowd: bool


def drawn(rng: np.random.Generator) -> list[list[Entity]]:
    """Images of blobs that overlap or not, with empty and full masks, lines, pixels, crowds, and none at all."""
    images = []
    for number in range(6):
        height, width = (int(side) for side in rng.integers(1, 40, 2))
        masks = list(wiggly(rng, int(rng.integers(0, 6)) if number else 0, height, width))
        if number % 2:
            masks = [mask & ~np.any(masks[:k], axis=0) for k, mask in enumerate(masks)]
        special = np.zeros((3, height, width), bool)
        special[0, rng.integers(height), rng.integers(width)] = True
        special[1, rng.integers(height)] = True
        masks += list(special) if number == 2 else [np.ones((height, width), bool)] if number == 3 else []
        images.append(
            [Entity(mask, int(rng.integers(1, 5)), bool(rng.random() < 0.15)) for mask in masks]
            or [Entity(special[2], 1, False)]
        )
    return images


def as_coco(images: list[list[Entity]]) -> dict[str, Any]:
    def counts(mask: Dense) -> list[int]:
        flat = np.concatenate([[False], mask.T.ravel()])
        changes = np.flatnonzero(flat[1:] != flat[:-1])
        return np.diff(np.concatenate([[0], changes, [mask.size]])).tolist()

    records, annotations = [], []
    for number, entities in enumerate(images):
        height, width = entities[0].mask.shape
        records.append({"id": number, "file_name": f"{number}.png", "height": height, "width": width})
        for one in entities:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": one.category, "iscrowd": int(one.crowd),
                 "area": 0, "bbox": [0, 0, 0, 0], "segmentation": {"size": [height, width], "counts": counts(one.mask)}}
            )  # fmt: skip
    return {"images": records, "annotations": annotations, "categories": CATEGORIES}


def units(entities: list[Entity], stuff: str) -> list[Entity]:
    """Candidates for entities, by the documentation of `--stuff`."""
    if stuff == "annotated":
        return entities
    found: list[Entity] = []
    place: dict[int, int] = {}
    for one in entities:
        if one.crowd or one.category not in STUFF:
            found.append(one)
        elif stuff == "parts":
            # In the order of their first pixels along the columns.
            labels, count = ndimage.label(one.mask.T, EIGHT)
            found += [one._replace(mask=k == labels.T) for k in range(1, count + 1)] or [one]
        elif one.category in place:
            first = found[place[one.category]]
            found[place[one.category]] = first._replace(mask=first.mask | one.mask)
        else:
            place[one.category] = len(found)
            found.append(one)
    return found


def shape(mask: Dense, choices: ShapeChoices) -> dict[str, float]:
    """The shape figures of a mask, by docs/statistics/shape.md."""
    labels, count = ndimage.label(mask, EIGHT)
    pieces = [labels == k for k in range(1, count + 1)] if choices.parts == "each" else [mask]
    lengths = {
        "crofton": measure.perimeter_crofton,
        "contour": contour_length,
        "skimage": measure.perimeter,
        "edges": lambda m: sum(np.abs(np.diff(np.pad(m, 1).astype(int), axis=a)).sum() for a in (0, 1)),
    }
    hull = perimeter = root = turn = way = 0.0
    for piece in pieces:
        rows, columns = np.nonzero(piece)
        around = (0, 1) if choices.hull == "corners" else (0,)
        points = [
            (x + dx, y + dy) for x, y in zip(columns, rows, strict=True) for dx in around for dy in around
        ]
        hull += shapely.MultiPoint(points).convex_hull.area
        outline = piece if choices.holes else ndimage.binary_fill_holes(piece)
        perimeter += float(lengths[choices.perimeter](outline))
        root += math.sqrt(4 * math.pi * piece.sum())
        bent, long = bending(outline, 8)
        turn, way = turn + bent, way + long
    far = ndimage.distance_transform_cdt(np.pad(mask, 1), "chessboard")[1:-1, 1:-1]
    simplicity = root / perimeter if perimeter > 1e-9 else math.nan
    return {
        "hull_area": hull,
        "convexity": mask.sum() / hull if hull > 0 else math.nan,
        "perimeter": perimeter,
        "simplicity": simplicity,
        "compactness": simplicity**2,
        "parts": count,
        "holes": ndimage.label(np.pad(~mask, 1, constant_values=True))[1] - 1,
        "boundary_length": lengths["edges"](mask),
        "thinness": (mask & (far <= 3)).sum() / mask.sum(),
        "curvature": turn / way,
    }


def choices_of(rng: np.random.Generator) -> DatasetChoices:
    pick = rng.choice
    shape_choices = ShapeChoices(
        str(pick(["crofton", "contour", "skimage", "edges"])), bool(pick([True, False])),
        str(pick(["whole", "each"])), str(pick(["corners", "centres"])),
    )  # type: ignore[arg-type]  # fmt: skip
    stuff, crowd = str(pick(["annotated", "joined", "parts"])), str(pick(["covers", "ignored", "entity"]))
    return DatasetChoices(stuff, crowd, shape_choices)  # type: ignore[arg-type]


def mean(values: list[float]) -> float | None:
    """The mean of what is defined."""
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else None


def about(value: Any) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(16))
def test_every_figure_against_pixels(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    images = drawn(rng)
    choices = DatasetChoices() if seed < 2 else choices_of(rng)
    (tmp_path / "set.json").write_text(json.dumps(as_coco(images)))
    found = compute(tmp_path / "set.json", tmp_path / "out", choices=choices, bootstrap=0, shard_size=4)

    figures: list[list[dict[str, float]]] = []
    valid, pixels, overlaps, counted_of = [], [], [], []
    for entities in images:
        of_image = units(entities, choices.stuff)
        counted = [one for one in of_image if one.mask.any() and (not one.crowd or choices.crowd == "entity")]
        covering = counted + [one for one in of_image if one.crowd and choices.crowd == "covers"]
        nothing = np.zeros(entities[0].mask.shape, int)
        valid.append(int((sum((one.mask for one in covering), nothing) > 0).sum()))
        overlaps.append(int(np.maximum(sum((one.mask for one in counted), nothing) - 1, 0).sum()))
        pixels.append(nothing.size)
        counted_of.append(counted)
        figures.append([shape(one.mask, choices.shape) for one in counted])

    everything = [one for of_image in figures for one in of_image]
    row = table1_row(found)
    assert row["image size"] == about(mean([math.sqrt(n) for n in pixels]))
    assert row["entities"] == about(len(everything) / len(images))
    assert row["entities max"] == max(map(len, figures))
    assert row["valid area"] == about(mean([a / b for a, b in zip(valid, pixels, strict=True)]))
    for name in ("convexity", "simplicity"):
        assert row[name] == about(mean([one[name] for one in everything]))
    table = {(one["figure"], one["average"]): one for one in found.tables["table1"].records()}
    assert table["valid area", "pixels"]["value"] == about(sum(valid) / sum(pixels))

    shapes = {(one["figure"], one["average"]): one for one in found.tables["shape"].records()}
    assert {name for name, _ in shapes} >= {
        "convexity",
        "simplicity",
        "parts",
        "holes",
        "thinness",
        "curvature",
    }
    for name, average in shapes:
        by_image = [mean([one[name] for one in of_image]) for of_image in figures]
        values = {
            "entities": [one[name] for one in everything],
            "images": [math.nan if value is None else value for value in by_image],
        }[average]
        undefined = sum(map(math.isnan, values))
        assert shapes[name, average]["value"] == about(mean(values)), (name, average)
        assert shapes[name, average]["excluded"] == undefined
        assert shapes[name, average]["count"] == len(values) - undefined

    violations = {one["violation"]: one["count"] for one in found.tables["violations"].records()}
    assert violations["overlap pixels"] == sum(overlaps)
    assert violations["images with overlap"] == sum(n > 0 for n in overlaps)
    assert violations["coverage below 1"] == sum(a < b for a, b in zip(valid, pixels, strict=True))
    assert violations["images without entities"] == sum(not of_image for of_image in figures)

    written = pq.read_table(tmp_path / "out" / "entities.parquet").to_pylist()
    rows = [one for one in written if one["counted"]]
    expected = [(number, one) for number, of_image in enumerate(counted_of) for one in of_image]
    assert len(rows) == len(expected) == len(everything)
    for one, (number, entity), measured in zip(rows, expected, everything, strict=True):
        y, x = np.nonzero(entity.mask)
        assert (one["image"], one["category_id"], one["area"]) == (number, entity.category, len(x))
        box = (x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1)
        assert tuple(one[f"bbox_{key}"] for key in ("x", "y", "width", "height")) == box
        assert (one["centroid_x"], one["centroid_y"]) == (about(x.mean() + 0.5), about(y.mean() + 0.5))
        assert one["relative_area"] == about(len(x) / entity.mask.size)
        for name, value in measured.items():
            assert one[name] == (None if math.isnan(value) else about(value)), name
