"""LVIS v1: COCO whose images have a `coco_url` in place of a file name (Gupta et al., CVPR 2019)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from entityseg.data import coco_slow
from entityseg.data.coco_json import read_categories, read_images
from entityseg.data.coco_scan import Wanted
from entityseg.data.json_file import parse_json_file, require_type
from entityseg.data.records import Dataset
from entityseg.errors import Findings


def read_lvis(path: str | Path, image_root: str | Path | None = None) -> Dataset:
    """Read a file of LVIS v1.

    Args:
        path: such as `lvis_v1_val.json`.
        image_root: the folder with `train2017` and `val2017`; by default `coco`, beside the file's folder.

    Raises:
        InputError: it is no such file, or a record is wrong; all problems are listed.
    """
    path = Path(path)
    top = require_type(parse_json_file(path), dict, "the file", str(path))
    findings = Findings(str(path))
    listed = require_type(top.get("images"), list, "`images`", str(path))
    images = read_images([_with_name(record) for record in listed], findings)
    categories = read_categories(top.get("categories"), findings)
    index_of = {image.id: index for index, image in enumerate(images)}
    annotations = require_type(top.get("annotations"), list, "`annotations`", str(path))
    records = coco_slow.read_records(annotations, images, index_of, Wanted("annotations"), findings)
    findings.raise_errors()
    return Dataset(
        images=tuple(images),
        categories=tuple(categories),
        offsets=records.offsets,
        ids=records.ids,
        category_ids=records.category_ids,
        iscrowd=records.iscrowd,
        source=records.source,
        path=path,
        image_root=path.parent.parent / "coco" if image_root is None else Path(image_root),
        warnings=findings,
    )


def _with_name(record: Any) -> Any:
    """Return an image's record with a file name, such as `val2017/000000397133.jpg`, from its URL."""
    url = record.get("coco_url") if isinstance(record, dict) else None
    return {**record, "file_name": "/".join(url.split("/")[-2:])} if isinstance(url, str) else record
