"""Tube predictions of videos: a JSON list of `{video_id, category_id, score, segmentations: [RLE or null]}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from entityseg.data.json_file import parse_json_file, require_type
from entityseg.data.video.tubes import TubeSet
from entityseg.data.video.ytvis import group_records
from entityseg.errors import Findings
from entityseg.files import write_json

FIELDS = ("video_id", "category_id", "score", "segmentations")


def read_tube_predictions(path: str | Path, gt: TubeSet, *, agnostic: bool = False) -> TubeSet:
    """Read predictions for the videos of `gt`.

    Args:
        path: the JSON file (YouTube-VIS's `results.json`).
        gt: the ground truth, which says what videos and categories there are.
        agnostic: any `category_id` will do.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no such file, or a record is wrong; all problems are listed. Masks are checked when a video
            is decoded.
    """
    file = str(path)
    listed = require_type(parse_json_file(path), list, "predictions", file)
    findings = Findings(file)
    known = None if agnostic else {category.id for category in gt.categories}
    records, places = group_records(listed, "predictions", gt.videos, known, findings, scores=True)
    findings.raise_errors()
    return TubeSet(gt.videos, gt.categories, records, places, file, findings)


def write_tube_predictions(path: str | Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write predictions, each with the four fields and nothing else.

    Args:
        path: the file.
        records: mappings with `FIELDS`; masks are COCO RLE or None.

    Raises:
        KeyError: a record lacks a field.
    """
    write_json(path, [{name: record[name] for name in FIELDS} for record in records])
