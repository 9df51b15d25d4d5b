"""Saying which predictions of an image overlap."""

from __future__ import annotations

from collections.abc import Callable

from entityseg.data.sources import EncodedSource
from entityseg.errors import SHOWN_PER_KIND, Findings, Severity
from entityseg.masks import RunLengths, overlaps
from entityseg.predictions.records import Predictions

_REMEDY = (
    "Make them disjoint (`entityseg predictions resolve`, or --resolve-overlap when scoring), or score plain AP "
    "(--allow-overlap)."
)


def add_overlaps(
    predictions: Predictions, index: int, masks: RunLengths, findings: Findings, severity: Severity = "error"
) -> bool:
    """Add a finding for each pair of masks that share pixels, the first ones in words; return whether any do.

    Args:
        predictions: whose masks they are.
        index: position of the image.
        masks: the masks of the image.
        findings: where the findings go.
        severity: of the findings.
    """
    found = overlaps(masks)
    if not found.total:
        return False
    place = place_of(predictions, index)
    record = f"image {predictions.images[index].id}"
    file = None if predictions.path is None else str(predictions.path)
    if not found.complete:
        message = f"{len(masks)} predictions, too many to name all pairs, share {found.total} pixels"
        findings.add("pred.overlap", message, _REMEDY, record=record, file=file, severity=severity)
    named = list(zip(found.pairs[:SHOWN_PER_KIND].tolist(), found.pixels.tolist(), strict=False))
    for (i, j), pixels in named:
        message = f"{place(i)} and {place(j)} share {pixels} pixels; AP^e needs disjoint masks"
        findings.add("pred.overlap", message, _REMEDY, record=record, file=file, severity=severity)
    findings.count_more("pred.overlap", len(found) - len(named), severity)
    return True


def place_of(predictions: Predictions, index: int) -> Callable[[int], str]:
    """Return a function that says where a mask of an image stands in the file, by its row in the image."""
    source, start = predictions.source, int(predictions.offsets[index])
    if isinstance(source, EncodedSource):
        return lambda row: source.record_of(start + row)
    return lambda row: f"mask {row}"
