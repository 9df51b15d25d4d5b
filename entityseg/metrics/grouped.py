"""Figures of each image alone, where a metric's unit is smaller than an image; counts and results of text metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from entityseg.metrics.table import Table, UnitId, or_none


def per_cluster(table: Table[Any]) -> dict[UnitId, dict[str, float | None]]:
    """Return all figures of each cluster (image) alone."""
    clusters: dict[UnitId, dict[UnitId, Any]] = {}
    for unit, row in table.sorted_units().items():
        clusters.setdefault(table.cluster(unit), {})[unit] = row
    result = {}
    for cluster, units in clusters.items():
        values = table.figures(units)(np.ones((1, len(units)), np.int64))
        result[cluster] = {name: or_none(value[0]) for name, value in values.items()}
    return result
