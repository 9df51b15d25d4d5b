"""`entityseg score panoptic`: PQ, SQ and RQ."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from entityseg.cli import common, score_common

EXAMPLES = (
    "entityseg score panoptic --gt panoptic_val2017.json --pred predictions.json",
    "entityseg score panoptic --gt panoptic_val.json --pred segments_rle.json --json > score.json",
    "entityseg score panoptic --gt ade20k_panoptic_val.json --pred predictions.json --mode panopticapi",
)


class Mode(StrEnum):
    """How the figures are computed."""

    canonical = "canonical"
    panopticapi = "panopticapi"


def panoptic(
    gt: Annotated[Path, typer.Option("--gt", help="Ground truth: a panoptic JSON, or a dataset's folder.")],
    pred: Annotated[
        Path,
        typer.Option("--pred", help="Predictions: a panoptic JSON or its folder, or a list with RLE masks."),
    ],
    split: Annotated[
        str | None, typer.Option(help="Which split of the ground truth's folder, such as val2017.")
    ] = None,
    png_root: Annotated[
        Path | None, typer.Option(help="Folder of the predicted PNGs, where it is not beside the JSON.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="canonical ranks; panopticapi gives its numbers, quirks included.")
    ] = Mode.canonical,
    lenient: Annotated[
        bool,
        typer.Option(
            "--lenient",
            help="In mode panopticapi, count an image without prediction as all void, as canonical always does.",
        ),
    ] = False,
    bootstrap: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Resamples of the images for the intervals; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Give each image's own figures too.")
    ] = False,
    per_category: Annotated[
        bool, typer.Option("--per-category", help="Print a table of the categories (--json always has it).")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Worker threads; all cores by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """PQ, SQ and RQ of panoptic segments over all categories, things and stuff, with 95 % intervals.

    Each pixel belongs to one segment at most. An image without prediction counts as empty. Figures are in percent; as
    fractions, null where undefined, with --json.
    """
    common.load_masks()
    from entityseg.data import load
    from entityseg.metrics.scoring_panoptic import score_panoptic

    result = score_panoptic(
        load(gt, split=split, check=False),
        pred,
        mode=mode.value,
        lenient=lenient,
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
        png_root=png_root,
    )
    counts = result.counts
    lines = [
        f"segments: {counts['gt_segments']:,} in the ground truth, {counts['predictions']:,} predicted",
        f"categories: {counts['categories']:,} of {len(result.per_category):,} occur "
        f"({counts['categories_things']:,} things, {counts['categories_stuff']:,} stuff)",
        *score_common.options_lines(result),
    ]
    score_common.show(result, as_json=as_json, lines=lines)
    if per_category and not as_json:
        print()
        print(score_common.category_table(result, ("PQ", "SQ", "RQ"), ("TP", "FP", "FN")))
