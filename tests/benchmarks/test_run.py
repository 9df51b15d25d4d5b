"""Runs: perfect oracles, resumption after kills, independence of shards, and what a run refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from entityseg.benchmarks.harness.families import FAMILIES, FamilyEntry, is_ready
from entityseg.benchmarks.harness.run import run
from entityseg.benchmarks.harness.scoring import score
from entityseg.benchmarks.results import read_result
from entityseg.benchmarks.tasks import get
from entityseg.errors import InputError, MissingFileError, UsageError

HERE = Path(__file__).parent


def _bench_run(mini: Path, out: Path, *more: object) -> int:
    command = [
        sys.executable, "-m", "entityseg.cli.main", "bench", "run", "mini-fss-wild", "--data", mini, "--out", out,
        "--shard-size", 3, "--bootstrap", 10, *more,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    return subprocess.run(
        list(map(str, command)), env=environment, check=False, capture_output=True
    ).returncode


def test_killed_in_the_model_it_goes_on(mini: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of a shard: whole shards are kept, the rest is done again, the result is the same."""
    counter, out = tmp_path / "asked", tmp_path / "run"
    model = ("--model", "models:Dying", "--option", f'counter="{counter}"', "--option", "die_at=8")
    assert _bench_run(mini, out, *model) == -signal.SIGKILL
    assert not (out / "result.json").exists()
    whole = sorted(path.name for path in (out / "shards").glob("*.done"))
    assert len(whole) == 2
    assert _bench_run(mini, out, *model) == 0
    units = read_result(out).counts["expected"]
    # Two shards of three were kept; the images after the sixth were asked again.
    assert int(counter.read_text()) == 8 + units - 6
    fresh = run(
        get("mini-fss-wild"), "entityseg.benchmarks.models.superpixels:Superpixels", tmp_path / "fresh",
        data=mini, model_options={"regions": 30}, shard_size=3, bootstrap=10,
    )  # fmt: skip
    assert (out / "predictions.jsonl").read_bytes() == (fresh.folder / "predictions.jsonl").read_bytes()
    assert read_result(out).values == fresh.result.values


def test_damaged_shards_are_done_again(mini: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    task = get("mini-entity-low")
    first = run(task, "oracle", out, data=mini, shard_size=1, bootstrap=0)
    one, other = sorted((out / "shards").glob("*.jsonl"))[:2]
    one.write_bytes(one.read_bytes()[:-9])
    other.with_suffix(".done").write_text("{")
    again = run(task, "oracle", out, data=mini, shard_size=1, bootstrap=0)
    assert (again.predicted, again.reused) == (2, first.predicted - 2)
    assert again.result == first.result


def test_another_run_in_the_folder_is_refused(mini: Path, tmp_path: Path) -> None:
    task, out = get("mini-entity-low"), tmp_path / "run"
    run(task, "oracle", out, data=mini, bootstrap=0)
    with pytest.raises(UsageError, match="different are: model_options"):
        run(task, "oracle", out, data=mini, bootstrap=0, model_options={"noise": 0.5})
    with pytest.raises(UsageError, match="different are: task, task_sha256"):
        run(get("mini-boundary-high"), "oracle", out, data=mini, bootstrap=0)
    done = run(task, "oracle", out, data=mini, bootstrap=0, model_options={"noise": 0.5}, overwrite=True)
    assert done.reused == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no run"):
        run(task, "oracle", tmp_path / "other", data=mini)


def test_what_models_may_not_do(mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    with pytest.raises(InputError, match=r"masks are \(3, 4\)"):
        run(get("mini-entity-low"), "models:WrongSize", tmp_path / "size", data=mini)
    with pytest.raises(InputError, match="gave a mask no category"):
        run(get("mini-instance"), "models:Whole", tmp_path / "class", data=mini)
    with pytest.raises(InputError, match="share pixels"):
        run(get("mini-panoptic"), "models:Overlapping", tmp_path / "pan", data=mini)
    with pytest.raises(UsageError, match="no method `ground`"):
        run(get("mini-refcoco-val"), "models:Nothing", tmp_path / "text", data=mini)
    # Overlapping entities are refused by the evaluator, unless a choice is made.
    with pytest.raises(InputError, match="share"):
        run(get("mini-entity-low"), "models:Overlapping", tmp_path / "e", data=mini, bootstrap=0)
    choice = {"overlap": "resolve"}
    done = run(
        get("mini-entity-low"), "models:Overlapping", tmp_path / "e", data=mini, bootstrap=0, options=choice
    )
    assert done.result.options["overlap"] == "resolve" and done.predicted == 0


def test_nothing_found_is_said_and_counts_zero(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    result = run(get("mini-entity-high"), "models:Nothing", tmp_path / "run", data=mini, bootstrap=0).result
    assert result.values["AP"] == 0
    assert result.counts["missing"] == 0 and result.counts["empty"] == result.counts["expected"]


def test_missing_dataset_is_one_error_with_source_and_tree(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        run(get("coco-panoptic"), "oracle", tmp_path / "run", data=tmp_path)
    text = str(caught.value)
    assert len(caught.value.findings) == 1
    for part in ("cocodataset.org", "coco/annotations/panoptic_val2017.json", "--data", "ENTITYSEG_DATA"):
        assert part in text
    assert not (tmp_path / "run").exists()


def test_incomplete_dataset_says_what_it_lacks(mini: Path, tmp_path: Path) -> None:
    (tmp_path / "coco" / "val2017").mkdir(parents=True)
    with pytest.raises(MissingFileError, match=r"lacks annotations/instances_val2017.json"):
        run(get("coco-instance"), "oracle", tmp_path / "run", data=tmp_path)


def test_wrong_counts_refuse_or_warn(mini: Path, tmp_path: Path) -> None:
    """A part of ADE20K in the real task's place is refused; what is only remembered warns."""
    with pytest.raises(InputError, match="images, ade20k-panoptic@1 expects 2,000"):
        run(get("ade20k-panoptic"), "oracle", tmp_path / "a", data=mini / "tasks")
    result = run(get("dis5k-vd"), "oracle", tmp_path / "b", data=mini / "tasks", bootstrap=0).result
    assert any("expects 470" in line for line in result.warnings)


@pytest.mark.parametrize(
    ("entry", "lacking"),
    [
        (FamilyEntry("entityseg.metrics.scoring_dreams:score_dreams", "x:Y"), "scoring_dreams:score_dreams"),
        (FamilyEntry("entityseg.metrics.scoring:score"), "an adapter of the family entity"),
    ],
)
def test_tasks_that_cannot_run_say_what_is_missing(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: FamilyEntry, lacking: str
) -> None:
    monkeypatch.setitem(FAMILIES, "entity", entry)
    task = get("mini-entity-low")
    assert not is_ready(task)
    with pytest.raises(UsageError, match=f"Missing: .*{lacking}"):
        run(task, "oracle", tmp_path / "run", data=mini)
    assert not (tmp_path / "run").exists()


def test_score_of_a_file_equals_that_of_the_run(mini: Path, tmp_path: Path) -> None:
    done = run(get("mini-panoptic"), "oracle", tmp_path / "run", data=mini, bootstrap=10)
    alone = score(get("mini-panoptic"), tmp_path / "run" / "predictions.json", data=mini, bootstrap=10)
    assert alone.values == done.result.values and alone.identity == done.result.identity
    with pytest.raises(UsageError, match="Its modes are canonical, panopticapi"):
        score(get("mini-panoptic"), tmp_path / "run" / "predictions.json", data=mini, mode="strict")


def test_a_set_without_predictions_counts_zero(mini: Path, tmp_path: Path) -> None:
    task = get("mini-sginw")
    folder = tmp_path / "board"
    folder.mkdir()
    member = get(task.members[0])
    done = run(member, "oracle", tmp_path / "one", data=mini, bootstrap=0)
    name = member.data.images.partition("/")[0]
    (folder / f"seginw_{name}_val.json").write_bytes((done.folder / "predictions.jsonl").read_bytes())
    result = score(task, folder, data=mini, bootstrap=20)
    mean = result.values["mean"]
    assert mean is not None
    np.testing.assert_allclose(mean, (done.result.values["AP"] or 0) / len(task.members))
    assert result.counts["sets_missing"] == len(task.members) - 1
    with pytest.raises(UsageError, match="predictions of no set"):
        score(task, tmp_path, data=mini)
