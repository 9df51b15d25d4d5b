"""entityseg: the dataset toolkit and benchmark suite for EntitySeg, CropFormer and GELLA.

>>> import entityseg
>>> entityseg.__version__
'0.1.0'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from entityseg.data import load
    from entityseg.errors import EntitySegError, InputError, UsageError
    from entityseg.metrics import score

__all__ = ["EntitySegError", "InputError", "UsageError", "__version__", "load", "score"]

# Resolved on first use, so that `import entityseg` costs next to nothing.
_HOMES = {
    "load": "entityseg.data",
    "score": "entityseg.metrics",
    "EntitySegError": "entityseg.errors",
    "InputError": "entityseg.errors",
    "UsageError": "entityseg.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'entityseg' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
