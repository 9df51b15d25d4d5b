"""Writing predictions as id maps: the maps first, then `scores.json`, which says that they are whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from entityseg.data.coco_write import dumps
from entityseg.data.formats._png_files import unsafe
from entityseg.data.records import ImageRecord
from entityseg.data.staging import replaced_folder
from entityseg.data.targets import folder_target
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Finding, Findings, UsageError, input_error, usage_error
from entityseg.files import atomic_file
from entityseg.masks import RunLengths, are_disjoint, to_id_png
from entityseg.predictions.idmap import MOST_ID, SCORES
from entityseg.predictions.records import Predictions


def write_id_maps(
    predictions: Predictions,
    path: str | Path,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write a map for each image that the predictions have a word on, then `scores.json`; segments are 1 to n.

    Raises:
        UsageError: masks overlap (every image is named), are empty, two images have ids that are written alike, or
            the folder is there and not empty.
        InputError: a mask is malformed.
        OSError: the disk is full.
    """
    _refuse_equal_keys(predictions.images)
    names = _written_names(predictions.images)
    indices = np.flatnonzero(predictions.listed).tolist()
    with _target(Path(path), overwrite) as folder:

        def one_image(index: int) -> Finding | None:
            masks = predictions.masks(index)
            problem = _cannot_hold(masks, f"image {predictions.images[index].id}", predictions.path)
            if problem is None:
                to_id_png(folder / f"{names[index]}.png", masks)
            return problem

        findings = Findings()
        for problem in map_in_order(one_image, progress(indices, len(indices), "writing"), threads=threads):
            if problem is not None:
                findings.append(problem)
        if findings.errors:
            raise UsageError(findings)
        with atomic_file(folder / SCORES) as out:
            out.write(b"{")
            for number, index in enumerate(indices):
                scores = predictions.scores[predictions.rows(index)].tolist()
                line = {str(segment): score for segment, score in enumerate(scores, 1)}
                key = str(predictions.images[index].id)
                out.write((b",\n" if number else b"\n") + dumps(key) + b":" + dumps(line))
            out.write(b"\n}\n")


@contextmanager
def _target(path: Path, overwrite: bool) -> Iterator[Path]:
    """Give the folder to write into; an older set is replaced as a whole, lest its maps stay among the new ones."""
    if overwrite and path.is_dir() and any(path.iterdir()):
        if not (path / SCORES).is_file():
            message, remedy = "the folder holds something that is no set of id maps", "Choose another target."
            raise usage_error("target.exists", message, remedy, file=str(path))
        with replaced_folder(path) as folder:
            yield folder
        return
    with folder_target(path, SCORES) as folder:
        yield folder


def _cannot_hold(masks: RunLengths, record: str, path: Path | None) -> Finding | None:
    """Return why a map cannot hold these masks, None if it can."""
    file = None if path is None else str(path)
    if not are_disjoint(masks):
        message = "masks of the image overlap, and a map has one id a pixel"
        remedy = "Make them disjoint first: `entityseg predictions resolve`."
        return Finding("target.overlap", message, remedy, file=file, record=record)
    empty = int((masks.areas == 0).sum())
    if empty:
        message = f"{empty} masks of the image have no pixel, and a map cannot show them"
        remedy = "Drop them (`--lossy`), or convert to jsonl or coco."
        return Finding("target.empty_mask", message, remedy, file=file, record=record)
    if len(masks) > MOST_ID:
        raise input_error("idmap.value", f"{len(masks)} masks in one image", "Keep fewer.", record=record)
    return None


def _refuse_equal_keys(images: Sequence[ImageRecord]) -> None:
    """Raise `UsageError` if two images would have one key in `scores.json`, as 7 and "7" would."""
    seen: set[str] = set()
    for image in images:
        key = str(image.id)
        if key in seen:
            message = (
                "two images have this id, one as a number and one as a string, which a map's key cannot tell"
            )
            raise usage_error(
                "target.name", message, "Convert to jsonl or coco instead.", field="image_id", value=key
            )
        seen.add(key)


def _written_names(images: Sequence[ImageRecord]) -> list[str]:
    """Return the stem of each image's map, such that the reader finds it again.

    >>> _written_names([ImageRecord(7, "val/a.jpg", 2, 2), ImageRecord(8, "b.jpg", 2, 2)])
    ['a', 'b']
    >>> _written_names([ImageRecord(7, "x/a.jpg", 2, 2), ImageRecord(8, "y/a.jpg", 2, 2)])
    ['7', '8']
    """
    stems = [PurePosixPath(image.file_name).stem for image in images]
    # Some file systems do not tell capitals from small letters.
    if not any(unsafe(stem) or "/" in stem for stem in stems) and len({s.casefold() for s in stems}) == len(
        stems
    ):
        return stems
    names = [str(image.id) for image in images]
    for name in names:
        if unsafe(name) or "/" in name or "\\" in name:
            message, remedy = "an image's id cannot be a file's name", "Convert to jsonl or coco instead."
            raise usage_error("target.name", message, remedy, field="image_id", value=name)
    return names
