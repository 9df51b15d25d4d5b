"""`entityseg score referring | narrative | reasoning`: masks for texts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from entityseg.cli import common, score_common

REFERRING_EXAMPLES = (
    "entityseg score referring --gt refcoco_unc_val.json --instances instances.json --pred masks.json",
    "entityseg score referring --gt refcoco_unc_testA.json --pred masks.json --mode lisa-poly",
)
NARRATIVE_EXAMPLES = (
    "entityseg score narrative --gt annotations/png_coco_val2017.json --pred phrases.json",
    "entityseg score narrative --gt png_coco_val2017.json --panoptic panoptic_val2017.json --pred p.json "
    "--input end-to-end",
)
REASONING_EXAMPLES = ("entityseg score reasoning --gt ReasonSeg/val --pred masks.json --json > score.json",)

Pred = Annotated[Path, typer.Option("--pred", help="Predictions: a JSON list of records.")]
Bootstrap = Annotated[
    int, typer.Option(min=0, max=1_000_000, help="Resamples of the images for the intervals; 0 for none.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the resampling.")]
PerImage = Annotated[bool, typer.Option("--per-image", help="Give each image's own figures too.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Worker threads; all cores by default.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class ReferringMode(StrEnum):
    """How referring masks are scored."""

    canonical = "canonical"
    lisa_poly = "lisa-poly"
    lavt480 = "lavt480"
    cris_mean = "cris-mean"


class NarrativeMode(StrEnum):
    """How masks of phrases are scored."""

    canonical = "canonical"
    png2021 = "png2021"
    ppmn_quarter = "ppmn-quarter"
    fmm_plural = "fmm-plural"


class InputMode(StrEnum):
    """What the model was given."""

    given_phrases = "given-phrases"
    end_to_end = "end-to-end"


def referring(
    gt: Annotated[
        Path, typer.Option("--gt", help="Ground truth: the normalised JSON of a split's expressions.")
    ],
    pred: Pred,
    instances: Annotated[
        Path | None, typer.Option(help="COCO JSON of the masks; instances.json beside --gt by default.")
    ] = None,
    mode: Annotated[
        ReferringMode, typer.Option(help="canonical ranks; the others reproduce published code.")
    ] = ReferringMode.canonical,
    bootstrap: Bootstrap = 1000,
    seed: Seed = 0,
    per_image: PerImage = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Masks of referring expressions: cIoU, gIoU (mIoU) and P@X, with 95 % intervals over images.

    The unit is the sentence. One without a prediction counts as an empty mask. Figures are in percent; as fractions,
    null where undefined, with --json.
    """
    common.load_masks()
    from entityseg.metrics.scoring_referring import score_referring

    result = score_referring(
        gt,
        pred,
        instances=instances,
        mode=mode.value,
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
    )
    score_common.show(result, as_json=as_json, unit="expression")


def narrative(
    gt: Annotated[Path, typer.Option("--gt", help="Ground truth: png_coco_*.json.")],
    pred: Pred,
    panoptic: Annotated[
        Path | None, typer.Option(help="COCO's panoptic JSON; panoptic_*.json beside --gt by default.")
    ] = None,
    pngs: Annotated[Path | None, typer.Option(help="Folder of the panoptic PNGs.")] = None,
    input_mode: Annotated[
        InputMode,
        typer.Option("--input", help="Whether the model was given the phrases or found them itself."),
    ] = InputMode.given_phrases,
    mode: Annotated[
        NarrativeMode, typer.Option(help="canonical ranks; the others reproduce published code.")
    ] = NarrativeMode.canonical,
    bootstrap: Bootstrap = 1000,
    seed: Seed = 0,
    per_image: PerImage = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Average recall of masks for the phrases of narratives, with 95 % intervals over images.

    Over all phrases, things, stuff, singulars and plurals; end to end also recall and precision of the phrases
    themselves. A phrase without a prediction counts as an empty mask.
    """
    common.load_masks()
    from entityseg.metrics.scoring_narrative import score_narrative

    result = score_narrative(
        gt,
        pred,
        panoptic=panoptic,
        pngs=pngs,
        input_mode=input_mode.value,
        mode=mode.value,
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
    )
    score_common.show(result, as_json=as_json, unit="phrase")


def reasoning(
    gt: Annotated[
        Path, typer.Option("--gt", help="Ground truth: the folder of a split, such as ReasonSeg/val.")
    ],
    pred: Pred,
    bootstrap: Bootstrap = 1000,
    seed: Seed = 0,
    per_image: PerImage = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Masks of reasoning questions: gIoU and cIoU, with 95 % intervals over images.

    The first text of an image ranks, for all images and for short and long texts; all texts are given beside it.
    """
    common.load_masks()
    from entityseg.metrics.scoring_reasoning import score_reasoning

    result = score_reasoning(
        gt,
        pred,
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
    )
    score_common.show(result, as_json=as_json, unit="text")
