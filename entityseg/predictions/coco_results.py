"""COCO results JSON: a list of `{image_id, segmentation, score}`; other keys are ignored and recomputed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from entityseg.data import coco_slow
from entityseg.data.coco_records import Records, join
from entityseg.data.coco_scan import ANNOTATION_KEYS, Wanted, scan_list
from entityseg.data.json_file import map_file, parse_json
from entityseg.data.records import Dataset
from entityseg.errors import Findings, input_error
from entityseg.predictions.records import Predictions

_DATASET_REMEDY = "Give the predictions; a ground truth goes to `--gt`."
_SHAPE_REMEDY = "Write a list of {image_id, segmentation, score}, as for COCO."


def read_coco_results(path: str | Path, gt: Dataset, *, box_areas: bool = False) -> Predictions:
    """Read class-agnostic predictions in COCO's results format for the images of `gt`.

    Masks are decoded and checked when an image is asked for.

    Args:
        path: the JSON file.
        gt: the ground truth, which says what images there are and their sizes.
        box_areas: read `bbox` too, whose area pycocotools takes for the detection's.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no such file, or a record is wrong; all problems are listed.
    """
    path = Path(path)
    wanted = Wanted(
        "predictions",
        ids=False,
        scores=True,
        areas=False,
        box_areas=box_areas,
        known=ANNOTATION_KEYS | {"score"},
    )
    mapped, text = map_file(path)
    findings = Findings(str(path))
    records: Records | None = None
    start = len(mapped[:4096]) - len(mapped[:4096].lstrip())
    if start < len(text) and text[start] == ord("["):
        scanned = scan_list(text, start, wanted)
        if scanned is not None and not mapped[scanned.end :].strip():
            records = join(scanned, text, gt.images, gt.index_of, wanted, str(path))
    if records is None:
        parsed = parse_json(mapped, str(path))
        if isinstance(parsed, dict) and isinstance(parsed.get("annotations"), list):
            parsed = parsed["annotations"]
            if parsed and not any(isinstance(one, dict) and "score" in one for one in parsed):
                message = "the file is a dataset: none of its annotations has a score"
                raise input_error("predictions.dataset", message, _DATASET_REMEDY, file=str(path))
        if not isinstance(parsed, list):
            message = "predictions must be a list [...] of records"
            raise input_error("json.shape", message, _SHAPE_REMEDY, file=str(path))
        records = coco_slow.read_records(parsed, gt.images, gt.index_of, wanted, findings)
        findings.raise_errors()
    stated = records.box_areas
    # pycocotools looks at the first record only to decide whether the boxes' areas count.
    if stated is not None and (len(stated) == 0 or np.isnan(stated[np.argmin(records.positions)])):
        stated = None
    return Predictions(
        images=gt.images,
        offsets=records.offsets,
        scores=np.empty(0) if records.scores is None else records.scores,
        category_ids=records.category_ids,
        source=records.source,
        listed=np.diff(records.offsets) > 0,
        box_areas=stated,
        path=path,
        warnings=findings,
    )
