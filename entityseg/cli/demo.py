"""`entityseg demo`: a tour of the package in one command, with a page to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli.common import (
    counted,
    epilog,
    load_masks,
    new_command,
    note,
    percent,
    print_json,
    progress,
    table,
)

if TYPE_CHECKING:
    from entityseg.metrics.result import Score
    from entityseg.report.demo import Demo

app = new_command()
_FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR@100")


@app.command(
    epilog=epilog(
        "entityseg demo",
        "entityseg demo --quick",
        "entityseg demo --out tour --scenes 16",
        "entityseg demo --data annotations/ --split val",
        "entityseg demo --gt val.json --pred predictions.json",
    )
)
def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write to: new, or made by an earlier run.")
    ] = Path("demo"),
    data: Annotated[
        Path | None, typer.Option(help="A dataset of your own in place of the mini dataset.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which reading of --data, where it has several.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Format of --data, where several fit.")] = None,
    gt: Annotated[Path | None, typer.Option(help="Ground truth of --pred; --data where not given.")] = None,
    pred: Annotated[Path | None, typer.Option(help="Predictions to score in place of the made ones.")] = None,
    scenes: Annotated[int, typer.Option(min=4, help="Scenes of the mini dataset.")] = 64,
    seed: Annotated[int, typer.Option(help="Of everything that is random.")] = 0,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples for the intervals; 0 for none.")] = 1000,
    quick: Annotated[bool, typer.Option("--quick", help="Train no models; under a minute.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Images side by side; all cores if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """A tour: make a dataset, convert it, score predictions, train two small models; a page (OUT/index.html)."""
    load_masks()
    from entityseg.report.demo import run_demo

    done = run_demo(
        out, data=data, split=split, from_=from_, gt=gt, pred=pred, scenes=scenes, seed=seed,
        bootstrap=bootstrap, chapters=not quick, threads=threads, progress=progress,
    )  # fmt: skip
    if data is None and gt is None:
        note(f"The mini dataset: {scenes} scenes in {out / 'mini'}")
    if as_json:
        print_json(done.to_json())
    else:
        _print(done)
    if done.conversion.refused is None and not done.conversion.lossless:
        raise typer.Exit(1)


def _print(done: Demo) -> None:
    conversion, summary = done.conversion, done.summary
    entities = counted(len(summary.areas), "entity", "entities")
    print(f"Dataset: {counted(len(summary.counts), 'image')}, {entities}")
    if conversion.refused is not None:
        print("Conversion to COCO panoptic and back: refused, something would be lost")
        for line in conversion.refused.lines()[:5]:
            print(f"  {line}")
    elif conversion.lossless:
        print(f"Conversion to COCO panoptic and back: nothing lost, {conversion.masks:,} masks are the same")
    else:
        print(f"Conversion to COCO panoptic and back: {counted(len(conversion.differences), 'difference')}")
        for line in conversion.differences.lines()[:5]:
            print(f"  {line}")
    print()
    print(score_table(done.scores))
    for chapter in done.chapters.values():
        print("\n" + "\n".join(chapter.lines))
    print(f"\nOpen {done.page.resolve().as_uri()}")


def score_table(scores: Mapping[str, Score]) -> str:
    """Return figures in percent, and below them their intervals, one column for each set of predictions."""
    rows = []
    for name in _FIGURES:
        row = [next(iter(scores.values())).metric if name == "AP" else name]
        for score in scores.values():
            pair = score.intervals.get(name)
            row += [percent(score.values[name]), f"{percent(pair[0])} to {percent(pair[1])}" if pair else ""]
        rows.append(row)
    return table(["in percent", *(cell for name in scores for cell in (name, "95 % interval"))], rows)
