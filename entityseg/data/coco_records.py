"""Records of COCO JSON (annotations or results) as columns: a fast reader for what is as it should be.

`scan` finds the fields in the mapped file; what it does not understand goes to `coco_slow.py`, which parses the file
into objects and names every problem. Both make the same `Records`.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from entityseg.data import _scan
from entityseg.data.json_file import buffer_of, forget_pages
from entityseg.data.records import ImageId, ImageRecord
from entityseg.data.sources import EncodedSource
from entityseg.masks.runlengths import Int64Array

ANNOTATION_KEYS = frozenset({"id", "image_id", "category_id", "iscrowd", "area", "bbox", "segmentation"})
# Records scanned before the pages of the file that they came from are let go.
_BATCH = 1 << 13
# Files above this are scanned by two threads; below, starting one costs more than it saves.
_SPLIT_BYTES = 1 << 23


@dataclass(frozen=True)
class Records:
    """Columns of n records, grouped by image.

    Attributes:
        offsets: int64 [images + 1], rows of each image.
        positions: int64 [n], index of each row's record in the file's list.
        ids, category_ids: int64 [n]; -1 where absent.
        iscrowd: bool [n].
        scores: float64 [n], None if not asked for.
        areas: float64 [n], as the file states them, NaN where absent.
        box_areas: float64 [n], width times height of `bbox`, NaN where absent; None if not asked for.
        source: the masks.
    """

    offsets: Int64Array
    positions: Int64Array
    ids: Int64Array
    category_ids: Int64Array
    iscrowd: NDArray[np.bool_]
    scores: NDArray[np.float64] | None
    areas: NDArray[np.float64]
    box_areas: NDArray[np.float64] | None
    source: EncodedSource


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

    @property
    def numbers(self) -> tuple[int, ...]:
        """Columns whose numbers the scanner is to take out."""
        return (_scan.SCORE_START,) * self.scores + (_scan.AREA_START,) * self.areas


class Scanned(NamedTuple):
    """A scanned list of records.

    Attributes:
        rows: int64 [n, columns], see `_scan.py`.
        end: position behind the list.
        numbers: for each column asked for, the text of every record's number, `null` where it is absent.
    """

    rows: NDArray[np.int64]
    end: int
    numbers: tuple[list[bytes], ...] = ()


def scan_list(
    text: NDArray[np.uint8], start: int, numbers: Sequence[int] = (), *, threads: int = 2
) -> Scanned | None:
    """Scan the list whose opening bracket is at `start`.

    Args:
        text: uint8 [N], the file.
        start: position of the bracket.
        numbers: columns (`SCORE_START`, `AREA_START`) whose numbers to take out on the way.
        threads: two scan the halves of a large file.

    Returns:
        What was found; None if the slow reader must look.
    """
    stop = len(text)
    first = start + 1
    while first < stop and text[first] in b" \t\r\n":
        first += 1
    if first < stop and text[first] == _scan.CLOSE_LIST:
        return Scanned(np.empty((0, _scan.N_COLUMNS), np.int64), first + 1, tuple([] for _ in numbers))
    border = _guess_border(text, (first + stop) // 2) if threads > 1 and stop - first > _SPLIT_BYTES else stop
    if border == stop:
        one = _scan_until(text, first, stop, numbers)
        return one if _is_closed(text, one.end) else None
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(_scan_until, text, border, stop, numbers)
        one = _scan_until(text, first, border, numbers)
        rest = second.result()
    if one.end < 0:
        return None
    if _is_closed(text, one.end):
        return one
    if one.end != border or rest.end < 0:
        # The guess was no border of records, or the second half needs the slow reader: go on in one thread.
        rest = _scan_until(text, one.end, stop, numbers)
    both = tuple(a + b for a, b in zip(one.numbers, rest.numbers, strict=True))
    joined = Scanned(np.concatenate([one.rows, rest.rows]), rest.end, both)
    return joined if _is_closed(text, rest.end) else None


def _scan_until(text: NDArray[np.uint8], position: int, until: int, numbers: Sequence[int]) -> Scanned:
    """Scan records; `end` is -1 where the slow reader must look, or the next record's position."""
    buffer = buffer_of(text)
    batches = []
    found: tuple[list[bytes], ...] = tuple([] for _ in numbers)
    while True:
        batch = np.empty((_BATCH, _scan.N_COLUMNS), np.int64)
        count, position = _scan.scan_records(text, position, until, batch)
        batches.append(batch[:count])
        for column, texts in zip(numbers, found, strict=True):
            spans = batch[:count, column : column + 2].tolist()
            texts += [buffer[start:stop] if start >= 0 else b"null" for start, stop in spans]
        # What was scanned is not needed until its image is scored.
        forget_pages(text)
        if count < _BATCH or position < 0:
            rows = batches[0] if len(batches) == 1 else np.concatenate(batches)
            return Scanned(rows, position, found)


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


def join(
    scanned: Scanned,
    text: NDArray[np.uint8],
    images: Sequence[ImageRecord],
    index_of: Mapping[ImageId, int],
    wanted: Wanted,
    file: str,
) -> Records | None:
    """Check a list scanned for `wanted` and group it by image; None if something is not as it should be."""
    rows = scanned.rows
    seen = rows[:, _scan.SEEN]
    needed = _scan.SEEN_IMAGE | _scan.SEEN_SIZE
    if wanted.ids:
        needed |= _scan.SEEN_ID | _scan.SEEN_CATEGORY
    if ((seen & needed) != needed).any() or (rows[:, _scan.COUNTS_START] < 0).any():
        return None
    crowd = rows[:, _scan.ISCROWD]
    if ((crowd > 1) | (crowd < 0) & (seen & _scan.SEEN_CROWD > 0)).any():
        return None
    if wanted.ids and len(np.unique(rows[:, _scan.ID])) < len(rows):
        return None
    index = _image_index(rows[:, _scan.IMAGE_ID], index_of)
    if index is None:
        return None
    sizes = np.array([image.size for image in images], np.int64).reshape(-1, 2)
    if not np.array_equal(rows[:, _scan.HEIGHT : _scan.WIDTH + 1], sizes[index]):
        return None
    scores = _parsed(scanned.numbers[0], absent=False) if wanted.scores else None
    areas = _parsed(scanned.numbers[-1], absent=True) if wanted.areas else np.full(len(rows), np.nan)
    boxes = _boxes(buffer_of(text), rows) if wanted.box_areas else None
    if wanted.scores and (scores is None or not np.isfinite(scores).all()):
        return None
    if areas is None or (wanted.box_areas and boxes is None):
        return None

    order = np.argsort(index, kind="stable")
    offsets = np.searchsorted(index[order], np.arange(len(images) + 1)).astype(np.int64)
    rows = rows[order]
    has_extras = bool((seen & _scan.SEEN_OTHER).any())
    source = EncodedSource(
        text=text,
        starts=np.ascontiguousarray(rows[:, _scan.COUNTS_START]),
        stops=np.ascontiguousarray(rows[:, _scan.COUNTS_STOP]),
        offsets=offsets,
        sizes=[image.size for image in images],
        escaped=True,
        positions=order,
        list_name=wanted.list_name,
        file=file,
        spans=np.ascontiguousarray(rows[:, :2]) if has_extras else None,
        known=wanted.known,
    )
    return Records(
        offsets=offsets,
        positions=order,
        ids=np.where(seen[order] & _scan.SEEN_ID, rows[:, _scan.ID], -1),
        category_ids=np.where(seen[order] & _scan.SEEN_CATEGORY, rows[:, _scan.CATEGORY_ID], -1),
        iscrowd=rows[:, _scan.ISCROWD] == 1,
        scores=None if scores is None else scores[order],
        areas=areas[order],
        box_areas=None if boxes is None else boxes[order],
        source=source,
    )


def _image_index(image_ids: Int64Array, index_of: Mapping[ImageId, int]) -> Int64Array | None:
    """Return the position of each image id; None if one is unknown or the ids are not all integers."""
    if not all(isinstance(image_id, int) for image_id in index_of):
        return None
    try:
        known = np.fromiter(index_of.keys(), np.int64, len(index_of))
    except OverflowError:
        return None
    order = np.argsort(known)
    if len(known) == 0:
        return np.empty(0, np.int64) if len(image_ids) == 0 else None
    at = np.minimum(np.searchsorted(known, image_ids, sorter=order), len(known) - 1)
    if not np.array_equal(known[order[at]], image_ids):
        return None
    return np.fromiter(index_of.values(), np.int64, len(index_of))[order[at]]


def _parsed(numbers: Sequence[bytes], *, absent: bool) -> NDArray[np.float64] | None:
    """Return texts as numbers, NaN for `null` where `absent` allows it; None if one is something else."""
    try:
        values = orjson.loads(b"[" + b",".join(numbers) + b"]")
    except orjson.JSONDecodeError:
        return None
    if not ({float, int, type(None)} if absent else {float, int}).issuperset(map(type, values)):
        return None
    return np.array(values, np.float64)


def _boxes(buffer: mmap.mmap | bytes, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return width times height of every `bbox`, NaN where absent; None if one is not four numbers."""
    areas = np.full(len(rows), np.nan)
    for i, (start, stop) in enumerate(rows[:, _scan.BBOX_START : _scan.BBOX_STOP + 1].tolist()):
        if start >= 0:
            box = orjson.loads(buffer[start:stop])
            if not isinstance(box, list) or len(box) not in (0, 4):
                return None
            if any(isinstance(side, bool) or not isinstance(side, int | float) for side in box):
                return None
            areas[i] = box[2] * box[3] if box else np.nan
    return areas
