"""What the papers leave open about the shape of a mask: which perimeter, which hull, and what counts as one shape."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from entityseg.errors import usage_error

Perimeter = Literal["crofton", "contour", "skimage", "edges"]
Parts = Literal["whole", "each"]
Hull = Literal["corners", "centres"]


@dataclass(frozen=True)
class ShapeChoices:
    """How convexity and simplicity are measured.

    Attributes:
        perimeter: the estimator, see `entityseg.masks.perimeters`.
        holes: whether outlines of holes count in the perimeter and in the curvature; the mask's area is the same
            either way.
        parts: `whole` takes a mask in several parts as one shape, with one hull around all of it. `each` takes the
            8-connected parts for themselves and sums up over them what stands above and below the fraction line.
        hull: whether the hull goes around the corners of the pixels, or through their centres.

    Raises:
        UsageError: a value is none of those.
    """

    perimeter: Perimeter = "crofton"
    holes: bool = True
    parts: Parts = "whole"
    hull: Hull = "corners"

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            value = getattr(self, name)
            if value not in allowed or isinstance(value, bool) != isinstance(allowed[0], bool):
                message = f"the choice of {name} is {value!r}"
                remedy = f"Give one of {', '.join(map(repr, allowed))}."
                raise usage_error("shape.choice", message, remedy)

    @property
    def name(self) -> str:
        """The choice in words, such as `crofton, holes, whole, corners`."""
        holes = "holes" if self.holes else "no holes"
        return f"{self.perimeter}, {holes}, {self.parts}, {self.hull}"


_ALLOWED: dict[str, tuple[object, ...]] = {
    "perimeter": get_args(Perimeter),
    "holes": (True, False),
    "parts": get_args(Parts),
    "hull": get_args(Hull),
}


def every_choice() -> list[ShapeChoices]:
    """Return all 32 choices, the default first.

    >>> len(every_choice()), every_choice()[0].name
    (32, 'crofton, holes, whole, corners')
    """
    return [ShapeChoices(*values) for values in product(*_ALLOWED.values())]  # type: ignore[arg-type]
