"""SHA-256 digests of bytes, JSON values, files and folders: what something was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

_BLOCK = 1 << 20


def of_bytes(data: bytes) -> str:
    """Return the SHA-256 of some bytes, as hexadecimal text."""
    return hashlib.sha256(data).hexdigest()


def of_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value; the order of keys does not matter.

    >>> of_json({"a": 1, "b": 2}) == of_json({"b": 2, "a": 1})
    True
    """
    return of_bytes(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def of_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def of_paths(paths: Iterable[str | Path]) -> str:
    """Return one digest of files and folders: of the bytes of all files, and of their names inside folders.

    A single file has its own SHA-256. Where files and folders lie does not matter, nor in which order they are named;
    hidden files do not count.
    """
    given = [Path(path) for path in paths]
    if len(given) == 1 and given[0].is_file():
        return of_file(given[0])
    parts: list[tuple[str, str]] = []
    for path in given:
        if path.is_dir():
            inside = [one for one in path.rglob("*") if one.is_file() and not one.name.startswith(".")]
            parts += [(one.relative_to(path).as_posix(), of_file(one)) for one in inside]
        else:
            parts.append((path.name, of_file(path)))
    return of_json(sorted(parts))
