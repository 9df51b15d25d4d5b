"""Predictions as a list of COCO records with RLE masks and no score: segments, classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data import coco_slow
from entityseg.data.coco_records import Records, join
from entityseg.data.coco_scan import Wanted, scan_list
from entityseg.data.json_file import map_file, parse_json
from entityseg.data.records import Dataset
from entityseg.errors import Findings, input_error
from entityseg.predictions.records import Predictions

_WANTED = Wanted("predictions", ids=False, areas=False)


def read_rle_records(path: str | Path, gt: Dataset, *, any_category: bool = False) -> Predictions:
    """Read a JSON list of `{image_id, category_id, segmentation}`, or one in an object's `annotations`.

    Other keys are ignored. Masks are decoded and checked when an image is asked for.

    Args:
        path: the JSON file.
        gt: the ground truth, which says what images and categories there are.
        any_category: as in `from_records`.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no such file, or a record is wrong; all problems are listed.
    """
    path = Path(path)
    mapped, text = map_file(path)
    findings = Findings(str(path))
    records: Records | None = None
    start = len(mapped[:4096]) - len(mapped[:4096].lstrip())
    if start < len(text) and text[start] == ord("["):
        scanned = scan_list(text, start, _WANTED)
        if scanned is not None and not mapped[scanned.end :].strip():
            records = join(scanned, text, gt.images, gt.index_of, _WANTED, str(path))
    if records is None:
        parsed = parse_json(mapped, str(path))
        listed = parsed.get("annotations") if isinstance(parsed, dict) else parsed
        if not isinstance(listed, list):
            message = "predictions must be a list [...] of records"
            remedy = "Write a list of {image_id, category_id, segmentation}."
            raise input_error("json.shape", message, remedy, file=str(path))
        records = coco_slow.read_records(listed, gt.images, gt.index_of, _WANTED, findings)
    return from_records(records, gt, path, findings, any_category=any_category)


def from_records(
    records: Records, gt: Dataset, path: Path, findings: Findings, *, any_category: bool = False
) -> Predictions:
    """Return the predictions of records whose categories must be the ground truth's.

    Args:
        records: what was read.
        gt: the ground truth.
        path: the file.
        findings: what was found so far.
        any_category: take ids from 0 on that the ground truth does not have too, with a warning each, because it does
            not say which categories there are.

    Raises:
        InputError: a category is unknown, or something was found before; all problems are listed.
    """
    known = np.array(sorted(gt.category_of), np.int64)
    for row in np.flatnonzero(~np.isin(records.category_ids, known)).tolist():
        value: Any = int(records.category_ids[row])
        record = f"{records.source.list_name}[{records.positions[row]}]"
        if any_category and value >= 0:
            add_unseen_label(findings, value, record)
        else:
            add_unknown_category(findings, value, record)
    findings.raise_errors()
    return Predictions(
        images=gt.images,
        offsets=records.offsets,
        scores=np.ones(len(records.category_ids)),
        category_ids=records.category_ids,
        source=records.source,
        listed=np.diff(records.offsets) > 0,
        path=path,
        warnings=findings,
    )


def add_unknown_category(findings: Findings, value: int, record: str) -> None:
    """Add the finding for a category id that the ground truth does not have; -1 stands for none."""
    message = (
        "the record has no category_id" if value == -1 else "no category of the ground truth has this id"
    )
    remedy = "Write the id of one of the ground truth's `categories`."
    shown = None if value == -1 else value
    findings.add("category.unknown", message, remedy, record=record, field="category_id", value=shown)


def add_unseen_label(findings: Findings, label: int, record: str, file: str | None = None) -> None:
    """Add the warning for a label that a ground truth without `categories.json` has nowhere."""
    message = "no map of the ground truth has this label, and no categories.json says which there are; taken as a class"
    remedy = "If it is none, put a categories.json with all classes beside the list."
    findings.add("label.unseen", message, remedy, file=file, record=record, value=label, severity="warning")
