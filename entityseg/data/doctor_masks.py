"""Check the masks of a dataset: well-formed, not empty, disjoint, covering, and of the stated area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from entityseg.data.formats import Reading
from entityseg.data.layout import PARTS
from entityseg.data.records import Dataset
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.data.views import checked_masks
from entityseg.errors import Findings
from entityseg.masks import RunLengths, coverage, overlaps

# The paper's mean is 0.999; an image of less than this lacks more than the seams between its entities.
MIN_COVERAGE = 0.99
_PAIRS_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found in one image."""

    findings: Findings
    coverage: float | None
    overlapping: bool


def check_dataset_masks(
    dataset: Dataset,
    reading: Reading,
    findings: Findings,
    *,
    min_coverage: float = MIN_COVERAGE,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Check the masks of one reading; return figures for its summary."""
    covering = _should_cover(reading)

    def check(index: int) -> _Checked:
        return _check_image(dataset, index, str(reading.path), min_coverage if covering else 0.0)

    indices = progress(range(len(dataset)), len(dataset), f"{reading.split}: masks")
    shares, overlapping = [], 0
    for checked in map_in_order(check, indices, threads=threads):
        findings.extend(checked.findings)
        overlapping += checked.overlapping
        if checked.coverage is not None:
            shares.append(checked.coverage)
    mean = float(np.mean(shares)) if shares else None
    return {
        "mean_coverage": mean,
        "least_coverage": min(shares, default=None),
        "images_with_overlap": overlapping,
    }


def _should_cover(reading: Reading) -> bool:
    """Return whether the entities should cover the image: class-aware parts leave out what has no class."""
    if reading.format == "entity":
        return True
    part = PARTS.get(reading.split)
    return reading.format == "entityseg-release" and part is not None and part.kind == "entity"


def _check_image(dataset: Dataset, index: int, file: str, min_coverage: float) -> _Checked:
    findings = Findings(file)
    masks = checked_masks(dataset.source, index, findings)
    if masks is None or findings.errors:
        return _Checked(findings, None, False)
    image = dataset.images[index]
    record = f"image {image.id} ({image.file_name})"
    ids = dataset.ids[dataset.rows(index)]
    overlapping = _check_overlap(masks, ids.tolist(), record, findings)
    share = coverage(masks) if len(masks) else 0.0
    if share < min_coverage:
        message = f"the entities cover {share:.2%} of the image, less than {min_coverage:.2%}"
        remedy = "Look for missing annotations (`entityseg data show`), or lower `--min-coverage`."
        findings.add("mask.uncovered", message, remedy, record=record, severity="warning")
    for row in np.flatnonzero(masks.areas == 0).tolist():
        message, remedy = "the mask is empty", "Leave the annotation out, or annotate it again."
        where = f"{record}, annotation {ids[row]}"
        findings.add("mask.empty", message, remedy, record=where, severity="warning")
    _check_areas(dataset, index, masks, record, findings)
    return _Checked(findings, share, overlapping)


def _check_overlap(masks: RunLengths, ids: list[int], record: str, findings: Findings) -> bool:
    found = overlaps(masks)
    if not len(found):
        return False
    largest = np.argsort(-found.pixels, kind="stable")[:_PAIRS_NAMED]
    named = ", ".join(
        f"{ids[i]} and {ids[j]} share {pixels:,} pixels"
        for (i, j), pixels in zip(found.pairs[largest].tolist(), found.pixels[largest].tolist(), strict=True)
    )
    more = f" and {len(found) - len(largest)} more pairs" if len(found) > len(largest) else ""
    message = f"masks overlap: annotations {named}{more}; {found.total:,} pixels in all"
    remedy = "Scores count it as it is; formats of one id a pixel need it painted (`convert --lossy`)."
    findings.add("mask.overlap", message, remedy, record=record, severity="warning")
    return True


def _check_areas(dataset: Dataset, index: int, masks: RunLengths, record: str, findings: Findings) -> None:
    if dataset.file_areas is None:
        return
    rows = dataset.rows(index)
    stated = dataset.file_areas[rows]
    # Polygon files state the polygon's area, which differs from the pixels' by up to half the outline.
    wrong = np.flatnonzero(np.abs(stated - masks.areas) > np.maximum(1.0, 0.05 * masks.areas))
    if not len(wrong):
        return
    row = int(wrong[0])
    boxes = masks.boxes[:, 2] * masks.boxes[:, 3]
    hint = "; these are areas of the boxes" if np.array_equal(stated[wrong], boxes[wrong]) else ""
    message = (
        f"{len(wrong)} stated areas are not those of the masks, such as annotation {dataset.ids[rows][row]}: "
        f"{stated[row]:g} for {masks.areas[row]:,} pixels{hint}"
    )
    remedy = (
        "Nothing to do here: areas are always taken from the masks. For other programs, convert the file."
    )
    findings.add("area.differs", message, remedy, record=record, field="area", severity="warning")
