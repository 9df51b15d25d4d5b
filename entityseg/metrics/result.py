"""What scoring gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entityseg.data.records import ImageId
from entityseg.errors import Findings


@dataclass(frozen=True)
class Counts:
    """How many units there were.

    Attributes:
        expected: images of the ground truth.
        predicted: images on which the predictions have a word.
        missing: images on which they have none; scored as if nothing was found.
        empty: predicted images without any mask that has a pixel.
        gt_masks, predictions: masks, crowd included.
        gt_overlapping, pred_overlapping: images in which masks share pixels.
    """

    expected: int
    predicted: int
    missing: int
    empty: int
    gt_masks: int
    predictions: int
    gt_overlapping: int
    pred_overlapping: int


@dataclass(frozen=True)
class Score:
    """Figures of a metric with their intervals.

    Attributes:
        metric: `AP^e` (no overlap) or `AP` (overlap allowed).
        mode: `canonical` or the name of a compat mode.
        overlap: what was done with overlapping predictions: `refuse`, `resolve` or `allow`.
        values: figures as fractions, None where undefined.
        intervals: 95 % percentile bootstrap intervals over images; empty if not asked for.
        counts: units expected, predicted, missing, empty.
        warnings: what was found and did not refuse the data.
        per_image: figures of each image alone, if asked for.
    """

    metric: str
    mode: str
    overlap: str
    values: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float] | None]
    counts: Counts
    warnings: Findings = field(default_factory=Findings)
    per_image: Mapping[ImageId, Mapping[str, float | None]] | None = None

    def __getitem__(self, name: str) -> float | None:
        return self.values[name]

    def to_json(self) -> dict[str, Any]:
        """Return one JSON object: the figures under their own names, everything else beside them."""
        from dataclasses import asdict

        result: dict[str, Any] = {
            **self.values,
            "metric": self.metric,
            "mode": self.mode,
            "overlap": self.overlap,
            "intervals": {name: list(pair) if pair else None for name, pair in self.intervals.items()},
            "counts": asdict(self.counts),
            "warnings": self.warnings.to_json(),
        }
        if self.per_image is not None:
            result["per_image"] = [{"image_id": unit, **values} for unit, values in self.per_image.items()]
        return result
