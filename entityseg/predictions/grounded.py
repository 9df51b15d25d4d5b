"""What the prediction formats of texts (referring, narrative, reasoning) share: strict records and their masks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.json_file import as_float, is_integer, parse_json_file, require_type, score_problem
from entityseg.data.sources import EncodedSource
from entityseg.errors import Findings
from entityseg.masks import coco
from entityseg.masks.runlengths import RunLengths, Size
from entityseg.masks.size import size_problem

NO_MASK = -1
_MASK_REMEDY = 'Write {"size": [height, width], "counts": "..."}, or null where there is no mask.'


@dataclass(frozen=True)
class PlacedSource(EncodedSource):
    """Masks whose records are named one by one, such as `predictions[3].phrases[2]`."""

    places: Sequence[str] = ()

    def record_of(self, row: int) -> str:
        """Return where the record of a row stands in the file."""
        return self.places[row]


class MaskCollector:
    """Gathers compressed masks of groups (images) in any order, and makes one source of them."""

    def __init__(self, sizes: Sequence[Size], file: str) -> None:
        self.sizes = sizes
        self.file = file
        self._texts: list[list[bytes]] = [[] for _ in sizes]
        self._places: list[list[str]] = [[] for _ in sizes]

    def add(self, group: int, text: bytes, place: str) -> int:
        """Add a mask; return its row among those of its group."""
        self._texts[group].append(text)
        self._places[group].append(place)
        return len(self._texts[group]) - 1

    def source(self) -> PlacedSource:
        """Return the source of all masks, group by group."""
        texts = [text for group in self._texts for text in group]
        lengths = np.array([len(text) for text in texts], np.int64)
        stops = np.cumsum(lengths, dtype=np.int64)
        offsets = np.cumsum([0] + [len(group) for group in self._texts], dtype=np.int64)
        return PlacedSource(
            text=np.frombuffer(b"".join(texts), np.uint8),
            starts=stops - lengths,
            stops=stops,
            offsets=offsets,
            sizes=self.sizes,
            escaped=False,
            positions=np.arange(len(texts), dtype=np.int64),
            list_name="predictions",
            file=self.file,
            places=[place for group in self._places for place in group],
        )


def rows_or_empty(masks: RunLengths, rows: Sequence[int]) -> RunLengths:
    """Return the masks of the rows, an empty one for each `NO_MASK`.

    >>> rows_or_empty(RunLengths((1, 4), [0, 3], [0, 2]), [-1, 0]).areas.tolist()
    [0, 3]
    """
    padded = RunLengths.concatenate([masks, RunLengths.empty(masks.size, 1)])
    # Row -1 of the padded masks is the empty one.
    return padded[np.array(rows, np.int64) % len(padded)]


@dataclass
class Record:
    """One JSON object while it is read; what is wrong with it goes to the findings with its place."""

    value: Any
    place: str
    findings: Findings
    _before: int = field(init=False)

    def __post_init__(self) -> None:
        self._before = self.findings.errors

    @property
    def fine(self) -> bool:
        """Whether nothing was wrong so far."""
        return self.findings.errors == self._before

    def add(self, kind: str, message: str, remedy: str, key: str | None = None, value: object = None) -> None:
        """Add a finding about a key of the record."""
        self.findings.add(kind, message, remedy, record=self.place, field=key, value=value)

    def keys(self, needed: Sequence[str], optional: Sequence[str] = ()) -> bool:
        """Check that the record is an object with these keys and no other; return whether it can be read on."""
        wanted = ", ".join([*needed, *(f"{key}?" for key in optional)])
        if not isinstance(self.value, dict):
            remedy = f"Write an object with the keys {wanted}."
            self.add("record.type", "the record must be an object {...}", remedy, value=self.value)
            return False
        for key in needed:
            if key not in self.value:
                self.add("key.missing", f"the record has no {key}", f"Its keys are {wanted}.", key)
        for key in self.value.keys() - set(needed) - set(optional):
            message = "the format has no such key"
            self.add("key.unknown", message, f"Leave it out; the keys are {wanted}.", key)
        return all(key in self.value for key in needed)

    def identifier(self, key: str, *, strings: bool = False) -> Any:
        """Return an id, None (with a finding) if it is none."""
        value = self.value[key]
        if is_integer(value) or (strings and isinstance(value, str)):
            return value
        remedy = "Write a whole number without quotes and decimal point."
        self.add("id.type", f"{key} must be an integer", remedy, key, value)
        return None

    def text(self, key: str) -> str | None:
        """Return a string, None (with a finding) if it is none."""
        value = self.value[key]
        if isinstance(value, str):
            return value
        self.add("text.type", f"{key} must be a string", "Write the text.", key, value)
        return None

    def flag(self, key: str) -> bool:
        """Return a boolean that may be absent (then False)."""
        value = self.value.get(key, False)
        if not isinstance(value, bool):
            self.add("flag.type", f"{key} must be true or false", "Write true or false.", key, value)
            return False
        return value

    def score(self) -> float:
        """Return the score, which may be absent or null (then NaN); it has no say in any figure, but must be one."""
        value = self.value.get("score")
        if value is None:
            return math.nan
        problem = score_problem(value)
        if problem:
            self.add(*problem, "score", value)
        return as_float(value)

    def mask(self, size: Size) -> bytes | None:
        """Return the compressed counts of `segmentation`, None where it is null or wrong (with findings)."""
        rle = self.value["segmentation"]
        if rle is None:
            return None
        if not isinstance(rle, Mapping):
            message = "segmentation must be a run-length mask or null"
            self.add("segmentation.type", message, _MASK_REMEDY, "segmentation", rle)
            return None
        for key in rle.keys() - {"size", "counts"}:
            self.add("key.unknown", "a mask has no such key", _MASK_REMEDY, f"segmentation.{key}")
        got, counts = rle.get("size"), rle.get("counts")
        problem = size_problem(got)
        if problem:
            self.add("mask.size", *problem, "segmentation.size", got)
            return None
        if tuple(got) != size:  # type: ignore[arg-type]
            coco.add_size_finding(self.findings, tuple(got), size, record=self.place)  # type: ignore[arg-type]
            return None
        if isinstance(counts, str):
            # A character beyond ASCII becomes bytes that the decoder refuses, with their place.
            return counts.encode("utf-8", "surrogatepass")
        runs = coco.runs_problem(counts, size) if isinstance(counts, list) else None
        if isinstance(counts, list) and runs is None:
            return coco.compress(counts)
        kind, message, remedy = runs or (
            "rle.type",
            "counts must be a string or a list of run lengths",
            _MASK_REMEDY,
        )
        self.add(kind, message, remedy, "segmentation.counts", counts)
        return None


def read_list(path: str | Path) -> list[Any]:
    """Return the records of a predictions file, a JSON list.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no JSON, or no list.
    """
    value: list[Any] = require_type(parse_json_file(path), list, "the predictions", str(path))
    return value


def check_masks(source: EncodedSource, findings: Findings) -> None:
    """Add what is wrong inside masks to a list that has errors already, so that all are listed at once."""
    for group in range(len(source.sizes)):
        source.checked_masks(group, findings)
