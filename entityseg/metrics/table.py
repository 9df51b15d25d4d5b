"""What every metric is: a table of sufficient statistics, one row a unit, that merges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, Self, TypeVar

from entityseg.data.records import ImageId
from entityseg.errors import input_error

Row = TypeVar("Row")


class Table(Generic[Row]):
    """Statistics by unit (an image, an expression, a narrative); the answer does not depend on how work was cut."""

    def __init__(self) -> None:
        self.units: dict[ImageId, Row] = {}

    def add(self, unit: ImageId, row: Row) -> None:
        """Add the statistics of one unit.

        Raises:
            InputError: the unit is there already.
        """
        if unit in self.units:
            message, remedy = (
                "the unit was added before",
                "Feed each unit once; merge shards that do not share any.",
            )
            raise input_error("unit.duplicate", message, remedy, value=unit)
        self.units[unit] = row

    def merge(self, other: Self) -> Self:
        """Add all units of another table; return self.

        Raises:
            InputError: a unit is in both.
        """
        for unit, row in other.units.items():
            self.add(unit, row)
        return self

    def __len__(self) -> int:
        return len(self.units)


def sorted_units(units: Mapping[ImageId, object] | Iterable[ImageId]) -> list[ImageId]:
    """Return unit ids in one order: integers by value, then strings."""
    return sorted(units, key=lambda unit: (isinstance(unit, str), unit))
