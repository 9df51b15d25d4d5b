"""Where converted weights come from: digests of what was read and written, versions, and the licence."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from entityseg.baselines.catalogue import LICENCE_NOTE

PROVENANCE = "provenance.json"
_BLOCK = 2**20
_PACKAGES = ("entityseg", "torch", "transformers", "safetensors")


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def described(
    *,
    source: Path,
    family: str,
    dropped: Sequence[str],
    assumed: dict[str, Any],
    weights: Path,
    parameters: int,
) -> dict[str, Any]:
    """Return what is to be known about a converted model; equal input gives an equal record.

    Args:
        source: the released file.
        family: what it was found to be.
        dropped: names that were left out because they are no weights.
        assumed: values that no shape tells, as they were taken.
        weights: the file written.
        parameters: how many numbers the model has.
    """
    return {
        "format": "entityseg-provenance@1",
        "source": {"file": source.name, "bytes": source.stat().st_size, "sha256": digest(source)},
        "family": family,
        "assumed": assumed,
        "dropped": sorted(dropped),
        "weights": {"file": weights.name, "bytes": weights.stat().st_size, "sha256": digest(weights)},
        "parameters": parameters,
        "versions": {name: version(name) for name in _PACKAGES},
        "licence": LICENCE_NOTE,
    }
