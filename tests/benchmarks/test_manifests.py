"""Manifests beside predictions: written by `run`, read and checked by `score`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entityseg.benchmarks.harness.run import run
from entityseg.benchmarks.harness.scoring import score
from entityseg.benchmarks.tasks import get
from entityseg.data.digests import of_paths
from entityseg.errors import InputError
from entityseg.predictions.manifest import Manifest, Statements, read_manifest

Bench = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    "name", ["mini-entity-low", "mini-dis5k-vd", "mini-png-end-to-end", "mini-reasonseg-val"]
)
def test_a_run_writes_one(name: str, mini: Path, tmp_path: Path) -> None:
    said = Statements(mask_reduction="union", training_data=("COCO",), uses_split_in_training=False)
    done = run(get(name), "oracle", tmp_path, data=mini, bootstrap=0, statements=said)
    manifest = read_manifest(tmp_path / "manifest.json")
    (predictions,) = tmp_path.glob("predictions*")
    assert manifest.sha256 == of_paths([predictions]) == done.result.identity.predictions
    assert (manifest.task, manifest.protocol_version, manifest.oracle) == (f"{name}@1", 1, True)
    assert (manifest.mask_reduction, manifest.training_data) == ("union", ("COCO",))
    assert manifest.input_mode == ("end-to-end" if "end-to-end" in name else None)
    assert done.result.model == manifest.of_model()
    assert done.result.model["mask_reduction"] == "union" and "checkpoint" not in done.result.model


def test_sets_have_one_each_and_one_for_all(mini: Path, tmp_path: Path) -> None:
    task = get("mini-sginw")
    done = run(task, "oracle", tmp_path, data=mini, bootstrap=0)
    assert read_manifest(tmp_path / "manifest.json").sha256 == done.result.identity.predictions
    for member in task.members:
        folder = tmp_path / member.replace("@", "-")
        assert read_manifest(folder / "manifest.json").task == member
        assert json.loads((folder / "result.json").read_text())["model"]["model"] == "oracle"
    again = score(task, tmp_path, data=mini, bootstrap=0)
    assert again.values == done.result.values and again.model == done.result.model


@pytest.fixture(scope="module")
def done(mini: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manifests")
    run(get("mini-entity-low"), "oracle", folder, data=mini, bootstrap=0)
    return folder


def _moved(done: Path, folder: Path, **changes: Any) -> Path:
    folder.mkdir()
    value = {**json.loads((done / "manifest.json").read_text()), **changes}
    (folder / "manifest.json").write_text(json.dumps(value))
    shutil.copy(done / "predictions.jsonl", folder / "mine.jsonl")
    return folder / "mine.jsonl"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, "the predictions are other ones"),
        ({"task": "mini-entity-high@1"}, "scored under mini-entity-low@1"),
        ({"split": "val"}, "the split of mini-entity-low@1 is 'val_lr'"),
        ({"protocol_version": 3}, "protocol_version"),
        ({"colour": "red"}, "there is no such field"),
    ],
)
def test_a_manifest_of_something_else_is_refused(
    done: Path, mini: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    pred = _moved(done, tmp_path / "a", **changes)
    with pytest.raises(InputError, match=message):
        score(get("mini-entity-low"), pred, data=mini, bootstrap=0)
    # A right one given by name is as good as one beside.
    result = score(get("mini-entity-low"), pred, data=mini, bootstrap=0, manifest=done / "manifest.json")
    assert result.model["model"] == "oracle"


def test_score_takes_it_into_the_result(done: Path, mini: Path, tmp_path: Path, bench: Bench) -> None:
    pred = _moved(done, tmp_path / "a", uses_split_in_training=True, model="mine")
    out = tmp_path / "r.json"
    code, text, err = bench(
        "score", "mini-entity-low", "--pred", pred, "--data", mini, "--out", out, "--json"
    )
    assert code == 0 and json.loads(text)["model"]["model"] == "mine"
    assert "trained on this split" in err and str(tmp_path) not in out.read_text()
    code, text, _ = bench(
        "score", "mini-entity-low", "--pred", pred, "--data", mini, "--name", "theirs", "--json"
    )
    assert code == 0 and json.loads(text)["model"]["model"] == "theirs"
    (tmp_path / "a" / "manifest.json").unlink()
    result = score(get("mini-entity-low"), pred, data=mini, bootstrap=0)
    assert result.model == {} and result.name.startswith("predictions ")


def test_run_takes_statements_only(mini: Path, tmp_path: Path, bench: Bench) -> None:
    said = tmp_path / "said.json"
    said.write_text('{"checkpoint": "abc", "mask_source": "CropFormer-Swin-L"}')
    arguments = ("run", "mini-entity-low", "--model", "superpixels", "--data", mini, "--bootstrap", 0)
    code, _, err = bench(*arguments, "--out", tmp_path / "run", "--manifest", said)
    assert code == 0, err
    manifest = read_manifest(tmp_path / "run" / "manifest.json")
    assert isinstance(manifest, Manifest) and manifest.mask_source == "CropFormer-Swin-L"
    said.write_text('{"checkpoint": 5, "sha256": "abc"}')
    code, _, err = bench(*arguments, "--out", tmp_path / "other", "--manifest", said)
    assert code == 1 and "checkpoint" in err and "no such field" in err
    assert not (tmp_path / "other").exists()
