"""Files on disk to all COCO AP figures: ours against pycocotools and its fast replacements."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from entityseg.benchmarks.perf.generate import generate
from entityseg.benchmarks.perf.peers import TOOLS, with_boxes
from entityseg.benchmarks.perf.timing import in_turn, markdown

VARIANTS = ("over", "non")
REFERENCE = "pycocotools"
OURS = ("ours", "ours-compat")
TOLERANCE = 1e-9
# What a block of equal scores may move a figure by; made files repeat every score, so blocks are long there.
BLOCK_TOLERANCE = 0.02
BOOTSTRAP_ROW = "ours, with intervals"


def compare(
    data: Path,
    tools: Sequence[str],
    variants: Sequence[str] = VARIANTS,
    threads: int = 1,
    repeat: int = 3,
    bootstrap: int = 0,
) -> dict[str, Any]:
    """Measures every tool on every variant, each time in a new process, in turn, and takes medians.

    Args:
        data: A folder with `gt.json` and `dt_over.json`, `dt_non.json` (see `generate`).
        tools: Names from `peers.TOOLS`.
        variants: `over` (overlapping), `non` (non-overlapping), or both.
        threads: Processors that a tool may use.
        repeat: Measurements of each.
        bootstrap: If not 0, ours is measured once more with this many bootstrap samples.

    Returns:
        `threads`, `repeat`, `load` (of the machine, before and after), `versions`, and under `variants` for
        each tool the medians `wall`, `cpu` [s], `base`, `peak` [MiB], `spread` (largest wall over smallest)
        and `figures`.

    Raises:
        RuntimeError: If a tool fails, or a figure that must agree with pycocotools does not.
    """
    load_before = os.getloadavg()[0]
    report: dict[str, Any] = {"data": data.name, "threads": threads, "repeat": repeat, "variants": {}}
    report["versions"] = {tool: _version(TOOLS[tool].distribution) for tool in tools}
    with tempfile.TemporaryDirectory() as folder:
        warm = generate(Path(folder), images=2, replicas=(), long_sides=(200, 300), predictions=10)[0]
        for variant in variants:
            rows = {tool: (tool, 0) for tool in tools}
            if bootstrap and "ours" in tools:
                rows[BOOTSTRAP_ROW] = ("ours", bootstrap)
            runs: dict[str, list[dict[str, Any]]] = {name: [] for name in rows}
            for turn in range(repeat):
                for name in in_turn(list(rows), turn):
                    tool, samples = rows[name]
                    pairs = [_pair(source, variant, tool) for source in (warm, data)]
                    runs[name].append(_child(tool, pairs, threads, samples))
            report["variants"][variant] = {name: _summary(values) for name, values in runs.items()}
            report["variants"][variant] = disagreement(report["variants"][variant])
    report["load"] = [load_before, os.getloadavg()[0]]
    return report


def disagreement(rows: dict[str, Any]) -> dict[str, Any]:
    """Adds to every row the figures that `differ` from pycocotools and by how much.

    Raises:
        RuntimeError: If one differs that should not.
    """
    if REFERENCE not in rows:
        return rows
    expected = rows[REFERENCE]["figures"]
    for name, row in rows.items():
        tool = TOOLS.get(name, TOOLS["ours"])
        row["differ"] = {}
        for figure, value in row["figures"].items():
            if abs(value - expected[figure]) <= TOLERANCE:
                continue
            row["differ"][figure] = value - expected[figure]
            bound = BLOCK_TOLERANCE if tool.blocks else TOLERANCE
            if figure in tool.compared() and abs(value - expected[figure]) > bound:
                raise RuntimeError(f"{name}: {figure} is {value!r}, pycocotools has {expected[figure]!r}")
    return rows


def table(report: dict[str, Any]) -> str:
    """Returns the report as Markdown: one table a variant, then what differs from pycocotools."""
    sections = []
    header = [
        "tool",
        "wall s",
        "CPU s",
        "peak RSS MiB",
        "above import",
        "x pycocotools",
        "x fastest peer",
        "spread",
    ]
    for variant, rows in report["variants"].items():
        peers = [row["wall"] for name, row in rows.items() if name in TOOLS and name not in OURS]
        fastest = min(peers, default=math.nan)
        reference = rows.get(REFERENCE, {"wall": math.nan})["wall"]
        lines = []
        for name, row in rows.items():
            label = f"{name} {report['versions'].get(name, '')}".strip()
            measured = [
                f"{row['wall']:.3f}",
                f"{row['cpu']:.3f}",
                f"{row['peak']:.0f}",
                f"{row['peak'] - row['base']:.0f}",
            ]
            ratios = [
                f"{reference / row['wall']:.2f}",
                f"{fastest / row['wall']:.2f}",
                f"{row['spread']:.2f}",
            ]
            lines.append([label, *measured, *ratios])
        kind = {"over": "overlapping", "non": "non-overlapping"}[variant]
        settings = f"threads: {report['threads']}, median of {report['repeat']}"
        title = f"### {report['data']} images, {kind}, {settings}"
        sections.append(f"{title}\n\n{markdown(header, lines)}")
        for name, row in rows.items():
            if row.get("differ"):
                found = ", ".join(f"{figure} {by:+.2g}" for figure, by in row["differ"].items())
                sections.append(f"{name} differs from pycocotools in {found}.")
    sections.append(
        f"Load of the machine before and after: {report['load'][0]:.1f}, {report['load'][1]:.1f}."
    )
    return "\n\n".join(sections)


def _pair(folder: Path, variant: str, tool: str) -> tuple[str, str]:
    predictions = folder / f"dt_{variant}.json"
    return str(folder / "gt.json"), str(with_boxes(predictions) if TOOLS[tool].boxes else predictions)


def _child(tool: str, pairs: list[tuple[str, str]], threads: int, bootstrap: int) -> dict[str, Any]:
    count = str(threads)
    request = {"tool": tool, "warm": pairs[0], "files": pairs[1], "threads": threads, "bootstrap": bootstrap}
    pools = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, "-m", "entityseg.benchmarks.perf.child", json.dumps(request)],
        env={**os.environ, **dict.fromkeys(pools, count)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{tool} failed with exit code {done.returncode}:\n{done.stderr.strip()}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    walls = [run["wall"] for run in runs]
    medians = {key: statistics.median(run[key] for run in runs) for key in ("wall", "cpu", "base", "peak")}
    return {**medians, "spread": max(walls) / min(walls), "figures": runs[0]["figures"]}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
