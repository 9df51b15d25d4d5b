"""The images that predictions speak of, where no ground truth says which there are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data import _scan
from entityseg.data.coco_scan import Columns, Wanted, scan_list
from entityseg.data.json_file import is_integer, map_file, parse_json
from entityseg.data.records import Dataset, ImageId, ImageRecord
from entityseg.data.sources import MemorySource
from entityseg.errors import Findings
from entityseg.masks.runlengths import Size
from entityseg.masks.size import size_problem

_NEEDED = _scan.SEEN_IMAGE | _scan.SEEN_SIZE
_WANTED = Wanted("predictions", areas=False)


def stand_in(images: Iterable[ImageRecord], path: Path | None = None) -> Dataset:
    """Return a dataset that has images and nothing else, for readers that want a ground truth."""
    images = tuple(images)
    return Dataset(
        images=images,
        categories=(),
        offsets=np.zeros(len(images) + 1, np.int64),
        ids=np.empty(0, np.int64),
        category_ids=np.empty(0, np.int64),
        iscrowd=np.empty(0, np.bool_),
        source=MemorySource(),
        path=path,
    )


def image_of(image_id: ImageId, size: Size) -> ImageRecord:
    """Return the record of an image of which only id and size are known; its name is its id."""
    return ImageRecord(image_id, str(image_id), int(size[0]), int(size[1]))


def images_in_results(path: str | Path) -> Dataset:
    """Return the images that COCO results name, in their order, with the size of each one's first mask.

    Raises:
        MissingFileError: there is no such file.
        InputError: the file is no JSON, or an image's size is nowhere said (its masks are polygons).
    """
    path = Path(path)
    mapped, text = map_file(path)
    start = len(mapped[:4096]) - len(mapped[:4096].lstrip())
    if start < len(text) and text[start] == _scan.OPEN_LIST:
        scanned = scan_list(text, start, _WANTED)
        if scanned is not None and not mapped[scanned.end :].strip():
            sizes = _scanned_sizes(scanned.columns)
            if sizes is not None:
                return stand_in([image_of(*item) for item in sizes.items()], path)
    parsed = parse_json(mapped, str(path))
    if isinstance(parsed, dict):
        parsed = parsed.get("annotations")
    # The reader of the records says what is wrong if this is no list.
    return stand_in(_parsed_images(parsed if isinstance(parsed, list) else [], str(path)), path)


def _scanned_sizes(columns: Columns) -> dict[ImageId, Size] | None:
    """Return the size of each image by its id; None if a record does not say it, or sizes differ."""
    if ((columns.seen & _NEEDED) != _NEEDED).any():
        return None
    ids, first, index = np.unique(columns.image_ids, return_index=True, return_inverse=True)
    sizes = columns.sizes
    if not np.array_equal(sizes[first][index], sizes):
        return None
    order = np.argsort(first)
    pairs = zip(ids[order].tolist(), sizes[first[order]].tolist(), strict=True)
    found: dict[ImageId, Size] = {image_id: (height, width) for image_id, (height, width) in pairs}
    return None if any(size_problem(size) for size in found.values()) else found


def _parsed_images(records: list[Any], file: str) -> list[ImageRecord]:
    sizes: dict[ImageId, Size] = {}
    unsaid: dict[ImageId, int] = {}
    for position, record in enumerate(records):
        image_id = record.get("image_id") if isinstance(record, dict) else None
        if not isinstance(image_id, str) and not is_integer(image_id):
            continue  # The reader of the records names it.
        segmentation = record.get("segmentation")
        size = segmentation.get("size") if isinstance(segmentation, dict) else None
        if size_problem(size):
            unsaid.setdefault(image_id, position)
        else:
            sizes.setdefault(image_id, (size[0], size[1]))  # type: ignore[index]
    findings = Findings(file)
    for image_id, position in unsaid.items():
        if image_id not in sizes:
            findings.add(
                "image.size",
                "no record of this image says its size",
                "Give the ground truth (`--gt`), which says it, or masks as RLE with their size.",
                record=f"predictions[{position}]",
                field="image_id",
                value=image_id,
            )
    findings.raise_errors()
    return [image_of(*item) for item in sizes.items()]
