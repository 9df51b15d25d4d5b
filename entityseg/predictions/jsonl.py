"""Predictions as JSONL: one line an image, `{"image_id", "size": [h, w], "segments": [{"counts", "score"}]}`.

A line can be bounded before it is parsed, a problem has a line number, and an image with nothing found can be said
(`"segments": []`), none of which COCO's results can.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from entityseg.data.coco_slow import unknown_image
from entityseg.data.json_file import as_float, is_integer, map_file, parse_json, score_problem
from entityseg.data.records import Dataset, ImageId, ImageRecord
from entityseg.data.sources import EncodedSource
from entityseg.errors import Findings, InputError
from entityseg.masks import coco
from entityseg.masks.runlengths import Int64Array, Size
from entityseg.masks.size import size_problem
from entityseg.predictions.images import image_of
from entityseg.predictions.records import Predictions

# 300 masks of the largest image (15,000 pixels a side) come to about 20 MB.
MAX_LINE_BYTES = 1 << 26
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class LineSource(EncodedSource):
    """Masks of a JSONL file; problems are named by line and segment.

    Attributes:
        lines: int64 [rows], the number of each row's line, from 1.
    """

    lines: Int64Array = field(default_factory=lambda: np.empty(0, np.int64))

    def record_of(self, row: int) -> str:
        """Return where the record of a row stands in the file."""
        return f"line {self.lines[row]}, segments[{self.positions[row]}]"


@dataclass
class _Line:
    """What one good line says."""

    number: int
    index: int
    positions: list[int] = field(default_factory=list)
    counts: list[bytes] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    categories: list[int] = field(default_factory=list)


def read_jsonl(path: str | Path, gt: Dataset | None) -> Predictions:
    """Read predictions of one line an image.

    Args:
        path: the file. A byte-order mark and Windows line ends are accepted with a warning.
        gt: the ground truth; without it the images are those of the file.

    Raises:
        MissingFileError: there is no such file.
        InputError: a line or a segment is wrong; all problems are listed, by line.
    """
    path = Path(path)
    mapped, _ = map_file(path)
    findings = Findings(str(path))
    reader = _Reader(gt, findings)
    for number, raw in _lines(mapped, findings):
        reader.read(number, raw)
    predictions = reader.predictions(path)
    if findings.errors:
        # What is wrong inside masks belongs on the same list.
        for index in range(len(predictions)):
            predictions.source.checked_masks(index, findings)  # type: ignore[attr-defined]
    findings.raise_errors()
    return predictions


def _lines(mapped: mmap.mmap, findings: Findings) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each line that is not blank; one that is too long is a finding."""
    position, number, carriage_returns = 0, 0, False
    if mapped[:3] == _BOM:
        position = 3
        message = "the file begins with a byte-order mark; accepted"
        findings.add("jsonl.bom", message, "Write UTF-8 without it.", record="line 1", severity="warning")
    while position < len(mapped):
        number += 1
        end = mapped.find(b"\n", position)
        end = len(mapped) if end < 0 else end
        if end - position > MAX_LINE_BYTES:
            message = f"the line has {end - position} bytes, more than the limit of {MAX_LINE_BYTES}"
            findings.add("jsonl.long", message, "Write one line an image.", record=f"line {number}")
        else:
            line = mapped[position:end]
            if line.endswith(b"\r") and not carriage_returns:
                carriage_returns = True
                message = "lines end as on Windows (CR LF); accepted"
                where = {"record": f"line {number}", "severity": "warning"}
                findings.add("jsonl.crlf", message, "Write line feeds only.", **where)  # type: ignore[arg-type]
            if line.strip():
                yield number, line
        position = end + 1


class _Reader:
    def __init__(self, gt: Dataset | None, findings: Findings) -> None:
        self.findings = findings
        self.open = gt is None
        self.images: list[ImageRecord] = [] if gt is None else list(gt.images)
        self.index_of: dict[ImageId, int] = {} if gt is None else gt.index_of
        self.found: dict[int, _Line] = {}

    def add(
        self, number: int, kind: str, message: str, remedy: str, field: str | None, value: object
    ) -> None:
        self.findings.add(kind, message, remedy, record=f"line {number}", field=field, value=value)

    def read(self, number: int, raw: bytes) -> None:
        """Read one line; problems are added to the findings."""
        try:
            record = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            record = self._diagnosed(number, raw, error)
            if record is None:
                return
        if not isinstance(record, dict):
            message, remedy = "the line must be one object {...}", 'Write {"image_id", "size", "segments"}.'
            self.add(number, "record.type", message, remedy, None, record)
            return
        missing = [key for key in ("image_id", "size", "segments") if key not in record]
        if missing:
            message = f"the line has no {', '.join(missing)}"
            self.add(
                number,
                "key.missing",
                message,
                "Give each line image_id, size and segments.",
                missing[0],
                None,
            )
            return
        index = self._image(number, record["image_id"], record["size"])
        segments = record["segments"]
        if not isinstance(segments, list):
            message, remedy = "segments must be a list", "Write a list, [] if nothing was found."
            self.add(number, "segments.type", message, remedy, "segments", segments)
            return
        if index is None:
            return
        line = _Line(number, index)
        size = self.images[index].size
        for position, segment in enumerate(segments):
            self._segment(line, position, segment, size)
        self.found[index] = line

    def _diagnosed(self, number: int, raw: bytes, error: orjson.JSONDecodeError) -> Any:
        """Return what can still be read of a line that is no JSON (NaN, whose record is to be named), else None."""
        try:
            return parse_json(raw, "")
        except InputError as problem:
            finding = next(iter(problem.findings))
        message = finding.message.replace("the file is", "the line is")
        if finding.kind == "json.invalid":
            message = f"the line is no valid JSON at column {error.colno}: {error.msg}"
        self.add(number, finding.kind, message, finding.remedy, None, raw[:200])
        return None

    def _image(self, number: int, image_id: Any, size: Any) -> int | None:
        """Return the position of the line's image, None if something is wrong with it."""
        if not isinstance(image_id, str) and not is_integer(image_id):
            remedy = "Write the id of the ground truth's image, without quotes."
            self.add(number, "id.type", "image_id must be an integer", remedy, "image_id", image_id)
            return None
        problem = size_problem(size)
        if problem:
            self.add(number, "mask.size", *problem, "size", size)
            return None
        index = self.index_of.get(image_id)
        if index is None:
            if not self.open:
                message, remedy = unknown_image(image_id, self.index_of)
                self.add(number, "image.unknown", message, remedy, "image_id", image_id)
                return None
            index = self.index_of[image_id] = len(self.images)
            self.images.append(image_of(image_id, size))
        elif index in self.found:
            message = f"the image is on line {self.found[index].number} too"
            self.add(number, "image.duplicate", message, "Write one line an image.", "image_id", image_id)
            return None
        if tuple(size) != self.images[index].size:
            got = (size[0], size[1])
            coco.add_size_finding(self.findings, got, self.images[index].size, record=f"line {number}")
            return None
        return index

    def _segment(self, line: _Line, position: int, segment: Any, size: Size) -> None:
        """Add a segment to its line, if nothing is wrong with it."""
        place = f"line {line.number}, segments[{position}]"
        findings, before = self.findings, self.findings.errors
        if not isinstance(segment, dict):
            message, remedy = "the segment must be an object {...}", 'Write {"counts", "score"}.'
            findings.add("record.type", message, remedy, record=place, value=segment)
            return
        missing = [key for key in ("counts", "score") if key not in segment]
        for key in missing:
            message, remedy = f"the segment has no {key}", "Give each segment counts and score."
            findings.add("key.missing", message, remedy, record=place, field=key)
        score = 0.0 if "score" in missing else self._score(segment["score"], place)
        counts = b"" if "counts" in missing else self._counts(segment["counts"], size, place)
        category = segment.get("category_id", -1)
        if not is_integer(category):
            category = -1
        if findings.errors > before:
            return
        line.positions.append(position)
        line.counts.append(counts)
        line.scores.append(score)
        line.categories.append(category)

    def _score(self, score: Any, place: str) -> float:
        problem = score_problem(score)
        if problem:
            self.findings.add(*problem, record=place, field="score", value=score)
        return as_float(score)

    def _counts(self, counts: Any, size: Size, place: str) -> bytes:
        where: dict[str, Any] = {"record": place, "field": "counts", "value": counts}
        if isinstance(counts, str):
            # A character beyond ASCII becomes bytes that the decoder refuses, with their place.
            return counts.encode("utf-8")
        if isinstance(counts, list):
            problem = coco.runs_problem(counts, size)
            if problem is None:
                return coco.compress(counts)
            self.findings.add(*problem, **where)
        else:
            message, remedy = "counts must be a string or a list of run lengths", "Encode the mask again."
            self.findings.add("rle.type", message, remedy, **where)
        return b""

    def predictions(self, path: Path) -> Predictions:
        """Return what was read, grouped by image."""
        lines = [self.found[index] for index in sorted(self.found)]
        counts = [text for line in lines for text in line.counts]
        lengths = np.array([len(text) for text in counts], np.int64)
        stops = np.cumsum(lengths, dtype=np.int64)
        per_image = np.zeros(len(self.images), np.int64)
        listed = np.zeros(len(self.images), np.bool_)
        for line in lines:
            per_image[line.index] = len(line.counts)
            listed[line.index] = True
        offsets = np.concatenate([[0], np.cumsum(per_image)]).astype(np.int64)
        source = LineSource(
            text=np.frombuffer(b"".join(counts), np.uint8),
            starts=stops - lengths,
            stops=stops,
            offsets=offsets,
            sizes=[image.size for image in self.images],
            escaped=False,
            positions=np.array([position for line in lines for position in line.positions], np.int64),
            list_name="segments",
            file=str(path),
            lines=np.repeat([line.number for line in lines], [len(line.counts) for line in lines]).astype(
                np.int64
            ),
        )
        return Predictions(
            images=tuple(self.images),
            offsets=offsets,
            scores=np.array([score for line in lines for score in line.scores], np.float64),
            category_ids=np.array([category for line in lines for category in line.categories], np.int64),
            source=source,
            listed=listed,
            path=path,
            warnings=self.findings,
        )
