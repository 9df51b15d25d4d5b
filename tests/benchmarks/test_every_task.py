"""Every registered task runs on the mini dataset: the oracle is perfect, a noisy one is not, superpixels get through.

The tasks are those of the registry, none by name: a new task is tested here as soon as it is there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from entityseg import published
from entityseg.benchmarks.harness.families import FAMILIES, is_ready
from entityseg.benchmarks.harness.run import Run, run
from entityseg.benchmarks.results import read_result
from entityseg.benchmarks.tasks import Task, get, tasks
from entityseg.benchmarks.tasks.mini import mini_name
from entityseg.errors import MissingFileError
from entityseg.metrics.set_means import SGINW_SETS
from entityseg.published import TaskFigures

EVERY = [task for task in tasks() if task.is_mini]
REAL = [task for task in tasks() if not task.is_mini]
# What a perfect prediction does not reach, and why. More than 100 masks: AP and AR count the 100 surest; AR@1 and AR@10
# fewer. Grey maps: the thresholds have 0 among them, at which every pixel is foreground.
FEW_DETECTIONS = ("AR@1", "AR@10")
MANY_MASKS = 100
MEANS_WITH_ZERO = ("meanF", "meanE")
# The E-measure divides by one pixel less than there are.
ABOVE_ONE = ("maxE", "adpE", "meanE")
# IS-Net's own F adds a little to each denominator.
BELOW_ONE = ("maxF_isnet",)


def names(chosen: list[Task]) -> list[str]:
    return [task.name for task in chosen]


def test_every_task_can_run_and_has_its_mini_task() -> None:
    assert [task.name for task in tasks() if not is_ready(task)] == []
    sets = {f"sginw-{name.lower()}@1" for name in SGINW_SETS}
    assert {mini_name(task.name) for task in REAL if task.name not in sets} <= set(names(EVERY))
    assert {task.family for task in EVERY} == {task.family for task in REAL} == set(FAMILIES)


def published_rows_of(task: Task) -> list[TaskFigures]:
    return [] if task.published is None else published.find(task.published)


def most_masks(done: Run) -> int:
    """Return the most masks that a predicted image has, in files with one record an image."""
    file = done.folder / "predictions.jsonl"
    lines = file.read_bytes().splitlines() if file.exists() else []
    return max((line.count(b'"counts"') for line in lines), default=0)


@pytest.mark.parametrize("name", names(EVERY))
def test_oracle_is_perfect_and_noise_is_not(name: str, mini: Path, tmp_path: Path) -> None:
    task = get(name)
    done = run(task, "oracle", tmp_path / "run", data=mini, bootstrap=5, shard_size=2)
    result = done.result
    assert result.counts["missing"] == 0 and result.counts["predicted"] == result.counts["expected"] > 0
    assert result.model["oracle"] is True and result.mode == "canonical"
    less = FAMILIES[task.family].less_is_better
    many = most_masks(done) > MANY_MASKS
    known = {figure: value for figure, value in result.values.items() if value is not None}
    for figure, value in known.items():
        if figure in FEW_DETECTIONS or figure in MEANS_WITH_ZERO:
            assert value <= 1 + 1e-3, figure
        elif many and figure.startswith("A") and "300" not in figure:
            assert 0.9 < value <= 1, figure
        else:
            tolerance = 1e-4 if figure in (*ABOVE_ONE, *BELOW_ONE) else 1e-12
            assert value == pytest.approx(0 if figure in less else 1, abs=tolerance), figure
    if many:
        assert known["AP@300"] == 1

    noisy = run(
        task, "oracle", tmp_path / "noisy", data=mini, bootstrap=0, model_options={"noise": 0.6}
    ).result
    main = noisy.values[task.main]
    assert main is not None
    if task.main in less:
        assert main > known[task.main]
    else:
        assert main < known[task.main]


@pytest.mark.parametrize("name", names(EVERY))
def test_superpixels_run_everywhere(name: str, mini: Path, tmp_path: Path) -> None:
    task = get(name)
    done = run(task, "superpixels", tmp_path / "run", data=mini, bootstrap=0)
    value = done.result.values[task.main]
    assert value is None or 0 <= value < 1
    assert read_result(done.folder) == done.result


@pytest.mark.parametrize("name", names(REAL))
def test_a_missing_dataset_is_one_error_with_source_and_tree(name: str, tmp_path: Path) -> None:
    task = get(name)
    with pytest.raises(MissingFileError) as caught:
        run(task, "oracle", tmp_path / "run", data=tmp_path)
    assert len(caught.value.findings) == 1
    text = str(caught.value)
    needed = [get(member) for member in task.members] or [task]
    for part in (needed[0].data.get, "--data", "ENTITYSEG_DATA"):
        assert part in text
    for one in needed[:1]:
        for file in one.data.files:
            assert f"{one.data.folder}/{file}" in text


@pytest.mark.parametrize("name", names([*REAL, *EVERY]))
def test_show_needs_no_data(
    name: str, bench: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = get(name)
    code, out, err = bench("show", name)  # type: ignore[operator]
    assert (code, err) == (0, "")
    for part in (
        task.title,
        task.main,
        *task.modes,
        task.predictions,
        task.data.get,
        *task.notes,
        *task.members,
    ):
        assert part in out
    for file in task.data.files:
        assert f"{task.data.folder}/{file}" in out
    for count in task.counts:
        assert f"{count.value:,} {count.name}" in out
