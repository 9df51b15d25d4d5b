"""Table I and its neighbours: image size, entities, shapes and valid area, each with its definition and interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.stats.dataset.averages import LARGE, SIZES, THRESHOLDS, DatasetAverages
from entityseg.stats.dataset.image import AVERAGED
from entityseg.stats.dataset.schema import Cell, Column, Statistics, StatTable
from entityseg.stats.shape import SHAPE_COLUMNS

Intervals = Mapping[str, tuple[float, float] | None]
_INTERVAL = (
    Column("low", about="lower end of the 95 % percentile bootstrap interval over images"),
    Column("high", about="upper end"),
)
_TABLE1 = "table1"
# Name in the published table -> figure here; the maximum has no average.
TABLE1_FIGURES = {
    "image size": "root of area/images",
    "entities": "entities/images",
    "convexity": "convexity/entities",
    "simplicity": "simplicity/entities",
    "valid area": "valid area/images",
}


def averages_of(images: Mapping[str, NDArray[Any]]) -> DatasetAverages:
    """Return the table of averages from the columns of `images.parquet`."""
    table = DatasetAverages()
    names = ["width", "height", "entities", "covered"]
    names += [f"{name}_{what}" for what in ("sum", "count") for name in AVERAGED]
    index = images["image"].tolist()
    rows = np.empty((len(index), len(names)))
    for k, name in enumerate(names):
        rows[:, k] = images[name]
    for one, row in zip(index, rows, strict=True):
        table.add(one, row)
    return table


def overview_tables(
    images: Mapping[str, NDArray[Any]], values: Mapping[str, float | None], intervals: Intervals
) -> list[StatTable]:
    """Return the tables `table1`, `shape`, `resolution` and `large_images`.

    Args:
        images: columns of `images.parquet`.
        values: what `DatasetAverages.compute` gave.
        intervals: what its bootstrap gave; empty for none.
    """
    return [
        _table1(images, values, intervals),
        _shape(images, values, intervals),
        _resolution(values, intervals),
        _large(values, intervals),
    ]


def table1_row(statistics: Statistics) -> dict[str, Cell]:
    """Return the dataset's row of Table I by the names of the published table's columns."""
    return {
        str(one["figure"]): one["value"] for one in statistics.tables[_TABLE1].records() if one["in_table1"]
    }


def _cells(name: str, values: Mapping[str, float | None], intervals: Intervals) -> tuple[Cell, Cell, Cell]:
    pair = intervals.get(name)
    return (values[name], *(pair or (None, None)))


def _table1(
    images: Mapping[str, NDArray[Any]], values: Mapping[str, float | None], intervals: Intervals
) -> StatTable:
    columns = (
        Column("figure", about="as the published table names it"),
        Column("average", about="over what the mean is taken; `most` for a maximum"),
        Column("in_table1", about="whether this is the figure that stands in Table I by default"),
        Column("value"),
        *_INTERVAL,
        Column("unit"),
        Column("count", about="images or entities that the mean is taken over"),
        Column("excluded", about="those left out because the figure is not defined for them"),
        Column("about", about="definition"),
    )
    n, entities = len(images["entities"]), int(images["entities"].sum())
    most = int(images["entities"].max()) if n else None
    rows: list[tuple[Cell, ...]] = []

    def add(
        figure: str, average: str, chosen: bool, unit: str, count: int, excluded: int, about: str
    ) -> None:
        name = TABLE1_FIGURES[figure].split("/")[0]
        cells = _cells(f"{name}/{average}", values, intervals)
        rows.append((figure, average, chosen, *cells, unit, count, excluded, about))

    add(
        "image size",
        "images",
        True,
        "pixels",
        n,
        0,
        "sqrt(width x height); `resolution` has other definitions",
    )
    add("entities", "images", True, "", n, 0, "entities an image, images without any included")
    rows.append(("entities max", "most", True, most, None, None, "", n, 0, "most entities of an image"))
    for figure in ("convexity", "simplicity"):
        about = SHAPE_COLUMNS[figure][1]
        counts = images[f"{figure}_count"]
        defined, with_mean = int(counts.sum()), int((counts > 0).sum())
        add(figure, "entities", True, "", defined, entities - defined, about)
        add(figure, "images", False, "", with_mean, n - with_mean, f"mean of the images' means; {about}")
    add("valid area", "images", True, "", n, 0, "share of an image's pixels that is annotated")
    rows.append(
        ("valid area", "pixels", False, *_cells("valid area/pixels", values, intervals), "", n, 0,
         "annotated pixels of all images over all their pixels")
    )  # fmt: skip
    note = "The papers' 'Entity Complexity' is the convexity: lower is more complex."
    return StatTable(_TABLE1, "Statistics of the dataset", columns, tuple(rows), note)


def _shape(
    images: Mapping[str, NDArray[Any]], values: Mapping[str, float | None], intervals: Intervals
) -> StatTable:
    columns = (
        Column("figure"), Column("average", about="over entities, or over the images' means"), Column("value"),
        *_INTERVAL, Column("unit"), Column("count", about="entities, or images with a defined mean"),
        Column("excluded", about="entities without a defined value, or images without any"), Column("about"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    entities = int(images["entities"].sum())
    for name in AVERAGED:
        unit, about = SHAPE_COLUMNS[name]
        counts = images[f"{name}_count"]
        defined, with_mean = int(counts.sum()), int((counts > 0).sum())
        for average, count, all_ in (
            ("entities", defined, entities),
            ("images", with_mean, len(counts)),
        ):
            cells = _cells(f"{name}/{average}", values, intervals)
            rows.append((name, average, *cells, unit, count, all_ - count, about))
    return StatTable("shape", "Shape of the entities", columns, tuple(rows))


def _resolution(values: Mapping[str, float | None], intervals: Intervals) -> StatTable:
    columns = (
        Column("definition"),
        Column("value", "pixels", "mean over the images"),
        *_INTERVAL,
        Column("formula"),
    )
    rows = tuple(
        (name, *_cells(f"{name}/images", values, intervals), formula) for name, (formula, _) in SIZES.items()
    )
    return StatTable("resolution", "Image size by definition", columns, rows)


def _large(values: Mapping[str, float | None], intervals: Intervals) -> StatTable:
    columns = (
        Column("definition"), Column("threshold", "pixels", "t"), Column("share", about="of the images"), *_INTERVAL,
        Column("formula"),
    )  # fmt: skip
    rows = tuple(
        (name, t, *_cells(f"{name} {t}/images", values, intervals), formula)
        for t in THRESHOLDS
        for name, (formula, _) in LARGE.items()
    )
    return StatTable("large_images", "Share of large images", columns, rows)
