"""`entityseg score instance` and `entityseg score boundary`: AP with classes, and AP of boundaries."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli import common, score_common

if TYPE_CHECKING:
    from entityseg.metrics.class_score import ClassScore

INSTANCE_EXAMPLES = (
    "entityseg score instance --gt instances_val2017.json --pred results.json",
    "entityseg score instance --gt EntitySeg/ --split instance_val --pred results.json --mode pycocotools --json",
)
BOUNDARY_EXAMPLES = (
    "entityseg score boundary --gt val.json --pred predictions.json",
    "entityseg score boundary --gt instances_val2017.json --pred results.json --class-aware",
)
_SHOWN = ("AP", "AP50", "AP75", "AR@100")


class Mode(StrEnum):
    """How the figures are computed."""

    canonical = "canonical"
    pycocotools = "pycocotools"


Gt = Annotated[Path, typer.Option("--gt", help="Ground truth: an annotation file, or a dataset's folder.")]
Split = Annotated[
    str | None, typer.Option(help="Which split of the ground truth's folder, such as val or val_lr.")
]
ModeOption = Annotated[
    Mode, typer.Option(help="canonical ranks; pycocotools gives its numbers, quirks included.")
]
Bootstrap = Annotated[
    int, typer.Option(min=0, max=1_000_000, help="Resamples of the images for the intervals; 0 for none.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the resampling.")]
PerImage = Annotated[bool, typer.Option("--per-image", help="Give each image's own figures too.")]
PerCategory = Annotated[
    bool, typer.Option("--per-category", help="Print a table of the categories (--json always has it).")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Worker threads; all cores by default.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def instance(
    gt: Gt,
    pred: Annotated[Path, typer.Option("--pred", help="Predictions: COCO results with category_id.")],
    split: Split = None,
    mode: ModeOption = Mode.canonical,
    bootstrap: Bootstrap = 1000,
    seed: Seed = 0,
    per_image: PerImage = False,
    per_category: PerCategory = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """COCO's mask AP of instances with classes, the mean over the classes that occur, with 95 % intervals.

    Figures are in percent; as fractions, null where undefined, with --json.
    """
    common.load_masks()
    from entityseg.data import load
    from entityseg.metrics.scoring_instance import score_instance

    result = score_instance(
        load(gt, split=split, check=False),
        pred,
        mode=mode.value,
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
    )
    _show(result, as_json=as_json, per_category=per_category)


def boundary(
    gt: Gt,
    pred: Annotated[
        Path, typer.Option("--pred", help="Predictions: COCO results, JSONL, or a folder of id maps.")
    ],
    split: Split = None,
    mode: ModeOption = Mode.canonical,
    class_aware: Annotated[
        bool, typer.Option("--class-aware", help="Match by category, and average over the categories.")
    ] = False,
    ratio: Annotated[
        float, typer.Option(help="Width of the boundary band, as a fraction of the image's diagonal.")
    ] = 0.02,
    bootstrap: Bootstrap = 1000,
    seed: Seed = 0,
    per_image: PerImage = False,
    per_category: PerCategory = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Boundary AP: AP whose IoU is the smaller one of mask IoU and boundary IoU, with 95 % intervals.

    Categories are ignored unless --class-aware is given, and predictions may overlap. Figures are in percent; as
    fractions, null where undefined, with --json.
    """
    common.load_masks()
    from entityseg.data import load
    from entityseg.metrics.scoring_boundary import score_boundary

    if per_category and not class_aware:
        raise typer.BadParameter("--per-category needs --class-aware")
    result = score_boundary(
        load(gt, split=split, check=False),
        pred,
        mode=mode.value,
        class_aware=class_aware,
        ratio=ratio,
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
    )
    _show(result, as_json=as_json, per_category=per_category)


def _show(result: ClassScore, *, as_json: bool, per_category: bool) -> None:
    counts = result.counts
    lines = [
        f"masks: {counts['gt_masks']:,} in the ground truth, {counts['predictions']:,} predicted",
        *score_common.options_lines(result),
    ]
    score_common.show(result, as_json=as_json, lines=lines)
    if per_category and not as_json:
        print()
        print(score_common.category_table(result, _SHOWN, ("gt_masks", "predictions")))
