"""Figures do not depend on how work was cut, in which order records stand, or how often it was interrupted.

One task of every metric family of the registry, in every mode of it.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from entityseg.benchmarks.harness.families import FAMILIES
from entityseg.benchmarks.harness.run import Run, run
from entityseg.benchmarks.harness.scoring import score
from entityseg.benchmarks.results import Result
from entityseg.benchmarks.tasks import Task, get, tasks

NOISY = {"noise": 0.5, "seed": 3}


def _one_each() -> list[str]:
    """Return a mini task of each family, of families with options one for each of their values."""
    chosen: dict[tuple[str, str], Task] = {}
    for task in tasks():
        if task.is_mini:
            chosen.setdefault((task.family, str(sorted(task.options.items()))), task)
    assert {family for family, _ in chosen} == set(FAMILIES)
    return [task.name for task in chosen.values()]


ONE_EACH = _one_each()
MODES = [(name, mode) for name in ONE_EACH for mode in get(name).modes]


def _bytes(folder: Path) -> dict[str, bytes]:
    """Return what a run wrote, but for what says how it was cut."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    cut = ("run.json", ".locks/", "shards/")
    named = ((path.relative_to(folder).as_posix(), path) for path in files)
    return {name: path.read_bytes() for name, path in named if not any(part in name for part in cut)}


@pytest.fixture(scope="module")
def noisy(mini: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Give the noisy oracle's run on a task, made once."""
    made: dict[str, Run] = {}

    def of(name: str) -> Run:
        if name not in made:
            out = tmp_path_factory.mktemp("noisy") / "run"
            made[name] = run(
                get(name), "oracle", out, data=mini, bootstrap=8, shard_size=100, model_options=NOISY
            )
        return made[name]

    return of


@pytest.mark.parametrize("name", ONE_EACH)
def test_shards_leave_no_trace(name: str, noisy: Callable[[str], Run], mini: Path, tmp_path: Path) -> None:
    whole = _bytes(noisy(name).folder)
    assert any(file.startswith("result.") for file in whole)
    for size in (1, 2):
        out = tmp_path / str(size)
        run(get(name), "oracle", out, data=mini, bootstrap=8, shard_size=size, model_options=NOISY)
        assert _bytes(out) == whole


@pytest.mark.parametrize("name", ONE_EACH)
def test_interrupted_runs_go_on_to_the_same_bytes(name: str, mini: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments: dict[str, Any] = {"data": mini, "bootstrap": 8, "shard_size": 1, "model_options": NOISY}
    first = run(get(name), "oracle", out, **arguments)
    whole = _bytes(out)
    # As a kill leaves it: some markers are not written yet, a file is cut, results are not there.
    markers = sorted(out.rglob("*.done"))
    lost = markers[::2]
    for marker in lost:
        marker.unlink()
    for file in [*out.rglob("result.*"), *out.rglob("predictions*"), *out.rglob("manifest.json")]:
        if file.exists() and "shards" not in file.relative_to(out).parts:
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    again = run(get(name), "oracle", out, **arguments)
    assert (again.predicted, again.reused) == (len(lost), len(markers) - len(lost))
    assert again.result == first.result and _bytes(out) == whole


def _shuffled(source: Path, target: Path, generator: random.Random) -> None:
    """Write the same predictions in another order, whatever the format."""
    if source.is_dir():
        shutil.copytree(source, target)
        for file in target.rglob("*.json"):
            value = orjson.loads(file.read_bytes())
            generator.shuffle(value["annotations"])
            file.write_bytes(orjson.dumps(value))
    elif source.suffix == ".jsonl":
        lines = source.read_bytes().splitlines(keepends=True)
        generator.shuffle(lines)
        target.write_bytes(b"".join(lines))
    else:
        records = orjson.loads(source.read_bytes())
        generator.shuffle(records)
        target.write_bytes(orjson.dumps(records))


def _figures(result: Result) -> dict[str, Any]:
    value = result.model_dump(exclude={"identity", "model", "predictions"})
    value["per_image"] = sorted(value["per_image"], key=str)
    return value


@pytest.mark.parametrize(("name", "mode"), MODES)
def test_the_order_of_records_and_threads_leaves_no_trace(
    name: str, mode: str, noisy: Callable[[str], Run], mini: Path, tmp_path: Path
) -> None:
    task, folder = get(name), noisy(name).folder
    generator = random.Random(11)
    if task.family == "sets":
        source, target = folder, tmp_path / "sets"
        for member in folder.glob("mini-*"):
            (own,) = member.glob("predictions*")
            (target / member.name).mkdir(parents=True)
            _shuffled(own, target / member.name / own.name, generator)
    else:
        (source,) = folder.glob("predictions*")
        target = tmp_path / source.name
        _shuffled(source, target, generator)
    arguments: dict[str, Any] = {"data": mini, "mode": mode, "bootstrap": 8}
    first = score(task, source, threads=1, **arguments)
    second = score(task, target, threads=2, **arguments)
    assert _figures(first) == _figures(second)
    assert first.identity.evaluator == second.identity.evaluator
