"""Writing predictions in any of their formats, whole or not at all, the same bytes each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson

from entityseg.data.sources import MemorySource
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import usage_error
from entityseg.files import atomic_file, remove_leftovers
from entityseg.masks.coco import to_strings
from entityseg.predictions.read import PredictionFormat, unknown_format
from entityseg.predictions.records import Predictions


def write_predictions(
    predictions: Predictions,
    path: str | Path,
    *,
    format: PredictionFormat,
    lossy: bool = False,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write predictions; scores come back exactly, masks pixel for pixel.

    Args:
        predictions: what to write.
        path: the file, or the folder of id maps.
        format: `coco` (results JSON), `jsonl` or `idmap`.
        lossy: leave out what the format cannot hold: that nothing was found in an image (`coco`), categories and
            empty masks (`idmap`). Overlapping masks are never cut here; `resolve` does that.
        overwrite: replace what is there.
        threads: images encoded side by side.
        progress: shows how far the images are.

    Raises:
        UsageError: the format cannot hold the predictions, or the target is there already.
        InputError: a mask is malformed.
        OSError: the disk is full or not writable; what was there before is untouched.
    """
    if not lossy:
        _refuse_loss(predictions, format)
    if format == "idmap":
        from entityseg.predictions.idmap_write import write_id_maps

        kept = _with_pixels(predictions) if lossy else predictions
        write_id_maps(kept, path, overwrite=overwrite, threads=threads, progress=progress)
        return
    if format not in ("coco", "jsonl"):
        raise unknown_format(format)
    target = _file_target(Path(path), overwrite)
    remove_leftovers(target)
    with atomic_file(target) as file:
        if format == "coco":
            write_coco_results(predictions, file, threads=threads, progress=progress)
        else:
            write_jsonl(predictions, file, threads=threads, progress=progress)


def write_coco_results(
    predictions: Predictions,
    file: IO[bytes],
    *,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write COCO's results format, one record a line, grouped by image.

    A prediction without category gets `category_id` 1, which COCO's tools demand.

    Raises:
        InputError: a mask is malformed.
        OSError: the disk is full.
    """

    def one_image(index: int) -> bytearray:
        rows, masks = predictions.rows(index), predictions.masks(index)
        image = predictions.images[index]
        size = [image.height, image.width]
        columns = zip(
            to_strings(masks), predictions.scores[rows].tolist(), predictions.category_ids[rows].tolist(),
            strict=True,
        )  # fmt: skip
        # One text that grows: every bytes object that orjson returns occupies a kilobyte at least.
        text = bytearray()
        for counts, score, category in columns:
            record = {
                "image_id": image.id,
                "category_id": 1 if category == -1 else category,
                "segmentation": {"size": size, "counts": counts.decode("ascii")},
                "score": score,
            }
            text += (b",\n" if text else b"") + orjson.dumps(record)
        return text

    file.write(b"[")
    separator = b"\n"
    indices = np.flatnonzero(np.diff(predictions.offsets)).tolist()
    for lines in map_in_order(one_image, progress(indices, len(indices), "writing"), threads=threads):
        file.write(separator + lines)
        separator = b",\n"
    file.write(b"\n]\n")


def write_jsonl(
    predictions: Predictions,
    file: IO[bytes],
    *,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write one line for each image that the predictions have a word on.

    Raises:
        InputError: a mask is malformed.
        OSError: the disk is full.
    """

    def one_image(index: int) -> bytes:
        rows, masks = predictions.rows(index), predictions.masks(index)
        segments = []
        columns = zip(
            to_strings(masks), predictions.scores[rows].tolist(), predictions.category_ids[rows].tolist(),
            strict=True,
        )  # fmt: skip
        for counts, score, category in columns:
            segment: dict[str, Any] = {"counts": counts.decode("ascii"), "score": score}
            if category != -1:
                segment["category_id"] = category
            segments.append(segment)
        image = predictions.images[index]
        record = {"image_id": image.id, "size": [image.height, image.width], "segments": segments}
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)

    indices = np.flatnonzero(predictions.listed).tolist()
    if not indices:
        # An empty file is one that was cut, for every reader; a blank line is a whole one without images.
        file.write(b"\n")
    for line in map_in_order(one_image, progress(indices, len(indices), "writing"), threads=threads):
        file.write(line)


def _refuse_loss(predictions: Predictions, format: str) -> None:
    """Raise `UsageError` if the format cannot hold what there is; overlap is found while writing."""
    if format == "coco":
        empty = int((predictions.listed & (np.diff(predictions.offsets) == 0)).sum())
        if empty:
            message = f"COCO results cannot say that nothing was found, which is so in {empty} images"
            remedy = "Convert to jsonl or idmap, or allow it (`--lossy`): these images then count as missing."
            raise usage_error("target.empty_image", message, remedy)
    if format == "idmap":
        categories = np.setdiff1d(predictions.category_ids, [-1, 1])
        if len(categories):
            message = "id maps hold no categories, which would be lost"
            remedy = "Convert to jsonl or coco, or allow it (`--lossy`)."
            raise usage_error(
                "target.category", message, remedy, field="category_id", value=int(categories[0])
            )


def _with_pixels(predictions: Predictions) -> Predictions:
    """Return the predictions without empty masks."""
    source, kept = MemorySource(), []
    for index in range(len(predictions)):
        masks = predictions.masks(index)
        rows = np.flatnonzero(masks.areas > 0)
        source.append(masks[rows])
        kept.append(rows + predictions.offsets[index])
    keep = np.concatenate([np.empty(0, np.int64), *kept]).astype(np.int64)
    return replace(
        predictions,
        offsets=np.cumsum([0] + [len(rows) for rows in kept], dtype=np.int64),
        scores=predictions.scores[keep],
        category_ids=predictions.category_ids[keep],
        source=source,
        box_areas=None,
    )


def _file_target(path: Path, overwrite: bool) -> Path:
    if path.is_dir():
        raise usage_error("target.folder", "the target is a folder", "Name a file.", file=str(path))
    if path.exists() and not overwrite:
        remedy = "Choose another target, or allow it to be replaced (`--overwrite`)."
        raise usage_error("target.exists", "the file is there already", remedy, file=str(path))
    return path
