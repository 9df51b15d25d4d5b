"""Published figures: the tables of the two papers and of their README as data, and a linter for them.

Figures are facts, kept in the digits that are printed; what is doubtful about them the linter computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from entityseg.published.reading import all_rows
from entityseg.published.records import PublishedRow

__all__ = ["PublishedRow", "TaskFigures", "find", "rows", "tables", "tasks"]


@dataclass(frozen=True)
class TaskFigures:
    """A published row's figures for one task.

    Attributes:
        row: the row.
        figures: metric of the task -> figure in the row's unit (percent in nearly all), as printed.
    """

    row: PublishedRow
    figures: dict[str, Decimal]


def tables() -> list[str]:
    """Return the names of all tables, in the order of the papers.

    >>> tables()[:2], len(tables())
    (['cropformer-1', 'cropformer-2'], 41)
    """
    return list(dict.fromkeys(row.table for row in all_rows()))


def tasks() -> list[str]:
    """Return the names of all tasks that some row has figures for, sorted."""
    return sorted({task for row in all_rows() for task in row.tasks if row.task_figures(task)})


def rows(table: str | None = None, task: str | None = None) -> list[PublishedRow]:
    """Return published rows.

    Args:
        table: only those of this table, such as `esg-X`.
        task: only those with a figure for this task, such as `refcoco-val`.

    Raises:
        KeyError: there is no such table.

    >>> [row.method for row in rows("esg-IX", "refcocog-test")][-1]
    'GELLA-13B'
    """
    if table is not None and table not in tables():
        raise KeyError(table)
    return [
        row
        for row in all_rows()
        if (table is None or row.table == table) and (task is None or row.task_figures(task))
    ]


def find(task: str, *, ablations: bool = False) -> list[TaskFigures]:
    """Return what is published for a task, under the task's names of the metrics.

    Args:
        task: such as `coco-panoptic`; unknown ones have no rows.
        ablations: whether to include variants that the papers only use to compare parts of a method.

    >>> [(found.row.method, found.figures) for found in find("sginw")][2:3]
    [('GELLA', {'mean_AP': Decimal('50.7')})]
    """
    return [
        TaskFigures(row, row.task_figures(task)) for row in rows(task=task) if ablations or not row.ablation
    ]
