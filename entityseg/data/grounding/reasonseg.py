"""ReasonSeg (Lai et al., LISA, CVPR 2024): a folder of `name.jpg` and `name.json` with texts and polygons.

Shapes are painted by falling area, so that small ones stay visible; `target` is what is meant, `ignore` counts neither
way, `flag` is left out. Files without any polygon cannot be scored; they are left out and listed.
"""

from __future__ import annotations

import codecs
import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.grounding.outlines import MAX_COORDINATE, filled
from entityseg.data.image_header import read_header
from entityseg.data.json_file import as_float, map_file, parse_json
from entityseg.errors import Finding, Findings, InputError, MissingFileError, input_error
from entityseg.masks.runlengths import RunLengths, Size

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# Images of each split as published; two of the test files have no polygon, which leaves 777.
IMAGE_COUNTS = {"train": 239, "val": 200, "test": 779}
# Polygons are drawn in pixels; larger than any image of the datasets.
_MAX_PIXELS = 2**28


@dataclass(frozen=True, slots=True)
class Shape:
    """A polygon: float64 [n, 2], corners (x, y) in pixels; and whether its pixels are ignored."""

    points: NDArray[np.float64]
    ignore: bool


@dataclass(frozen=True, slots=True)
class ReasoningImage:
    """An image with its texts.

    Attributes:
        name: stem of the files, which predictions name the image by.
        size: (height, width).
        texts: phrasings of one question; the first ranks.
        is_sentence: whether the texts are long.
        shapes: polygons of target and ignored pixels.
    """

    name: str
    size: Size
    texts: tuple[str, ...]
    is_sentence: bool
    shapes: tuple[Shape, ...]

    def masks(self) -> tuple[RunLengths, RunLengths]:
        """Return the target and the ignored pixels, one mask each; they are disjoint."""
        from entityseg.masks import from_dense

        drawn = [filled(shape.points, self.size) for shape in self.shapes]
        areas = np.array([int(one.sum()) for one in drawn], np.int64)
        target, ignore = np.zeros((2, *self.size), np.bool_)
        # Of equal areas the later shape is painted first, as upstream's reversed sorting has it.
        for i in np.argsort(areas, kind="stable")[::-1].tolist():
            own, other = (ignore, target) if self.shapes[i].ignore else (target, ignore)
            own |= drawn[i]
            other &= ~drawn[i]
        return from_dense(target[None]), from_dense(ignore[None])


@dataclass(frozen=True)
class ReasoningTruth:
    """The images of a split.

    Attributes:
        split: name of the folder.
        images: by name, ascending.
        excluded: names of images without polygons, which are not scored.
        path: the folder.
        warnings: what the reader found that does not refuse the data.
    """

    split: str
    images: tuple[ReasoningImage, ...]
    excluded: tuple[str, ...]
    path: Path
    warnings: Findings = field(default_factory=Findings)


def read_reasonseg(folder: str | Path, *, check_counts: bool = False) -> ReasoningTruth:
    """Read a split: all `*.json` of a folder, each with its image beside it.

    Args:
        folder: such as `ReasonSeg/val`.
        check_counts: refuse a folder `train`, `val` or `test` with another number of files than the published split.

    Raises:
        MissingFileError: the folder or an image is not there.
        InputError: a file is wrong; all problems are listed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        message, remedy = "there is no such folder", "Give the folder of a split, such as ReasonSeg/val."
        raise MissingFileError(Finding("folder.missing", message, remedy, file=str(folder)))
    findings = Findings(str(folder))
    files = sorted(folder.glob("*.json"))
    if not files:
        findings.add(
            "folder.empty", "the folder has no *.json", "Give the folder of a split, such as ReasonSeg/val."
        )
    expected = IMAGE_COUNTS.get(folder.name, len(files))
    if check_counts and len(files) != expected:
        message = f"the split has {len(files)} files, the published one {expected}"
        findings.add("split.count", message, "Get the data again; for a part of it, leave the check out.")
    images, excluded = [], []
    for file in files:
        try:
            image = _read_image(file, findings)
        except InputError as error:
            findings.extend(error.findings)
            continue
        if image is not None and not image.shapes:
            excluded.append(image.name)
            message = "the file has no polygon, so the image is not scored"
            findings.add(
                "gt.empty",
                message,
                "Nothing to do; two test files are so.",
                file=str(file),
                severity="warning",
            )
        elif image is not None:
            images.append(image)
    findings.raise_errors()
    return ReasoningTruth(folder.name, tuple(images), tuple(excluded), folder, findings)


def _read_image(file: Path, findings: Findings) -> ReasoningImage | None:
    """Return an image with its texts, None (with findings) if something is wrong."""
    before = findings.errors

    def add(kind: str, message: str, remedy: str, key: str, value: object = None) -> None:
        findings.add(kind, message, remedy, file=str(file), field=key, value=value)

    record = _parse(file)
    if not isinstance(record, dict):
        add("record.type", "the file must be an object {...}", "Check that it is ReasonSeg's.", "", record)
        return None
    texts, is_sentence, shapes = record.get("text"), record.get("is_sentence"), record.get("shapes")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        add("text.type", "text must be a list of strings, not empty", "Write the question.", "text", texts)
    if not isinstance(is_sentence, bool) and is_sentence not in (0, 1):
        add(
            "flag.type",
            "is_sentence must be true or false",
            "Write true or false.",
            "is_sentence",
            is_sentence,
        )
    if not isinstance(shapes, list):
        add("json.shape", "shapes must be a list", "Write a list of polygons.", "shapes", shapes)
        shapes = []
    size = _image_size(file)
    found = [_shape(shape, f"shapes[{i}]", file, findings) for i, shape in enumerate(shapes)]
    if findings.errors > before:
        return None
    kept = tuple(shape for shape in found if shape is not None)
    return ReasoningImage(file.stem, size, tuple(texts), bool(is_sentence), kept)  # type: ignore[arg-type]


def _parse(file: Path) -> Any:
    """Parse a file as UTF-8, or as Windows' cp1252, in which some of the released files are."""
    data = map_file(file)[0][:]
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        # What is neither is left to the parser, which names the byte.
        if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            with contextlib.suppress(UnicodeDecodeError):
                data = data.decode("cp1252").encode()
    return parse_json(data, str(file))


def _image_size(file: Path) -> Size:
    for suffix in IMAGE_SUFFIXES:
        image = file.with_suffix(suffix)
        if image.exists():
            size = read_header(image).size
            if size[0] * size[1] > _MAX_PIXELS:
                message = f"the image has {size[0]} x {size[1]} pixels, more than the limit of {_MAX_PIXELS}"
                raise input_error("image.size", message, "Check the file.", file=str(image))
            return size
    message = "the image of the annotation is not there"
    remedy = f"Put {file.stem}.jpg beside it; its size is that of the masks."
    raise MissingFileError(Finding("file.missing", message, remedy, file=str(file.with_suffix(".jpg"))))


def _shape(shape: Any, place: str, file: Path, findings: Findings) -> Shape | None:
    """Return a polygon, None if it does not count or something is wrong (with findings)."""

    def add(kind: str, message: str, remedy: str, value: object = None) -> None:
        findings.add(kind, message, remedy, file=str(file), record=place, value=value)

    label = shape.get("label") if isinstance(shape, dict) else None
    points = shape.get("points") if isinstance(shape, dict) else None
    if not isinstance(label, str) or not isinstance(points, list):
        add(
            "record.type",
            "a shape needs a string label and a list of points",
            "Check that it is ReasonSeg's.",
        )
        return None
    if label.lower() == "flag":
        return None
    if not any(word in label.lower() for word in ("target", "ignore")):
        message = "the label has neither `target` nor `ignore` in it; the shape counts as target"
        remedy = "Check that it is ReasonSeg's."
        findings.add(
            "label.unknown", message, remedy, file=str(file), record=place, value=label, severity="warning"
        )
    # NaN, which `as_float` gives for whatever is no number, is not below any limit.
    corners = [[as_float(side) for side in point] if isinstance(point, list) else [] for point in points]
    for point, corner in zip(points, corners, strict=True):
        if len(corner) != 2 or not all(abs(side) <= MAX_COORDINATE for side in corner):
            add("polygon.number", "a point is not two numbers in pixels", "Write [x, y].", point)
            return None
    if not corners:
        add("polygon.points", "the polygon has no points", "Leave the shape out.")
        return None
    return Shape(np.array(corners, np.float64), "ignore" in label.lower())
