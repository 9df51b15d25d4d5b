"""The same tasks on the mini dataset, which `entityseg data mini --tasks` makes; they run offline, in seconds."""

from __future__ import annotations

from collections.abc import Iterable

from entityseg.benchmarks.tasks.record import Count, Task
from entityseg.data.mini.vocabulary import THEMES
from entityseg.metrics.set_means import SGINW_SETS

_RELEASE = "EntitySeg"
_MINI = "mini"
# Images of the set that is made without options; another number of scenes is as good, so it only warns.
_IMAGES = {"val": 15, "val_lr": 15}


def on_mini(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """Return each task with the mini dataset in place of its own, named `mini-...`.

    The prefix `entityseg-` falls away: `entityseg-entity-high@1` becomes `mini-entity-high@1`.
    """
    # The mini dataset has small sets of its own in the place of SGinW's.
    renamed = dict(zip(SGINW_SETS, THEMES, strict=False))
    made = []
    for task in tasks:
        own = next((name for name in SGINW_SETS if task.name == f"sginw-{name.lower()}@1"), None)
        if own is None:
            made.append(_on_mini(task))
        elif own in renamed:
            made.append(_on_mini(_renamed(task, own, renamed[own])))
    return tuple(made)


def mini_name(name: str) -> str:
    """Return the name of a task on the mini dataset.

    >>> mini_name("entityseg-entity-high@1"), mini_name("coco-panoptic@1")
    ('mini-entity-high@1', 'mini-coco-panoptic@1')
    """
    return f"mini-{name.removeprefix('entityseg-')}"


def _renamed(task: Task, old: str, new: str) -> Task:
    data = task.data
    paths = {
        "files": tuple(file.replace(f"{old}/", f"{new}/") for file in data.files),
        "images": f"{new}/valid",
    }
    return task.model_copy(
        update={
            "name": f"sginw-{new.lower()}@1",
            "title": task.title.replace(old, new),
            "data": data.model_copy(update=paths),
        }
    )


def _members(task: Task) -> tuple[str, ...]:
    if task.name.startswith("sginw@"):
        return tuple(f"mini-sginw-{name.lower()}@1" for name in THEMES)
    return tuple(mini_name(name) for name in task.members)


def _on_mini(task: Task) -> Task:
    release = task.data.folder == _RELEASE
    command = "entityseg data mini mini" if release else "entityseg data mini mini --tasks"
    folder = _MINI if release else f"{_MINI}/tasks/{task.data.folder}".rstrip("/")
    images = _IMAGES.get(task.data.split) if release else None
    return task.model_copy(
        update={
            "name": mini_name(task.name),
            "title": f"{task.title} (mini dataset)",
            "data": task.data.model_copy(
                update={"folder": folder, "revision": "mini-1", "get": f"make it: {command}"}
            ),
            "counts": () if images is None else (Count(name="images", value=images, sure=False),),
            "published": None,
            "published_figures": {},
            "members": _members(task),
        }
    )
