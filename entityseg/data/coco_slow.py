"""Records of COCO JSON as Python objects: takes every legal spelling of a mask, and names everything that is wrong."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from entityseg.data.coco_records import Records
from entityseg.data.coco_scan import Wanted
from entityseg.data.json_file import as_float, is_integer, score_problem
from entityseg.data.records import ImageId, ImageRecord
from entityseg.data.sources import EncodedSource
from entityseg.errors import Findings, InputError
from entityseg.masks import coco
from entityseg.masks.runlengths import Size
from entityseg.masks.size import size_problem


def read_records(
    records: Sequence[Any],
    images: Sequence[ImageRecord],
    index_of: Mapping[ImageId, int],
    wanted: Wanted,
    findings: Findings,
    *,
    refused: Collection[ImageId] = (),
) -> Records:
    """Read a list of parsed records; problems are added to `findings`, and their records left out.

    Args:
        records: the parsed list.
        images: the images.
        index_of: position of each image by its id.
        wanted: what a record must have.
        findings: where problems go.
        refused: ids of images with problems of their own; records of these images are left out without a word.
    """
    rows: list[tuple[Any, ...]] = []
    seen_ids: dict[int, int] = {}
    for position, record in enumerate(records):
        if isinstance(record, dict) and _is_of(record.get("image_id"), refused):
            continue
        reader = _Record(record, f"{wanted.list_name}[{position}]", findings)
        row = reader.read(images, index_of, wanted)
        if row is None:
            continue
        if wanted.ids:
            first = seen_ids.setdefault(row[1], position)
            if first != position:
                message = f"the id is that of {wanted.list_name}[{first}] too"
                reader.add(
                    "id.duplicate", message, "Give each annotation of a file its own id.", "id", row[1]
                )
                continue
        rows.append((position, *row))
    rows.sort(key=lambda row: row[1])  # By image; stable, so the file's order stays inside an image.

    positions, index, ids, categories, crowd, scores, areas, box_areas, texts, extras = (
        zip(*rows, strict=True) if rows else ((),) * 10
    )
    stops = np.cumsum([len(text) for text in texts], dtype=np.int64)
    lengths = np.array([len(text) for text in texts], np.int64)
    offsets = np.searchsorted(np.array(index, np.int64), np.arange(len(images) + 1)).astype(np.int64)
    source = EncodedSource(
        text=np.frombuffer(b"".join(texts), np.uint8),
        starts=stops - lengths,
        stops=stops,
        offsets=offsets,
        sizes=[image.size for image in images],
        escaped=False,
        positions=np.array(positions, np.int64),
        list_name=wanted.list_name,
        file=findings.file,
        kept=extras if any(extras) else None,
    )
    return Records(
        offsets=offsets,
        positions=source.positions,
        ids=np.array(ids, np.int64),
        category_ids=np.array(categories, np.int64),
        iscrowd=np.array(crowd, bool),
        scores=np.array(scores, np.float64) if wanted.scores else None,
        areas=np.array(areas, np.float64),
        box_areas=np.array(box_areas, np.float64) if wanted.box_areas else None,
        source=source,
    )


def _is_of(image_id: Any, ids: Collection[ImageId]) -> bool:
    return isinstance(image_id, int | str) and image_id in ids


class _Record:
    """One record while it is read, with its place for findings."""

    def __init__(self, record: Any, place: str, findings: Findings) -> None:
        self.record = record
        self.place = place
        self.findings = findings

    def add(
        self, kind: str, message: str, remedy: str, field: str | None = None, value: object = None
    ) -> None:
        self.findings.add(kind, message, remedy, record=self.place, field=field, value=value)

    def read(
        self, images: Sequence[ImageRecord], index_of: Mapping[ImageId, int], wanted: Wanted
    ) -> tuple[Any, ...] | None:
        """Return the row's values, None if something is wrong (all of it is named)."""
        if not isinstance(self.record, dict):
            remedy = "Each record is an object with image_id, segmentation and so on."
            self.add("record.type", "the record must be an object {...}", remedy, value=self.record)
            return None
        before = self.findings.errors
        index = self._image(index_of)
        own_id = self._integer("id", required=wanted.ids)
        category = self._integer("category_id", required=wanted.ids)
        crowd = self.record.get("iscrowd", 0)
        if crowd not in (0, 1) or isinstance(crowd, float):
            self.add("iscrowd.value", "iscrowd must be 0 or 1", "Write 0 or 1.", "iscrowd", crowd)
        score = self._score() if wanted.scores else 0.0
        area = self._plain_number("area")
        text = self._mask(images[index].size) if index is not None else None
        if self.findings.errors > before or text is None:
            return None
        extras = {key: value for key, value in self.record.items() if key not in wanted.known}
        box_area = self._box_area() if wanted.box_areas else math.nan
        return index, own_id, category, bool(crowd), score, area, box_area, text, extras

    def _image(self, index_of: Mapping[ImageId, int]) -> int | None:
        if "image_id" not in self.record:
            self.add(
                "key.missing", "the record has no image_id", "Say which image it belongs to.", "image_id"
            )
            return None
        image_id = self.record["image_id"]
        if not isinstance(image_id, str) and not is_integer(image_id):
            remedy = "Write a whole number of at most 63 bits, without quotes and decimal point."
            self.add("id.type", "image_id must be an integer", remedy, "image_id", image_id)
            return None
        if image_id not in index_of:
            self.add("image.unknown", *unknown_image(image_id, index_of), "image_id", image_id)
            return None
        return index_of[image_id]

    def _integer(self, key: str, *, required: bool) -> int:
        if key not in self.record:
            if required:
                self.add("key.missing", f"the record has no {key}", f"Give each record its {key}.", key)
            return -1
        value = self.record[key]
        if not is_integer(value):
            if required:
                remedy = "Write a whole number of at most 63 bits, without quotes and decimal point."
                self.add("id.type", f"{key} must be an integer", remedy, key, value)
            return -1
        return value

    def _plain_number(self, key: str) -> float:
        """Return a number that is only informative, NaN if it is none."""
        return as_float(self.record.get(key))

    def _box_area(self) -> float:
        box = self.record.get("bbox")
        if not isinstance(box, list) or len(box) != 4:
            return math.nan
        return as_float(box[2]) * as_float(box[3])

    def _score(self) -> float:
        if "score" not in self.record:
            self.add("key.missing", "the record has no score", "Give each prediction a score.", "score")
            return 0.0
        score = self.record["score"]
        problem = score_problem(score)
        if problem:
            self.add(*problem, "score", score)
            return 0.0
        return as_float(score)

    def _mask(self, size: Size) -> bytes | None:
        """Return the mask as a compressed string."""
        if "segmentation" not in self.record:
            remedy = "Give each record its mask as a COCO RLE."
            self.add("key.missing", "the record has no segmentation", remedy, "segmentation")
            return None
        segmentation = self.record["segmentation"]
        if isinstance(segmentation, dict):
            return self._rle(segmentation, size)
        if isinstance(segmentation, list):
            return self._polygon(segmentation, size)
        remedy = "Write an RLE {size, counts} or a list of polygons."
        self.add(
            "segmentation.type",
            "segmentation is neither RLE nor polygons",
            remedy,
            "segmentation",
            segmentation,
        )
        return None

    def _rle(self, rle: Mapping[str, Any], size: Size) -> bytes | None:
        got = rle.get("size")
        problem = size_problem(got)
        if problem:
            self.add("mask.size", *problem, "segmentation.size", got)
            return None
        if tuple(got) != size:  # type: ignore[arg-type]
            coco.add_size_finding(self.findings, tuple(got), size, record=self.place)  # type: ignore[arg-type]
            return None
        local = Findings()
        masks = coco.from_counts([rle.get("counts")], size, local)
        for finding in local:
            value = rle.get("counts")
            self.add(finding.kind, finding.message, finding.remedy, "segmentation.counts", value)
        return None if local.errors else coco.to_strings(masks)[0]

    def _polygon(self, parts: Sequence[Any], size: Size) -> bytes | None:
        from entityseg.masks import from_polygons

        try:
            return coco.to_strings(from_polygons([parts], size))[0]
        except InputError as error:
            for finding in error.findings:
                self.add(finding.kind, finding.message, finding.remedy, "segmentation", parts)
            return None


def unknown_image(image_id: ImageId, index_of: Mapping[ImageId, int]) -> tuple[str, str]:
    """Return message and remedy for an id that no image has.

    >>> unknown_image("7", {7: 0})
    ('image_id must be an integer', 'Write it without quotes.')
    """
    if isinstance(image_id, str) and image_id.isdecimal() and int(image_id[:18]) in index_of:
        return "image_id must be an integer", "Write it without quotes."
    return "no image has this id", "Use the ids of the ground truth's `images`."
