"""`entityseg score ...`: predictions against a ground truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli import common

if TYPE_CHECKING:
    from entityseg.metrics.result import Score

app = common.new_app(
    "Score predictions against a ground truth.",
    ["entityseg score entity --gt val.json --pred predictions.json"],
)


class Mode(StrEnum):
    """How the figures are computed."""

    canonical = "canonical"
    pycocotools = "pycocotools"


class Compat(StrEnum):
    """Published code paths that can be reproduced."""

    pycocotools = "pycocotools"


@app.command(
    epilog=common.epilog(
        "entityseg score entity --gt val.json --pred predictions.json",
        "entityseg score entity --gt EntitySeg/ --split val_lr --pred maps/ --json > score.json",
        "entityseg score entity --gt val.json --pred sam.json --resolve-overlap",
        "entityseg score entity --gt val.json --pred detector.json --allow-overlap --compat pycocotools",
    )
)
def entity(
    gt: Annotated[
        Path, typer.Option("--gt", help="Ground truth: an annotation file, or a dataset's folder.")
    ],
    pred: Annotated[
        Path, typer.Option("--pred", help="Predictions: COCO results, JSONL, or a folder of id maps.")
    ],
    split: Annotated[
        str | None, typer.Option(help="Which split of the ground truth's folder, such as val or val_lr.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="canonical ranks; pycocotools gives its numbers, quirks included.")
    ] = Mode.canonical,
    compat: Annotated[Compat | None, typer.Option(help="The same as --mode, by the other name.")] = None,
    resolve_overlap: Annotated[
        bool,
        typer.Option("--resolve-overlap", help="Where masks overlap, the higher score keeps the pixels."),
    ] = False,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Take overlapping masks as they are: plain AP, not AP^e.")
    ] = False,
    bootstrap: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Resamples of the images for the intervals; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Give each image's own figures too.")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Worker threads; all cores by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """AP^e of class-agnostic entity masks, with 95 % intervals.

    Masks of an image must not overlap: overlapping predictions are refused, unless one of the two options says what
    to do with them. Figures are in percent; as fractions, null where undefined, with --json.
    """
    if resolve_overlap and allow_overlap:
        raise typer.BadParameter("choose one of --resolve-overlap and --allow-overlap")
    common.load_masks()
    from entityseg.data import load
    from entityseg.metrics.scoring import score
    from entityseg.predictions.read import read_predictions

    as_pycocotools = compat is Compat.pycocotools or mode is Mode.pycocotools
    dataset = load(gt, split=split, check=False)
    predictions = read_predictions(pred, dataset, box_areas=as_pycocotools)
    result = score(
        dataset,
        predictions,
        mode="pycocotools" if as_pycocotools else "canonical",
        overlap="resolve" if resolve_overlap else "allow" if allow_overlap else "refuse",
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
    )
    common.print_findings(result.warnings)
    if as_json:
        common.print_json(result.to_json())
    else:
        print(_text(result))


def _text(result: Score) -> str:
    """Return the score as a person reads it."""
    counts = result.counts
    rows = []
    for name, value in result.values.items():
        interval = result.intervals.get(name)
        between = (
            "-" if interval is None else f"{common.percent(interval[0])} - {common.percent(interval[1])}"
        )
        rows.append([name, common.percent(value), *([between] if result.intervals else [])])
    header = ["%", result.metric, *(["95 % interval"] if result.intervals else [])]
    parts = [
        common.table(header, rows),
        "",
        f"images: {counts.expected:,} expected, {counts.predicted:,} predicted, {counts.missing:,} missing, "
        f"{counts.empty:,} empty",
        f"masks: {counts['gt_masks']:,} in the ground truth, {counts['predictions']:,} predicted",
        f"mode: {result.mode}; overlap: {result.options['overlap']}"
        + (f" ({common.counted(counts['pred_overlapping'], 'image')})" if counts["pred_overlapping"] else ""),
    ]
    if result.per_image is not None:
        names = list(next(iter(result.per_image.values()), {}))
        lines = [
            [str(image_id), *(common.percent(values[name]) for name in names)]
            for image_id, values in result.per_image.items()
        ]
        parts += ["", common.table(["image", *names], lines)]
    return "\n".join(parts)
