"""`entityseg bench ...`: tasks, runs, results, comparisons, reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entityseg.cli import common
from entityseg.errors import usage_error

if TYPE_CHECKING:
    from entityseg.benchmarks.results import Result
    from entityseg.benchmarks.tasks.record import Task

app = common.new_app(
    "Benchmark tasks: run a model or score predictions, compare, report.",
    [
        "entityseg bench list",
        "entityseg data mini mini && entityseg bench run mini-entity-high --model superpixels --data mini",
    ],
)

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="The dataset's folder, or one that holds it; $ENTITYSEG_DATA by default."),
]
ModeOption = Annotated[str, typer.Option(help="canonical ranks; compat modes reproduce published code.")]
OverlapOption = Annotated[
    str | None, typer.Option(help="Overlapping entities: refuse (default), resolve, or allow (plain AP).")
]
BootstrapOption = Annotated[
    int, typer.Option(min=0, max=100_000, help="Resamples of the images for the intervals; 0 for none.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the resampling.")]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="Worker threads; all cores by default.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list", epilog=common.epilog("entityseg bench list", "entityseg bench list mini --json"))
def list_tasks(
    word: Annotated[str, typer.Argument(help="Only tasks whose name or family has this word.")] = "",
    as_json: JsonOption = False,
) -> None:
    """All tasks: name, metric family, ranking figure, and whether it can be run here."""
    from entityseg.benchmarks.harness.families import is_ready
    from entityseg.benchmarks.tasks import tasks

    chosen = [task for task in tasks() if word.lower() in f"{task.name} {task.family}".lower()]
    if as_json:
        common.print_json({"tasks": [{**task.model_dump(), "ready": is_ready(task)} for task in chosen]})
        return
    rows = [
        [task.name, task.family, task.main, task.track, "yes" if is_ready(task) else "not yet"]
        for task in chosen
    ]
    print(common.table(["task", "family", "ranks by", "track", "runs"], rows))
    print(f"\n{common.counted(len(chosen), 'task')}; `entityseg bench show TASK` says more")


@app.command(
    epilog=common.epilog(
        "entityseg bench show entityseg-entity-high",
        "entityseg bench show entityseg-entity-high --result runs/mine",
    )
)
def show(
    task: Annotated[str, typer.Argument(help="Name of the task.")],
    result: Annotated[
        list[Path] | None, typer.Option("--result", help="Your result, to stand beside the published rows.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """One task: data, tree, counts, prediction format, modes, and the published rows beside yours."""
    from entityseg.benchmarks.results import read_result
    from entityseg.benchmarks.tables import published_rows
    from entityseg.benchmarks.tasks import get
    from entityseg.benchmarks.tasks.mini import mini_name

    found = get(task)
    own = [read_result(path) for path in result or []]
    for one in own:
        if one.task not in (found.name, mini_name(found.name)):
            message, remedy = f"the result is one of {one.task}", "Show that task."
            raise usage_error("show.task", message, remedy, value=found.name)
    header, rows = published_rows(found, own)
    if as_json:
        table = [dict(zip(header, row, strict=True)) for row in rows]
        common.print_json({**found.model_dump(), "digest": found.digest(), "rows": table})
        return
    print(_task_text(found))
    if rows:
        print("\n" + common.table(header, rows))


def _task_text(task: Task) -> str:
    data = task.data
    counts = ", ".join(f"{one.value:,} {one.name}{'' if one.sure else ' (?)'}" for one in task.counts)
    lines = [
        f"{task.name}: {task.title}",
        f"  ranks by      {task.main} ({task.family}); resolution {task.track}; modes {', '.join(task.modes)}",
        f"  predictions   {task.predictions}",
        f"  data          {data.folder or '-'}, revision {data.revision}; {data.get}",
        *(f"                {data.folder}/{file}" for file in data.files),
        *([f"  expects       {counts}"] if counts else []),
        *([f"  sets          {', '.join(task.members)}"] if task.members else []),
        *(f"  note          {note}" for note in task.notes),
        *([f"  superseded by {task.superseded_by}"] if task.superseded_by else []),
        f"  digest        {task.digest()}",
    ]
    return "\n".join(lines)


@app.command(
    epilog=common.epilog(
        "entityseg bench score entityseg-entity-high --pred mine.jsonl --data EntitySeg --out mine.json",
        "entityseg bench score mini-panoptic --pred panoptic/ --data mini --mode panopticapi --json",
    )
)
def score(
    task: Annotated[str, typer.Argument(help="Name of the task.")],
    pred: Annotated[Path, typer.Option("--pred", help="Predictions in the task's format.")],
    data: DataOption = None,
    out: Annotated[Path | None, typer.Option(help="Result file to write.")] = None,
    mode: ModeOption = "canonical",
    overlap: OverlapOption = None,
    name: Annotated[str | None, typer.Option(help="What to call the model in tables.")] = None,
    bootstrap: BootstrapOption = 1000,
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a file of predictions under a task."""
    common.load_masks()
    from entityseg.benchmarks.harness.scoring import score as score_task
    from entityseg.benchmarks.tasks import get

    result = score_task(
        get(task), pred, data=data, mode=mode, options={"overlap": overlap}, bootstrap=bootstrap, seed=seed,
        model={"model": name} if name else None, out=out, threads=threads, progress=common.progress,
    )  # fmt: skip
    _print_result(result, as_json=as_json)
    if out is not None:
        common.note(f"written: {out}")


@app.command(
    epilog=common.epilog(
        "entityseg bench run mini-entity-high --model superpixels --data mini --out runs/superpixels",
        "entityseg bench run mini-panoptic --model oracle --option noise=0.2 --data mini",
        "entityseg bench run coco-panoptic --model my_package.models:Mine --data /data",
    )
)
def run(
    task: Annotated[str, typer.Argument(help="Name of the task.")],
    model: Annotated[str, typer.Option("--model", help="Name of a registered model, or module:attr.")],
    data: DataOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run; runs/TASK/MODEL by default. Run again, it goes on."),
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value for the model; several may be given.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="JSON with checkpoint, training_data, uses_split_in_training, ...")
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Images a shard.")] = 32,
    mode: ModeOption = "canonical",
    overlap: OverlapOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Throw away another run in the folder.")
    ] = False,
    bootstrap: BootstrapOption = 1000,
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a model on a task shard by shard, then score it; killed at any point, it goes on."""
    common.load_masks()
    from entityseg.benchmarks.harness.run import run as run_task
    from entityseg.benchmarks.tasks import get
    from entityseg.data.json_file import parse_json_file, require_type

    found = get(task)
    extra = None if manifest is None else require_type(parse_json_file(manifest), dict, "it", str(manifest))
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in model)
    folder = out or Path("runs") / found.name.replace("@", "-") / plain
    done = run_task(
        found, model, folder, data=data, model_options=_options(option or []), shard_size=shard_size,
        mode=mode, options={"overlap": overlap}, bootstrap=bootstrap, seed=seed, manifest=extra,
        overwrite=overwrite, threads=threads, progress=common.progress,
    )  # fmt: skip
    _print_result(done.result, as_json=as_json)
    common.note(f"{done.predicted} predicted, {done.reused} were there already; everything is in {folder}")


def _options(given: list[str]) -> dict[str, Any]:
    """Return name=value pairs; values are JSON where they can be, else texts."""
    options: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise typer.BadParameter(f"{text!r} is not name=value", param_hint="--option")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


@app.command(
    epilog=common.epilog("entityseg bench compare runs/a runs/b", "entityseg bench compare a.json b.json")
)
def compare(
    a: Annotated[Path, typer.Argument(help="A result file, or a run's folder.")],
    b: Annotated[Path, typer.Argument(help="Another one of the same task.")],
    as_json: JsonOption = False,
) -> None:
    """Paired bootstrap difference B - A with its 95 % interval; refuses what cannot be compared."""
    from entityseg.benchmarks.compare import compare as compare_results
    from entityseg.benchmarks.tables import difference_rows

    found = compare_results(a, b)
    common.print_findings(found.warnings)
    if as_json:
        common.print_json(found.to_json())
        return
    print(f"{found.a.task}\n  A: {found.a.name}\n  B: {found.b.name}\n")
    print(common.table(["figure", "A", "B", "B - A", "95 % interval", "p", ""], difference_rows(found)))
    resamples = found.a.bootstrap.resamples
    print(f"\npaired over {resamples:,} resamples of the images; * the interval excludes 0")


@app.command(
    epilog=common.epilog(
        "entityseg bench report runs/mine --data mini --out report.html",
        "entityseg bench report runs/a runs/b --data mini --out both.html",
    )
)
def report(
    results: Annotated[list[Path], typer.Argument(help="Result files or run folders of one task.")],
    data: DataOption = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    pictures: Annotated[int, typer.Option(min=0, max=200, help="How many images to draw, worst first.")] = 12,
    threads: ThreadsOption = None,
) -> None:
    """Write one HTML page: figures with intervals, curves, and images with their errors, worst first."""
    common.load_masks()
    from entityseg.benchmarks.report import write_report

    write_report(out, results, data=data, pictures=pictures, threads=threads, progress=common.progress)
    common.note(f"written: {out}")


def _print_result(result: Result, *, as_json: bool) -> None:
    for line in result.warnings:
        common.note(line)
    if as_json:
        common.print_json(result.model_dump(mode="json"))
        return
    from entityseg.benchmarks.tables import result_rows

    header = ["%", result.metric, *(["95 % interval"] if result.intervals else [])]
    print(f"{result.task}: {result.name}\n")
    print(common.table(header, result_rows(result)))
    counts = result.counts
    print(
        f"\n{counts['expected']:,} expected, {counts['predicted']:,} predicted, {counts['missing']:,} missing, "
        f"{counts['empty']:,} empty; mode {result.mode}"
    )
