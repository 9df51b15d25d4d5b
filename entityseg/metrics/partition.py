"""What scores of partitions (panoptic, semantic) share: a pixel belongs to one mask of an image at most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from entityseg.data.formats._png_source import PngSource
from entityseg.data.records import Dataset
from entityseg.errors import SHOWN_PER_KIND, Findings
from entityseg.masks import RunLengths, are_disjoint, overlaps
from entityseg.metrics.scoring_images import name_of


def refuse_gt_overlaps(gt: Dataset, index: int, masks: RunLengths, remedy: str, findings: Findings) -> None:
    """Add a finding for each pair of an image's true masks that share pixels, which those of a PNG cannot.

    Args:
        gt: the ground truth.
        index: position of the image.
        masks: its masks.
        remedy: what to do about it.
        findings: where the findings go.
    """
    if isinstance(gt.source, PngSource):
        return
    ids = gt.ids[gt.rows(index)].tolist()
    add_overlaps(
        "gt.overlap", masks, lambda row: f"annotation {ids[row]}", remedy, findings,
        file=gt.path, record=f"image {gt.images[index].id}",
    )  # fmt: skip


def add_overlaps(
    kind: str,
    masks: RunLengths,
    place: Callable[[int], str],
    remedy: str,
    findings: Findings,
    *,
    file: Path | None,
    record: str,
) -> None:
    """Add a finding for each pair of masks that share pixels; those after the first 20 are only counted.

    Args:
        kind: of the finding.
        masks: the masks of an image.
        place: says what a mask is, by its row.
        remedy: what to do about it.
        findings: where the findings go.
        file: the file of the masks.
        record: the image.
    """
    if are_disjoint(masks):
        return
    found = overlaps(masks)
    name = name_of(file)
    if not found.complete:
        message = f"{len(masks)} masks, too many to name all pairs, share {found.total} pixels"
        findings.add(kind, message, remedy, file=name, record=record)
    named = list(zip(found.pairs[:SHOWN_PER_KIND].tolist(), found.pixels.tolist(), strict=False))
    for (i, j), pixels in named:
        message = f"{place(i)} and {place(j)} share {pixels} pixels, but a pixel belongs to one mask at most"
        findings.add(kind, message, remedy, file=name, record=record)
    findings.count_more(kind, len(found) - len(named))
