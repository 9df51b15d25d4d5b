"""`entityseg stats agreement`: how far annotators of the same images agree."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli import common

if TYPE_CHECKING:
    from collections.abc import Mapping

    from entityseg.stats.agreement import AgreementScore

EXAMPLES = (
    "entityseg stats agreement first.json second.json",
    "entityseg stats agreement first.json second.json third.json --json > agreement.json",
    "entityseg stats agreement first.json second.json --pairs ids    # classes of masks with one id",
)
# Figure, heading, and whether it is shown in percent.
_ROWS = (
    ("AP", "mask AP, one operating point", True),
    ("AP50", "AP50", True),
    ("AP75", "AP75", True),
    ("F1@50", "F1 at IoU .50", True),
    ("IoU", "IoU of matched masks", True),
    ("boundary_IoU", "boundary IoU of matched masks", True),
    ("accuracy", "class accuracy", True),
    ("kappa", "class kappa", True),
    ("PQ", "PQ without classes", True),
    ("PQ_classes", "PQ with classes", True),
    ("VI", "variation of information, bits", False),
)


class By(StrEnum):
    """What makes two images the same."""

    auto = "auto"
    file_name = "file_name"
    id = "id"


class Pairs(StrEnum):
    """Whose classes are compared."""

    iou = "iou"
    ids = "ids"


def agreement(
    annotators: Annotated[
        list[Path], typer.Argument(help="Two or more annotations of the same images: files or folders.")
    ],
    by: Annotated[
        By, typer.Option(help="What makes two images the same; auto: the file name, else the id.")
    ] = By.auto,
    pairs: Annotated[
        Pairs, typer.Option(help="Whose classes are compared: masks with IoU .5 or more, or of one id.")
    ] = Pairs.iou,
    orders: Annotated[int, typer.Option(min=1, help="Orders of the ties for COCO's AP.")] = 20,
    bootstrap: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Resamples of the images for the intervals; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the orders and of the resampling.")] = 0,
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Give each image's own figures too (with --json).")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Worker threads; all cores by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Agreement of annotators, with 95 % intervals.

    Of their masks, classes, boundaries and information. Masks are matched one to one by IoU. Annotators give no
    scores, so AP is precision times recall at their one operating point; COCO's AP, which then depends on the order
    of the ties, is shown with its range.
    """
    common.load_masks()
    from entityseg.stats.agreement import agreements

    found = agreements(
        annotators,
        by=by.value,
        pairs=pairs.value,
        orders=orders,
        bootstrap=bootstrap,
        seed=seed,
        per_image=per_image,
        threads=threads,
        progress=common.progress,
    )
    for score in found.values():
        common.print_findings(score.warnings)
    if as_json:
        common.print_json({"pairs": [{"a": a, "b": b, **score.to_json()} for (a, b), score in found.items()]})
    else:
        print(_text(found))


def _text(found: Mapping[tuple[str, str], AgreementScore]) -> str:
    parts = []
    for (a, b), score in found.items():
        counts = score.counts
        rows = []
        for name, heading, in_percent in _ROWS:
            pair = score.intervals.get(name)
            interval = f"{_shown(pair[0], in_percent)} to {_shown(pair[1], in_percent)}" if pair else ""
            rows.append([heading, _shown(score.values[name], in_percent), interval])
        for name, spread in (score.tied or {}).items():
            one, other = (b, a) if name == "AP_of_b" else (a, b)
            span = f"{_shown(spread['low'], True)} to {_shown(spread['high'], True)}" if spread else ""
            value = _shown(spread["mean"] if spread else None, True)
            rows.append([f"COCO AP of {one} against {other}, ties", value, span])
        images = common.counted(counts.predicted, "image")
        alone = counts["only_in_a"] + counts["only_in_b"]
        more = f"; {common.counted(alone, 'image')} of one annotator only" if alone else ""
        parts.append(
            "\n".join(
                [
                    f"{a} and {b}: {images}{more}",
                    f"masks: {counts['masks_a']:,} and {counts['masks_b']:,}, matched {counts['matched']:,}; "
                    f"another number of them in {common.counted(counts['images_with_other_number_of_masks'], 'image')}",
                    "",
                    common.table(["in percent", "", "95 % interval, or range"], rows),
                ]
            )
        )
    return "\n\n".join(parts)


def _shown(value: float | None, in_percent: bool) -> str:
    return common.percent(value) if in_percent or value is None else f"{value:.3f}"
