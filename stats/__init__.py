"""Statistics of datasets: the papers' tables and figures, recomputed for any dataset, with their definitions.

>>> from entityseg import stats
>>> stats.DatasetChoices().to_json()["perimeter"]
'crofton'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entityseg.stats.dataset.calibrate import calibrate
    from entityseg.stats.dataset.choices import DatasetChoices
    from entityseg.stats.dataset.compute import compute
    from entityseg.stats.dataset.image import measure_image
    from entityseg.stats.dataset.overview import table1_row
    from entityseg.stats.dataset.schema import Statistics, read_statistics
    from entityseg.stats.shape import ShapeChoices, shapes

# Resolved on first use, so that `import entityseg.stats` compiles no kernel.
_HOMES = {
    "DatasetChoices": "dataset.choices",
    "ShapeChoices": "shape",
    "Statistics": "dataset.schema",
    "calibrate": "dataset.calibrate",
    "compute": "dataset.compute",
    "measure_image": "dataset.image",
    "read_statistics": "dataset.schema",
    "shapes": "shape",
    "table1_row": "dataset.overview",
}

__all__ = [
    "DatasetChoices",
    "ShapeChoices",
    "Statistics",
    "calibrate",
    "compute",
    "measure_image",
    "read_statistics",
    "shapes",
    "table1_row",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'entityseg.stats' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"entityseg.stats.{_HOMES[name]}"), name)
