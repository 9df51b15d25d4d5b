"""`entityseg data mini`: the mini dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entityseg.cli.common import counted, load_masks, print_json, progress
from entityseg.cli.data_options import Json
from entityseg.errors import usage_error

EXAMPLES = (
    "entityseg data mini mini",
    "entityseg data mini small --scenes 8 --seed 7",
    "entityseg data mini everything --tasks",
)


def mini(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write, new or empty.", show_default=False)
    ],
    scenes: Annotated[int, typer.Option(min=4, help="How many scenes; a quarter is for validation.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal bytes.")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; all cores if not given.")] = None,
    tasks: Annotated[
        bool, typer.Option("--tasks", help="Add small sets of all other tasks (see docs/mini.md).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the mini dataset: scenes with perfect masks, in the layout of the EntitySeg release."""
    load_masks()
    from entityseg.data.loading import find_readings
    from entityseg.data.mini.write import write_mini
    from entityseg.data.mini.write_tasks import LEAST_SCENES, SET_FOLDERS, write_mini_tasks

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        message = "the target is a file" if out.is_file() else "the folder is there already and is not empty"
        raise usage_error("mini.target", message, "Name another folder.", file=str(out))
    if tasks and scenes < LEAST_SCENES:
        message = f"sets for tasks need at least {LEAST_SCENES} scenes"
        raise usage_error("mini.scenes", message, "Make more scenes.", field="--scenes", value=scenes)
    write_mini(out, seed=seed, scenes=scenes, jobs=jobs, progress=progress)
    found = find_readings(out)
    folder = write_mini_tasks(out, seed=seed, progress=progress) if tasks else None
    if as_json:
        told = {"path": str(out), "scenes": scenes, "seed": seed, "splits": [one.split for one in found]}
        print_json(told | ({"tasks": str(folder)} if folder else {}))
        return
    print(f"{out}: {counted(scenes, 'scene')}; splits {', '.join(one.split for one in found)}")
    if folder:
        print(f"{folder}: sets of other tasks, {', '.join(SET_FOLDERS)}")
