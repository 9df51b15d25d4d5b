"""`entityseg score semantic`: mIoU, fwIoU, mACC and pACC."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from entityseg.cli import common, score_common

EXAMPLES = (
    "entityseg score semantic --gt entityseg_semseg_val.txt --pred maps/",
    "entityseg score semantic --gt ade/list.txt --pred sem_seg_predictions.json --mode d2-semseg --json",
)


class Mode(StrEnum):
    """How the figures are computed."""

    canonical = "canonical"
    d2_semseg = "d2-semseg"
    mmseg = "mmseg"


def semantic(
    gt: Annotated[
        Path, typer.Option("--gt", help="Ground truth: a list of semantic maps, or a dataset's folder.")
    ],
    pred: Annotated[
        Path, typer.Option("--pred", help="Predictions: a folder of label PNGs, or detectron2's JSON list.")
    ],
    split: Annotated[
        str | None, typer.Option(help="Which split of the ground truth's folder, such as val.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="canonical ranks; d2-semseg is detectron2's count, mmseg mmsegmentation's.")
    ] = Mode.canonical,
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
    """Mean IoU of semantic classes, with frequency-weighted IoU, mean and pixel accuracy, and 95 % intervals.

    Pixels without a true class do not count; pixels without a predicted one are missed. Figures are in percent; as
    fractions, null where undefined, with --json.
    """
    common.load_masks()
    from entityseg.data import load
    from entityseg.metrics.scoring_semantic import score_semantic

    result = score_semantic(
        load(gt, split=split, check=False),
        pred,
        mode=mode.value,
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
    )
    lines = [
        f"categories: {result.counts['categories']:,} of {len(result.per_category):,} are in the ground truth",
        *score_common.options_lines(result),
    ]
    score_common.show(result, as_json=as_json, lines=lines)
    if per_category and not as_json:
        print()
        print(score_common.category_table(result, ("IoU", "ACC"), ("gt_pixels", "pred_pixels")))
