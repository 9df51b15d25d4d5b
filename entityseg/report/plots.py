"""Plots as inline SVG or PNG: the same bytes from the same numbers, in colours that everybody tells apart.

In SVG, text, axes and grid take the colours of the page around them (CSS variables `--ink`, `--muted`,
`--line`), so that one figure serves a light and a dark page.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from entityseg.metrics.matching import IOU_THRESHOLDS
from entityseg.metrics.precision import RECALLS
from entityseg.metrics.result import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, without yellow, which is lost on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
DASHES = ("-", "--", "-.", ":")
# Stand-ins that `to_svg` swaps for the page's colours; no palette has them.
_INK, _MUTED, _LINE = "#010203", "#6b7077", "#d5d8dc"
_ON_PAGE = {_INK: "var(--ink)", _MUTED: "var(--muted)", _LINE: "var(--line)"}
_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": _LINE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.color": _LINE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "svg.hashsalt": "entityseg",
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
}
_SIZE = (5.2, 3.4)


@contextmanager
def styled_figure(size: tuple[float, float] = _SIZE) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure of its own, without pyplot's state and windows, in this module's style."""
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=size, layout="constrained")
        yield figure, figure.add_subplot()


@contextmanager
def styled_row(panels: int) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a figure with square panels side by side, in this module's style."""
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(2.4 * panels + 0.9, 2.7), layout="constrained")
        yield figure, list(figure.subplots(1, panels, squeeze=False)[0])


@contextmanager
def _style() -> Iterator[None]:
    """Put this module's style in force, whatever the user's own is; ticks read it when they are drawn."""
    import matplotlib as mpl

    with warnings.catch_warnings(), mpl.rc_context():
        # A browser has letters for Chinese names even where matplotlib's font, which measures them, has not.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)  # type: ignore[arg-type]
        yield


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as an `<svg>` element to stand in a page.

    Args:
        figure: made by this module.
        name: starts every id inside, so that several figures can stand in one page.
    """
    out = io.StringIO()
    with _style():
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Named by their content, so two equal ones would share a name that nothing asks for.
    text = re.sub(r'(<image [^>]*?) id="[^"]*"', r"\1", text)
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    for stand_in, variable in _ON_PAGE.items():
        text = text.replace(stand_in, variable)
    # The page sets the size; the view box keeps the proportions.
    head, tail = text.split(">", 1)
    return re.sub(r' (width|height)="[^"]*"', "", head) + ">" + tail


def to_png(figure: Figure, *, dpi: int = 150) -> bytes:
    """Return a figure as PNG on white."""
    out = io.BytesIO()
    with _style():
        figure.savefig(out, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return out.getvalue()


def pr_curves(curves: NDArray[np.float64]) -> Figure:
    """Plot the precision-recall curves of one set of predictions, one for each IoU threshold.

    Args:
        curves: float64 [10, 101], `EntityAP.curves()`.
    """
    import matplotlib as mpl

    with styled_figure() as (figure, axes):
        # Viridis without its ends, of which one is lost on white and one on black.
        shades = mpl.colormaps["viridis"](np.linspace(0.2, 0.85, len(IOU_THRESHOLDS)))
        for curve, iou, shade in zip(curves, IOU_THRESHOLDS, shades, strict=True):
            # Beyond the highest recall reached precision is 0, which would hide the axis.
            seen = min(len(RECALLS), int(np.count_nonzero(curve)) + 1)
            axes.step(
                RECALLS[:seen], curve[:seen], where="post", color=shade, label=f"{iou:.2f}", linewidth=1.5
            )
        axes.legend(title="IoU", loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9, handlelength=1.2)
        _unit_axes(axes, "recall", "precision")
        return figure


def ap_by_iou(curves: Mapping[str, NDArray[np.float64]]) -> Figure:
    """Plot AP against the IoU threshold, one line for each set of predictions.

    How fast it falls tells how exact the borders are.
    """
    with styled_figure() as (figure, axes):
        for number, (name, values) in enumerate(curves.items()):
            style: dict[str, Any] = {
                "color": PALETTE[number % len(PALETTE)],
                "linestyle": DASHES[number % len(DASHES)],
            }
            axes.plot(
                IOU_THRESHOLDS, 100 * values.mean(axis=1), marker="o", markersize=4, label=name, **style
            )
        axes.set(xlabel="IoU threshold", ylabel="AP at this threshold, %", xlim=(0.48, 0.97), ylim=(0, 102))
        axes.set_xticks(IOU_THRESHOLDS[::2])
        axes.legend(loc="best")
        return figure


def score_bars(
    scores: Mapping[str, Score], figures: Sequence[str] = ("AP", "AP50", "AP75", "AR@100")
) -> Figure:
    """Plot figures of several sets of predictions side by side, with their intervals where there are any."""
    with styled_figure() as (figure, axes):
        places = np.arange(len(figures))
        width = 0.8 / max(1, len(scores))
        for number, (name, score) in enumerate(scores.items()):
            values = [score.values[figure_name] for figure_name in figures]
            known = [100 * value if value is not None else 0.0 for value in values]
            pairs = [score.intervals.get(figure_name) for figure_name in figures]
            arms = [
                (max(0.0, value - 100 * pair[0]), max(0.0, 100 * pair[1] - value)) if pair else (0.0, 0.0)
                for value, pair in zip(known, pairs, strict=True)
            ]
            at = places + (number - (len(scores) - 1) / 2) * width
            axes.bar(at, known, width * 0.9, color=PALETTE[number % len(PALETTE)], label=name)
            if any(pairs):
                axes.errorbar(
                    at, known, np.transpose(arms), fmt="none", ecolor=_INK, elinewidth=1.2, capsize=3
                )
            for x, value, top, arm in zip(at, values, known, arms, strict=True):
                text = "–" if value is None else f"{top:.1f}"  # noqa: RUF001
                axes.text(x, top + arm[1] + 2, text, ha="center", va="bottom", fontsize=9)
        axes.set_xticks(places, figures)
        axes.tick_params(axis="x", length=0, labelcolor=_INK)
        axes.grid(visible=False, axis="x")
        axes.set(ylim=(0, 112), yticks=np.linspace(0, 100, 6), ylabel="%")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=min(3, max(1, len(scores))))
        return figure


def sorted_scores(series: Mapping[str, Sequence[float]], figure_name: str) -> Figure:
    """Plot the figures of single images from the worst to the best, one line for each set of predictions."""
    with styled_figure((7.0, 3.2)) as (figure, axes):
        for number, (name, values) in enumerate(series.items()):
            shares = (np.arange(len(values)) + 0.5) / max(len(values), 1)
            axes.plot(
                100 * shares, 100 * np.sort(np.asarray(values, np.float64)), label=name,
                color=PALETTE[number % len(PALETTE)], linestyle=DASHES[number % len(DASHES)],
                marker="o" if len(values) < 40 else None, markersize=4,
            )  # fmt: skip
        axes.set(xlabel="share of the images, %", ylabel=f"{figure_name} of the image, %", xlim=(0, 100))
        axes.legend(loc="best")
        return figure


def entities_per_image(counts: NDArray[np.integer[Any]]) -> Figure:
    """Plot how many images have how many entities.

    Args:
        counts: int [images].
    """
    with styled_figure() as (figure, axes):
        most = int(counts.max()) if len(counts) else 1
        step = max(1, -(-most // 25))
        axes.hist(
            counts, bins=(np.arange(0, most + 2 * step, step) - 0.5).tolist(), color=PALETTE[0], rwidth=0.9
        )
        if len(counts):
            _mark(axes, float(counts.mean()), f"mean {counts.mean():.1f}")
        axes.set(xlabel="entities in an image", ylabel="images")
        _whole_numbers(axes)
        return figure


def entity_sizes(shares: NDArray[np.float64]) -> Figure:
    """Plot how many entities take which share of their image, on a logarithmic axis.

    Args:
        shares: float64 [entities], area as a fraction of the image; zeros are left out.
    """
    from matplotlib.ticker import FuncFormatter

    with styled_figure() as (figure, axes):
        shares = shares[shares > 0]
        least = int(np.floor(np.log10(shares.min()))) if len(shares) else -4
        axes.hist(shares, bins=np.logspace(least, 0, 4 * -least + 1).tolist(), color=PALETTE[2], rwidth=0.9)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        axes.xaxis.set_minor_locator(_no_ticks())
        if len(shares):
            _mark(axes, float(np.median(shares)), f"median {100 * np.median(shares):.2g} %")
        axes.set(xlabel="share of the image", ylabel="entities")
        return figure


def image_sizes(widths: NDArray[np.integer[Any]], heights: NDArray[np.integer[Any]]) -> Figure:
    """Plot the width and height of each image, in pixels."""
    with styled_figure() as (figure, axes):
        axes.scatter(widths, heights, s=16, color=PALETTE[1], alpha=0.8, linewidths=0)
        limit = 1.08 * int(np.concatenate([widths, heights, [1]]).max())
        axes.set(xlabel="width in pixels", ylabel="height in pixels", xlim=(0, limit), ylim=(0, limit))
        return figure


def category_counts(counts: Mapping[str, int], *, most: int = 12) -> Figure:
    """Plot the most frequent categories as bars, the first on top."""
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    with styled_figure() as (figure, axes):
        names = [name if len(name) <= 24 else name[:23] + "…" for name, _ in top]
        axes.barh(np.arange(len(top)), [count for _, count in top], color=PALETTE[4], height=0.75)
        axes.set_yticks(np.arange(len(top)), names)
        axes.tick_params(axis="y", length=0, labelcolor=_INK)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="entities")
        return figure


def _unit_axes(axes: Axes, across: str, up: str) -> None:
    axes.set(xlabel=across, ylabel=up, xlim=(0, 1), ylim=(0, 1.02))


def _mark(axes: Axes, at: float, text: str) -> None:
    """Draw a line across the plot with a text at its top."""
    axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
    axes.axvline(at, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        text, (at, 1), xycoords=("data", "axes fraction"), xytext=(4, -2), textcoords="offset points",
        va="top", fontsize=9,
    )  # fmt: skip


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


__all__ = [
    "DASHES",
    "PALETTE",
    "ap_by_iou",
    "category_counts",
    "entities_per_image",
    "entity_sizes",
    "image_sizes",
    "pr_curves",
    "score_bars",
    "styled_figure",
    "styled_row",
    "to_png",
    "to_svg",
]
