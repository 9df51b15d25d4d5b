"""Digests: what a result was made of, so that only what may be compared is compared."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from importlib.resources import files as resource_files
from typing import Any

from entityseg.data.digests import of_bytes, of_file, of_json, of_paths

# The packages whose code decides on a figure.
_EVALUATOR = ("entityseg.masks", "entityseg.data", "entityseg.predictions", "entityseg.metrics")
_TOOLS = ("numpy", "numba", "rlemasklib", "pillow", "scipy", "scikit-image")


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


__all__ = ["environment", "evaluator", "of_bytes", "of_code", "of_file", "of_json", "of_paths"]
