"""`entityseg bench ...`: tasks, runs, results, comparisons, reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli import common
from entityseg.errors import usage_error

if TYPE_CHECKING:
    from entityseg.benchmarks.results import Result

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
ModeOption = Annotated[
    str,
    typer.Option(help="canonical ranks; `bench show TASK` lists the modes that reproduce published code."),
]
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
    """List the tasks.

    With metric family, ranking figure, resolution track, and whether all that a run needs is installed here.
    """
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
    """Show a task, and published rows beside yours.

    Where its data come from and how their tree must look, what is counted, the prediction format and the modes.
    """
    from entityseg.benchmarks.results import read_result
    from entityseg.benchmarks.show import describe
    from entityseg.benchmarks.tables import MARK, published_rows
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
    print(describe(found))
    if rows:
        print("\n" + common.table(header, rows))
        if any(MARK in row[0] for row in rows):
            print(
                f"\n{MARK.strip()} cannot be right, or mixes protocols: `entityseg published lint` says why"
            )


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
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Result file to write.")] = None,
    mode: ModeOption = "canonical",
    overlap: OverlapOption = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="What goes with the predictions; manifest.json beside them by default."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the model in tables.")] = None,
    bootstrap: BootstrapOption = 1000,
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score predictions under a task.

    manifest.json beside the predictions, if there is one, is read and checked, and goes into the result.
    """
    common.load_masks()
    from entityseg.benchmarks.harness.scoring import score as score_task
    from entityseg.benchmarks.tasks import get

    result = score_task(
        get(task), pred, data=data, mode=mode, options={"overlap": overlap}, bootstrap=bootstrap, seed=seed,
        manifest=manifest, name=name, out=out, threads=threads, progress=common.progress,
    )  # fmt: skip
    _print_result(result, as_json=as_json)
    if out is not None:
        common.note(f"written: {out}")


@app.command(
    epilog=common.epilog(
        "entityseg bench run mini-entity-high --model superpixels --data mini --out runs/superpixels",
        "entityseg bench run mini-panoptic --model oracle --option noise=0.2 --data mini",
        "entityseg bench run coco-panoptic --model my_package.models:Mine --data /data",
        "entityseg bench run coco-panoptic --model my_package.models:Mine --data /data --shard 1/4 &",
    )
)
def run(
    task: Annotated[str, typer.Argument(help="Name of the task.")],
    model: Annotated[
        str,
        typer.Option("--model", help="A registered model, such as superpixels or oracle; or module:attr."),
    ],
    data: DataOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder of the run; runs/TASK-VERSION/MODEL by default. Run again, it goes on.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value for the model; several may be given.")
    ] = None,
    statements: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            help="JSON of what goes into the manifest: checkpoint, training_data, uses_split_in_training, ...",
        ),
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Images a shard.")] = 32,
    shard: Annotated[
        str | None,
        typer.Option(
            help="i/n: predict only every n-th shard from the i-th; several processes, one i each, share the folder. "
            "When all are through, the same command without --shard scores."
        ),
    ] = None,
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
    """Run a model on a task, and score it.

    Predictions are written shard by shard: killed at any point, the same command goes on where it was.
    """
    common.load_masks()
    from entityseg.benchmarks.harness.run import predict
    from entityseg.benchmarks.harness.run import run as run_task
    from entityseg.benchmarks.harness.shares import Share
    from entityseg.benchmarks.tasks import get
    from entityseg.predictions.manifest import read_statements

    found = get(task)
    said = None if statements is None else read_statements(statements)
    if ":" in model:
        # A module beside the user, as other tools that take module:attr find it; behind all others.
        sys.path.append(str(Path.cwd()))
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in model)
    folder = out or Path("runs") / found.name.replace("@", "-") / plain
    given = common.name_values(option or [], "--option")
    if shard is not None:
        part = predict(
            found, model, folder, Share.parse(shard), data=data, model_options=given, shard_size=shard_size,
            overwrite=overwrite, progress=common.progress,
        )  # fmt: skip
        if as_json:
            common.print_json(
                {"folder": str(folder), "predicted": part.predicted, "reused": part.reused, "due": part.due}
            )
        what = (
            f"{common.counted(part.due, 'unit')} of other shares are due"
            if part.due
            else "all shares are there"
        )
        common.note(f"share {shard}: {part.predicted} predicted, {part.reused} were there already; {what}")
        common.note("the same command without --shard goes on with what is due, and scores")
        return
    done = run_task(
        found, model, folder, data=data, model_options=given, shard_size=shard_size, mode=mode,
        options={"overlap": overlap}, bootstrap=bootstrap, seed=seed, statements=said, overwrite=overwrite,
        threads=threads, progress=common.progress,
    )  # fmt: skip
    _print_result(done.result, as_json=as_json)
    common.note(f"{done.predicted} predicted, {done.reused} were there already; everything is in {folder}")


@app.command(
    epilog=common.epilog("entityseg bench compare runs/a runs/b", "entityseg bench compare a.json b.json")
)
def compare(
    a: Annotated[Path, typer.Argument(help="A result file, or a run's folder.")],
    b: Annotated[Path, typer.Argument(help="Another one of the same task.")],
    as_json: JsonOption = False,
) -> None:
    """Compare two results of a task.

    The difference B - A of every figure, with the 95 % interval of the paired bootstrap. What cannot be compared is
    refused, with the reasons.
    """
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
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path("report.html"),
    pictures: Annotated[int, typer.Option(min=0, max=200, help="How many images to draw, worst first.")] = 12,
    as_json: JsonOption = False,
) -> None:
    """Write an HTML page about results.

    Figures with intervals, differences, curves, all images sorted by score, and the worst ones drawn with ground
    truth, prediction and errors.
    """
    common.load_masks()
    from entityseg.benchmarks.report import write_report

    write_report(out, results, data=data, pictures=pictures, progress=common.progress)
    if as_json:
        common.print_json({"page": str(out)})
    else:
        print(f"Open {out.resolve().as_uri()}")


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
