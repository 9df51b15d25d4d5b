"""Distributions of several sets as plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from entityseg.report import spreads
from entityseg.stats.dataset.schema import Distribution, Statistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(name: str, sets: Mapping[str, Statistics]) -> Figure | None:
    """Plot one distribution of all the sets that have it with something in it; None where none has.

    Args:
        name: of the distribution, such as `resolution`.
        sets: by name.
    """
    found = {label: one.distributions[name] for label, one in sets.items() if name in one.distributions}
    found = {label: one for label, one in found.items() if any(map(any, one.z) if one.z else one.y)}
    if not found:
        return None
    first = next(iter(found.values()))
    if first.kind == "map":
        return spreads.maps({label: one.z for label, one in found.items()}, _wrapped(first.title))
    if first.kind == "curve":
        return spreads.rank_curves({label: one.y for label, one in found.items()}, first.y_label)
    series = {label: (_edges(one), one.y) for label, one in found.items()}
    return spreads.histograms(series, first.x_label, first.y_label, log_x=first.log_x)


def _edges(one: Distribution) -> np.ndarray:
    """Return the edges of a histogram, or those around the whole numbers of bars."""
    values = np.array(one.x, np.float64)
    return values if one.kind == "histogram" else np.append(values, values[-1] + 1) - 0.5


def _wrapped(title: str, width: int = 26) -> str:
    words, lines = title.split(), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
