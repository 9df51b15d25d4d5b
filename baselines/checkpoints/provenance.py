"""Where converted weights come from: digests of what was read and written, versions, and the licence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

PROVENANCE = "provenance.json"
_BLOCK = 2**20
_PACKAGES = ("entityseg", "torch", "transformers", "safetensors")


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def described(source: Path, weights: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be known about a converted file; equal input gives an equal record.

    Args:
        source: the released file.
        weights: the file written.
        told: what was found and done: `family`, `parameters`, `assumed`, `dropped`, `licence` and others.
    """
    return {
        "format": "entityseg-provenance@1",
        "source": {"file": source.name, "bytes": source.stat().st_size, "sha256": digest(source)},
        **told,
        "weights": {"file": weights.name, "bytes": weights.stat().st_size, "sha256": digest(weights)},
        "versions": {name: version(name) for name in _PACKAGES},
    }
