"""One measurement in a process of its own: `ap` starts it, and reads the one line of JSON it prints."""

from __future__ import annotations

import json
import math
import os
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

from entityseg.benchmarks.perf.peers import NAMES, TOOLS, ours


def measure(
    tool: str, warm: tuple[Path, Path], files: tuple[Path, Path], threads: int, bootstrap: int
) -> dict[str, Any]:
    """Imports the tool, scores a tiny pair of files (compilation, thread pools), then times the real pair.

    Returns:
        `wall` and `cpu` in seconds, `base` and `peak` as resident memory in MiB before and at most during the
        timed call, and `figures` by name.
    """
    run = ours(threads, bootstrap) if bootstrap else TOOLS[tool].load(threads)
    run(*warm)
    base = status("VmRSS")
    forget_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    figures = run(*files)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "wall": wall,
        "cpu": cpu,
        "base": base,
        "peak": status("VmHWM"),
        "figures": {name: value for name, value in zip(NAMES, figures, strict=True) if not math.isnan(value)},
    }


def status(field: str) -> float:
    """A memory field of this process in MiB; where there is no /proc, the peak since its start."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = re.search(rf"^{field}:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
    return int(found.group(1)) / 1024 if found else float("nan")


def forget_peak() -> None:
    """Lets the peak start again from here, where the kernel allows it (else it includes the import's)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError as error:
        print(f"note: the peak includes the import: {error}", file=sys.stderr)


def main() -> None:
    """Reads the request from the one argument, measures and prints the result as one line of JSON."""
    request = json.loads(sys.argv[1])
    threads = int(request["threads"])
    # The one limit that every tool respects: some count the processors by themselves.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    warm = Path(request["warm"][0]), Path(request["warm"][1])
    files = Path(request["files"][0]), Path(request["files"][1])
    print(json.dumps(measure(request["tool"], warm, files, threads, int(request["bootstrap"]))))


if __name__ == "__main__":
    main()
