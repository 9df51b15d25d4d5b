"""What the linter says of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

# impossible: no data give these figures. contradicted: their own source prints others. doubtful: possible, and not
# what the data are known to give. differs: the authors print two figures for the same model.
Severity = Literal["impossible", "contradicted", "doubtful", "differs"]


class Rule(StrEnum):
    """The tests of the linter."""

    png_partition = "png-partition"
    pq_bound = "pq-bound"
    ap_order = "ap-order"
    arithmetic = "arithmetic"
    metric_mix = "metric-mix"
    transcription = "transcription"
    contradiction = "contradiction"
    repository = "repository"


@dataclass(frozen=True)
class Verdict:
    """One thing that is wrong with a row.

    Attributes:
        row: the row's id.
        rule: which test found it.
        severity: `impossible`, `contradicted`, `doubtful` or `differs`.
        figures: names of the figures concerned.
        reason: why, in one or two sentences.
        intervals: computed quantities, lowest and highest value that the printed digits allow.
    """

    row: str
    rule: Rule
    severity: Severity
    figures: tuple[str, ...]
    reason: str
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return one JSON object."""
        return {
            "row": self.row,
            "rule": self.rule.value,
            "severity": self.severity,
            "figures": list(self.figures),
            "reason": self.reason,
            "intervals": {name: list(pair) for name, pair in self.intervals.items()},
        }
