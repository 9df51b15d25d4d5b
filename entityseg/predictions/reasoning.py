"""Predictions for reasoning questions: `[{image: "name", text_idx: 0, segmentation: RLE | null}]`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.grounding.reasonseg import ReasoningTruth
from entityseg.errors import Findings
from entityseg.files import write_json
from entityseg.masks.coco import to_coco
from entityseg.masks.runlengths import RunLengths
from entityseg.predictions.grounded import (
    NO_MASK,
    MaskCollector,
    PlacedSource,
    Record,
    check_masks,
    read_list,
)

NEEDED = ("image", "text_idx", "segmentation")


@dataclass(frozen=True)
class ReasoningPredictions:
    """A mask, or none, for each text of each image of a ground truth.

    Attributes:
        listed: for each image, bool [texts], whether there is a record.
        rows: for each image, the row of each text among the image's masks; -1 for none.
        source: the masks, by the image's position in the ground truth.
        path: the file.
    """

    listed: tuple[NDArray[np.bool_], ...]
    rows: tuple[list[int], ...]
    source: PlacedSource
    path: Path | None = None


def read_reasoning(path: str | Path, gt: ReasoningTruth) -> ReasoningPredictions:
    """Read predictions for the texts of `gt`; masks are decoded when they are scored.

    Records of images that are not scored, as they have no polygons, are passed over.

    Raises:
        MissingFileError: there is no such file.
        InputError: a record is malformed, of an unknown image or text, or a second one; all problems are listed.
    """
    path = Path(path)
    findings = Findings(str(path))
    index_of = {image.name: i for i, image in enumerate(gt.images)}
    sizes = [image.size for image in gt.images]
    masks = MaskCollector(sizes, str(path))
    rows = tuple([NO_MASK] * len(image.texts) for image in gt.images)
    listed = tuple(np.zeros(len(image.texts), np.bool_) for image in gt.images)
    first: dict[tuple[int, int], int] = {}
    for position, value in enumerate(read_list(path)):
        record = Record(value, f"predictions[{position}]", findings)
        if not record.keys(NEEDED):
            continue
        name, text_idx = record.text("image"), record.identifier("text_idx")
        if name is None or text_idx is None or name in gt.excluded:
            continue
        index = index_of.get(name)
        if index is None:
            remedy = "Name the image by its file's name without the ending."
            record.add("image.unknown", "the ground truth has no such image", remedy, "image", name)
            continue
        texts = len(gt.images[index].texts)
        if not 0 <= text_idx < texts:
            message = f"the image has {texts} texts, numbered from 0"
            record.add("text.unknown", message, "Give the position in `text`.", "text_idx", text_idx)
            continue
        if first.setdefault((index, text_idx), position) != position:
            message = f"the text has predictions[{first[index, text_idx]}] too"
            record.add("text.duplicate", message, "Write one record, with one mask.", "text_idx", text_idx)
            continue
        listed[index][text_idx] = True
        counts = record.mask(sizes[index])
        if counts is not None and record.fine:
            rows[index][text_idx] = masks.add(index, counts, record.place)
    source = masks.source()
    if findings.errors:
        check_masks(source, findings)
    findings.raise_errors()
    return ReasoningPredictions(listed, rows, source, path)


def write_reasoning(path: str | Path, predictions: Iterable[tuple[str, int, RunLengths | None]]) -> None:
    """Write predictions.

    Args:
        path: the file.
        predictions: (image name, number of the text, one mask or None) for each text.
    """
    records: list[dict[str, Any]] = []
    for name, text_idx, mask in predictions:
        rle = None if mask is None else to_coco(mask)[0]
        records.append({"image": name, "text_idx": text_idx, "segmentation": rle})
    write_json(path, records)
