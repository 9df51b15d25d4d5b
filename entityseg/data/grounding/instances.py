"""Masks of a COCO JSON by annotation id, rasterised only when asked for, polygon by polygon.

`instances.json` of RefCOCO has ten times the annotations that a split refers to, and some published evaluators treat
the polygons of an annotation one by one; the dataset reader joins them all at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entityseg.data.coco_json import read_images
from entityseg.data.json_file import is_integer, parse_json_file, require_type
from entityseg.data.records import ImageId
from entityseg.errors import Findings
from entityseg.masks import coco
from entityseg.masks.runlengths import RunLengths, Size
from entityseg.masks.size import size_problem


@dataclass(frozen=True, slots=True)
class Instance:
    """An annotation: its image, its mask as the file has it, and its place in the file's list."""

    image_id: ImageId
    segmentation: Any
    position: int


@dataclass(frozen=True)
class Instances:
    """Images and annotations of a COCO JSON.

    Attributes:
        sizes: (height, width) by image id.
        annotations: by annotation id.
        file: path of the JSON.
        warnings: what was found and does not refuse the file.
    """

    sizes: Mapping[ImageId, Size]
    annotations: Mapping[int, Instance]
    file: str
    warnings: Findings = field(default_factory=Findings)

    def parts(self, ann_id: int, findings: Findings) -> RunLengths:
        """Return the parts of an annotation: a mask for each polygon, or the one mask of an RLE.

        What is wrong goes to `findings`, and leaves no part.
        """
        from entityseg.masks import from_polygons

        instance = self.annotations[ann_id]
        size, place = self.sizes[instance.image_id], f"annotations[{instance.position}]"
        nothing = RunLengths.empty(size)
        local = Findings()
        given = instance.segmentation
        if isinstance(given, list):
            parts = from_polygons([[part] for part in given], size, local)
        elif isinstance(given, dict) and not size_problem(given.get("size")):
            if tuple(given["size"]) != size:
                coco.add_size_finding(findings, tuple(given["size"]), size, record=place, file=self.file)
                return nothing
            parts = coco.from_counts([given.get("counts")], size, local)
        else:
            message, remedy = (
                "segmentation is neither RLE nor polygons",
                "Write {size, counts} or a list of polygons.",
            )
            local.add("segmentation.type", message, remedy, value=given)
            parts = nothing
        for one in local:
            where = {"record": place, "field": "segmentation", "file": self.file}
            findings.add(one.kind, one.message, one.remedy, **where)  # type: ignore[arg-type]
        return nothing if local.errors else parts

    def mask(self, ann_id: int, findings: Findings) -> RunLengths:
        """Return the one mask of an annotation, the union of its parts."""
        from entityseg.masks import union

        return union(self.parts(ann_id, findings))


def read_instances(path: str | Path) -> Instances:
    """Read images and annotations of a COCO JSON; masks are looked at when they are asked for.

    Raises:
        MissingFileError: there is no such file.
        InputError: an image or an annotation cannot be told; all problems are listed.
    """
    file = str(path)
    top = require_type(parse_json_file(path), dict, "the file", file)
    findings = Findings(file)
    images = read_images(top.get("images"), findings)
    sizes = {image.id: image.size for image in images}
    annotations: dict[int, Instance] = {}
    for i, record in enumerate(require_type(top.get("annotations"), list, "`annotations`", file)):
        place = f"annotations[{i}]"
        if not isinstance(record, dict):
            message = "the record must be an object {...}"
            findings.add("record.type", message, "Write an object.", record=place, value=record)
            continue
        ann_id, image_id = record.get("id"), record.get("image_id")
        if not is_integer(ann_id):
            message, remedy = "the id of an annotation must be an integer", "Give each annotation its own id."
            findings.add("id.type", message, remedy, record=place, field="id", value=ann_id)
        elif not (isinstance(image_id, str) or is_integer(image_id)) or image_id not in sizes:
            message, remedy = "no image has this id", "Use the ids of `images`."
            findings.add("image.unknown", message, remedy, record=place, field="image_id", value=image_id)
        elif ann_id in annotations:
            message = f"the id is that of annotations[{annotations[ann_id].position}] too"
            remedy = "Give each annotation its own id."
            findings.add("id.duplicate", message, remedy, record=place, field="id", value=ann_id)
        else:
            annotations[ann_id] = Instance(image_id, record.get("segmentation"), i)
    findings.raise_errors()
    return Instances(sizes, annotations, file, findings)
