"""Digests: what a result was made of, so that only what may be compared is compared."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from importlib.resources import files as resource_files
from pathlib import Path
from typing import Any

import orjson

_BLOCK = 1 << 20
# The packages whose code decides on a figure.
_EVALUATOR = ("entityseg.masks", "entityseg.data", "entityseg.predictions", "entityseg.metrics")
_TOOLS = ("numpy", "numba", "rlemasklib", "pillow", "scipy", "scikit-image")


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


@cache
def of_code() -> str:
    """Return the digest of the sources that score; any change of them makes another evaluator."""
    parts = []
    for package in _EVALUATOR:
        for one in sorted(_sources(package)):
            parts.append(one)
    return of_json(parts)


def evaluator(family: str, mode: str, options: Mapping[str, Any]) -> str:
    """Return the digest of an evaluator: its sources, metric family, mode and options."""
    return of_json({"code": of_code(), "family": family, "mode": mode, "options": dict(options)})


def environment() -> dict[str, str]:
    """Return what else a figure could depend on: Python, the machine's kind, and the versions of tools."""
    from entityseg import __version__

    versions = {name: metadata.version(name) for name in _TOOLS}
    return {
        "entityseg": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "system": platform.system(),
        "machine": platform.machine(),
        **versions,
    }


def _sources(package: str) -> list[tuple[str, str]]:
    found = []
    pending = [(package, resource_files(package))]
    while pending:
        name, folder = pending.pop()
        for entry in folder.iterdir():
            if entry.is_file() and entry.name.endswith(".py"):
                found.append((f"{name}/{entry.name}", of_bytes(entry.read_bytes())))
            elif entry.is_dir() and entry.name != "__pycache__":
                pending.append((f"{name}/{entry.name}", entry))
    return found
