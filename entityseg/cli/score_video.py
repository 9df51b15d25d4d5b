"""`entityseg score video`: tubes and panoptic videos."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from entityseg.cli import common, score_common

EXAMPLES = (
    "entityseg score video --gt train_holdout.json --pred results.json",
    "entityseg score video --task uvo --gt UVO_video_val_dense.json --pred results.json",
    "entityseg score video --task vpq --gt VIPSeg_720P/panoptic_gt_VIPSeg_val.json --pred out/ --windows 1,2,4,6",
    "entityseg score video --task stq --gt VIPSeg_720P/panoptic_gt_VIPSeg_val.json --pred out/ --json",
)


class Task(StrEnum):
    """What is measured."""

    ytvis = "ytvis"
    uvo = "uvo"
    vpq = "vpq"
    stq = "stq"


class Mode(StrEnum):
    """How the figures are computed."""

    canonical = "canonical"
    vipseg_stq_raw = "vipseg-stq-raw"


def video(
    gt: Annotated[
        Path, typer.Option("--gt", help="Ground truth: YouTube-VIS JSON, or VIPSeg's panoptic JSON.")
    ],
    pred: Annotated[
        Path,
        typer.Option("--pred", help="Predictions: a list of tubes, or VIPSeg's pred.json or its folder."),
    ],
    task: Annotated[
        Task | None, typer.Option(help="What is measured; found from the files where not given (never stq).")
    ] = None,
    windows: Annotated[
        str | None, typer.Option(help="Numbers of frames of VPQ's windows; 1,2,4,6,8 where not given.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="canonical ranks; vipseg-stq-raw gives the STQ of VIPSeg's script.")
    ] = Mode.canonical,
    gt_root: Annotated[
        Path | None, typer.Option(help="Folder of the true PNGs, where it is not beside the JSON.")
    ] = None,
    pred_root: Annotated[
        Path | None, typer.Option(help="Folder of the predicted PNGs, where it is not beside the JSON.")
    ] = None,
    bootstrap: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Resamples of the videos for the intervals; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Give each video's own figures too.")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Worker threads; all cores by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tube AP, VPQ or STQ of videos, with 95 % intervals over videos.

    A video without predictions counts as empty. Figures are in percent; as fractions, null where undefined, with
    --json.
    """
    try:
        numbers = None if windows is None else [int(part) for part in windows.split(",")]
    except ValueError as error:
        raise typer.BadParameter("--windows takes numbers of frames, such as 1,2,4,6") from error
    common.load_masks()
    from entityseg.metrics.scoring_video import score_video

    result = score_video(
        gt,
        pred,
        task=None if task is None else task.value,
        mode=mode.value,
        windows=numbers,
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
        gt_root=gt_root,
        pred_root=pred_root,
    )
    counts = result.counts
    lines = [
        f"tubes: {counts['gt_tubes']:,} in the ground truth, {counts['predictions']:,} predicted",
        *score_common.options_lines(result),
    ]
    score_common.show(result, as_json=as_json, unit="video", lines=lines)
