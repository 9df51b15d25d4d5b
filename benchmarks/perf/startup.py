"""Starting up: a whole `entityseg score` process against one vernier process on the same small files."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from entityseg.benchmarks.perf.peers import with_boxes
from entityseg.benchmarks.perf.timing import in_turn, markdown, ratio

# What somebody would type to have vernier's twelve figures printed: no more imports than that needs.
_VERNIER = """
import sys
from pathlib import Path
from vernier.instance import CocoDataset, Evaluator, Segm
truth, predictions = (Path(name).read_bytes() for name in sys.argv[1:])
evaluator = Evaluator(iou=Segm(), parity_mode="strict")
print("\\n".join(evaluator.evaluate(CocoDataset.from_json(truth), predictions).pretty_lines()))
"""


def commands(data: Path) -> dict[str, list[str]]:
    """Returns the command line of each process that is timed, by name."""
    truth, predictions = data / "gt.json", data / "dt_over.json"
    script = Path(sys.executable).with_name("entityseg")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "entityseg.cli.main"]
    options = ["--allow-overlap", "--bootstrap", "0", "--json"]
    return {
        "ours": [*program, "score", "entity", "--gt", str(truth), "--pred", str(predictions), *options],
        "vernier": [sys.executable, "-c", _VERNIER, str(truth), str(with_boxes(predictions))],
        "python alone": [sys.executable, "-c", "pass"],
    }


def compare(data: Path, repeat: int = 9) -> dict[str, Any]:
    """Runs each command once to fill the caches, then `repeat` times in turn.

    Args:
        data: A folder with `gt.json` and `dt_over.json`; the 60-image one is meant.
        repeat: Runs of each command.

    Returns:
        For each command the medians `wall` and `cpu` in seconds, and `spread` (largest wall over smallest).

    Raises:
        RuntimeError: If a command fails.
    """
    lines = commands(data)
    for line in lines.values():
        _run(line)
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in lines}
    for turn in range(repeat):
        for name in in_turn(list(lines), turn):
            runs[name].append(_run(lines[name]))
    return {
        name: {
            "wall": statistics.median(wall for wall, _ in values),
            "cpu": statistics.median(cpu for _, cpu in values),
            "spread": max(wall for wall, _ in values) / min(wall for wall, _ in values),
        }
        for name, values in runs.items()
    }


def table(report: dict[str, Any]) -> str:
    """Returns the report as Markdown, with the ratio to vernier's process."""
    rows = [
        [
            name,
            f"{row['wall'] * 1000:.0f}",
            f"{row['cpu'] * 1000:.0f}",
            ratio(row["wall"], report["vernier"]["wall"]),
            f"{row['spread']:.2f}",
        ]
        for name, row in report.items()
    ]
    return markdown(["process", "wall ms", "CPU ms", "x vernier's wall", "spread"], rows)


def _run(command: list[str]) -> tuple[float, float]:
    """Runs the command and returns its wall and CPU seconds."""
    before = os.times()
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - begin
    after = os.times()
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr.strip()}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu
