"""JSON whose records lie in long lists at the top: parsed some records at a time, so that memory stays small.

Parsed whole, a file takes ten times its size in memory. Here the scanner counts brackets, to know where values begin
and end, and the JSON parser checks every byte of them; whatever the scanner does not understand is parsed whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import orjson
from numpy.typing import NDArray

from entityseg.data import _scan
from entityseg.data.json_file import buffer_of, forget_pages, map_file, parse_json

# Values of fewer bytes are parsed at once.
_WHOLE = 1 << 20
_STRETCH = 1 << 18
_WHITE = b" \t\r\n"


class JsonList:
    """A list in a mapped file whose items are parsed while they are iterated over, and not kept."""

    def __init__(
        self, text: NDArray[np.uint8], file: str, name: str, stretches: list[tuple[int, int]]
    ) -> None:
        """Take a list whose brackets were counted.

        Args:
            text: uint8 [N], the file.
            file: its path, for error messages.
            name: key of the list in the file's object.
            stretches: where some of its items lie, with the commas between them.
        """
        self._text = text
        self._file = file
        self._name = name
        self._stretches = stretches

    def __iter__(self) -> Iterator[Any]:
        """Give the items; raises `InputError` where one is no JSON."""
        given = 0
        for start, stop in self._stretches:
            try:
                items = orjson.loads(b"[" + buffer_of(self._text)[start:stop] + b"]")
            except orjson.JSONDecodeError:
                # The slow way says what is wrong and where, and reads NaN.
                yield from parse_json(buffer_of(self._text), self._file)[self._name][given:]
                return
            forget_pages(self._text)
            yield from items
            given += len(items)


def is_list(value: Any) -> TypeGuard[list[Any] | JsonList]:
    """Return whether a value is a list of JSON, whole or in stretches."""
    return isinstance(value, list | JsonList)


def parse_lists(path: str | Path, lists: Collection[str]) -> Any:
    """Parse a JSON file as `parse_json_file`; long lists of these keys at the top come as `JsonList`.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no JSON; says where. Items of a `JsonList` are parsed later.
    """
    path = Path(path)
    mapped, text = map_file(path)
    spans = top_spans(text) if len(text) >= _WHOLE else None
    top = None if spans is None else parse_spans(text, spans, lists, str(path))
    return parse_json(mapped, str(path)) if top is None else top


def top_spans(
    text: NDArray[np.uint8], end_of: Callable[[str, int], int] | None = None
) -> dict[str, tuple[int, int]] | None:
    """Return where the value of each key of the object that a file is lies.

    Args:
        text: uint8 [N], the file.
        end_of: given a key and where its value begins, returns where that ends, -1 where it is odd; by default
            brackets are counted.

    Returns:
        Start and stop by key; None for the slow way, which knows what is odd: no object, a key twice or with an
        escape, a cut file.
    """
    spans: dict[str, tuple[int, int]] = {}
    p = _behind_white(text, 3 if text[:3].tobytes() == b"\xef\xbb\xbf" else 0)
    if p >= len(text) or text[p] != _scan.OPEN_OBJECT:
        return None
    while True:
        start, stop, p = _scan.key(text, p + 1)
        if start < 0 or p >= len(text):
            return None
        name = text[start:stop].tobytes().decode("ascii")
        if "\\" in name:
            return None
        end = int(_scan.value_end(text, p)) if end_of is None else end_of(name, p)
        if end <= p or name in spans:
            return None
        spans[name] = p, end
        p = _behind_white(text, end)
        if p >= len(text) or text[p] not in (_scan.COMMA, _scan.CLOSE_OBJECT):
            return None
        if text[p] == _scan.CLOSE_OBJECT:
            return None if text[p + 1 :].tobytes().strip(_WHITE) else spans


def parse_spans(
    text: NDArray[np.uint8], spans: Mapping[str, tuple[int, int]], lists: Collection[str], file: str
) -> dict[str, Any] | None:
    """Parse values that `top_spans` found, as `parse_lists`; None if one is no JSON."""
    top: dict[str, Any] = {}
    try:
        for name, (start, stop) in spans.items():
            is_long = name in lists and stop - start >= _WHOLE and text[start] == _scan.OPEN_LIST
            stretches = _stretches(text, start) if is_long else []
            whole = not stretches
            top[name] = (
                orjson.loads(buffer_of(text)[start:stop]) if whole else JsonList(text, file, name, stretches)
            )
    except orjson.JSONDecodeError:
        return None
    return top


def _stretches(text: NDArray[np.uint8], start: int) -> list[tuple[int, int]]:
    """Return where the items of the list that begins at `start` lie, cut between items; none if it has none."""
    found: list[tuple[int, int]] = []
    first = p = _behind_white(text, start + 1)
    while text[p] != _scan.CLOSE_LIST:
        end = int(_scan.value_end(text, p))
        p = _behind_white(text, end)
        if text[p] == _scan.CLOSE_LIST or end - first >= _STRETCH:
            found.append((first, end))
            first = p + 1
        if text[p] == _scan.COMMA:
            p = _behind_white(text, p + 1)
    return found


def _behind_white(text: NDArray[np.uint8], p: int) -> int:
    while p < len(text) and text[p] in _WHITE:
        p += 1
    return p
