"""Files on disk to boundary AP: ours against vernier, the fastest evaluator that has it, one thread each."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from entityseg.benchmarks.perf.peers import NAMES, SIZED, Figures, Run, with_boxes
from entityseg.benchmarks.perf.timing import in_turn, markdown, ratio

REFERENCE = "vernier"
TOLERANCE = 1e-9


def _vernier() -> Run:
    from vernier.instance import Boundary, CocoDataset, Evaluator

    def run(truth: Path, predictions: Path) -> Figures:
        dataset = CocoDataset.from_json(truth.read_bytes())
        evaluator = Evaluator(iou=Boundary(), parity_mode="strict")
        summary = evaluator.evaluate(dataset, predictions.read_bytes(), num_threads=1)
        return [float(value) for value in summary.stats[:12]]

    return run


def _ours(mode: Any) -> Run:
    from entityseg.metrics.scoring_boundary import score_boundary

    def run(truth: Path, predictions: Path) -> Figures:
        found = score_boundary(truth, predictions, mode=mode, bootstrap=0, threads=1).values
        values = [found.get(name) for name in NAMES]
        return [math.nan if value is None else value for value in values]

    return run


TOOLS: dict[str, Callable[[], Run]] = {
    "ours": lambda: _ours("canonical"),
    "ours-compat": lambda: _ours("pycocotools"),
    "vernier": _vernier,
}


def compare(
    data: Path,
    tools: Sequence[str] = tuple(TOOLS),
    variants: Sequence[str] = ("over", "non"),
    repeat: int = 3,
) -> dict[str, Any]:
    """Scores the files with each tool in turn on one processor, and takes medians.

    Args:
        data: A folder with `gt.json` and `dt_over.json`, `dt_non.json` (see `generate`).
        tools: Names from `TOOLS`.
        variants: `over` (overlapping), `non` (non-overlapping), or both.
        repeat: Measurements of each, after one that does not count.

    Returns:
        `repeat`, `versions`, and under `variants` for each tool `wall`, `cpu` [s] and `figures`.

    Raises:
        RuntimeError: If a figure of `ours-compat` is not vernier's (those by size aside: vernier takes the box's
            area for the mask's).
    """
    runs = {name: TOOLS[name]() for name in tools}
    report: dict[str, Any] = {"data": data.name, "repeat": repeat, "variants": {}}
    report["versions"] = {name: _version(name) for name in tools}
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    if allowed:
        os.sched_setaffinity(0, [max(allowed)])
    try:
        for variant in variants:
            report["variants"][variant] = _measured(runs, data, variant, repeat)
    finally:
        if allowed:
            os.sched_setaffinity(0, allowed)
    for rows in report["variants"].values():
        _check(rows)
    return report


def _measured(runs: dict[str, Run], data: Path, variant: str, repeat: int) -> dict[str, Any]:
    predictions = data / f"dt_{variant}.json"
    files = {name: with_boxes(predictions) if name == REFERENCE else predictions for name in runs}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    figures = {name: run(data / "gt.json", files[name]) for name, run in runs.items()}
    for turn in range(repeat):
        for name in in_turn(list(runs), turn):
            wall, cpu = time.perf_counter(), time.process_time()
            runs[name](data / "gt.json", files[name])
            seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: {
            "wall": statistics.median(wall for wall, _ in seconds[name]),
            "cpu": statistics.median(cpu for _, cpu in seconds[name]),
            "figures": dict(zip(NAMES, figures[name], strict=True)),
        }
        for name in runs
    }


def _check(rows: dict[str, Any]) -> None:
    if REFERENCE not in rows or "ours-compat" not in rows:
        return
    expected, found = rows[REFERENCE]["figures"], rows["ours-compat"]["figures"]
    for name in NAMES:
        if name not in SIZED and abs(found[name] - expected[name]) > TOLERANCE:
            raise RuntimeError(f"ours-compat: {name} is {found[name]!r}, {REFERENCE} has {expected[name]!r}")


def table(report: dict[str, Any]) -> str:
    """Returns the report as Markdown, one table a variant."""
    sections = []
    for variant, rows in report["variants"].items():
        reference = rows.get(REFERENCE, {"cpu": math.nan})["cpu"]
        lines = [
            [
                f"{name} {report['versions'][name]}".strip(),
                f"{row['wall']:.3f}",
                f"{row['cpu']:.3f}",
                ratio(reference, row["cpu"]),
                f"{100 * row['figures']['AP']:.4f}",
            ]
            for name, row in rows.items()
        ]
        kind = {"over": "overlapping", "non": "non-overlapping"}[variant]
        title = f"### Boundary AP, {report['data']} images, {kind}, one thread, median of {report['repeat']}"
        sections.append(
            f"{title}\n\n{markdown(['tool', 'wall s', 'CPU s', f'CPU x {REFERENCE}', 'AP'], lines)}"
        )
    return "\n\n".join(sections)


def _version(tool: str) -> str:
    try:
        return version("entityseg" if tool.startswith("ours") else tool)
    except PackageNotFoundError:
        return ""
