"""`convert_file` and the commands: whole or not at all, equal bytes, provenance, one JSON object."""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from entityseg.baselines.checkpoints import convert, convert_file, convert_state
from entityseg.baselines.models import load_model
from entityseg.baselines.views import load_processor
from entityseg.cli.main import run
from entityseg.errors import InputError, UsageError
from tests.baselines.checkpoints.released import made, with_extras

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("released") / "CropFormer_tiny.pth"
    _, state = made()
    torch.save({"model": with_extras(state), "iteration": 5}, path)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_equal_input_gives_equal_bytes_and_provenance(released: Path, tmp_path: Path) -> None:
    record = convert_file(released, tmp_path / "a")
    convert_file(released, tmp_path / "b")
    names = {"config.json", "model.safetensors", "preprocessor_config.json", "provenance.json"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert json.loads((tmp_path / "a" / "provenance.json").read_text()) == record
    assert record["source"] == {
        "file": released.name, "bytes": released.stat().st_size, "sha256": sha256(released),
    }  # fmt: skip
    assert record["weights"]["sha256"] == sha256(tmp_path / "a" / "model.safetensors")
    assert record["parameters"] == load_model(tmp_path / "a").num_parameters()
    assert "CC BY-NC" in record["licence"]
    assert "criterion_2d.empty_weight" in record["dropped"]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("cropformer", {}, (800, 1333, 5)),
        ("mask2former", {}, (800, 1333, 1)),
        ("mask2former", {"num_labels": 150, "task": "semantic"}, (512, 2048, 1)),
    ],
)
def test_the_processor_makes_the_released_views(
    name: str, options: dict[str, object], expected: tuple[int, int, int], tmp_path: Path
) -> None:
    torch.save({"model": made(name, "resnet", **options)[1]}, tmp_path / "x.pth")
    convert_file(tmp_path / "x.pth", tmp_path / "model")
    processor = load_processor(tmp_path / "model")
    assert (processor.short_side, processor.max_side, processor.view_count) == expected
    assert processor.image_mean == [123.675, 116.28, 103.53]


def test_a_folder_that_holds_something_is_left_alone(released: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"checkpoint\.target"):
        convert_file(released, tmp_path / "model")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["mine.txt"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match=r"checkpoint\.target"):
        convert_file(released, tmp_path / "file")


def test_an_error_while_writing_leaves_nothing(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(convert, "write_json", full)
    with pytest.raises(OSError, match="No space left"):
        convert_file(released, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_while_weights_are_written(released: Path, tmp_path: Path) -> None:
    """A limit on the size of files ends writing as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            convert_file(released, tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    _, state = made()
    del state["backbone.norm3.bias"]
    torch.save({"model": state}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"backbone\.norm3\.bias"):
        convert_file(tmp_path / "x.pth", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["x.pth"]


def test_convert_and_info(released: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "model"
    assert run(["models", "convert", str(released), str(out), "--json"]) == 0
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert record["family"] == "cropformer" and record["out"] == str(out)
    assert run(["models", "info", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["provenance"]["source"]["sha256"] == sha256(released)
    assert found["sha256"] == record["weights"]["sha256"]
    assert found["sizes"]["queries"] == 20 and found["sizes"]["backbone.window_size"] == 7
    assert (found["support"], found["parity"]) == ("trainable", "verified-vs-original")
    assert run(["models", "info", str(released), "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    assert before["sizes"] == found["sizes"] and before["parameters"] == found["parameters"]
    assert before["sha256"] == sha256(released)


def test_texts(released: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "model"
    assert run(["models", "convert", str(released), str(out)]) == 0
    told = capsys.readouterr()
    assert "cropformer of 1,1" in told.out and "heads 4" in told.out
    assert "CC BY-NC" in told.err and "CC BY-NC" not in told.out
    assert run(["models", "info", str(out)]) == 0
    text = capsys.readouterr().out
    assert "family                cropformer (trainable, verified-vs-original)" in text
    assert f"converted from        {released.name}, sha256 {sha256(released)}" in text


def test_list_is_honest(capsys: Capture) -> None:
    assert run(["models", "list", "--json"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["models"]}
    assert found.keys() == {"mask2former", "cropformer", "vmask2former", "vita"}
    assert found["vita"]["parity"] == "from-paper" and not found["vita"]["convertible"]
    assert found["cropformer"]["parity"] == "verified-vs-original"
    assert run(["models", "list"]) == 0
    assert "trainable, from-paper; no released weights" in capsys.readouterr().out


def test_errors_of_the_commands(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "x.pth").write_bytes(b"not a checkpoint")
    assert run(["models", "convert", str(tmp_path / "x.pth"), str(tmp_path / "out"), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["findings"][0]["kind"] == "checkpoint.broken"
    assert run(["models", "convert", str(tmp_path / "no.pth"), str(tmp_path / "out")]) == 1
    assert "no.pth" in capsys.readouterr().err
    assert run(["models", "info", str(tmp_path)]) == 1
    assert "config.json" in capsys.readouterr().err
    assert run(["models", "convert", str(tmp_path / "x.pth")]) == 2


def test_the_commands_import_no_torch_for_their_help() -> None:
    code = (
        "import sys; from entityseg.cli.main import run; run(['models', 'list']); run(['models', '--help']);"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)), file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stderr.strip() == "[]"


def test_a_resnet_is_detectron2s() -> None:
    """Its basic stem and bottleneck, stride in the 3 x 3 convolution, written down again from the released names."""
    _, state = made("mask2former", "resnet")
    weights = {key.removeprefix("backbone."): one.double() for key, one in state.items()}

    def convolution(x: Tensor, name: str, stride: int = 1) -> Tensor:
        kernel = weights[f"{name}.weight"]
        x = functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        mean, variance, scale, offset = (
            weights[f"{name}.norm.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(variance + 1e-5) * scale + offset

    generator = torch.Generator().manual_seed(3)
    pixels = torch.randn(1, 3, 64, 96, generator=generator, dtype=torch.float64)
    x = functional.max_pool2d(functional.relu(convolution(pixels, "stem.conv1", 2)), 3, 2, 1)
    expected = []
    for stage in range(2, 6):
        name, stride = f"res{stage}.0", 1 if stage == 2 else 2
        inner = functional.relu(convolution(x, f"{name}.conv1"))
        inner = convolution(functional.relu(convolution(inner, f"{name}.conv2", stride)), f"{name}.conv3")
        x = functional.relu(inner + convolution(x, f"{name}.shortcut", stride))
        expected.append(x)
    model = convert_state(state).model.double()
    with torch.no_grad():
        found = model.pixels.backbone(pixels)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
