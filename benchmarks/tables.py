"""Rows of tables: results, differences, and published figures beside ours; numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from entityseg.benchmarks.compare import Comparison
from entityseg.benchmarks.harness.families import FAMILIES
from entityseg.benchmarks.results import Result
from entityseg.benchmarks.tasks import tasks
from entityseg.benchmarks.tasks.record import Task

_NOTHING = "-"
# Behind the method of a published row that the linter doubts.
MARK = " !"
# What the AP of masks that may overlap is called among published figures.
_OVERLAPPING = "AP_overlap"


def plain_figures(task_name: str) -> tuple[str, ...]:
    """Return the figures of a task that are no fractions."""
    return next((FAMILIES[task.family].plain for task in tasks() if task.name == task_name), ())


def shown(value: float | None, *, plain: bool = False, sign: bool = False) -> str:
    """Return a figure in percent (or plain) with two decimals.

    >>> shown(0.5123), shown(None), shown(12.0, plain=True), shown(0.01, sign=True)
    ('51.23', '-', '12.00', '+1.00')
    """
    if value is None:
        return _NOTHING
    number = value if plain else 100 * value
    return f"{number:+.2f}" if sign else f"{number:.2f}"


def between(pair: tuple[float, float] | None, *, plain: bool = False, sign: bool = False) -> str:
    """Return an interval."""
    if pair is None:
        return _NOTHING
    low, high = (shown(one, plain=plain, sign=sign) for one in pair)
    return f"{low} to {high}" if sign else f"{low} - {high}"


def result_rows(result: Result) -> list[list[str]]:
    """Return one row a figure: name, value, and interval if there are any."""
    plain = plain_figures(result.task)
    rows = []
    for name, value in result.values.items():
        row = [name, shown(value, plain=name in plain)]
        if result.intervals:
            row.append(between(result.intervals.get(name), plain=name in plain))
        rows.append(row)
    return rows


def difference_rows(found: Comparison) -> list[list[str]]:
    """Return one row a figure: name, A, B, difference, interval, p, and a star where it is clear."""
    plain = plain_figures(found.a.task)
    rows = []
    for name, one in found.differences.items():
        is_plain = name in plain
        rows.append(
            [
                name,
                shown(one.a, plain=is_plain),
                shown(one.b, plain=is_plain),
                shown(one.difference, plain=is_plain, sign=True),
                between(one.interval, plain=is_plain, sign=True),
                _NOTHING if one.p is None else f"{one.p:.3f}",
                "*" if one.clear else "",
            ]
        )
    return rows


def published_rows(task: Task, own: Sequence[Result] = ()) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of what is published for a task, with own results below.

    A row that the linter finds impossible or doubtful has a `!`.
    """
    from entityseg.published import find

    found = find(task.published) if task.published is not None else []
    names = list(dict.fromkeys(name for one in found for name in one.figures)) or [task.main]
    header = ["method", "settings", *names, "protocol", "source"]
    rows = []
    for one in found:
        settings = " ".join(one.row.settings.values())
        figures = [str(one.figures.get(name, _NOTHING)) for name in names]
        mark = MARK if one.row.verdicts else ""
        rows.append([one.row.method + mark, settings, *figures, one.row.protocol, one.row.id])
    plain = FAMILIES[task.family].plain
    # As the papers print them: in percent nearly everywhere, as fractions for DIS5K.
    fractions = {
        name
        for one in found
        for name in one.figures
        if one.row.units[one.row.tasks[str(task.published)][name]] == "fraction"
    }
    for result in own:
        figures = []
        for name in names:
            value = result.values.get(_own_figure(task, result, name))
            is_fraction = name in fractions and value is not None
            figures.append(f"{value:.3f}" if is_fraction else shown(value, plain=name in plain))
        how = ", ".join([result.mode, *_choices(result)])
        rows.append([result.name, "yours", *figures, how, result.task])
    return header, rows


def _own_figure(task: Task, result: Result, name: str) -> str:
    """Return which figure of a result is what is published under a name; empty if none is."""
    if task.family == "entity" and result.options.get("overlap") == "allow":
        # AP of masks that overlap is not AP^e, which the papers' AP of entities is.
        return {_OVERLAPPING: task.main, task.main: ""}.get(name, name)
    # The boundary task's AP is what is published as boundary_AP, not what is published as AP.
    taken = task.published_figures.values()
    return task.published_figures.get(name, "" if name in taken else name)


def _choices(result: Result) -> list[str]:
    """Return the options that were chosen, in words."""
    overlap = result.options.get("overlap", "refuse")
    return [] if overlap == "refuse" else [f"overlap {overlap}"]
