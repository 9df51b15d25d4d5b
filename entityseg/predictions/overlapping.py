"""Saying which masks of an image overlap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from entityseg.data.sources import EncodedSource
from entityseg.errors import SHOWN_PER_KIND, Findings, Severity
from entityseg.masks import RunLengths, are_disjoint, overlaps
from entityseg.predictions.records import Predictions

_REMEDY = (
    "Make them disjoint (`entityseg predictions resolve`, or --resolve-overlap when scoring), or score plain AP "
    "(--allow-overlap)."
)


def add_overlaps(
    kind: str,
    masks: RunLengths,
    place: Callable[[int], str],
    remedy: str,
    findings: Findings,
    *,
    file: Path | None,
    record: str,
    why: str = "a pixel belongs to one mask at most",
    severity: Severity = "error",
) -> bool:
    """Add a finding for each pair of masks that share pixels, the first 20 in words; return whether any do.

    Args:
        kind: of the findings.
        masks: the masks of an image.
        place: says what a mask is, by its row.
        remedy: what to do about it.
        findings: where the findings go.
        file: the file of the masks.
        record: the image.
        why: the rule that they break.
        severity: of the findings.
    """
    if are_disjoint(masks):
        return False
    found = overlaps(masks)
    about = {"file": None if file is None else str(file), "record": record}
    if not found.complete:
        message = f"{len(masks)} masks, too many to name all pairs, share {found.total} pixels; {why}"
        findings.add(kind, message, remedy, **about, severity=severity)
    named = list(zip(found.pairs[:SHOWN_PER_KIND].tolist(), found.pixels.tolist(), strict=False))
    for (i, j), pixels in named:
        message = f"{place(i)} and {place(j)} share {pixels} pixels; {why}"
        findings.add(kind, message, remedy, **about, severity=severity)
    findings.count_more(kind, len(found) - len(named), severity)
    return True


def add_overlapping_predictions(
    predictions: Predictions, index: int, masks: RunLengths, findings: Findings, severity: Severity = "error"
) -> bool:
    """Add a finding for each pair of predictions of image number `index` that share pixels, as `add_overlaps`."""
    return add_overlaps(
        "pred.overlap", masks, place_of(predictions, index), _REMEDY, findings, file=predictions.path,
        record=f"image {predictions.images[index].id}", why="AP^e needs disjoint masks", severity=severity,
    )  # fmt: skip


def place_of(predictions: Predictions, index: int) -> Callable[[int], str]:
    """Return a function that says where a mask of an image stands in the file, by its row in the image."""
    source, start = predictions.source, int(predictions.offsets[index])
    if isinstance(source, EncodedSource):
        return lambda row: source.record_of(start + row)
    return lambda row: f"mask {row}"
