"""Weights to start from: backbones of transformers and of `models convert`, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    ResNetConfig,
    ResNetForImageClassification,
    ResNetModel,
    SwinConfig,
    SwinForImageClassification,
    SwinModel,
)

from entityseg.baselines.models import SegmenterModel, new_model, tiny_config
from entityseg.baselines.models.loading import save_model
from entityseg.baselines.training.starting import start_from
from entityseg.errors import Finding, InputError, UsageError

BODY = "pixels.backbone.body."
SIZES = {
    "swin": ("embed_dim", "depths", "num_heads", "window_size"),
    "resnet": ("embedding_size", "hidden_sizes", "depths"),
}


def tiny(backbone: str, seed: int = 2, **options: Any) -> SegmenterModel:
    torch.manual_seed(seed)
    return new_model(tiny_config("mask2former", backbone, **options))


def sizes(backbone: str) -> dict[str, Any]:
    config = tiny_config("mask2former", backbone).backbone_config
    return {name: getattr(config, name) for name in SIZES[backbone]}


@pytest.mark.parametrize(
    ("backbone", "kind", "config"),
    [
        ("swin", SwinForImageClassification, SwinConfig),
        ("swin", SwinModel, SwinConfig),
        ("resnet", ResNetForImageClassification, ResNetConfig),
        ("resnet", ResNetModel, ResNetConfig),
    ],
)
def test_classifiers_of_transformers(
    backbone: str, kind: Any, config: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the library's hub has: no normalisation of maps, and a head that no map needs."""
    torch.manual_seed(1)
    source = kind(config(**sizes(backbone)))
    source.save_pretrained(tmp_path)
    model = tiny(backbone)
    capfd.readouterr()
    start = start_from(model, tmp_path)
    assert capfd.readouterr() == ("", "")
    given = {name.removeprefix(f"{backbone}."): one for name, one in source.state_dict().items()}
    body = f"{BODY}swin." if backbone == "swin" else BODY
    taken = [name for name in model.state_dict() if name.startswith(body)]
    assert taken and start.taken == len(taken)
    for name in taken:
        assert torch.equal(model.state_dict()[name], given[name.removeprefix(body)]), name
    fresh = {name for name in start.fresh if name.startswith(BODY)}
    assert all(name.startswith(f"{BODY}hidden_states_norms.") for name in fresh)
    assert len(fresh) == (8 if backbone == "swin" else 0)


def refused(model: SegmenterModel, folder: Path, kind: type[Exception] = InputError) -> list[Finding]:
    before = {name: one.clone() for name, one in model.state_dict().items()}
    with pytest.raises(kind) as error:
        start_from(model, folder)
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    found = list(error.value.findings)  # type: ignore[attr-defined]
    assert all(str(folder) in str(one.file) and one.remedy for one in found)
    return found


@pytest.mark.parametrize("change", [{"depths": [1, 1, 1, 1]}, {"window_size": 5}, {"mlp_ratio": 2.0}])
def test_other_sizes_are_named(change: dict[str, Any], tmp_path: Path) -> None:
    SwinModel(SwinConfig(**{**sizes("swin"), **change})).save_pretrained(tmp_path)
    found = refused(tiny("swin"), tmp_path)
    assert [(one.field, one.value) for one in found] == [(name, str(value)) for name, value in change.items()]
    assert f"model.backbone.{found[0].field}" in found[0].remedy


def hornet(folder: Path, **fields: Any) -> dict[str, torch.Tensor]:
    """Write a HorNet alone; return its weights."""
    model = tiny("hornet", seed=1)
    weights = {name: one.clone() for name, one in model.pixels.backbone.body.state_dict().items()}
    config = model.config.backbone_config
    for name, value in fields.items():
        setattr(config, name, value)
    folder.mkdir(exist_ok=True)
    config.save_pretrained(folder)
    save_file(weights, folder / "model.safetensors")
    return weights


def test_filters_of_another_size(tmp_path: Path) -> None:
    """The released code resizes them as it runs, never when it loads."""
    hornet(tmp_path, filters=[None, None, [14, 8], [7, 4]])
    found = refused(tiny("hornet"), tmp_path)
    assert [one.field for one in found] == ["filters"]
    assert "model.backbone.filters" in found[0].remedy


def test_another_kind(tmp_path: Path) -> None:
    hornet(tmp_path)
    found = refused(tiny("swin"), tmp_path, UsageError)
    assert "the folder holds a hornet, the backbone is a swin" in found[0].message


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:1000]),
        lambda path: path.write_bytes(b""),
        lambda path: save_file(load_file(path) | {"norms.0.weight": torch.full((16,), float("nan"))}, path),
        lambda path: save_file({n: one for n, one in load_file(path).items() if "inner" not in n}, path),
        lambda path: save_file({n: one[:1] for n, one in load_file(path).items()}, path),
    ],
    ids=["gone", "cut", "empty", "nan", "missing", "shape"],
)
def test_damaged_weights(damage: Any, tmp_path: Path) -> None:
    hornet(tmp_path)
    damage(tmp_path / "model.safetensors")
    refused(tiny("hornet"), tmp_path)


def test_damaged_configurations(tmp_path: Path) -> None:
    hornet(tmp_path)
    for text in ("[]", "{", "null"):
        (tmp_path / "config.json").write_text(text)
        refused(tiny("hornet"), tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": ["hornet"]}))
    refused(tiny("hornet"), tmp_path, UsageError)


@pytest.mark.parametrize("option", [{"heads": 2}, {"pre_norm": True}])
def test_whole_models_of_what_no_shape_tells(option: dict[str, Any], tmp_path: Path) -> None:
    """The shapes agree, the weights would mean something else."""
    save_model(tiny("resnet", seed=1, **option), tmp_path)
    found = refused(tiny("resnet"), tmp_path)
    assert [one.field for one in found] == list(option)
    start_from(tiny("resnet", **option), tmp_path)
