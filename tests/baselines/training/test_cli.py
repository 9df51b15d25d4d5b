"""`entityseg train`, as a process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from entityseg.baselines import extra
from entityseg.cli.main import run


def settings(small, *overrides: str) -> str:
    """Return a small config as YAML."""
    import yaml

    return yaml.safe_dump(small("mask2former", "data.validation=null", *overrides).resolved())


def test_list_names_every_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--list", "--json"]) == 0
    recipes = json.loads(capsys.readouterr().out)["recipes"]
    assert {"cropformer-swin-tiny", "mask2former-panoptic-swin-large"} <= {one["name"] for one in recipes}
    assert all(one["about"] for one in recipes)
    assert run(["train", "--list"]) == 0
    assert "tiny-cropformer" in capsys.readouterr().out


def test_show_prints_settings_that_can_be_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from entityseg.baselines.training import read_config

    assert run(["train", "tiny-cropformer", "--show", "--data", "a folder: 'x'", "run.seed=4"]) == 0
    (tmp_path / "again.yaml").write_text(capsys.readouterr().out)
    again = read_config(tmp_path / "again.yaml")
    assert str(again.data.path) == "a folder: 'x'"
    assert again.run.seed == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no config is given"),
        (["tiny-cropformer"], "no folder for the result"),
        (["tiny-cropformer", "run.sed=1", "--out", "x"], "Did you mean 'seed'"),
        (["tiny-cropformer", "--out", "{tmp}/x"], "does not say where the data is"),
        (
            ["cropformer-swin-tiny", "--data", "{data}/train.json", "--out", "{tmp}/x"],
            "no reading of it has this split",
        ),
    ],
)
def test_wrong_usage(
    arguments: list[str], message: str, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [one.format(tmp=tmp_path, data=data) for one in arguments]
    assert run(["train", *filled]) == 2
    assert message in capsys.readouterr().err


def test_pretrained_weights_must_be_given(small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text(settings(small, "model.pretraining=coco"))
    assert run(["train", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "x")]) == 2
    assert "model.weights=FOLDER" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["torch", "yaml"])
def test_without_a_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str
) -> None:
    find_spec = extra.find_spec
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == package else find_spec(name))
    assert run(["train", "tiny-cropformer", "--out", str(tmp_path / "x")]) == 2
    assert "pip install 'entityseg[models]'" in capsys.readouterr().err


def test_help_does_not_import_torch() -> None:
    code = "import sys; from entityseg.cli.main import run; run(['train', '--list']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.slow
def test_killed_and_terminated_processes_end_with_the_same_bits(small, tmp_path: Path) -> None:
    overrides = ["schedule.steps=24", "run.checkpoint_every=4", "run.keep=100", "data.workers=1"]
    (tmp_path / "c.yaml").write_text(settings(small, *overrides))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def start(out: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "entityseg.cli.main", "train", str(tmp_path / "c.yaml")]
        return subprocess.Popen(
            [*command, "--out", str(tmp_path / out), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def end_after(step: int, number: signal.Signals) -> tuple[int, str]:
        process = start("parts")
        checkpoint = tmp_path / "parts" / "checkpoints" / f"step-{step:08d}"
        while process.poll() is None and not checkpoint.is_dir():
            time.sleep(0.01)
        process.send_signal(number)
        stdout, _ = process.communicate(timeout=120)
        return process.returncode, stdout

    whole = start("whole")
    stdout, stderr = whole.communicate(timeout=120)
    assert whole.returncode == 0, stderr
    assert json.loads(stdout)["status"] == "finished"
    assert end_after(4, signal.SIGKILL)[0] == -signal.SIGKILL
    code, stdout = end_after(12, signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    assert json.loads(stdout)["status"] == "stopped"
    last = start("parts")
    stdout, stderr = last.communicate(timeout=120)
    assert last.returncode == 0, stderr
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert one == other


@pytest.mark.slow
def test_two_processes_train_score_and_resume_together(small, tmp_path: Path) -> None:
    from entityseg.baselines.models import load_model
    from entityseg.baselines.training.outcome import RESULT
    from entityseg.baselines.training.trackers import LOG, read_log

    overrides = ["schedule.steps=4", "run.batch=4", "run.accumulate=2", "run.checkpoint_every=2"]
    import yaml

    (tmp_path / "c.yaml").write_text(yaml.safe_dump(small("cropformer", *overrides).resolved()))
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m",
        "entityseg.cli.main", "train", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out"), "--json",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}

    def run() -> dict[str, Any]:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    first = run()
    lines = read_log(tmp_path / "out" / LOG)
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert "AP^e" in lines[-1]
    load_model(tmp_path / "out")
    # As a kill after two of the four steps would have left it.
    whole = (tmp_path / "out" / "model.safetensors").read_bytes()
    for name in (RESULT, "model.safetensors"):
        (tmp_path / "out" / name).unlink()
    shutil.rmtree(tmp_path / "out" / "checkpoints" / "step-00000004")
    assert run() == first
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == whole
    # Another number of processes would draw other random numbers.
    single = subprocess.run(
        command[:1] + command[6:], capture_output=True, text=True, env=environment, check=False
    )
    assert single.returncode == 2
    assert "number of processes" in single.stderr
