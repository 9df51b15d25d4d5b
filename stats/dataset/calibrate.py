"""Which choices come nearest to the published convexity and simplicity, which do not say how they were measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import AnnotatedImage, Category, Dataset
from entityseg.data.sources import EncodedSource
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import usage_error
from entityseg.masks.runlengths import RunLengths
from entityseg.stats.dataset.choices import Crowd, DatasetChoices, Stuff
from entityseg.stats.dataset.schema import Cell, Column, StatTable
from entityseg.stats.dataset.units import units_of
from entityseg.stats.shape import ShapeChoices, Shapes, every_choice

PUBLISHED_TABLE = "cropformer-2"
_FORGET_EVERY = 128
# Whether the mean is taken over all entities, or over the means of the images.
AVERAGES = ("entities", "images")
_FIGURES = ("convexity", "simplicity")


class Target(NamedTuple):
    """Published figures to come near to.

    Attributes:
        convexity: of "Entity Complexity".
        simplicity: of "Entity Simplicity".
        source: where they are printed.
    """

    convexity: float
    simplicity: float
    source: str


@dataclass(frozen=True)
class Calibration:
    """What the choices give on a dataset.

    Attributes:
        table: the table `calibration`, the nearest choice first; choices that change nothing are left out.
        target: what it was compared with.
        idle: choices that changed no image and stand in the table under the first of their kind.
    """

    table: StatTable
    target: Target
    idle: tuple[str, ...]


def published_target(dataset: str = "COCO") -> Target:
    """Return the published figures of a dataset.

    Raises:
        UsageError: the paper has no row of this name.

    >>> published_target()
    Target(convexity=0.758, simplicity=0.581, source='cropformer-2#1')
    """
    from entityseg.published import rows

    found = {row.method.lower(): row for row in rows(PUBLISHED_TABLE)}
    row = found.get(dataset.lower())
    if row is None:
        message, remedy = "the paper's table has no such dataset", f"Choose one of {', '.join(found)}."
        raise usage_error("calibrate.published", message, remedy, field="--published", value=dataset)
    return Target(float(row.figures["convexity"]), float(row.figures["simplicity"]), row.id)


def calibrate(
    dataset: Dataset,
    target: Target | None = None,
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> Calibration:
    """Measure a dataset under every choice and sort the choices by their distance from published figures.

    The choices are those of `ShapeChoices`, of `DatasetChoices`, and the average: over entities or image means.

    Args:
        dataset: such as COCO panoptic, for which the figures are published.
        target: the published figures, those of COCO if not given.
        jobs: images measured side by side; all cores if not given.
        progress: wraps the images as (iterable, total, label).

    Raises:
        InputError: a mask is malformed.
    """
    wanted = target or published_target()
    categories = dataset.category_of
    total = _Sums.nothing()

    def one_image(index: int) -> _Sums:
        return _measured(dataset[index], categories)

    indices = progress(range(len(dataset)), len(dataset), "measuring")
    # In the order of the images, so that the last digit does not depend on how many are measured side by side.
    for number, one in enumerate(map_in_order(one_image, indices, threads=jobs)):
        total = total.plus(one)
        if number % _FORGET_EVERY == 0 and isinstance(dataset.source, EncodedSource):
            dataset.source.forget()
    return _calibration(total, wanted)


_STUFF, _CROWD = get_args(Stuff), ("covers", "entity")
_CHOICES = every_choice()


class _Sums(NamedTuple):
    """Sums by stuff, crowd, choice of shape and figure, over entities and over image means, with their counts."""

    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    means: NDArray[np.float64]
    images: NDArray[np.int64]
    changed: NDArray[np.int64]

    @classmethod
    def nothing(cls) -> _Sums:
        shape = (len(_STUFF), len(_CROWD), len(_CHOICES), len(_FIGURES))
        return cls(
            np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape, np.int64),
            np.zeros(shape[:2], np.int64),
        )  # fmt: skip

    def plus(self, other: _Sums) -> _Sums:
        return _Sums(
            self.values + other.values,
            self.counts + other.counts,
            self.means + other.means,
            self.images + other.images,
            self.changed + other.changed,
        )


def _measured(one: AnnotatedImage, categories: Mapping[int, Category]) -> _Sums:
    found = _Sums.nothing()
    annotated = _shapes(one.masks)
    for s, stuff in enumerate(_STUFF):
        units = units_of(one, categories, DatasetChoices(stuff=stuff))
        values = annotated if units.masks is one.masks else _shapes(units.masks)
        for c, crowd in enumerate(_CROWD):
            rows = units.counted(DatasetChoices(crowd=_crowd(crowd)))
            chosen = values[:, :, rows]
            defined = ~np.isnan(chosen)
            found.counts[s, c] = defined.sum(axis=2)
            found.values[s, c] = np.where(defined, chosen, 0).sum(axis=2)
            found.changed[s, c] = units.masks is not one.masks or (
                crowd == "entity" and bool(one.iscrowd.any())
            )
    np.divide(found.values, found.counts, out=found.means, where=found.counts > 0)
    np.greater(found.counts, 0, out=found.images, casting="unsafe")
    return found


def _shapes(masks: RunLengths) -> NDArray[np.float64]:
    """Return convexity and simplicity of each mask under every choice, float64 [choices, 2, n]."""
    shapes = Shapes(masks)
    return np.array([(shapes.convexity(choice), shapes.simplicity(choice)) for choice in _CHOICES])


def _crowd(name: str) -> Crowd:
    return "entity" if name == "entity" else "covers"


def _calibration(total: _Sums, target: Target) -> Calibration:
    idle = [f"stuff: {_STUFF[s]}" for s in range(1, len(_STUFF)) if not total.changed[s, 0]]
    idle += [f"crowd: {_CROWD[1]}"] if not total.changed[0, 1] else []
    rows: list[tuple[Cell, ...]] = []
    for (s, stuff), (c, crowd), (k, choice), average in product(
        enumerate(_STUFF), enumerate(_CROWD), enumerate(_CHOICES), AVERAGES
    ):
        if f"stuff: {stuff}" in idle or f"crowd: {crowd}" in idle:
            continue
        above, below = (total.values, total.counts) if average == "entities" else (total.means, total.images)
        count = below[s, c, k]
        aims = target.convexity, target.simplicity
        values = [float(above[s, c, k, f] / count[f]) if count[f] else None for f in range(len(_FIGURES))]
        apart = [None if value is None else value - aim for value, aim in zip(values, aims, strict=True)]
        distance = None if None in apart else math.hypot(*(one for one in apart if one is not None))
        rows.append((*_cells(choice), average, stuff, crowd, *values, *apart, distance, *count.tolist()))
    order = [column.name for column in _COLUMNS].index("distance")
    # Without an entity nothing is defined, and all stand as they come.
    rows.sort(key=lambda row: math.inf if row[order] is None else float(row[order] or 0))
    title = f"Distance from {target.source}: convexity {target.convexity:g}, simplicity {target.simplicity:g}"
    return Calibration(StatTable("calibration", title, _COLUMNS, tuple(rows)), target, tuple(idle))


def _cells(choice: ShapeChoices) -> tuple[Cell, ...]:
    return choice.perimeter, choice.holes, choice.parts, choice.hull


_COLUMNS = (
    Column("perimeter", about="estimator; matters to the simplicity only"),
    Column("holes", about="whether outlines of holes count; matters to the simplicity only"),
    Column("parts", about="a mask in several parts as one shape (whole), or part by part (each)"),
    Column("hull", about="around pixel corners or centres; matters to the convexity only"),
    Column("average", about="over all entities, or over the means of the images"),
    Column("stuff", about="as annotated, joined by category, or cut into parts"),
    Column("crowd", about="no entities (covers), or entities like all others"),
    Column("convexity"),
    Column("simplicity"),
    Column("convexity_off", about="minus the published figure"),
    Column("simplicity_off", about="minus the published figure"),
    Column("distance", about="root of the sum of the squares of both"),
    Column("convexity_count", about="entities or images that the mean is taken over"),
    Column("simplicity_count", about="entities or images that the mean is taken over"),
)
