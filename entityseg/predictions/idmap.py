"""Predictions as id maps: a PNG for each image, disjoint by construction, and `scores.json`.

A PNG is 16-bit grey, or RGB (id = R + 256 G + 65,536 B); 0 is no entity. It has the stem of the image's file name, or
the image's id, as its name. `scores.json` is `{image_id: {segment_id: score}}`; it is written last, so that a set
without it is not whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from entityseg.data.formats._png_files import located, png_size
from entityseg.data.json_file import as_float, parse_json_file, require_type, score_problem
from entityseg.data.records import Dataset, ImageId, ImageRecord
from entityseg.errors import (
    Finding,
    Findings,
    InputError,
    MissingFileError,
)
from entityseg.masks import MAX_PIXELS, RunLengths, from_panoptic_png
from entityseg.masks.coco import add_size_finding
from entityseg.masks.runlengths import Int64Array
from entityseg.predictions.images import image_of, stand_in
from entityseg.predictions.records import Predictions

SCORES = "scores.json"
# What a folder of `bench run` or `predict` has, of which the predictions are a part.
_OF_RUNS = ("predictions.jsonl", "predictions.json", f"predictions/{SCORES}", f"id_maps/{SCORES}")
MOST_ID = 2**24 - 1
# Without a ground truth a map itself says how large it is, and its pixels must fit into memory.
_MAX_UNTOLD_PIXELS = 2**29


@dataclass(frozen=True)
class MapSource:
    """Masks read from an image's map when they are asked for; map and scores must name the same segments.

    Attributes:
        images: the images.
        files: the map of each image, None where there is none.
        offsets: int64 [images + 1].
        values: int64 [rows], the pixel value of each row, ascending in each image.
        scores_file: path of `scores.json`.
    """

    images: Sequence[ImageRecord]
    files: Sequence[Path | None]
    offsets: Int64Array
    values: Int64Array
    scores_file: str

    def masks(self, index: int) -> RunLengths:
        """Return the masks of image number `index`.

        Raises:
            InputError: the map is missing, damaged, of another size, or disagrees with the scores.
        """
        findings = Findings(self.scores_file)
        masks = self.checked_masks(index, findings)
        findings.raise_errors()
        return masks

    def extras(self, index: int) -> Sequence[Mapping[str, Any]]:
        """Return nothing: a map has no other keys."""
        return ()

    def checked_masks(self, index: int, findings: Findings) -> RunLengths:
        """Return the masks of an image; what is wrong goes to `findings` and leaves masks empty."""
        image, file = self.images[index], self.files[index]
        wanted = self.values[self.offsets[index] : self.offsets[index + 1]]
        nothing = RunLengths.empty(image.size, len(wanted))
        if file is None:
            return nothing
        record = f"image {image.id}"
        try:
            got = png_size(file, MAX_PIXELS)
            if got != image.size:
                add_size_finding(findings, got, image.size, record=record, file=str(file))
                return nothing
            found, masks = from_panoptic_png(file, size=image.size)
        except InputError as error:
            for finding in located(error, file, record):
                findings.append(finding)
            return nothing
        where: dict[str, Any] = {"record": record, "file": str(file)}
        for value in np.setdiff1d(wanted, found).tolist():
            message = f"{SCORES} scores this segment, the map has no pixel of it"
            findings.add(
                "idmap.ids", message, "Leave its score out.", field="segment_id", value=value, **where
            )
        for value in np.setdiff1d(found, wanted).tolist():
            message = f"the map has this segment, {SCORES} has no score for it"
            remedy = f"Add its score to {SCORES}, or paint its pixels 0."
            findings.add("idmap.ids", message, remedy, field="segment_id", value=value, **where)
        return masks if np.array_equal(found, wanted) else nothing


def read_id_maps(path: str | Path, gt: Dataset | None) -> Predictions:
    """Read a folder of id maps with its `scores.json`.

    Args:
        path: the folder, or the `scores.json` in it.
        gt: the ground truth; without it the images are those of `scores.json`, and their maps must be named by id.

    Raises:
        MissingFileError: there is no such folder, or no `scores.json` in it.
        InputError: an id is unknown, a score is none, a map is missing; all problems are listed. Maps are decoded
            and checked when an image is asked for.
    """
    path = Path(path)
    folder = path.parent if path.name == SCORES else path
    if not (folder / SCORES).is_file():
        message = f"the folder has no {SCORES}"
        remedy = f"Write {SCORES} with {{image_id: {{segment_id: score}}}}; if it was being written, write it again."
        inside = next((one for one in _OF_RUNS if (folder / one).is_file()), None)
        if inside is not None:
            remedy = f"This is a run's folder: give {folder / inside}."
        raise MissingFileError(Finding("idmap.scores", message, remedy, file=str(folder)))
    file = str(folder / SCORES)
    findings = Findings(file)
    scores = require_type(parse_json_file(folder / SCORES), dict, "the file", file)
    pngs = maps_by_stem(folder, findings)
    if gt is None:
        gt = stand_in(_images_of(scores, pngs, folder, findings), folder)
        findings.raise_errors()
    rows = [_Row(image) for image in gt.images]
    _find_maps(rows, pngs, findings)
    known = {str(row.image.id): row for row in rows}
    for key, value in scores.items():
        if key not in known:
            message, remedy = "no image has this id", "Use the ids of the ground truth's `images` as keys."
            findings.add("image.unknown", message, remedy, record=f"[{key!r}]", field="image_id", value=key)
        else:
            _read_scores(known[key], value, findings)
            if known[key].file is None:
                names = " or ".join(f"{name}.png" for name in dict.fromkeys(_names_of(known[key].image)))
                message, remedy = (
                    f"there is no map of this image ({names})",
                    "Write it, or leave its scores out.",
                )
                findings.add("file.missing", message, remedy, record=f"image {key}", file=str(folder))
    counts = [len(row.values) for row in rows]
    offsets = np.cumsum([0, *counts], dtype=np.int64)
    source = MapSource(
        images=gt.images,
        files=[row.file for row in rows],
        offsets=offsets,
        values=np.array([value for row in rows for value in row.values], np.int64),
        scores_file=file,
    )
    if findings.errors:
        # What is wrong inside the maps belongs on the same list.
        for index in range(len(rows)):
            source.checked_masks(index, findings)
    findings.raise_errors()
    return Predictions(
        images=gt.images,
        offsets=offsets,
        scores=np.array([score for row in rows for score in row.scores], np.float64),
        category_ids=np.full(offsets[-1], -1, np.int64),
        source=source,
        listed=np.array([row.listed or row.file is not None for row in rows], np.bool_),
        path=folder,
        warnings=findings,
    )


def maps_by_stem(folder: Path, findings: Findings) -> dict[str, Path]:
    """Return the PNG files of a folder by their stems; two with one stem (`a.png`, `a.PNG`) are a finding."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        # Hidden files are no maps: systems, and writers that were killed, leave such.
        if path.suffix.lower() != ".png" or path.name.startswith("."):
            continue
        first = found.setdefault(path.stem, path)
        if first != path:
            findings.add(
                "map.duplicate", f"{first.name} has the same stem", "Keep one of the two.", file=str(path)
            )
    return found


class _Row:
    """What is known of an image while the set is read."""

    def __init__(self, image: ImageRecord) -> None:
        self.image = image
        self.file: Path | None = None
        self.values: list[int] = []
        self.scores: list[float] = []
        self.listed = False


def _names_of(image: ImageRecord) -> list[str]:
    """Return the stems that an image's map may have."""
    return [PurePosixPath(image.file_name).stem, str(image.id)]


def _find_maps(rows: list[_Row], pngs: Mapping[str, Path], findings: Findings) -> None:
    """Give each image its map: that of its file's stem, else that of its id; a map without image is a finding."""
    stems = Counter(_names_of(row.image)[0] for row in rows)
    used: set[str] = set()
    for row in rows:
        stem = _names_of(row.image)[0]
        if stems[stem] == 1 and stem in pngs:
            row.file = pngs[stem]
            used.add(stem)
    for row in rows:
        by_id = str(row.image.id)
        if row.file is None and by_id in pngs and by_id not in used:
            row.file = pngs[by_id]
            used.add(by_id)
    for stem, file in pngs.items():
        if stem not in used:
            message = "no image has this map's name as its file name or id"
            remedy = "Name maps by the image: `<stem of file_name>.png` or `<image_id>.png`."
            findings.add("image.unknown", message, remedy, file=str(file))


def _read_scores(row: _Row, value: Any, findings: Findings) -> None:
    record = f"image {row.image.id}"
    row.listed = True
    if not isinstance(value, dict):
        message, remedy = (
            "the scores of an image must be an object",
            "Write {segment_id: score}, {} for none.",
        )
        findings.add("record.type", message, remedy, record=record, value=value)
        return
    found: dict[int, float] = {}
    for key, score in value.items():
        segment = int(key) if key.isascii() and key.isdigit() and len(key) < 9 else 0
        if not 1 <= segment <= MOST_ID or segment in found:
            message = "a segment's id must be an integer from 1 to 2^24 - 1, once an image"
            remedy = "Use the ids of the map's pixels as keys."
            findings.add("idmap.value", message, remedy, record=record, field="segment_id", value=key)
            continue
        problem = score_problem(score)
        if problem:
            findings.add(*problem, record=record, field=f"scores[{key}]", value=score)
        found[segment] = as_float(score)
    row.values = sorted(found)
    row.scores = [found[segment] for segment in row.values]


def _images_of(
    scores: Mapping[str, Any], pngs: Mapping[str, Path], folder: Path, findings: Findings
) -> list[ImageRecord]:
    """Return the images that the scores name, with the sizes of their maps."""
    images = []
    for key in scores:
        file = pngs.get(key) or pngs.get(PurePosixPath(key).stem)
        if file is None:
            message = f"there is no map {key}.png"
            remedy = (
                "Give the ground truth (`--gt`), by which maps are found under the names of their images."
            )
            findings.add("file.missing", message, remedy, record=f"image {key}", file=str(folder))
            continue
        try:
            images.append(image_of(_id_of(key), png_size(file, _MAX_UNTOLD_PIXELS)))
        except InputError as error:
            findings.extend(error.findings)
    return images


def _id_of(key: str) -> ImageId:
    """Return the image id that a key of `scores.json` stands for: an integer if it is written like one, else a string.

    >>> _id_of("42"), _id_of("-5"), _id_of("007")
    (42, -5, '007')
    """
    digits = key.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        return key
    return int(key) if str(int(key)) == key else key
