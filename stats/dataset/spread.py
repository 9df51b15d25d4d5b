"""Distributions: resolution, entities per image, relative size, shape, coverage, and where entities lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.masks.runlengths import Int64Array
from entityseg.stats.dataset.schema import Distribution
from entityseg.stats.dataset.spatial import CELLS, UNIT

_RESOLUTION_STEP = 50
_SIZES = np.logspace(-7, 0, 71)
# Simplicity exceeds 1 a little for discs, as its perimeter is an estimate.
_SHAPES = {
    "convexity": (np.linspace(0, 1, 51), "convexity (Entity Complexity)"),
    "simplicity": (np.linspace(0, 1.2, 61), "simplicity"),
    "thinness": (np.linspace(0, 1, 51), "thinness"),
}


def histogram(
    name: str,
    title: str,
    values: ArrayLike,
    edges: NDArray[np.floating[Any]],
    x_label: str,
    y_label: str,
    *,
    log_x: bool = False,
) -> Distribution:
    """Count values in bins, the last of which includes its end; NaN is left out, what lies outside is counted.

    >>> found = histogram("a", "A", [0.0, 0.5, 1.0, 2.0, np.nan], np.array([0.0, 0.5, 1.0]), "x", "n")
    >>> found.y, found.outside
    ((1, 2), (0, 1))
    """
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    counts = np.histogram(known, edges)[0]
    outside = int((known < edges[0]).sum()), int((known > edges[-1]).sum())
    return Distribution(
        name, title, "histogram", x_label, y_label, tuple(edges.tolist()), tuple(counts.tolist()), log_x=log_x,
        outside=outside,
    )  # fmt: skip


def image_distributions(images: Mapping[str, NDArray[Any]]) -> list[Distribution]:
    """Return `resolution` (Figure 3a), `entities_per_image` (3b) and `coverage` from columns of `images.parquet`."""
    sizes = np.sqrt(images["width"] * images["height"])
    steps = int(sizes.max() // _RESOLUTION_STEP) + 1 if len(sizes) else 1
    counts = np.bincount(images["entities"], minlength=1)
    coverage = images["covered"] / np.maximum(images["width"] * images["height"], 1)
    edges = np.arange(steps + 1) * float(_RESOLUTION_STEP)
    return [
        histogram("resolution", "Image sizes", sizes, edges, "sqrt(width x height), pixels", "images"),
        Distribution(
            "entities_per_image", "Entities per image", "bars", "entities in an image", "images",
            tuple(range(len(counts))), tuple(counts.tolist()),
        ),
        histogram("coverage", "Valid area", coverage, np.linspace(0, 1, 101), "share of the image", "images"),
    ]  # fmt: skip


def entity_distributions(batches: Iterable[Mapping[str, NDArray[Any]]]) -> list[Distribution]:
    """Return `relative_size` and one histogram a shape figure.

    Args:
        batches: columns relative_area and `SHAPE_HISTOGRAMS` of the rows that count as entities.
    """
    nothing = dict.fromkeys(("relative_area", *_SHAPES), np.empty(0))
    total = _entity_histograms(nothing)
    for columns in batches:
        total = [_added(one, more) for one, more in zip(total, _entity_histograms(columns), strict=True)]
    return total


def _entity_histograms(entities: Mapping[str, NDArray[Any]]) -> list[Distribution]:
    found = [
        histogram(
            "relative_size", "Relative size of the entities", entities["relative_area"], _SIZES,
            "area / image area", "entities", log_x=True,
        )
    ]  # fmt: skip
    for name, (edges, label) in _SHAPES.items():
        found.append(histogram(name, label.capitalize(), entities[name], edges, label, "entities"))
    return found


def _added(one: Distribution, more: Distribution) -> Distribution:
    """Return two histograms over the same edges as one."""
    counts = tuple(a + b for a, b in zip(one.y, more.y, strict=True))
    below, above = (a + b for a, b in zip(one.outside, more.outside, strict=True))
    return replace(one, y=counts, outside=(below, above))


SHAPE_HISTOGRAMS = tuple(_SHAPES)


def density_maps(density: Int64Array) -> list[Distribution]:
    """Return the maps `density`, `density_entities` and `density_centroids`, all images laid over each other.

    Args:
        density: int64 [4, CELLS, CELLS], the sum of the images' `ImageStatistics.density`.
    """
    cover, touching, centroids, images = density.astype(np.float64)
    seen = np.maximum(images, 1)
    maps = {
        "density": (cover / UNIT / seen, "Share of the pixels that entities cover"),
        "density_entities": (touching / seen, "Entities that reach here, mean over the images"),
        "density_centroids": (centroids / max(centroids.sum(), 1), "Share of the entities' centroids"),
    }
    edges = tuple((np.arange(CELLS + 1) / CELLS).tolist())
    return [
        Distribution(
            name, title, "map", "x / width", "y / height", edges, edges, tuple(map(tuple, grid.tolist()))
        )
        for name, (grid, title) in maps.items()
    ]
