"""Dichotomous image segmentation: F, weighted F, MAE, S, E and HCE of grey maps, as a mergeable table.

Definitions and what differs from published code: `docs/metrics/dichotomous.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.errors import input_error
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.averages import Float64Array, column_totals, total
from entityseg.metrics.dichotomous_fmeasure import (
    LEVELS,
    Mode,
    Scale,
    f_curve,
    f_measure,
    is_above_adaptive,
    isnet_curves,
    isnet_f,
    scale_of,
    weighted_f,
)
from entityseg.metrics.dichotomous_hce import Effort, correction_effort
from entityseg.metrics.dichotomous_structure import e_curve, e_measure, s_measure, split_point
from entityseg.metrics.inputs import as_grey
from entityseg.metrics.modes import checked_mode
from entityseg.metrics.table import Figures, Table, UnitId

MODES: tuple[Mode, ...] = ("canonical", "pysod", "dis-official")
FOREGROUND = 128  # What is above is foreground.
# Figures that are no fractions.
COUNTS = ("HCE",)
_ALL = (
    "maxF", "meanF", "adpF", "maxF_by_image", "maxF_isnet", "wF", "MAE", "S", "meanE", "maxE", "adpE", "HCE",
)  # fmt: skip
_FIGURES: dict[Mode, tuple[str, ...]] = {
    "canonical": _ALL,
    "pysod": _ALL,
    "dis-official": ("maxF", "wF", "MAE", "S", "meanE", "HCE"),
}
# Images whose curves are made at once where they are not kept.
_BLOCK = 16


@dataclass(frozen=True, slots=True)
class MapStatistics:
    """What one grey map adds.

    Attributes:
        histograms: uint32 [2, 256], of the map over true background and foreground.
        difference: sum over pixels of |map - truth|, both as they are in the files (0 to 255).
        structure: S-measure.
        weighted: weighted F-measure.
        effort: what there is to correct.
    """

    histograms: NDArray[np.uint32]
    difference: int
    structure: float
    weighted: float
    effort: Effort

    @property
    def bg(self) -> Int64Array:
        """Histogram over true background, int64 [256]."""
        return self.histograms[0].astype(np.int64)

    @property
    def fg(self) -> Int64Array:
        """Histogram over true foreground, int64 [256]."""
        return self.histograms[1].astype(np.int64)


class Dichotomous(Table[MapStatistics]):
    """All measures of DIS5K: feed maps in any order, merge parts, compute.

    >>> metric = Dichotomous()
    >>> gt = np.zeros((20, 20), bool)
    >>> gt[5:15, 5:15] = True
    >>> metric.update("a", gt, gt)
    >>> values = metric.compute()
    >>> values["maxF"], values["wF"], values["MAE"], values["S"], values["HCE"]
    (1.0, 1.0, 0.0, 1.0, 0.0)
    """

    def __init__(self, mode: Mode = "canonical") -> None:
        super().__init__()
        self.mode: Mode = checked_mode(mode, MODES)

    def update(
        self,
        image: UnitId,
        gt: RunLengths | ArrayLike,
        pred: RunLengths | ArrayLike,
        *,
        skeleton: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add one image.

        Args:
            image: unique among the images added.
            gt, pred: uint8 [height, width] (foreground of `gt` is above 128), bool, or run-length with one mask.
            skeleton: bool [height, width], of the ground truth; made of it if not given.

        Raises:
            InputError: the image was added before, or the maps are of another kind or do not fit.
        """
        self.add(image, statistics(gt, pred, self.mode, skeleton=skeleton))

    def figures(self, units: Mapping[UnitId, MapStatistics]) -> Figures:
        """Return the function that computes all measures of these images."""
        return _Means(list(units.values()), self.mode).figures


def statistics(
    gt: RunLengths | ArrayLike,
    pred: RunLengths | ArrayLike,
    mode: Mode = "canonical",
    *,
    skeleton: NDArray[np.bool_] | None = None,
) -> MapStatistics:
    """Return what a map adds; arguments and errors are those of `Dichotomous.update`."""
    from entityseg.metrics import _grey

    truth, found = as_grey(gt), as_grey(pred)
    if truth.shape != found.shape:
        message = (
            f"ground truth and prediction differ in size: {truth.shape} and {found.shape} (height, width)"
        )
        raise input_error("map.size", message, "Predict at the size of the ground truth.")
    if skeleton is not None and skeleton.shape != truth.shape:
        message = (
            f"ground truth and skeleton differ in size: {truth.shape} and {skeleton.shape} (height, width)"
        )
        raise input_error("map.size", message, "Give a skeleton of the ground truth's size, or none.")
    n_gt, rows, columns, difference = _grey.moments(truth, found)
    row, column = split_point(n_gt, rows, columns) if n_gt else (0, 0)
    quadrants = np.zeros((4, 2, LEVELS), np.int64)
    _grey.histograms(truth, found, row, column, quadrants)
    both = quadrants.sum(axis=0)
    scale = scale_of(both.sum(axis=0), mode)
    is_found = found > FOREGROUND
    if mode == "pysod":
        is_found = (scale.p > 0.5)[found]
    return MapStatistics(
        both.astype(np.uint32),
        int(difference),
        s_measure(quadrants, row, column, (truth.shape[0], truth.shape[1]), scale, _epsilon(mode)),
        weighted_f(truth, found, scale, int(n_gt)),
        correction_effort(truth > FOREGROUND, is_found, skeleton=skeleton),
    )


class _Means:
    """The measures of each image, ready for being averaged with weights."""

    def __init__(self, rows: list[MapStatistics], mode: Mode) -> None:
        self.mode = mode
        self.histograms = [row.histograms for row in rows]
        self.f_curves, self.e_curves = np.empty((len(rows), LEVELS)), np.empty((len(rows), LEVELS))
        adaptive, errors = np.empty((len(rows), 2)), np.empty(len(rows))
        for i, row in enumerate(rows):
            scale = scale_of(row.fg + row.bg, mode)
            self.f_curves[i] = f_curve(row.fg, row.bg, scale)
            self.e_curves[i] = e_curve(row.fg, row.bg, scale, _epsilon(mode))
            adaptive[i] = _adaptive(row, scale, mode)
            errors[i] = _error(row, scale, mode)
        self.single: dict[str, Float64Array] = {
            "maxF_by_image": self.f_curves.max(axis=1, initial=0),
            "adpF": adaptive[:, 0],
            "wF": np.array([row.weighted for row in rows], np.float64),
            "MAE": errors,
            "S": np.array([row.structure for row in rows], np.float64),
            "adpE": adaptive[:, 1],
        }
        self.effort = np.array([row.effort.total for row in rows], np.int64)

    def figures(self, weights: Int64Array) -> dict[str, Float64Array]:
        """Return each figure for each row of weights [b, images], NaN without images."""
        number = weights.sum(axis=1).astype(np.float64)
        number[number == 0] = np.nan
        means = {name: total(weights, values) / number for name, values in self.single.items()}
        means["HCE"] = total(weights, self.effort) / number
        e_mean = column_totals(weights, self.e_curves) / number[:, None]
        means["meanE"], means["maxE"] = e_mean.mean(axis=1), e_mean.max(axis=1)
        means["maxF_isnet"] = self._isnet(weights, number)
        if self.mode == "dis-official":
            means["maxF"] = means["maxF_isnet"]
        else:
            f_mean = column_totals(weights, self.f_curves) / number[:, None]
            means["maxF"], means["meanF"] = f_mean.max(axis=1), f_mean.mean(axis=1)
        return {name: means[name] for name in _FIGURES[self.mode]}

    def _isnet(self, weights: Int64Array, number: Float64Array) -> Float64Array:
        """Return IS-Net's F, float64 [b]; its curves are made block by block, for they are as long as a row."""
        sums = np.zeros((2, len(weights), LEVELS - 1))
        for start in range(0, len(self.histograms), _BLOCK):
            block = slice(start, start + _BLOCK)
            bg, fg = np.stack(self.histograms[block], axis=1).astype(np.int64)
            curves = isnet_curves(fg, bg)
            for one, curve in zip(sums, curves, strict=True):
                one += column_totals(weights[:, block], curve)
        precision, recall = sums / number[:, None]
        return np.asarray(isnet_f(precision, recall).max(axis=1), np.float64)


def _adaptive(row: MapStatistics, scale: Scale, mode: Mode) -> Float64Array:
    """Return F and E at the adaptive threshold."""
    reached = is_above_adaptive(row.fg + row.bg, scale, mode)
    hits, false = row.fg[reached].sum(keepdims=True), row.bg[reached].sum(keepdims=True)
    n_gt, n_rest = int(row.fg.sum()), int(row.bg.sum())
    e = e_measure(hits, false, n_gt, n_rest, _epsilon(mode))
    return np.concatenate([f_measure(hits, hits + false, n_gt), e])


def _epsilon(mode: Mode) -> float:
    """Return what PySODMetrics adds to denominators."""
    return float(np.spacing(1)) if mode == "pysod" else 0.0


def _error(row: MapStatistics, scale: Scale, mode: Mode) -> float:
    """Return the mean absolute error."""
    pixels = float((row.fg + row.bg).sum())
    if mode == "dis-official":
        return row.difference / (255 * pixels + 1e-4)
    return float((row.fg * (1 - scale.p) + row.bg * scale.p).sum()) / pixels
