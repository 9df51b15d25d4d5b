"""The normalised ground truth of referring expressions: one JSON of sentences beside a COCO JSON of masks.

`{dataset, split_by, split, expressions: [{expr_id, ref_id, image_id, ann_ids, text}]}`; `ann_ids` is empty (or
`[-1]`, as gRefCOCO writes it) for an expression that refers to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from entityseg.data.grounding.instances import Instances, read_instances
from entityseg.data.json_file import is_integer, parse_json_file, require_type
from entityseg.data.records import ImageId
from entityseg.errors import Finding, Findings, MissingFileError
from entityseg.files import write_json
from entityseg.masks.runlengths import Size

NO_TARGET = -1
_KEYS = ("expr_id", "ref_id", "image_id", "ann_ids", "text")


@dataclass(frozen=True, slots=True)
class Expression:
    """A sentence that refers to a region of an image.

    Attributes:
        expr_id: id of the sentence, unique in its split.
        ref_id: id of the referred region; its sentences share it.
        image_id: id of the image in the COCO JSON.
        ann_ids: annotations whose union is meant; none where the sentence refers to nothing.
        text: the sentence.
    """

    expr_id: int
    ref_id: int
    image_id: ImageId
    ann_ids: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class ReferringTruth:
    """Expressions of a split and the masks that they refer to.

    Attributes:
        dataset, split_by, split: such as `refcoco`, `unc`, `testA`.
        expressions: in the order of the file.
        instances: sizes of images, and masks by annotation.
        path: the file or folder that was read.
        warnings: what the reader found that does not refuse the data.
    """

    dataset: str
    split_by: str
    split: str
    expressions: tuple[Expression, ...]
    instances: Instances
    path: Path | None = None
    warnings: Findings = field(default_factory=Findings)

    @cached_property
    def image_ids(self) -> tuple[ImageId, ...]:
        """The images that have expressions, in the order of their first one."""
        return tuple(dict.fromkeys(expression.image_id for expression in self.expressions))

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        """(height, width) of each of these images."""
        return tuple(self.instances.sizes[image_id] for image_id in self.image_ids)

    @cached_property
    def group_of(self) -> tuple[int, ...]:
        """Position of each expression's image among these images."""
        position = {image_id: i for i, image_id in enumerate(self.image_ids)}
        return tuple(position[expression.image_id] for expression in self.expressions)

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The expressions of each of these images."""
        result: list[list[int]] = [[] for _ in self.image_ids]
        for index, group in enumerate(self.group_of):
            result[group].append(index)
        return tuple(map(tuple, result))


def read_expressions(path: str | Path, instances: str | Path | None = None) -> ReferringTruth:
    """Read the normalised JSON of a split.

    Args:
        path: the JSON of expressions.
        instances: the COCO JSON of masks; by default `instances.json` beside it.

    Raises:
        MissingFileError: a file is not there.
        InputError: a record is wrong, or refers to an unknown image or annotation; all problems are listed.
    """
    path = Path(path)
    masks = Path(instances) if instances is not None else path.parent / "instances.json"
    findings = Findings(str(path))
    top = require_type(parse_json_file(path), dict, "the expressions", str(path))
    if instances is None and not masks.exists():
        remedy = "Name the COCO JSON with the masks (--instances), or put it there."
        raise MissingFileError(Finding("file.missing", "there is no such file", remedy, file=str(masks)))
    dataset, split_by, split = (_name(top, key, findings) for key in ("dataset", "split_by", "split"))
    records = top.get("expressions")
    if not isinstance(records, list):
        message = "the file has no list `expressions`"
        findings.add(
            "json.shape", message, "Convert the dataset with `entityseg data refs`.", field="expressions"
        )
        records = []
    found = [_expression(record, f"expressions[{i}]", findings) for i, record in enumerate(records)]
    expressions = [expression for expression in found if expression is not None]
    return checked_truth(dataset, split_by, split, expressions, read_instances(masks), findings, path)


def checked_truth(
    dataset: str,
    split_by: str,
    split: str,
    expressions: Sequence[Expression],
    instances: Instances,
    findings: Findings,
    path: Path,
) -> ReferringTruth:
    """Return the ground truth after every image and annotation that it names was looked up.

    Raises:
        InputError: `findings` has errors, before or after.
    """
    first: dict[int, int] = {}
    for i, expression in enumerate(expressions):
        place = f"expressions[{i}]"
        if first.setdefault(expression.expr_id, i) != i:
            message = f"the id is that of expressions[{first[expression.expr_id]}] too"
            remedy = "Give each sentence its own id."
            findings.add(
                "id.duplicate", message, remedy, record=place, field="expr_id", value=expression.expr_id
            )
        if expression.image_id not in instances.sizes:
            message, remedy = f"{instances.file} has no such image", "Use the instances.json of this dataset."
            findings.add(
                "image.unknown", message, remedy, record=place, field="image_id", value=expression.image_id
            )
            continue
        for ann_id in expression.ann_ids:
            annotation = instances.annotations.get(ann_id)
            if annotation is None:
                message, remedy = (
                    f"{instances.file} has no such annotation",
                    "Use the instances.json of this dataset.",
                )
                findings.add(
                    "annotation.unknown", message, remedy, record=place, field="ann_ids", value=ann_id
                )
            elif annotation.image_id != expression.image_id:
                message = f"the annotation belongs to image {annotation.image_id}, not {expression.image_id}"
                remedy = "Use the instances.json of this dataset."
                findings.add("image.other", message, remedy, record=place, field="ann_ids", value=ann_id)
    if not expressions:
        findings.add("expressions.empty", "there is no expression", "Check the split.")
    findings.raise_errors()
    return ReferringTruth(dataset, split_by, split, tuple(expressions), instances, path, findings)


def write_expressions(truth: ReferringTruth, path: str | Path) -> None:
    """Write the normalised JSON of a split; the COCO JSON of masks stays where it is."""
    records = [{**asdict(one), "ann_ids": list(one.ann_ids)} for one in truth.expressions]
    value = {
        "dataset": truth.dataset,
        "split_by": truth.split_by,
        "split": truth.split,
        "expressions": records,
    }
    write_json(path, value)


def _name(top: dict[str, Any], key: str, findings: Findings) -> str:
    value = top.get(key)
    if isinstance(value, str):
        return value
    findings.add(
        "key.missing", f"the file needs a string {key}", "Such as refcoco, unc, val.", field=key, value=value
    )
    return ""


def _expression(record: Any, place: str, findings: Findings) -> Expression | None:
    """Return the expression of a record, None (with findings) if something is wrong."""

    def add(kind: str, message: str, remedy: str, key: str) -> None:
        findings.add(kind, message, remedy, record=place, field=key, value=record.get(key))

    if not isinstance(record, dict):
        remedy = f"Write an object with {', '.join(_KEYS)}."
        findings.add("record.type", "the record must be an object {...}", remedy, record=place, value=record)
        return None
    before = findings.errors
    for key in _KEYS:
        if key not in record:
            findings.add(
                "key.missing", f"the record has no {key}", f"Give it {key}.", record=place, field=key
            )
    if findings.errors > before:
        return None
    for key in ("expr_id", "ref_id", "image_id"):
        if not is_integer(record[key]) and not (key == "image_id" and isinstance(record[key], str)):
            add("id.type", f"{key} must be an integer", "Write it without quotes.", key)
    ids = record["ann_ids"]
    if not isinstance(ids, list) or not all(is_integer(one) for one in ids):
        add("id.type", "ann_ids must be a list of integers", "Write [] where there is no target.", "ann_ids")
    elif len(set(ids)) < len(ids) or (NO_TARGET in ids and len(ids) > 1):
        message = "ann_ids names an annotation twice, or -1 (no target) beside others"
        add("id.duplicate", message, "Name each annotation once; -1 stands alone.", "ann_ids")
    if not isinstance(record["text"], str):
        add("text.type", "text must be a string", "Write the sentence.", "text")
    if findings.errors > before:
        return None
    targets = () if ids == [NO_TARGET] else tuple(ids)
    return Expression(record["expr_id"], record["ref_id"], record["image_id"], targets, record["text"])
