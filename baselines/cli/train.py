"""`entityseg train CONFIG`: train a model, or go on with a training that was stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli import common
from entityseg.errors import usage_error

if TYPE_CHECKING:
    from entityseg.baselines.training import Outcome, TrainingConfig

app = common.new_command()


@app.command(
    epilog=common.epilog(
        "entityseg train --list",
        "entityseg data mini mini && entityseg train tiny-cropformer --data mini --out runs/tiny",
        "entityseg train cropformer-swin-tiny --data EntitySeg --out runs/c model.weights=converted optimizer.lr=2e-4",
        "accelerate launch --num_processes 8 -m entityseg.cli.main train my.yaml --out runs/mine",
        "entityseg train tiny-cropformer --data mini --show",
    ),
)
def train(
    config: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="A YAML file, or the name of a recipe (--list).")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE", help="Settings that replace those of the file, such as run.seed=1."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the result; to go on, the same.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset; the same as data.path=FOLDER.")
    ] = None,
    list_recipes: Annotated[bool, typer.Option("--list", help="List the recipes, and end.")] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the resolved settings as YAML, and end.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a model by a recipe; stopped, it goes on.

    CropFormer, Mask2Former, V-Mask2Former and VITA, on one device or several. SIGTERM and Ctrl-C end it after the
    step, with everything saved; run the same command again to go on. The result's folder can be given to
    `entityseg predict` and `entityseg models info`.
    """
    from entityseg.baselines.extra import require_models

    require_models()
    from entityseg.baselines.training import read_config
    from entityseg.baselines.training.reading import data_at

    if list_recipes:
        _list(as_json)
        return
    if config is None:
        raise usage_error(
            "train.config", "no config is given", "Name a YAML file or a recipe (`--list` names them)."
        )
    settings = [*(overrides or ()), *([data_at(data)] if data is not None else [])]
    resolved = read_config(config, settings)
    if show:
        _show(resolved, as_json)
        return
    if out is None:
        raise usage_error(
            "train.out", "no folder for the result is given", "Give it: --out FOLDER.", field="--out"
        )
    from entityseg.baselines.training import train as run

    outcome = run(resolved, out, live=True)
    from accelerate import PartialState

    # Of several processes one speaks.
    if PartialState().is_main_process:
        if as_json:
            common.print_json(outcome.to_json())
        else:
            _tell(outcome)
    if outcome.signal is not None:
        # The shell's number for a process that a signal ended.
        raise typer.Exit(128 + outcome.signal)


def _tell(outcome: Outcome) -> None:
    if outcome.status == "stopped":
        common.note(
            f"stopped after step {outcome.step:,}, which is saved; run the same command again to go on"
        )
        return
    rows = [[name, common.percent(value)] for name, value in outcome.figures.items()]
    if rows:
        print(common.table(["metric", "%"], rows))
    common.note(f"the model is in {outcome.folder}: entityseg predict {outcome.folder} IMAGES -o DIR")


def _list(as_json: bool) -> None:
    from entityseg.baselines.training import read_config, recipe_names

    found = [read_config(name) for name in recipe_names()]
    if as_json:
        recipes = [
            {"name": one.name, "task": one.task, "about": one.about, "sha256": one.digest()} for one in found
        ]
        common.print_json({"recipes": recipes})
        return
    rows = [
        [one.name, one.task, f"{one.schedule.steps:,}", one.run.batch, one.model.pretraining] for one in found
    ]
    print(common.table(["recipe", "task", "steps", "batch", "starts from"], rows))
    common.note(
        f"{common.counted(len(found), 'recipe')}; `entityseg train RECIPE --show` prints all settings of one"
    )


def _show(config: TrainingConfig, as_json: bool) -> None:
    resolved = config.resolved()
    if as_json:
        common.print_json({"sha256": config.digest(), "config": resolved})
        return
    import yaml

    yaml.safe_dump(resolved, sys.stdout, sort_keys=False, width=110)
    common.note(f"sha256 {config.digest()}")
