"""Runs of every metric family, killed by the clock at random points until one gets through, end as a calm one does."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from entityseg.benchmarks.harness.families import FAMILIES
from entityseg.benchmarks.harness.run import run
from entityseg.benchmarks.tasks import Task, tasks
from entityseg.files import _TEMPORARY

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
# One of the images', one of the texts'; the others take longer.
QUICK = ("recall", "narrative")


def _task(family: str) -> Task:
    return next(task for task in tasks() if task.is_mini and task.family == family)


def _attempt(seconds: float, *arguments: Any, **options: Any) -> bool:
    """Run in a child that the system ends after so many seconds, without a word to Python; return if it got through."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            run(*arguments, **options)
        except BaseException:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGALRM
        return False
    assert os.WEXITSTATUS(status) == 0
    return True


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    own = (path for path in files if ".locks" not in path.parts and path.suffix != ".done")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in own if _TEMPORARY not in str(path)
    }


@pytest.mark.parametrize(
    "family",
    [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in FAMILIES],
)
def test_killed_at_random_points(family: str, mini: Path, tmp_path: Path) -> None:
    task, out, calm = _task(family), tmp_path / "run", tmp_path / "calm"
    options: dict[str, Any] = {
        "data": mini, "shard_size": 1, "bootstrap": 10, "threads": 1, "model_options": {"noise": 0.5},
    }  # fmt: skip
    run(task, "oracle", calm, **options)
    begin = time.perf_counter()
    run(task, "oracle", tmp_path / "timed", **options)
    whole = time.perf_counter() - begin
    generator = random.Random(7)
    kills = 0
    # Later attempts get more time, so that one gets through on the slowest machine.
    while not _attempt(generator.uniform(0.002, 0.3 + 0.05 * kills) * whole, task, "oracle", out, **options):
        kills += 1
        assert kills < 200
    assert kills >= 2
    assert _contents(out) == _contents(calm)
    left = [path for path in out.rglob(f"{_TEMPORARY}*") if path.parent.name != ".locks"]
    assert len(left) <= kills
