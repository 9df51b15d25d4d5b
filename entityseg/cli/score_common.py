"""What all `entityseg score` commands print."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from entityseg.cli import common

if TYPE_CHECKING:
    from entityseg.metrics.class_score import ClassScore
    from entityseg.metrics.result import Score

# Metrics whose unit is a text, and whose per-image figures are those of an image's texts together.
_OF_TEXTS = ("referring", "narrative", "reasoning")


def show(
    result: Score,
    *,
    as_json: bool,
    unit: str = "image",
    lines: Sequence[str] | None = None,
    plain: Collection[str] = (),
) -> None:
    """Print a score: warnings on stderr, and on stdout one JSON object or a text for people.

    Args:
        result: the score.
        as_json: which of the two.
        unit: what is scored, in the singular.
        lines: what the text says below the figures and counts; mode and options where not given.
        plain: names of figures that are no fractions.
    """
    common.print_findings(result.warnings)
    if as_json:
        common.print_json(result.to_json())
    else:
        print(text(result, unit=unit, lines=lines, plain=plain))


def text(
    result: Score,
    *,
    unit: str = "image",
    lines: Sequence[str] | None = None,
    plain: Collection[str] = (),
) -> str:
    """Return the score as a person reads it; arguments are those of `show`."""

    def shown(name: str, value: float | None) -> str:
        return f"{value:.2f}" if value is not None and name in plain else common.percent(value)

    counts = result.counts
    rows = []
    for name, value in result.values.items():
        interval = result.intervals.get(name)
        between = "-" if interval is None else f"{shown(name, interval[0])} - {shown(name, interval[1])}"
        rows.append([name, shown(name, value), *([between] if result.intervals else [])])
    header = ["%", result.metric, *(["95 % interval"] if result.intervals else [])]
    parts = [
        common.table(header, rows),
        "",
        f"{unit}s: {counts.expected:,} expected, {counts.predicted:,} predicted, {counts.missing:,} missing, "
        f"{counts.empty:,} empty",
        *(options_lines(result) if lines is None else lines),
    ]
    if result.per_image is not None:
        names = list(next(iter(result.per_image.values()), {}))
        per_unit = [
            [str(unit_id), *(shown(name, values[name]) for name in names)]
            for unit_id, values in result.per_image.items()
        ]
        parts += ["", common.table(["image" if result.metric in _OF_TEXTS else unit, *names], per_unit)]
    return "\n".join(parts)


def options_lines(result: Score) -> list[str]:
    """Return one line that says the mode and the options of a score."""
    return [
        "; ".join([f"mode: {result.mode}", *(f"{name}: {value}" for name, value in result.options.items())])
    ]


def category_table(result: ClassScore, percents: Sequence[str], counts: Sequence[str]) -> str:
    """Return the figures of the categories that occur, as a table.

    Args:
        result: the score.
        percents: names of figures that are fractions.
        counts: names of figures that are numbers.
    """
    rows = [
        [
            f"{one['id']} {one['name']}",
            *(common.percent(one[name]) for name in percents),
            *(f"{one[name]:,}" for name in counts),
        ]
        for one in result.per_category
        if any(one[name] for name in counts)
    ]
    return common.table(["category", *percents, *counts], rows)
