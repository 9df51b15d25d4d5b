"""Decoding every mask of a dataset once, so that all that is wrong with them is said together."""

from __future__ import annotations

import math

import numpy as np

from entityseg.data.records import Dataset
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.data.views import checked_masks
from entityseg.errors import Findings


def check_masks(
    dataset: Dataset, *, threads: int | None = None, progress: Progress = no_progress
) -> Findings:
    """Decode all masks of a dataset, by threads, and list what is wrong with them.

    Errors are masks that cannot be read: malformed run lengths, missing or damaged PNGs, PNGs whose ids
        disagree with
    their JSON. Warnings are masks without a pixel, and an `area` of the file that is not the mask's (such as
    ADE20K's, counted before segments were painted over, or COCO's of polygons); pixels count, not what the
    file says.

    Args:
        dataset: what to check.
        threads: images checked side by side.
        progress: shows how far the images are.

    >>> from entityseg.data.records import Dataset
    >>> check_masks(Dataset.build([], [])).errors
    0
    """
    file = str(dataset.path) if dataset.path is not None else None

    def one_image(index: int) -> Findings:
        findings = Findings(file)
        before = findings.errors
        masks = checked_masks(dataset.source, index, findings)
        if masks is not None and findings.errors == before:
            _warn(dataset, index, masks.areas.tolist(), findings)
        return findings

    total = Findings(file)
    indices = progress(range(len(dataset)), len(dataset), "checking masks")
    for findings in map_in_order(one_image, indices, threads=threads):
        total.extend(findings)
    return total


def _warn(dataset: Dataset, index: int, areas: list[int], findings: Findings) -> None:
    """Add warnings for empty masks and for areas that the file states otherwise."""
    rows = dataset.rows(index)
    stated = [math.nan] * len(areas) if dataset.file_areas is None else dataset.file_areas[rows].tolist()
    ids = np.asarray(dataset.ids[rows]).tolist()
    for annotation_id, area, said in zip(ids, areas, stated, strict=True):
        record = f"image {dataset.images[index].id}, annotation {annotation_id}"
        if area == 0:
            message, remedy = "the mask has no pixel", "Leave the annotation out, or draw it again."
            findings.add("mask.empty", message, remedy, record=record, severity="warning")
        if not math.isnan(said) and abs(said - area) >= 1:
            message = f"the file says an area that is not the mask's, which has {area} pixels"
            remedy = "Nothing needs to be done: areas are counted anew from the masks."
            where = {"record": record, "field": "area", "value": said}
            findings.add("area.differs", message, remedy, severity="warning", **where)
