"""Model folders that are broken say what is wrong with them, and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from entityseg.baselines.models import load_model, new_model, save_model, tiny_config
from entityseg.errors import InputError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("model")
    save_model(new_model(tiny_config("cropformer", "resnet")), folder)
    return {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}


@pytest.fixture
def folder(whole: dict[str, bytes], tmp_path: Path) -> Path:
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def kinds(error: pytest.ExceptionInfo[InputError]) -> set[str]:
    return {finding.kind for finding in error.value.findings}


def rewrite(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="file.missing"):
        load_model(tmp_path / "nothing")


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: the model has no weights"):
        load_model(folder)


@pytest.mark.parametrize("keep", [0, 5, 1000, -7])
def test_weights_cut_off(folder: Path, keep: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"model\.safetensors.*\[model\.weights\]"):
        load_model(folder)


def test_config_cut_off(folder: Path) -> None:
    path = folder / "config.json"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"config\.json"):
        load_model(folder)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"model_type": "mask2former"}, "model.type"),
        ({"model_type": None}, "model.type"),
        ({"architectures": ["Mask2FormerForUniversalSegmentation"]}, "model.architecture"),
        ({"architectures": ["CropFormer", "VITA"]}, "model.architecture"),
        ({"architectures": None}, "model.architecture"),
        ({"queries": -1}, "model.config"),
        ({"heads": 7}, "model.config"),
        ({"quieries": 3}, "model.config"),
        ({"task": "depth"}, "model.config"),
        ({"backbone_config": {"model_type": "vgg"}}, "model.backbone"),
        ({"backbone_config": []}, "model.backbone"),
        ({"backbone_config": 3}, "model.backbone"),
    ],
)
def test_config_without_sense(folder: Path, fields: dict[str, Any], kind: str) -> None:
    rewrite(folder, **fields)
    with pytest.raises(InputError) as error:
        load_model(folder)
    assert kinds(error) == {kind}
    assert all(finding.file == str(folder / "config.json") for finding in error.value.findings)


def test_weights_that_do_not_fit(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["query_features.weight"]
    weights["association.own.7.norm.bias"] = torch.zeros(2)
    weights["image_decoder.head.classes.bias"] = torch.zeros(9)
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(InputError) as error:
        load_model(folder)
    found = {(finding.kind, finding.record) for finding in error.value.findings}
    assert found == {
        ("model.missing", "query_features.weight"),
        ("model.unexpected", "association.own.7.norm.bias"),
        ("model.shape", "image_decoder.head.classes.bias"),
    }


def test_a_folder_of_another_family(folder: Path) -> None:
    rewrite(folder, architectures=["Mask2Former"])
    with pytest.raises(InputError) as error:
        load_model(folder)
    assert kinds(error) == {"model.unexpected"}


def test_precision(folder: Path) -> None:
    assert load_model(folder).dtype == torch.float32
    assert load_model(folder, dtype=torch.float64).dtype == torch.float64


def test_nothing_is_printed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save_model(load_model(folder), folder / "again")
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_is_an_os_error(folder: Path, tmp_path: Path) -> None:
    model = load_model(folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        save_model(model, tmp_path / "file" / "inside")


@pytest.mark.parametrize(
    "fields",
    [
        {"queries": 60_000, "hidden_size": 4096, "ffn": 8192},
        {"pixel_ffn": 60_000, "pixel_size": 16_384},
        {
            "backbone_config": {
                "model_type": "swin",
                "window_size": 300,
                "embed_dim": 24,
                "num_heads": [1, 1, 1, 1],
            }
        },
    ],
)
def test_a_configuration_of_more_than_the_file_holds(folder: Path, fields: dict[str, Any]) -> None:
    """A few words of it would ask for gigabytes."""
    rewrite(folder, **fields)
    with pytest.raises(InputError, match="the file holds") as error:
        load_model(folder)
    assert kinds(error) == {"model.extent"}
