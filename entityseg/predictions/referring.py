"""Predictions for referring expressions: `[{expr_id, image_id, segmentation: RLE | null, score?, no_target?}]`.

One record, with one mask, an expression: who has several masks joins them. `null` is "the model gave no mask".
`no_target: true` says that the expression refers to nothing, and makes the mask count as empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.grounding.expressions import ReferringTruth
from entityseg.errors import Findings
from entityseg.files import write_json
from entityseg.masks.coco import to_coco
from entityseg.masks.runlengths import Int64Array, RunLengths, Size
from entityseg.predictions.grounded import (
    NO_MASK,
    MaskCollector,
    PlacedSource,
    Record,
    check_masks,
    read_list,
)

NEEDED = ("expr_id", "image_id", "segmentation")
OPTIONAL = ("score", "no_target")


@dataclass(frozen=True)
class ReferringPredictions:
    """A mask, or none, for each expression of a ground truth, in its order.

    Attributes:
        listed: bool [expressions], whether there is a record.
        rows: int64 [expressions], row among the masks of the expression's image; -1 for none.
        no_target: bool [expressions], whether the record says that there is no target.
        source: the masks, by the image's position in the ground truth.
        path: the file.
    """

    listed: NDArray[np.bool_]
    rows: Int64Array
    no_target: NDArray[np.bool_]
    source: PlacedSource
    path: Path | None = None


def read_referring(
    path: str | Path, gt: ReferringTruth, *, frame: Size | None = None
) -> ReferringPredictions:
    """Read predictions for the expressions of `gt`; masks are decoded when they are scored.

    Args:
        path: the file.
        gt: the ground truth.
        frame: (height, width) that all masks may have instead of their images' sizes, as a compat mode's models make
            them.

    Raises:
        MissingFileError: there is no such file.
        InputError: a record is malformed, of an unknown expression, or a second one; all problems are listed.
    """
    path = Path(path)
    findings = Findings(str(path))
    n = len(gt.expressions)
    index_of = {expression.expr_id: i for i, expression in enumerate(gt.expressions)}
    records = read_list(path)
    sizes = [frame] * len(gt.sizes) if frame and _all_are(records, frame) else gt.sizes
    masks = MaskCollector(sizes, str(path))
    rows, no_target = np.full(n, NO_MASK, np.int64), np.zeros(n, np.bool_)
    seen: dict[int, int] = {}
    for position, value in enumerate(records):
        record = Record(value, f"predictions[{position}]", findings)
        if not record.keys(NEEDED, OPTIONAL):
            continue
        expr_id, image_id = record.identifier("expr_id"), record.identifier("image_id", strings=True)
        record.score()
        flag = record.flag("no_target")
        index = None if expr_id is None else index_of.get(expr_id)
        if index is None:
            if expr_id is not None:
                remedy = "Predict the expressions of this split; the unit is the sentence, not the ref."
                record.add(
                    "expression.unknown",
                    "the ground truth has no such expression",
                    remedy,
                    "expr_id",
                    expr_id,
                )
            continue
        expression = gt.expressions[index]
        if index in seen:
            message = f"the expression has predictions[{seen[index]}] too"
            record.add(
                "expression.duplicate", message, "Write one record, with one mask.", "expr_id", expr_id
            )
            continue
        seen[index] = position
        if image_id is not None and image_id != expression.image_id:
            message = f"the expression belongs to image {expression.image_id}"
            record.add("image.other", message, "Check that ids and masks go together.", "image_id", image_id)
            continue
        group = gt.group_of[index]
        text = record.mask(sizes[group])
        no_target[index] = flag
        if text is not None and record.fine:
            rows[index] = masks.add(group, text, record.place)
    source = masks.source()
    if findings.errors:
        check_masks(source, findings)
    findings.raise_errors()
    listed = np.zeros(n, np.bool_)
    listed[list(seen)] = True
    return ReferringPredictions(listed, rows, no_target, source, path)


def _all_are(records: list[Any], frame: Size) -> bool:
    """Return whether there are masks, and all of them have this size."""
    rles = [record.get("segmentation") for record in records if isinstance(record, dict)]
    found = [rle.get("size") for rle in rles if isinstance(rle, dict)]
    return bool(found) and all(size == list(frame) for size in found)


def write_referring(
    path: str | Path,
    predictions: Iterable[
        tuple[int, int | str, RunLengths | None] | tuple[int, int | str, RunLengths | None, bool]
    ],
) -> None:
    """Write predictions.

    Args:
        path: the file.
        predictions: (expression id, image id, one mask or None[, no target]) for each expression.
    """
    records: list[dict[str, Any]] = []
    for expr_id, image_id, mask, *rest in predictions:
        rle = None if mask is None else to_coco(mask)[0]
        records.append({"expr_id": expr_id, "image_id": image_id, "segmentation": rle})
        if rest:
            records[-1]["no_target"] = rest[0]
    write_json(path, records)
