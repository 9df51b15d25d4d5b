"""Predictions: reading, writing, checking and making them disjoint.

>>> from entityseg import predictions
>>> sorted(predictions.FORMATS)
['coco', 'idmap', 'jsonl']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entityseg.predictions.checking import CheckReport, check
    from entityseg.predictions.read import FORMATS, find_format, read_predictions
    from entityseg.predictions.records import Predictions
    from entityseg.predictions.resolving import RULES, ResolveReport, resolve
    from entityseg.predictions.write import write_predictions

# Resolved on first use, so that scoring a file does not import what writes and repairs one.
_HOMES = {
    "FORMATS": "read",
    "RULES": "resolving",
    "CheckReport": "checking",
    "Predictions": "records",
    "ResolveReport": "resolving",
    "check": "checking",
    "find_format": "read",
    "read_predictions": "read",
    "resolve": "resolving",
    "write_predictions": "write",
}

__all__ = [
    "FORMATS",
    "RULES",
    "CheckReport",
    "Predictions",
    "ResolveReport",
    "check",
    "find_format",
    "read_predictions",
    "resolve",
    "write_predictions",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'entityseg.predictions' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"entityseg.predictions.{_HOMES[name]}"), name)
