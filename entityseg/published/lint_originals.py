"""Comparison of a row with what the method's own authors print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from entityseg.published.intervals import printed
from entityseg.published.records import PublishedRow
from entityseg.published.verdict import Rule, Verdict

_BACKBONE = "backbone"


def _same_model(row: PublishedRow, other: PublishedRow) -> bool:
    if row.method not in (other.method, *other.also):
        return False
    backbones = {each.settings[_BACKBONE] for each in (row, other) if _BACKBONE in each.settings}
    return len(backbones) < 2


def _shared(row: PublishedRow, other: PublishedRow) -> list[str]:
    return [name for name in row.figures if name in other.figures]


def _agree(copy: Decimal, original: Decimal) -> bool:
    """Whether one figure may be the other with fewer digits."""
    return printed(copy).holds(original) or printed(original).holds(copy)


def copied(row: PublishedRow, rows: Sequence[PublishedRow]) -> Iterator[Verdict]:
    """Compare a row with the originals it is copied from.

    The original with most equal figures is taken for the source. If it is of another metric than the row's table, the
    table mixes metrics; if most figures are equal, the others are errors of copying; else the rows contradict.

    Args:
        row: any row.
        rows: where the originals are, and the row's neighbours for the ranking.
    """
    originals = [
        (other, _shared(row, other))
        for other in rows
        if row.table in other.original_of and _same_model(row, other)
    ]
    originals = [(other, names) for other, names in originals if names]
    if not originals:
        return
    counted = [
        (sum(_agree(row.figures[name], other.figures[name]) for name in names), other, names)
        for other, names in originals
    ]
    equal, other, names = max(counted, key=lambda entry: entry[0])
    wrong = [name for name in names if not _agree(row.figures[name], other.figures[name])]
    mostly = 2 * equal > len(names)
    if mostly and {row.protocol, other.protocol} == {"cIoU", "mIoU"}:
        yield Verdict(
            row.id,
            Rule.metric_mix,
            "contradicted",
            tuple(name for name in names if name not in wrong),
            f"{equal} of {len(names)} figures are the {other.protocol} of {other.source}; the table is of"
            f" {row.protocol}.",
        )
    if not wrong:
        return
    told = ", ".join(f"{name} {row.figures[name]} ({other.figures[name]})" for name in wrong)
    if mostly:
        reason = f"{other.source} has other figures, in brackets: {told}; the other {equal} are equal."
        yield Verdict(row.id, Rule.transcription, "contradicted", tuple(wrong), reason)
    else:
        overtaken = [text for name in wrong if (text := _overtakes(row, name, other.figures[name], rows))]
        reason = f"{other.source} has other figures, in brackets: {told}."
        yield Verdict(
            row.id, Rule.contradiction, "contradicted", tuple(wrong), " ".join([reason, *overtaken])
        )


def _overtakes(row: PublishedRow, name: str, value: Decimal, rows: Sequence[PublishedRow]) -> str:
    """Say which best row of the table the original's figure would beat."""
    others = [
        each
        for each in rows
        if (each.table, each.part) == (row.table, row.part) and each.id != row.id and name in each.figures
    ]
    best = max(others, key=lambda each: each.figures[name], default=None)
    if best is None or not row.figures[name] < best.figures[name] < value:
        return ""
    return f"With {value} on {name} it is above {best.method} ({best.figures[name]}), not below."


def restated(row: PublishedRow, rows: Sequence[PublishedRow]) -> Iterator[Verdict]:
    """Compare a row with what the README of its authors prints for the same model and task.

    Where they differ, and another model's figure is nearer, the row may be that model's.

    Args:
        row: any row.
        rows: where the restating rows are.
    """
    same_task = [
        other for other in rows if row.table in other.restates and other.tasks.keys() & row.tasks.keys()
    ]
    for other in same_task:
        if not _same_model(row, other):
            continue
        for name in _shared(row, other):
            figure, theirs = row.figures[name], other.figures[name]
            if _agree(figure, theirs):
                continue
            reason = f"{other.source}: {theirs} for the same model, here {figure}."
            nearer = _nearest(row, name, same_task)
            if nearer is not None and nearer.id != other.id:
                reason += (
                    f" {nearer.figures[name]}, of {nearer.method} with the same backbone, is nearer: perhaps a"
                    " row of another model."
                )
                yield Verdict(row.id, Rule.repository, "doubtful", (name,), reason)
            else:
                yield Verdict(row.id, Rule.repository, "differs", (name,), reason)


def _nearest(row: PublishedRow, name: str, others: Sequence[PublishedRow]) -> PublishedRow | None:
    """Return the row of the same backbone whose figure is nearest."""
    near = [
        other
        for other in others
        if name in other.figures and other.settings.get(_BACKBONE) == row.settings.get(_BACKBONE)
    ]
    return min(near, key=lambda other: abs(other.figures[name] - row.figures[name]), default=None)
