"""Averages over images and over entities as a mergeable table: Table I, shapes, resolution and their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from entityseg.metrics.averages import ratio
from entityseg.metrics.table import Figures, Table, UnitId
from entityseg.stats.dataset.image import AVERAGED

Float64Array = NDArray[np.float64]
THRESHOLDS = (1000, 2000)
# How "an image is at least t pixels large" may be meant.
LARGE: dict[str, tuple[str, Callable[[Float64Array, Float64Array, int], NDArray[np.bool_]]]] = {
    "both sides": ("width and height are at least t", lambda w, h, t: np.minimum(w, h) >= t),
    "area": ("width x height is at least t x t", lambda w, h, t: w * h >= t * t),
    "any side": ("width or height is at least t", lambda w, h, t: np.maximum(w, h) >= t),
}
# How "the size of an image" may be meant.
SIZES: dict[str, tuple[str, Callable[[Float64Array, Float64Array], Float64Array]]] = {
    "root of area": ("sqrt(width x height)", lambda w, h: np.sqrt(w * h)),
    "longer side": ("max(width, height)", np.maximum),
    "shorter side": ("min(width, height)", np.minimum),
    "mean side": ("(width + height) / 2", lambda w, h: (w + h) / 2),
    "width": ("width", lambda w, h: w),
    "height": ("height", lambda w, h: h),
}


class ImageRow(NamedTuple):
    """What averages need of an image: pixels, counts, and sums of the shape figures over its entities.

    Attributes:
        width, height: pixels.
        entities: entities.
        covered: pixels in at least one entity (or crowd, as chosen).
        sums: of each figure of `AVERAGED` over the entities for which it is defined.
        counts: how many these are.
    """

    width: int
    height: int
    entities: int
    covered: int
    sums: tuple[float, ...]
    counts: tuple[int, ...]


class DatasetAverages(Table[ImageRow]):
    """Averages of a dataset; the unit is an image. The answer does not depend on how the images were cut into shards.

    Figures are named `what/average`: `convexity/entities` is the mean over all entities, `convexity/images` the mean of
    the images' means (images without a defined value left out), `valid area/pixels` is weighted by image size.

    >>> table = DatasetAverages()
    >>> table.add(1, ImageRow(4, 1, 2, 3, (1.5,) * len(AVERAGED), (2,) * len(AVERAGED)))
    >>> table.add(2, ImageRow(4, 4, 1, 16, (0.3,) * len(AVERAGED), (1,) * len(AVERAGED)))
    >>> found = table.compute()
    >>> found["root of area/images"], found["convexity/entities"], found["convexity/images"]
    (3.0, 0.6, 0.525)
    """

    def figures(self, units: Mapping[UnitId, ImageRow]) -> Figures:
        """Return the function that computes all figures, float64 [b]."""
        rows = list(units.values())
        ratios = _ratios(rows)
        above, below = (
            np.stack([one for one, _ in ratios.values()]),
            np.stack([one for _, one in ratios.values()]),
        )

        def compute(weights: NDArray[np.int64]) -> dict[str, Float64Array]:
            total = ratio(_sums(weights, above), _sums(weights, below))
            return {name: total[:, k] for k, name in enumerate(ratios)}

        return compute


def _ratios(rows: list[ImageRow]) -> dict[str, tuple[Float64Array, Float64Array]]:
    """Return each figure as (values above, values below) by image; it is the quotient of their sums."""
    columns = np.array([row[:4] for row in rows], np.float64).reshape(len(rows), 4).T
    width, height, entities, covered = columns
    once, pixels = np.ones(len(rows)), width * height
    found = {f"{name}/images": (of(width, height), once) for name, (_, of) in SIZES.items()}
    found["entities/images"] = entities, once
    for name, (_, large) in LARGE.items():
        for t in THRESHOLDS:
            found[f"{name} {t}/images"] = large(width, height, t).astype(np.float64), once
    sums = np.array([row.sums for row in rows], np.float64).reshape(len(rows), len(AVERAGED)).T
    counts = np.array([row.counts for row in rows], np.float64).reshape(len(rows), len(AVERAGED)).T
    for k, name in enumerate(AVERAGED):
        found[f"{name}/entities"] = sums[k], counts[k]
        found[f"{name}/images"] = sums[k] / np.maximum(counts[k], 1), (counts[k] > 0).astype(np.float64)
    found["valid area/images"] = covered / np.maximum(pixels, 1), once
    found["valid area/pixels"] = covered, pixels
    return found


def _sums(weights: NDArray[np.int64], values: Float64Array) -> Float64Array:
    """Return the weighted sums of each row of values, float64 [b, rows]; those of a single weighting are exact."""
    if len(weights) == 1:
        weighted = weights[0] * values
        return np.array([[math.fsum(row.tolist()) for row in weighted]])
    result: Float64Array = weights.astype(np.float64) @ values.T
    return result
