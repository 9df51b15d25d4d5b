"""Averages over images and over entities as a mergeable table: Table I, shapes, resolution and their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from entityseg.metrics.averages import ratio, total
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


def image_row(
    width: int, height: int, entities: int, covered: int, sums: Sequence[float], counts: Sequence[int]
) -> Float64Array:
    """Return what averages need of an image, float64 [4 + 2 figures].

    Args:
        width, height: pixels.
        entities: entities.
        covered: pixels in at least one entity (or crowd, as chosen).
        sums: of each figure of `AVERAGED` over the entities for which it is defined.
        counts: how many these are.
    """
    return np.array([width, height, entities, covered, *sums, *counts], np.float64)


class DatasetAverages(Table[Float64Array]):
    """Averages of a dataset; the answer does not depend on how the images were cut into shards.

    The unit is an image, its row an `image_row`. Figures are named `what/average`: `convexity/entities` is the mean
    over all entities, `convexity/images` the mean of the images' means (images without a defined value left out),
    `valid area/pixels` is weighted by image size.

    >>> table = DatasetAverages()
    >>> table.add(1, image_row(4, 1, 2, 3, (1.5,) * len(AVERAGED), (2,) * len(AVERAGED)))
    >>> table.add(2, image_row(4, 4, 1, 16, (0.3,) * len(AVERAGED), (1,) * len(AVERAGED)))
    >>> found = table.compute()
    >>> found["root of area/images"], found["convexity/entities"], found["convexity/images"]
    (3.0, 0.6, 0.525)
    """

    def figures(self, units: Mapping[UnitId, Float64Array]) -> Figures:
        """Return the function that computes all figures, float64 [b]."""
        columns = np.array(list(units.values()), np.float64).reshape(len(units), 4 + 2 * len(AVERAGED)).T

        def compute(weights: NDArray[np.int64]) -> dict[str, Float64Array]:
            return {
                name: ratio(total(weights, above), total(weights, below))
                for name, above, below in _ratios(columns)
            }

        return compute


def _ratios(columns: Float64Array) -> Iterator[tuple[str, Float64Array, Float64Array]]:
    """Give each figure with the values by image whose sums' quotient it is; one at a time, for they are many."""
    width, height, entities, covered, *rest = columns
    once, pixels = np.ones(len(width)), width * height
    for name, (_, of) in SIZES.items():
        yield f"{name}/images", of(width, height), once
    yield "entities/images", entities, once
    for name, (_, large) in LARGE.items():
        for t in THRESHOLDS:
            yield f"{name} {t}/images", large(width, height, t).astype(np.float64), once
    for name, sums, count in zip(AVERAGED, rest[: len(AVERAGED)], rest[len(AVERAGED) :], strict=True):
        yield f"{name}/entities", sums, count
        yield f"{name}/images", sums / np.maximum(count, 1), (count > 0).astype(np.float64)
    yield "valid area/images", covered / np.maximum(pixels, 1), once
    yield "valid area/pixels", covered, pixels
