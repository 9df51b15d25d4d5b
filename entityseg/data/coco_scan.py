"""Scans a list of COCO records in a mapped file into columns, batch by batch, so that memory stays small."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from entityseg.data import _scan
from entityseg.data.json_file import buffer_of, forget_pages
from entityseg.masks.runlengths import Int64Array

ANNOTATION_KEYS = frozenset({"id", "image_id", "category_id", "iscrowd", "area", "bbox", "segmentation"})
# Records scanned before the pages of the file that they came from are let go.
_BATCH = 1 << 13
# Files above this are scanned by two threads; below, starting one costs more than it saves.
_SPLIT_BYTES = 1 << 23
_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the records of a file must have.

    Attributes:
        list_name: name of the list in messages.
        ids: whether each record has an id of its own.
        scores: whether each record has a score.
        areas: whether to read `area`.
        box_areas: whether to read `bbox` too.
        known: keys that are not extras.
    """

    list_name: str
    ids: bool = True
    scores: bool = False
    areas: bool = True
    box_areas: bool = False
    known: frozenset[str] = ANNOTATION_KEYS


@dataclass(frozen=True, slots=True)
class Columns:
    """The fields of n scanned records, in the order of the file; no more than is needed of each, for there are many.

    Attributes:
        seen: uint8 [n], bits of `_scan.SEEN`.
        ids, category_ids: int64 [n], -1 where absent.
        image_ids: int64 [n]; one that is not `seen` means nothing.
        crowd: int8 [n], -1 where absent, 2 for what is neither 0 nor 1.
        sizes: int32 [n, 2], height and width of the mask; -1 beyond 31 bits.
        starts, stops: int64 [n], where the string of each mask lies; -1 where there is none.
        spans: int64 [n, 2], where each record lies, 0 to 0 where all its keys are known; None if all are.
        scores, areas, box_areas: float64 [n], NaN where absent; None if not asked for.
    """

    seen: NDArray[np.uint8]
    ids: Int64Array
    category_ids: Int64Array
    image_ids: Int64Array
    crowd: NDArray[np.int8]
    sizes: NDArray[np.int32]
    starts: Int64Array
    stops: Int64Array
    spans: Int64Array | None
    scores: NDArray[np.float64] | None
    areas: NDArray[np.float64] | None
    box_areas: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class Scanned:
    """A scanned list: its records, and the position behind its closing bracket."""

    columns: Columns
    end: int


# Columns of some records by name; None for numbers that nobody asked for, and for spans where no record needs one.
_Batch = dict[str, NDArray[Any] | None]


class _Growing:
    """Columns that grow at their ends.

    Their memory is taken in few large pieces: these go back to the system whole, where many small ones leave holes.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._columns: _Batch = dict.fromkeys(field.name for field in fields(Columns))

    def extend(self, batch: _Batch, rows: int) -> None:
        """Add rows; a column that is None has zeros there, if it is not None everywhere."""
        start, stop = self.rows, self.rows + rows
        for name, values in batch.items():
            column = self._columns[name]
            known = values if column is None else column
            if known is None:
                continue
            if column is None or stop > len(column):
                # The system gives zeros page by page, when they are written to.
                grown = np.zeros((max(2 * start, stop), *known.shape[1:]), known.dtype)
                if column is not None:
                    grown[:start] = column[:start]
                self._columns[name] = column = grown
            if values is not None:
                column[start:stop] = values
        self.rows = stop

    def batch(self) -> _Batch:
        """Return all rows."""
        return {name: None if one is None else one[: self.rows] for name, one in self._columns.items()}


def scan_list(text: NDArray[np.uint8], start: int, wanted: Wanted, *, threads: int = 2) -> Scanned | None:
    """Scan the list whose opening bracket is at `start`.

    Args:
        text: uint8 [N], the file.
        start: position of the bracket.
        wanted: which numbers to take out on the way.
        threads: two scan the halves of a large file.

    Returns:
        What was found; None if the slow reader must look.
    """
    stop = len(text)
    first = start + 1
    while first < stop and text[first] in b" \t\r\n":
        first += 1
    found = _Growing()
    if first < stop and text[first] == _scan.CLOSE_LIST:
        found.extend(_columns(b"", np.empty((0, _scan.N_COLUMNS), np.int64), wanted) or {}, 0)
        return Scanned(Columns(**found.batch()), first + 1)  # type: ignore[arg-type]
    border = _guess_border(text, (first + stop) // 2) if threads > 1 and stop - first > _SPLIT_BYTES else stop
    if border == stop:
        end = _scan_until(text, first, stop, wanted, found)
    else:
        second = _Growing()
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(_scan_until, text, border, stop, wanted, second)
            end = _scan_until(text, first, border, wanted, found)
            last = pending.result()
        if end == border and last > 0:
            found.extend(second.batch(), second.rows)
            end = last
        elif end > 0 and not _is_closed(text, end):
            # The guess was no border of records, or the second half needs the slow reader: go on in one thread.
            end = _scan_until(text, end, stop, wanted, found)
    return Scanned(Columns(**found.batch()), end) if _is_closed(text, end) else None  # type: ignore[arg-type]


def _scan_until(text: NDArray[np.uint8], position: int, until: int, wanted: Wanted, found: _Growing) -> int:
    """Scan records into `found`; return the next record's position, -1 where the slow reader must look."""
    buffer = buffer_of(text)
    rows = np.empty((_BATCH, _scan.N_COLUMNS), np.int64)
    while True:
        count, position = _scan.scan_records(text, position, until, rows)
        batch = _columns(buffer, rows[:count], wanted)
        # What was scanned is not needed until its image is scored.
        forget_pages(text)
        if batch is None:
            return -1
        found.extend(batch, count)
        if count < _BATCH or position < 0:
            return position


def _columns(buffer: mmap.mmap | bytes, rows: NDArray[np.int64], wanted: Wanted) -> _Batch | None:
    """Return the columns of scanned records; None where a number is something else."""
    seen, crowd = rows[:, _scan.SEEN], rows[:, _scan.ISCROWD]
    sizes = rows[:, _scan.HEIGHT : _scan.WIDTH + 1]
    has_others = seen & _scan.SEEN_OTHER > 0
    if "score" not in wanted.known:
        has_others |= rows[:, _scan.SCORE_START] >= 0
    spans = np.where(has_others[:, None], rows[:, : _scan.RECORD_STOP + 1], 0) if has_others.any() else None
    numbers: _Batch = {"scores": None, "areas": None, "box_areas": None}
    for name, asked, column, read in (
        ("scores", wanted.scores, _scan.SCORE_START, _numbers),
        ("areas", wanted.areas, _scan.AREA_START, _numbers),
        ("box_areas", wanted.box_areas, _scan.BBOX_START, _box_areas),
    ):
        if asked:
            numbers[name] = read(
                [
                    buffer[start:stop] if start >= 0 else b"null"
                    for start, stop in rows[:, column : column + 2].tolist()
                ]
            )
            if numbers[name] is None:
                return None
    absent = seen & _scan.SEEN_CROWD == 0
    return {
        "seen": seen.astype(np.uint8),
        "ids": np.where(seen & _scan.SEEN_ID, rows[:, _scan.ID], -1),
        "image_ids": rows[:, _scan.IMAGE_ID].copy(),
        "category_ids": np.where(seen & _scan.SEEN_CATEGORY, rows[:, _scan.CATEGORY_ID], -1),
        "crowd": np.where(absent, -1, np.where((crowd == 0) | (crowd == 1), crowd, 2)).astype(np.int8),
        "sizes": np.where(sizes <= _MOST, sizes, -1).astype(np.int32),
        "starts": rows[:, _scan.COUNTS_START].copy(),
        "stops": rows[:, _scan.COUNTS_STOP].copy(),
        "spans": spans,
        **numbers,
    }


def _numbers(texts: Sequence[bytes]) -> NDArray[np.float64] | None:
    """Return JSON texts as numbers, NaN for `null`; None if one is something else."""
    try:
        values = orjson.loads(b"[" + b",".join(texts) + b"]")
    except orjson.JSONDecodeError:
        return None
    if not {float, int, type(None)}.issuperset(map(type, values)):
        return None
    return np.array(values, np.float64)


def _box_areas(texts: Sequence[bytes]) -> NDArray[np.float64] | None:
    """Return width times height of JSON texts of boxes, NaN for `null` and for none; None if one is no box."""
    try:
        boxes = orjson.loads(b"[" + b",".join(texts) + b"]")
    except orjson.JSONDecodeError:
        return None
    areas = np.full(len(boxes), np.nan)
    for i, box in enumerate(boxes):
        if box is None:
            continue
        if not isinstance(box, list) or len(box) not in (0, 4):
            return None
        if any(isinstance(side, bool) or not isinstance(side, int | float) for side in box):
            return None
        areas[i] = box[2] * box[3] if box else np.nan
    return areas


def _is_closed(text: NDArray[np.uint8], end: int) -> bool:
    """Whether a scan ended behind the list's bracket, and not at a border or at the end of a cut file."""
    return end > 0 and bool(text[end - 1] == _scan.CLOSE_LIST)


def _guess_border(text: NDArray[np.uint8], position: int) -> int:
    """Return where a record seems to begin behind `position`; the end of the text if nothing looks like it."""
    while position < len(text):
        window = text[position : position + (1 << 16)].tobytes()
        at = window.find(b"}")
        while at >= 0:
            after = window[at + 1 : at + 64].lstrip()
            if after[:1] == b"," and after[1:].lstrip()[:1] == b"{":
                return position + window.index(b"{", at + 1)
            at = window.find(b"}", at + 1)
        position += len(window)
    return len(text)
