"""The tasks as data, one small file a group.

>>> from entityseg.benchmarks.tasks import get
>>> get("entityseg-entity-high@1").main, get("entityseg-entity-high").name
('AP', 'entityseg-entity-high@1')
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from entityseg.benchmarks.tasks.mini import on_mini
from entityseg.benchmarks.tasks.record import Count, Data, Family, Task
from entityseg.errors import usage_error

__all__ = ["Count", "Data", "Family", "Task", "get", "tasks"]

_GROUPS = (
    "entityseg",
    "coco",
    "ade20k",
    "referring",
    "narrative",
    "reasoning",
    "sginw",
    "wild",
    "dis5k",
    "video",
)


@cache
def tasks() -> tuple[Task, ...]:
    """Return all tasks, those of the mini dataset last.

    Raises:
        ValueError: two have one name, or one names a task that does not exist.
    """
    real = tuple(task for group in _GROUPS for task in import_module(f"{__name__}.{group}").TASKS)
    every = (*real, *on_mini(real))
    known = [task.name for task in every]
    if len(set(known)) < len(known):
        raise ValueError(
            f"two tasks have one name: {sorted({name for name in known if known.count(name) > 1})}"
        )
    for task in every:
        missing = {*task.members, *([task.superseded_by] if task.superseded_by else [])} - set(known)
        if missing:
            raise ValueError(f"{task.name} names tasks that do not exist: {sorted(missing)}")
    return every


def get(name: str) -> Task:
    """Return a task by its name, in any case; without a version, the newest.

    Raises:
        UsageError: there is no such task; near names are said.
    """
    every = {task.name: task for task in tasks()}
    if name in every:
        return every[name]
    wanted = name.lower()
    exact = [one for one in every if one.lower() == wanted]
    if exact:
        return every[exact[0]]
    versions = sorted((one for one in every if one.rpartition("@")[0].lower() == wanted), key=_version)
    if versions:
        return every[versions[-1]]
    remedy = _near(name, sorted(every))
    raise usage_error("task.unknown", "there is no such task", remedy, field="task", value=name)


def _version(name: str) -> int:
    return int(name.rpartition("@")[2])


def _near(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 3, 0.5)
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{hint}`entityseg bench list` shows all."
