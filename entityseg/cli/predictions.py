"""`entityseg predictions ...`: check, convert and repair files of predictions."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli import common

if TYPE_CHECKING:
    from entityseg.data.records import Dataset
    from entityseg.predictions.records import Predictions
    from entityseg.predictions.resolving import ResolveReport

app = common.new_app(
    "Check, convert and repair files of predictions.",
    [
        "entityseg predictions check --gt val.json predictions.json",
        "entityseg predictions convert --to jsonl predictions.json predictions.jsonl",
        "entityseg predictions resolve --rule score sam.json disjoint.json",
    ],
)


class Format(StrEnum):
    """Formats of predictions."""

    coco = "coco"
    jsonl = "jsonl"
    idmap = "idmap"


class Rule(StrEnum):
    """Rules that make masks disjoint."""

    score = "score"
    area = "area"
    released = "released"


_Gt = Annotated[
    Path | None,
    typer.Option("--gt", help="Ground truth, which says what images there are; else the predictions do."),
]
_Split = Annotated[str | None, typer.Option("--split", help="Which split of the ground truth's folder.")]
_From = Annotated[
    Format | None, typer.Option("--from", help="Format of the input; found out if it is not given.")
]
_Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Worker threads; all cores by default.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
_Lossy = Annotated[
    bool,
    typer.Option("--lossy", help="Leave out what the format cannot hold (never cuts overlapping masks)."),
]
_Source = Annotated[
    Path, typer.Argument(metavar="SRC", help="The predictions: a file, or a folder of id maps.")
]
_Target = Annotated[Path, typer.Argument(metavar="DST", help="The file, or the folder of id maps, to write.")]


@app.command(
    epilog=common.epilog(
        "entityseg predictions check --gt val.json predictions.json",
        "entityseg predictions check --gt val.json --json maps/",
        "entityseg predictions check --allow-overlap detector.json",
    )
)
def check(
    source: _Source,
    gt: _Gt = None,
    split: _Split = None,
    from_format: _From = None,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Overlapping masks are a warning only, as for plain AP.")
    ] = False,
    threads: _Threads = None,
    as_json: _Json = False,
) -> int:
    """List everything that is wrong with predictions; exit code 1 if there are errors."""
    common.load_masks()
    from entityseg.predictions.checking import check as check_predictions

    report = check_predictions(
        source,
        _load(gt, split),
        format=None if from_format is None else from_format.value,
        overlap=allow_overlap,
        threads=threads,
        progress=common.progress,
    )
    if as_json:
        common.print_json(report.to_json())
        return int(not report.ok)
    for line in report.findings.lines():
        print(line)
    counts = report.counts
    if counts is not None:
        print(
            f"images: {counts.expected:,} expected, {counts.predicted:,} predicted, {counts.missing:,} missing, "
            f"{counts.empty:,} empty, {counts.overlapping:,} with overlap; "
            f"{common.counted(counts.predictions, 'prediction')}"
        )
    errors, warnings = report.findings.errors, report.findings.warnings
    print(f"{'fine' if report.ok else 'NOT fine'}: {_and(errors, warnings)}")
    return int(not report.ok)


@app.command(
    epilog=common.epilog(
        "entityseg predictions convert --to jsonl predictions.json predictions.jsonl",
        "entityseg predictions convert --gt val.json --to idmap predictions.json maps/",
        "entityseg predictions convert --gt val.json --from idmap --to coco maps/ predictions.json",
    )
)
def convert(
    source: _Source,
    target: _Target,
    to_format: Annotated[Format, typer.Option("--to", help="Format of the output.")],
    gt: _Gt = None,
    split: _Split = None,
    from_format: _From = None,
    lossy: _Lossy = False,
    overwrite: _Overwrite = False,
    threads: _Threads = None,
    as_json: _Json = False,
) -> None:
    """Write predictions in another format; scores and masks stay exactly the same."""
    common.load_masks()
    predictions = _read(source, gt, split, from_format)
    _write(predictions, target, to_format, lossy, overwrite, threads)
    common.print_findings(predictions.warnings)
    listed, masks = int(predictions.listed.sum()), len(predictions.scores)
    if as_json:
        common.print_json(
            {
                "source": str(source),
                "target": str(target),
                "format": to_format.value,
                "images": listed,
                "predictions": masks,
                "warnings": predictions.warnings.to_json(),
            }
        )
    else:
        print(
            f"{target}: {common.counted(masks, 'prediction')} for {common.counted(listed, 'image')}, "
            f"as {to_format.value}"
        )


@app.command(
    epilog=common.epilog(
        "entityseg predictions resolve --rule score sam.json disjoint.json",
        "entityseg predictions resolve --rule area --to jsonl sam.json disjoint.jsonl",
        "entityseg predictions resolve --gt val.json --rule released --keep 100 detector.json disjoint.json --json",
    )
)
def resolve(
    source: _Source,
    target: _Target,
    rule: Annotated[
        Rule,
        typer.Option(
            "--rule",
            help="Which mask keeps a shared pixel: that of the higher score; the smaller one (area); or all as the "
            "released models do it (the best 100 by score, emptied ones kept with score 0, scores times 0.731).",
        ),
    ] = Rule.score,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            min=0,
            help="For --rule released only: masks kept an image, 100 where not given; 0 keeps all.",
        ),
    ] = None,
    gt: _Gt = None,
    split: _Split = None,
    from_format: _From = None,
    to_format: Annotated[
        Format | None, typer.Option("--to", help="Format of the output; the input's by default.")
    ] = None,
    lossy: _Lossy = False,
    overwrite: _Overwrite = False,
    threads: _Threads = None,
    as_json: _Json = False,
) -> None:
    """Make overlapping masks disjoint by a named rule, and say what changed."""
    if keep is not None and rule is not Rule.released:
        raise typer.BadParameter("--keep needs --rule released; the other rules keep all masks")
    common.load_masks()
    from entityseg.predictions.read import find_format
    from entityseg.predictions.resolving import RELEASED_KEEP
    from entityseg.predictions.resolving import resolve as resolve_predictions

    predictions = _read(source, gt, split, from_format)
    resolved, report = resolve_predictions(
        predictions,
        rule.value,
        keep=RELEASED_KEEP if keep is None else keep or None,
        threads=threads,
        progress=common.progress,
    )
    written = to_format or from_format or Format(find_format(source))
    _write(resolved, target, written, lossy, overwrite, threads)
    common.print_findings(predictions.warnings)
    if as_json:
        common.print_json(
            {"source": str(source), "target": str(target), "format": written.value, **report.to_json()}
        )
    else:
        print(_resolved_text(report, target))


def _resolved_text(report: ResolveReport, target: Path) -> str:
    """Return what a rule changed as a person reads it: the totals, and the images that lost most."""
    touched = [image for image in report.images if image.changed or image.dropped]
    lines = [
        f"{target}: rule {report.rule}; of {common.counted(report.total('masks'), 'mask')} in "
        f"{common.counted(len(report.images), 'image')}, {report.total('changed'):,} lost pixels "
        f"({report.total('pixels'):,} in all), {report.total('emptied'):,} of them every one; "
        f"{report.total('dropped'):,} dropped"
    ]
    if touched:
        worst = sorted(touched, key=lambda image: (-image.pixels, -image.dropped))[:20]
        header = ["image", "masks", "changed", "emptied", "dropped", "pixels"]
        rows = [
            [str(one.image_id), one.masks, one.changed, one.emptied, one.dropped, f"{one.pixels:,}"]
            for one in worst
        ]
        lines += ["", common.table(header, rows)]
        if len(touched) > len(worst):
            lines.append(f"... and {common.counted(len(touched) - len(worst), 'more image')}")
    return "\n".join(lines)


def _load(gt: Path | None, split: str | None) -> Dataset | None:
    if gt is None:
        if split is not None:
            raise typer.BadParameter("--split says which split of --gt, which is not given")
        return None
    from entityseg.data import load

    return load(gt, split=split, check=False)


def _read(source: Path, gt: Path | None, split: str | None, from_format: Format | None) -> Predictions:
    from entityseg.predictions.read import read_predictions

    return read_predictions(
        source, _load(gt, split), format=None if from_format is None else from_format.value
    )


def _write(
    predictions: Predictions,
    target: Path,
    to_format: Format,
    lossy: bool,
    overwrite: bool,
    threads: int | None,
) -> None:
    from entityseg.predictions.write import write_predictions

    write_predictions(
        predictions,
        target,
        format=to_format.value,
        lossy=lossy,
        overwrite=overwrite,
        threads=threads,
        progress=common.progress,
    )


def _and(errors: int, warnings: int) -> str:
    return f"{common.counted(errors, 'error')}, {common.counted(warnings, 'warning')}"
