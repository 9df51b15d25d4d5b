"""What scoring gives back, whatever the metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entityseg.errors import Findings
from entityseg.metrics.table import UnitId


@dataclass(frozen=True)
class Counts:
    """How many units (images, expressions, ...) there were.

    Attributes:
        expected: units of the ground truth.
        predicted: units on which the predictions have a word.
        missing: units on which they have none; scored as if nothing was found.
        empty: predicted units without any mask that has a pixel.
        details: what else a metric counts, such as masks or images with overlap.
    """

    expected: int
    predicted: int
    missing: int
    empty: int
    details: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        return self.details[name]

    def to_json(self) -> dict[str, int]:
        """Return all counts as one flat object."""
        own = {name: getattr(self, name) for name in ("expected", "predicted", "missing", "empty")}
        return {**own, **self.details}


@dataclass(frozen=True)
class Score:
    """Figures of a metric with their intervals.

    Attributes:
        metric: its name, such as `AP^e` (no overlap) or `AP` (overlap allowed).
        mode: `canonical` or the name of a compat mode.
        values: figures as fractions, None where undefined.
        intervals: 95 % percentile bootstrap intervals over images; empty if not asked for.
        counts: units expected, predicted, missing, empty.
        options: choices that change the figures, such as what was done with overlapping predictions.
        warnings: what was found and did not refuse the data.
        per_image: figures of each unit alone, if asked for.
    """

    metric: str
    mode: str
    values: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float] | None]
    counts: Counts
    options: Mapping[str, str] = field(default_factory=dict)
    warnings: Findings = field(default_factory=Findings)
    per_image: Mapping[UnitId, Mapping[str, float | None]] | None = None

    def __getitem__(self, name: str) -> float | None:
        return self.values[name]

    def to_json(self) -> dict[str, Any]:
        """Return one JSON object: the figures under their own names, everything else beside them."""
        result: dict[str, Any] = {
            **self.values,
            "metric": self.metric,
            "mode": self.mode,
            **self.options,
            "intervals": {name: list(pair) if pair else None for name, pair in self.intervals.items()},
            "counts": self.counts.to_json(),
            "warnings": self.warnings.to_json(),
        }
        if self.per_image is not None:
            result["per_image"] = [{"image_id": unit, **values} for unit, values in self.per_image.items()]
        return result
