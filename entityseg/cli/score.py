"""`entityseg score ...`: predictions against a ground truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from entityseg.cli import (
    common,
    score_common,
    score_dichotomous,
    score_masks,
    score_panoptic,
    score_semantic,
    score_texts,
    score_video,
)

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
        Mode | None,
        typer.Option(help="canonical (default) ranks; pycocotools gives its numbers, quirks included."),
    ] = None,
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
    if mode is not None and compat is not None and mode.value != compat.value:
        raise typer.BadParameter(
            f"--mode {mode} and --compat {compat} contradict each other; give one of them"
        )
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
    counts = result.counts
    overlapping = counts["pred_overlapping"]
    resolved = f" ({common.counted(overlapping, 'image')})" if overlapping else ""
    lines = [
        f"masks: {counts['gt_masks']:,} in the ground truth, {counts['predictions']:,} predicted",
        f"mode: {result.mode}; overlap: {result.options['overlap']}{resolved}",
    ]
    score_common.show(result, as_json=as_json, lines=lines)


app.command("panoptic", epilog=common.epilog(*score_panoptic.EXAMPLES))(score_panoptic.panoptic)
app.command("semantic", epilog=common.epilog(*score_semantic.EXAMPLES))(score_semantic.semantic)
app.command("referring", epilog=common.epilog(*score_texts.REFERRING_EXAMPLES))(score_texts.referring)
app.command("narrative", epilog=common.epilog(*score_texts.NARRATIVE_EXAMPLES))(score_texts.narrative)
app.command("reasoning", epilog=common.epilog(*score_texts.REASONING_EXAMPLES))(score_texts.reasoning)
app.command("dichotomous", epilog=common.epilog(*score_dichotomous.EXAMPLES))(score_dichotomous.dichotomous)
app.command("instance", epilog=common.epilog(*score_masks.INSTANCE_EXAMPLES))(score_masks.instance)
app.command("boundary", epilog=common.epilog(*score_masks.BOUNDARY_EXAMPLES))(score_masks.boundary)
app.command("video", epilog=common.epilog(*score_video.EXAMPLES))(score_video.video)
