"""A score that also has figures by category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entityseg.metrics.result import Score


@dataclass(frozen=True)
class ClassScore(Score):
    """Figures of a metric over classes.

    Attributes:
        per_category: a record for each category, with its `id`, `name` and figures.
    """

    per_category: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> dict[str, Any]:
        """Return one JSON object, the categories' figures as a list."""
        return {**super().to_json(), "per_category": [dict(one) for one in self.per_category]}
