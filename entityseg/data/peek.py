"""What a JSON file holds, told from a few of its bytes instead of all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

Kind = Literal["entity", "instances", "panoptic", "list", "other"]

# The marker with its format, as an object or alone: many of our other files name the version of the package.
_MARKER = re.compile(rb'"entityseg"\s*:\s*(?:\{\s*"format"\s*:\s*)?"entity@')
_WINDOW = 1 << 20
_HEAD = 1 << 12
_COLLECTION = "tasks.json"
# Needles may lie across two windows.
_OVERLAP = 64


def peek(path: Path) -> Kind:
    """Tell what kind of JSON a file holds, whatever its name says.

    Reads up to the first annotation: a file whose annotations come first is told from its first bytes, one
    without any is read once, window by window.

    Returns:
        `entity` (our own marker), `instances` (annotations with `segmentation`, or none at all), `panoptic`
        (annotations with `segments_info`), `list` (a list, such as predictions), or `other`.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(_WINDOW)
        start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if start == b"[":
            return "list"
        if start != b"{":
            return "other"
        if _MARKER.search(data[:_HEAD]):
            return "entity"
        lists: set[bytes] = set()
        while True:
            found = _KEY.search(data)
            if found:
                return _KINDS[found[1]]
            lists.update(match[1] for match in _LIST.finditer(data))
            more = file.read(_WINDOW)
            if not more:
                return "instances" if len(lists) == 2 else "other"
            data = data[-_OVERLAP:] + more


# A number there is a count, as statistics and results have it.
_LIST = re.compile(rb'"(images|annotations)"\s*:\s*[^\s\d]')
# As a key: the same word may be a value, such as a task in `info`.
_KEY = re.compile(rb'"(segments_info|segmentation)"\s*:')
_KINDS: dict[bytes, Kind] = {b"segments_info": "panoptic", b"segmentation": "instances"}


def json_files(folder: Path, depth: int = 2) -> list[Path]:
    """Return the JSON files in a folder and up to `depth` levels below it, in order of their paths.

    Folders of images are not searched, nor those that hold many datasets (`tasks.json` says so).
    """
    found = []
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    for entry in entries:
        if entry.suffix.lower() == ".json" and entry.is_file():
            found.append(entry)
        elif depth > 0 and not entry.name.startswith((".", "images")) and entry.is_dir():
            if (entry / _COLLECTION).is_file():
                continue
            found += json_files(entry, depth - 1)
    return found
