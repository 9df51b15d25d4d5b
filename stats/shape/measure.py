"""The shape of each mask of an image: `shapes`, and `Shapes` for several choices at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.masks import RunLengths, boundary_band
from entityseg.masks.columns import Columns, columns_of
from entityseg.masks.hulls import hull_areas
from entityseg.masks.outlines import bending
from entityseg.masks.perimeters import (
    border_perimeters,
    count_squares,
    edge_lengths,
    euler_numbers,
    square_perimeters,
)
from entityseg.masks.regions import count_components, fill_columns, split_components
from entityseg.masks.runlengths import frozen
from entityseg.stats.shape.choices import Hull, Parts, Perimeter, ShapeChoices

Array = NDArray[Any]
Float64Array = NDArray[np.float64]

# Pixels from the background, chessboard distance, within which a pixel counts as near the boundary.
THIN_WITHIN = 3

SHAPE_COLUMNS: dict[str, tuple[str, str]] = {
    "area": ("px", "pixels of the mask"),
    "hull_area": ("px", "area of the convex hull"),
    "convexity": ("", "area / hull area; the papers' Entity Complexity"),
    "perimeter": ("px", "length of the outline by the chosen estimator"),
    "simplicity": ("", "sqrt(4 pi area) / perimeter"),
    "compactness": ("", "simplicity squared; of one part: 4 pi area / perimeter^2"),
    "parts": ("", "8-connected parts"),
    "holes": ("", "4-connected holes"),
    "boundary_length": ("px", "sides of pixels between mask and background, those of holes too"),
    "thinness": ("", "share of the pixels within 3 px of the background, chessboard distance"),
    "curvature": ("1/px", "mean turn of the smoothed outline by its length; 1 / radius of a disc"),
}


def shapes(masks: RunLengths, choices: ShapeChoices | None = None) -> dict[str, Array]:
    """Return the shape of each mask: the columns of `SHAPE_COLUMNS`, each [n].

    An empty mask has area, hull area, perimeter, parts, holes and boundary length 0; the other columns are undefined
    for it and hold NaN. So is a fraction with 0 below its line: convexity where the hull through pixel centres has no
    area (a pixel, a straight line), simplicity where the perimeter is 0 (`contour` and `skimage` of a pixel).

    Args:
        masks: all masks of an image.
        choices: how to measure; the default is that of `ShapeChoices`.

    Raises:
        InputError: the boxes of the masks together are more than 2^26 columns wide.

    >>> square = RunLengths((4, 4), [0, 16], [0, 2])
    >>> {name: round(float(values[0]), 3) for name, values in shapes(square).items()}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'area': 16.0, 'hull_area': 16.0, 'convexity': 1.0, 'perimeter': 14.058, 'simplicity': 1.009,
     'compactness': 1.017, 'parts': 1.0, 'holes': 0.0, 'boundary_length': 16.0, 'thinness': 1.0,
     'curvature': 0.515}
    """
    return Shapes(masks).table(choices or ShapeChoices())


class Shapes:
    """The shapes of the masks of one image under several choices; what they share is measured once."""

    def __init__(self, masks: RunLengths) -> None:
        self.masks = masks
        self._known: dict[Hashable, Any] = {}

    def table(self, choices: ShapeChoices) -> dict[str, Array]:
        """Return the columns of `SHAPE_COLUMNS`, each [n]; see `shapes`."""
        simplicity = self.simplicity(choices)
        squares = self._squares("whole", True)
        parts = self._once("count", lambda: count_components(self._columns("whole", True)))
        near = self._once("band", lambda: boundary_band(self.masks, THIN_WITHIN).areas)
        turns, lengths = self._once(
            ("bending", choices.parts, choices.holes),
            lambda: bending(self._columns(choices.parts, choices.holes)),
        )
        return {
            "area": self.masks.areas,
            "hull_area": self.hull_areas(choices),
            "convexity": self.convexity(choices),
            "perimeter": self.perimeters(choices),
            "simplicity": simplicity,
            "compactness": simplicity**2,
            "parts": parts,
            "holes": parts - euler_numbers(squares),
            "boundary_length": edge_lengths(squares),
            "thinness": _ratio(near, self.masks.areas),
            "curvature": _ratio(self._sum(choices.parts, turns), self._sum(choices.parts, lengths)),
        }

    def convexity(self, choices: ShapeChoices) -> Float64Array:
        """Return area / hull area of each mask, float64 [n], NaN where there is no hull; `each` sums up hulls."""
        return _ratio(self.masks.areas, self.hull_areas(choices))

    def simplicity(self, choices: ShapeChoices) -> Float64Array:
        """Return sqrt(4 pi area) / perimeter of each mask, float64 [n], NaN where there is no perimeter.

        `each` sums up sqrt(4 pi area) over the parts too, so that several discs are as simple as one.
        """
        roots = np.sqrt(4 * math.pi * self._masks(choices.parts).areas)
        return _ratio(self._sum(choices.parts, roots), self.perimeters(choices))

    def hull_areas(self, choices: ShapeChoices) -> Float64Array:
        """Return the area of the hull of each mask, or of the hulls of its parts, float64 [n] in pixels."""
        return self._hull_areas(choices.parts, choices.hull)

    def perimeters(self, choices: ShapeChoices) -> Float64Array:
        """Return the perimeter of each mask, float64 [n] in pixels."""
        return self._perimeters(choices.parts, choices.holes, choices.perimeter)

    def _hull_areas(self, parts: Parts, hull: Hull) -> Float64Array:
        return self._once(
            ("hulls", parts, hull), lambda: self._sum(parts, hull_areas(self._columns(parts, True), hull))
        )

    def _perimeters(self, parts: Parts, holes: bool, estimator: Perimeter) -> Float64Array:
        def measure() -> Array:
            if estimator == "skimage":
                return self._sum(parts, border_perimeters(self._columns(parts, holes)))
            return self._sum(parts, square_perimeters(self._squares(parts, holes), estimator))

        return self._once(("perimeters", parts, holes, estimator), measure)

    def _squares(self, parts: Parts, holes: bool) -> Array:
        return self._once(("squares", parts, holes), lambda: count_squares(self._columns(parts, holes)))

    def _columns(self, parts: Parts, holes: bool) -> Columns:
        if not holes:
            return self._once(("filled", parts), lambda: fill_columns(self._columns(parts, True)))
        return self._once(("columns", parts), lambda: columns_of(self._masks(parts)))

    def _masks(self, parts: Parts) -> RunLengths:
        return self._parts[0] if parts == "each" else self.masks

    @property
    def _parts(self) -> tuple[RunLengths, Array]:
        return self._once("parts", lambda: split_components(self.masks))

    def _sum(self, parts: Parts, values: Array) -> Array:
        """Return the sums over the parts of each mask."""
        if parts == "whole":
            return values
        stops = self._parts[1]
        owners = np.repeat(np.arange(len(self.masks)), np.diff(stops))
        return np.bincount(owners, values, len(self.masks))

    def _once(self, key: Hashable, measure: Callable[[], Any]) -> Any:
        if key not in self._known:
            value = measure()
            # Several tables share it.
            self._known[key] = frozen(value) if isinstance(value, np.ndarray) else value
        return self._known[key]


def _ratio(above: Array, below: Array) -> Float64Array:
    """Return the fractions, NaN where 0 is below the line."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
