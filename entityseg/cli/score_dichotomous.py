"""`entityseg score dichotomous`: the measures of DIS5K."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from entityseg.cli import common, score_common

EXAMPLES = (
    "entityseg score dichotomous --gt DIS5K/DIS-VD/gt --pred maps/DIS-VD",
    "entityseg score dichotomous --gt DIS5K/DIS-TE1 --pred maps/DIS-TE1 --json > score.json",
    "entityseg score dichotomous --gt DIS5K/DIS-VD/gt --pred maps/DIS-VD --mode pysod",
)


class Mode(StrEnum):
    """How the figures are computed."""

    canonical = "canonical"
    pysod = "pysod"
    dis_official = "dis-official"


def dichotomous(
    gt: Annotated[Path, typer.Option("--gt", help="Ground truth: a folder of 8-bit grey PNG files.")],
    pred: Annotated[
        Path, typer.Option("--pred", help="Predictions: a folder of 8-bit grey PNG files of the same stems.")
    ],
    skeletons: Annotated[
        Path | None, typer.Option(help="Folder of skeletons of the ground truth, where there is one.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="canonical ranks; the others give the numbers of published code.")
    ] = Mode.canonical,
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
    """F, weighted F, MAE, S, E and HCE of foreground maps, with 95 % intervals.

    A missing map counts as all background. Figures are in percent, HCE as it is; as fractions, null where undefined,
    with --json.
    """
    common.load_masks()
    from entityseg.metrics.dichotomous import COUNTS
    from entityseg.metrics.scoring_dichotomous import score_dichotomous

    result = score_dichotomous(
        gt,
        pred,
        mode=mode.value,
        skeletons=skeletons,
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
    )
    empty = result.counts["empty_gt"]
    lines = [
        *([f"ground truth without foreground: {common.counted(empty, 'image')}"] if empty else []),
        *score_common.options_lines(result),
    ]
    score_common.show(result, as_json=as_json, lines=lines, plain=COUNTS)
