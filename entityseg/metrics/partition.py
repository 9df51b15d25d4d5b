"""What scores of partitions (panoptic, semantic) share: a pixel belongs to one mask of an image at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.records import Dataset
from entityseg.data.sources import EncodedSource, MaskSource
from entityseg.data.views import checked_masks
from entityseg.errors import SHOWN_PER_KIND, Findings
from entityseg.masks import RunLengths, are_disjoint, overlaps
from entityseg.masks.runlengths import Size

# progress(iterable, total, label) gives the same items and shows how far they are.
Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
# After so many images the pages of the mapped files are let go.
FORGET_EVERY = 32


def masks_of(source: MaskSource, index: int, size: Size, count: int, findings: Findings) -> RunLengths:
    """Return the masks of an image; malformed ones are added to the findings, and are empty."""
    masks = checked_masks(source, index, findings)
    return RunLengths.empty(size, count) if masks is None else masks


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
    name = None if file is None else str(file)
    if not found.complete:
        message = f"{len(masks)} masks, too many to name all pairs, share {found.total} pixels"
        findings.add(kind, message, remedy, file=name, record=record)
    named = list(zip(found.pairs[:SHOWN_PER_KIND].tolist(), found.pixels.tolist(), strict=False))
    for (i, j), pixels in named:
        message = f"{place(i)} and {place(j)} share {pixels} pixels, but a pixel belongs to one mask at most"
        findings.add(kind, message, remedy, file=name, record=record)
    findings.count_more(kind, len(found) - len(named))


def refuse_unknown_categories(gt: Dataset, findings: Findings) -> None:
    """Add a finding for each annotation whose category the ground truth does not list."""
    name = None if gt.path is None else str(gt.path)
    unknown = np.flatnonzero(~np.isin(gt.category_ids, list(gt.category_of)))
    for row in unknown.tolist():
        image = gt.images[int(np.searchsorted(gt.offsets, row, side="right")) - 1]
        message, remedy = "no category has this id", "Add the category to the ground truth's `categories`."
        place = f"image {image.id}, annotation {gt.ids[row]}"
        value = int(gt.category_ids[row])
        findings.add(
            "category.unknown",
            message,
            remedy,
            file=name,
            record=place,
            field="category_id",
            value=value,
        )


def forget(index: int, *sources: MaskSource) -> None:
    """Let go of the parts of mapped files that were read, now and then."""
    if index % FORGET_EVERY == 0:
        for source in sources:
            if isinstance(source, EncodedSource):
                source.forget()
