"""The measures of dichotomous segmentation on large maps, against PySODMetrics where it is installed.

PySODMetrics demands an older numpy and OpenCV; `pip install --no-deps pysodmetrics opencv-python-headless` is enough.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.benchmarks.perf.timing import alternated, markdown, ratio

SIZE = (2000, 2600)
# What each tool computes of one map.
PARTS = ("S, E, F, MAE", "weighted F", "HCE", "all")


def make_map(seed: int, size: tuple[int, int] = SIZE) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns a truth of smooth shapes with thin rods, and a soft map of it that is shifted, cut and spotted."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    coarse = rng.standard_normal((size[0] // 8, size[1] // 8))
    field = ndimage.zoom(ndimage.gaussian_filter(coarse, 12), 8, order=1)[: size[0], : size[1]]
    gt = field > np.quantile(field, 0.75)
    gt[size[0] // 3 :: 400, :] = True
    shifted = np.roll(gt, 9, axis=1)
    shifted[:, : size[1] // 5] = False
    spots = ndimage.zoom(ndimage.gaussian_filter(rng.standard_normal(coarse.shape), 2), 8, order=1)
    shifted ^= spots[: size[0], : size[1]] > np.quantile(spots, 0.985)
    soft = ndimage.uniform_filter(shifted.astype(np.float32), 9) * 235 + rng.random(size) * 20
    return gt.astype(np.uint8) * 255, soft.astype(np.uint8)


def ours(gt: NDArray[np.uint8], pred: NDArray[np.uint8]) -> dict[str, Callable[[], Any]]:
    """Returns our own call for each part."""
    from entityseg.metrics import _grey
    from entityseg.metrics.dichotomous import Dichotomous, statistics
    from entityseg.metrics.dichotomous_fmeasure import scale_of, weighted_f
    from entityseg.metrics.dichotomous_hce import correction_effort
    from entityseg.metrics.dichotomous_structure import s_measure, split_point

    scale = scale_of(np.bincount(pred.ravel(), minlength=256), "pysod")

    def curves() -> float:
        n, rows, columns, _ = _grey.moments(gt, pred)
        row, column = split_point(n, rows, columns)
        counts = np.zeros((4, 2, 256), np.int64)
        _grey.histograms(gt, pred, row, column, counts)
        return s_measure(counts, row, column, (gt.shape[0], gt.shape[1]), scale)

    def whole() -> dict[str, float | None]:
        table = Dichotomous("pysod")
        table.add(0, statistics(gt, pred, "pysod"))
        return table.compute()

    return {
        "S, E, F, MAE": curves,
        "weighted F": lambda: weighted_f(gt, pred, scale, int((gt > 128).sum())),
        "HCE": lambda: correction_effort(gt > 128, (scale.p > 0.5)[pred]).total,
        "all": whole,
    }


def theirs(gt: NDArray[np.uint8], pred: NDArray[np.uint8]) -> dict[str, Callable[[], Any]]:
    """Returns PySODMetrics' call for each part; nothing where it is not installed."""
    try:
        import py_sod_metrics as sod
    except ImportError:
        return {}

    def run(*names: str) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            meters = {name: getattr(sod, name)() for name in names}
            for meter in meters.values():
                meter.step(pred, gt)
        return meters

    parts = {
        "S, E, F, MAE": ("Smeasure", "Emeasure", "Fmeasure", "MAE"),
        "weighted F": ("WeightedFmeasure",),
        "HCE": ("HumanCorrectionEffortMeasure",),
    }
    calls: dict[str, Callable[[], Any]] = {name: partial(run, *names) for name, names in parts.items()}
    calls["all"] = partial(run, *(name for names in parts.values() for name in names))
    return calls


def compare(images: int = 2, repeat: int = 3, size: tuple[int, int] = SIZE) -> dict[str, Any]:
    """Times every part on maps of `size` pixels, one thread each.

    Returns:
        Milliseconds a map by tool and part (the mean over maps of medians), and `megapixels`.

    Raises:
        RuntimeError: If a figure differs from PySODMetrics' by more than 1e-9.
    """
    spent: dict[str, dict[str, float]] = {}
    for seed in range(images):
        gt, pred = make_map(seed, size)
        tools = {"ours": ours(gt, pred), "PySODMetrics": theirs(gt, pred)}
        for part in PARTS:
            calls = {name: parts[part] for name, parts in tools.items() if parts}
            for name, seconds in alternated(calls, repeat).items():
                row = spent.setdefault(name, dict.fromkeys(PARTS, 0.0))
                row[part] += 1000 * seconds / images
        if tools["PySODMetrics"]:
            _check(tools["ours"]["all"](), tools["PySODMetrics"]["all"]())
    return {**spent, "megapixels": size[0] * size[1] / 1e6}


def table(report: dict[str, Any]) -> str:
    """Returns the report as Markdown, in milliseconds a map, with the ratio to PySODMetrics."""
    tools = [name for name in ("ours", "PySODMetrics") if name in report]
    rows = [[name, *(f"{report[name][part]:.0f}" for part in PARTS)] for name in tools]
    if len(tools) == 2:
        ratios = (ratio(report["PySODMetrics"][part], report["ours"][part]) for part in PARTS)
        rows.append(["PySODMetrics / ours", *ratios])
    return markdown([f"ms a map ({report['megapixels']:.1f} MP)", *PARTS], rows)


def _check(found: dict[str, Any], meters: dict[str, Any]) -> None:
    curve = np.asarray(meters["Fmeasure"].changeable_fms[0])
    expected = {
        "maxF": curve.max(),
        "adpF": meters["Fmeasure"].adaptive_fms[0],
        "wF": meters["WeightedFmeasure"].weighted_fms[0],
        "MAE": meters["MAE"].maes[0],
        "S": meters["Smeasure"].sms[0],
        "meanE": np.asarray(meters["Emeasure"].changeable_ems[0]).mean(),
        "adpE": meters["Emeasure"].adaptive_ems[0],
        "HCE": meters["HumanCorrectionEffortMeasure"].hces[0],
    }
    for name, value in expected.items():
        if abs(found[name] - value) > 1e-9:
            raise RuntimeError(f"{name} is {found[name]}, PySODMetrics has {value}")
