"""Plots of a report: figures with their intervals, precision and recall, hits by threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from entityseg.benchmarks.compare import Comparison
from entityseg.benchmarks.harness.adapter import Adapter
from entityseg.benchmarks.results import Result
from entityseg.metrics.matching import Mode
from entityseg.metrics.referring import PRECISIONS
from entityseg.report import plots
from entityseg.report.page import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def intervals(series: Mapping[str, Result], names: Sequence[str]) -> Figure:
    """Plot figures as dots with their intervals, a row a figure, a colour a result; the first figure on top."""
    rows = np.arange(len(names))
    height = 0.8 + 0.2 * len(names) * (1 + 0.5 * len(series))
    with plots.styled_figure((5.6, height)) as (figure, axes):
        for number, (who, result) in enumerate(series.items()):
            at = rows + 0.5 * ((number + 0.5) / len(series) - 0.5)
            colour = plots.PALETTE[number % len(plots.PALETTE)]
            marker = "osD^v"[number % 5]
            known = [k for k, name in enumerate(names) if result.values.get(name) is not None]
            values = [100 * cast(float, result.values[names[k]]) for k in known]
            axes.plot(values, at[known], marker, color=colour, markersize=5, label=who)
            for k in known:
                pair = result.intervals.get(names[k])
                if pair:
                    axes.plot(100 * np.array(pair), [at[k], at[k]], color=colour, linewidth=1.6)
        axes.set_yticks(rows, names)
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="%", xlim=(-2, 102), ylim=(len(names) - 0.5, -0.5))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        return figure


def differences(found: Comparison, names: Sequence[str]) -> Figure:
    """Plot the differences of two results with their intervals, a row a figure; clear ones are in colour."""
    rows = np.arange(len(names))
    with plots.styled_figure((5.6, 0.8 + 0.3 * len(names))) as (figure, axes):
        axes.axvline(0, color="0.5", linewidth=1.2, linestyle=(0, (4, 3)))
        for row, name in zip(rows, names, strict=True):
            one = found.differences[name]
            if one.difference is None:
                continue
            colour = plots.PALETTE[0] if one.clear else "0.5"
            if one.interval is not None:
                axes.plot(100 * np.array(one.interval), [row, row], color=colour, linewidth=1.6)
            axes.plot([100 * one.difference], [row], "o", color=colour, markersize=5)
        axes.set_yticks(rows, names)
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="difference in percentage points", ylim=(len(names) - 0.5, -0.5))
        axes.margins(x=0.06)
        return figure


def curves(series: Mapping[str, tuple[Result, Path | None]], side: Adapter) -> Iterator[Picture]:
    """Give the curves of a family: precision and recall of masks, or hits by the threshold of IoU.

    Args:
        series: result and predictions by name; results without predictions have no precision-recall curve.
        side: the harness's side of the task.
    """
    family = side.truth.task.family
    if family in ("entity", "boundary"):
        found = {who: _precision(side, result, path) for who, (result, path) in series.items() if path}
        known = {who: curve for who, curve in found.items() if curve is not None}
        for number, (who, curve) in enumerate(known.items()):
            caption = f"Precision and recall of {who}, a curve an IoU threshold."
            yield Picture.of_plot(plots.pr_curves(curve), f"pr{number}", caption, "Precision-recall curves")
        if known:
            caption = "AP at each IoU threshold: the sooner it falls, the less exact the borders."
            yield Picture.of_plot(plots.ap_by_iou(known), "iou", caption, "AP by IoU threshold")
    elif family == "referring" and side.truth.task.main in ("cIoU", "gIoU"):
        results = {who: result for who, (result, _) in series.items()}
        caption = (
            "Expressions whose mask has at least this IoU: the sooner it falls, the less exact the borders."
        )
        yield Picture.of_plot(_hits(results), "hits", caption, "Share of expressions by IoU threshold")


def _precision(side: Adapter, result: Result, path: Path) -> NDArray[np.float64] | None:
    """Return precision by IoU threshold and recall, float64 [10, 101]."""
    from entityseg.metrics.boundary import BoundaryAP, BoundaryIoU
    from entityseg.metrics.scoring import evaluate
    from entityseg.metrics.scoring_matches import evaluate_matches
    from entityseg.predictions import read_predictions

    gt, mode = side.truth.value, cast(Mode, result.mode)
    predictions = read_predictions(path, gt)
    if side.truth.task.family == "boundary":
        table = BoundaryAP(mode)
        evaluate_matches(table, gt, predictions, iou=BoundaryIoU())
        return table.curves()
    return evaluate(gt, predictions, mode=mode, overlap=result.options["overlap"])[0].curves()


def _hits(results: Mapping[str, Result]) -> Figure:
    """Plot the share of units with at least an IoU, of results that have P@.5 to P@.9."""
    with plots.styled_figure() as (figure, axes):
        for number, (who, result) in enumerate(results.items()):
            pairs = [(at, result.values.get(name)) for name, at in PRECISIONS.items()]
            known = [(at, 100 * value) for at, value in pairs if value is not None]
            axes.plot(
                *np.array(known).reshape(-1, 2).T, label=who, marker="o", markersize=4,
                color=plots.PALETTE[number % len(plots.PALETTE)], linestyle=plots.DASHES[number % len(plots.DASHES)],
            )  # fmt: skip
        axes.set(xlabel="IoU threshold", ylabel="expressions, %", xlim=(0.48, 0.92), ylim=(0, 102))
        axes.legend(loc="best")
        return figure
