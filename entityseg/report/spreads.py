"""Plots of how values are spread, several sets in one: histograms, bars, rank curves, maps of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.report.plots import DASHES, PALETTE, styled_figure, styled_row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More bars than this in a plot of this width are a comb.
_MOST_BINS = 44
_MOST_SUFFIX = 18


def histograms(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]], x_label: str, what: str, *, log_x: bool = False
) -> Figure:
    """Plot the counts of several sets as shares of each set, one outline a set; a single set is filled.

    Args:
        series: by the set's name: n + 1 edges and n counts. All edges lie on one grid, so neighbouring bins are
            joined alike where there are too many.
        x_label: what the values are.
        what: what was counted, such as `images`.
        log_x: whether the axis is logarithmic.
    """
    with styled_figure() as (figure, axes):
        longest = max((len(np.asarray(edges)) - 1 for edges, _ in series.values()), default=1)
        step = -(-longest // _MOST_BINS)
        for number, (name, (edges, counts)) in enumerate(series.items()):
            grid, heights = _joined(np.asarray(edges, np.float64), np.asarray(counts, np.float64), step)
            share = 100 * heights / max(heights.sum(), 1)
            colour = PALETTE[number % len(PALETTE)]
            style: dict[str, Any] = {
                "color": colour,
                "linestyle": DASHES[number % len(DASHES)],
                "linewidth": 1.6,
            }
            axes.stairs(share, grid, label=_short(name), **style)
            if len(series) == 1:
                axes.stairs(share, grid, fill=True, color=colour, alpha=0.35)
        if log_x:
            axes.set_xscale("log")
            _decades_in_percent(axes, series)
        axes.set(xlabel=x_label, ylabel=f"% of the {what}")
        axes.set_ylim(bottom=0)
        _legend(axes, len(series))
        return figure


def rank_curves(series: Mapping[str, ArrayLike], what: str) -> Figure:
    """Plot the share of each class against its rank, both axes logarithmic: a straight line is Zipf's law.

    Args:
        series: by the set's name: counts, the largest first; zeros are left out.
        what: what was counted, such as `entities`.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    with styled_figure() as (figure, axes):
        for number, (name, given) in enumerate(series.items()):
            counts = np.asarray(given, np.float64)
            counts = counts[counts > 0]
            style: dict[str, Any] = {
                "color": PALETTE[number % len(PALETTE)],
                "linestyle": DASHES[number % len(DASHES)],
            }
            marker = "o" if len(counts) < 40 else None
            ranks = np.arange(1, len(counts) + 1)
            axes.plot(
                ranks,
                100 * counts / max(counts.sum(), 1),
                marker=marker,
                markersize=3,
                label=_short(name),
                **style,
            )
        if any(np.any(np.asarray(given) > 0) for given in series.values()):
            axes.set_xscale("log")
            axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="rank of the class", ylabel=f"% of the {what}")
        _legend(axes, len(series))
        return figure


def maps(series: Mapping[str, ArrayLike], label: str) -> Figure:
    """Plot maps of an image, rows from top to bottom, one panel a set, with one scale for all."""
    grids = {name: np.asarray(grid, np.float64) for name, grid in series.items()}
    top = max((float(grid.max()) for grid in grids.values() if grid.size), default=1.0)
    with styled_row(max(1, len(grids))) as (figure, panels):
        picture = None
        for axes, (name, grid) in zip(panels, grids.items(), strict=True):
            picture = axes.imshow(grid, cmap="viridis", vmin=0, vmax=top or 1.0, extent=(0, 1, 1, 0))
            axes.set_title(_short(name), fontsize=10)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(visible=False)
        if picture is not None:
            figure.colorbar(picture, ax=list(panels), label=label, shrink=0.8)
        return figure


def _joined(
    edges: NDArray[np.float64], counts: NDArray[np.float64], step: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join every `step` bins, and leave out the empty ones at both ends."""
    starts = np.arange(0, len(counts), step)
    joined = np.add.reduceat(counts, starts) if len(counts) else counts
    grid = np.append(edges[:-1][starts], edges[-1])
    there = np.flatnonzero(joined)
    if not len(there):
        return grid, joined
    first, last = int(there[0]), int(there[-1])
    return grid[first : last + 2], joined[first : last + 1]


def _decades_in_percent(axes: Any, series: Mapping[str, Any]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.xaxis.set_major_locator(LogLocator(numticks=9))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.xaxis.set_minor_locator(NullLocator())


def _legend(axes: Any, sets: int) -> None:
    if sets > 1:
        axes.legend(loc="best", fontsize=9)


def _short(name: str) -> str:
    return name if len(name) <= 2 * _MOST_SUFFIX else f"{name[:_MOST_SUFFIX]}…{name[-_MOST_SUFFIX + 1 :]}"


__all__: Sequence[str] = ("histograms", "maps", "rank_curves")
