"""Backbones as their authors release them for classification: folders that a training starts from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from entityseg.baselines.checkpoints import convert_file, convert_state, describe
from entityseg.baselines.checkpoints.official import backbone_links, to_official
from entityseg.baselines.models import SegmenterModel, new_model, tiny_config
from entityseg.baselines.training.starting import start_from
from entityseg.cli.main import run
from entityseg.errors import Finding, InputError, UsageError
from tests.baselines.golden import golden_file

State = dict[str, Tensor]
BODY = "pixels.backbone.body."
NORMS = {"swin": f"{BODY}hidden_states_norms.", "hornet": f"{BODY}norms."}
KINDS = ["swin", "hornet"]


def tiny(backbone: str, seed: int, name: str = "cropformer", **sizes: Any) -> SegmenterModel:
    torch.manual_seed(seed)
    config = tiny_config(name, backbone)
    for field, value in sizes.items():
        setattr(config.backbone_config, field, value)
    return new_model(config).eval()


def released(kind: str, **sizes: Any) -> tuple[SegmenterModel, State]:
    """Return a model, and its backbone as the authors would have released it for classification."""
    model = tiny(kind, 1, **sizes)
    with torch.no_grad():
        for tensor in model.pixels.backbone.body.state_dict().values():
            tensor.add_(torch.randn_like(tensor) * 0.05)
    layout = list(backbone_links(model.config.backbone_config))
    state = to_official(model.pixels.backbone.body.state_dict(), layout)
    state = {
        name: one for name, one in state.items() if not name.startswith(("norm0", "norm1", "norm2", "norm3"))
    }
    channels = model.pixels.backbone.channels[-1]
    state |= {f"norm.{part}": torch.randn(channels) for part in ("weight", "bias")}
    state |= {"head.weight": torch.randn(10, channels), "head.bias": torch.randn(10)}
    if kind == "swin":
        state["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49, dtype=torch.int64)
        state["layers.2.blocks.1.attn_mask"] = torch.zeros(4, 49, 49)
    return model, state


def converted(state: State, here: Path, key: str = "model") -> Path:
    torch.save({key: state}, here / "backbone.pth")
    convert_file(here / "backbone.pth", here / "out")
    return here / "out"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["model", "state_dict"])
def test_a_training_takes_every_weight(kind: str, key: str, tmp_path: Path) -> None:
    source, state = released(kind)
    model = tiny(kind, 2, "mask2former")
    before = {name: one.clone() for name, one in model.state_dict().items()}
    start = start_from(model, converted(state, tmp_path, key))
    found, given = model.state_dict(), source.state_dict()
    taken = {name for name in found if name.startswith(BODY) and not name.startswith(NORMS[kind])}
    assert start.taken == len(taken) and start.unused == ()
    assert all(torch.equal(found[name], given[name]) for name in taken)
    assert not all(torch.equal(found[name], before[name]) for name in taken)
    assert set(start.fresh) == found.keys() - taken
    assert all(torch.equal(found[name], before[name]) for name in start.fresh)
    # Said first, for only the first names of many are logged.
    assert all(name.startswith(NORMS[kind]) for name in start.fresh[:8])


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_tells_what_it_is(kind: str, tmp_path: Path) -> None:
    source, state = released(kind)
    folder = converted(state, tmp_path)
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "provenance.json"}
    record = json.loads((folder / "provenance.json").read_text())
    assert (record["family"], record["backbone"]) == ("backbone", kind)
    assert {"head.weight", "head.bias", "norm.weight", "norm.bias"} <= set(record["dropped"])
    assert len(record["fresh"]) == 8
    assert record["assumed"] == ({"gate_scale": 1 / 3} if kind == "hornet" else {})
    weights = load_file(folder / "model.safetensors")
    assert record["parameters"] == sum(one.numel() for one in weights.values())
    told, before = describe(folder), describe(tmp_path / "backbone.pth")
    assert told["provenance"] == record
    assert before["fresh"] == record["fresh"] and sorted(before["dropped"]) == record["dropped"]
    for name in ("family", "sizes", "parameters", "dtype"):
        assert told[name] == before[name]
    assert told["sizes"]["backbone.depths"] == source.config.backbone_config.depths
    convert_file(tmp_path / "backbone.pth", tmp_path / "again")
    for name in ("config.json", "model.safetensors", "provenance.json"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_told_by_the_shapes(kind: str, tmp_path: Path) -> None:
    sizes: dict[str, Any] = {
        "swin": {"embed_dim": 16, "depths": [2, 1, 1, 1], "num_heads": [2, 2, 4, 4], "window_size": 5},
        "hornet": {"embed_dim": 32, "depths": [1, 2, 1, 1], "filters": [None, None, [14, 8], [7, 4]]},
    }[kind]
    source, state = released(kind, **sizes)
    folder = converted(state, tmp_path)
    told = json.loads((folder / "config.json").read_text())
    assert {name: told[name] for name in sizes} == sizes
    model = tiny(kind, 2, **sizes)
    start_from(model, folder)
    name = next(name for name in model.state_dict() if "stages.2.0" in name or "layers.2.blocks.0" in name)
    assert torch.equal(model.state_dict()[name], source.state_dict()[name])


def test_golden_hornet_through_a_training(golden: Path, tmp_path: Path) -> None:
    """A file with the maps' norms, as detectron2's backbone has them, gives the released features."""
    convert_file(golden / "hornet.npz", tmp_path / "out")
    record = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert record["fresh"] == [] and record["dropped"] == []
    model = tiny("hornet", 3)
    start = start_from(model, tmp_path / "out")
    assert not any(name.startswith(BODY) for name in start.fresh)
    _, arrays = golden_file(golden, "hornet")
    with torch.no_grad():
        found = model.pixels.backbone(torch.from_numpy(arrays["input/x"]))
    for stage, one in enumerate(found):
        expected = torch.from_numpy(arrays[f"output/res{stage + 2}"])
        assert float((one - expected).abs().max() / expected.abs().max()) < 1e-5


@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_golden_swin_through_a_training(golden: Path, prefix: str, tmp_path: Path) -> None:
    state, _ = golden_file(golden, "mask2former")
    whole = convert_state(state).model.float()
    alone = {
        prefix + name.removeprefix("backbone."): one.float() if one.is_floating_point() else one
        for name, one in state.items() if name.startswith("backbone.")
    }  # fmt: skip
    model = tiny("swin", 3)
    start_from(model, converted(alone, tmp_path))
    found = model.state_dict()
    for name, one in whole.state_dict().items():
        if name.startswith(BODY):
            assert torch.equal(found[name], one), name


def refused(state: State, here: Path, error: type[Exception] = InputError, **options: Any) -> list[Finding]:
    torch.save({"model": state}, here / "backbone.pth")
    with pytest.raises(error) as caught:
        convert_file(here / "backbone.pth", here / "out", **options)
    assert not (here / "out").exists()
    return list(caught.value.findings)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_over_or_missing_is_named(kind: str, tmp_path: Path) -> None:
    _, state = released(kind)
    gone = next(name for name in state if name.endswith("0.norm1.bias"))
    del state[gone]
    state |= {"head.extra": torch.zeros(2), "norm2.weight": torch.zeros(4)}
    found = refused(state, tmp_path)
    assert ("checkpoint.left_over", "head.extra") in {(one.kind, one.record) for one in found}
    missing = {one.record for one in found if one.kind == "checkpoint.missing"}
    # One of the maps' norms is there, so that all have to be.
    assert missing == {
        gone,
        *(f"norm{stage}.{part}" for stage in range(4) for part in ("weight", "bias")),
    } - {"norm2.weight"}


def test_a_weight_that_is_not_finite(tmp_path: Path) -> None:
    _, state = released("hornet")
    state["stages.2.1.gamma1"][3] = float("nan")
    found = refused(state, tmp_path)
    assert [(one.kind, one.record) for one in found] == [("checkpoint.nan", "stages.2.1.gamma1")]


@pytest.mark.parametrize(
    ("options", "field"),
    [({"family": "cropformer"}, "family"), ({"heads": 4}, "heads"), ({"pre_norm": True}, "pre_norm")],
)
def test_options_of_whole_models(options: dict[str, Any], field: str, tmp_path: Path) -> None:
    found = refused(released("hornet")[1], tmp_path, UsageError, **options)
    assert [one.field for one in found] == [field]


def test_the_scale_of_the_gates(tmp_path: Path) -> None:
    _, state = released("hornet")
    torch.save({"model": state}, tmp_path / "x.pth")
    record = convert_file(tmp_path / "x.pth", tmp_path / "out", gate_scale=0.5)
    assert record["assumed"] == {}
    with pytest.raises(InputError) as error:
        start_from(tiny("hornet", 2), tmp_path / "out")
    assert [(one.field, one.value) for one in error.value.findings] == [("gate_scale", "0.5")]
    start_from(tiny("hornet", 2, gate_scale=0.5), tmp_path / "out")


def test_a_scale_without_gates(tmp_path: Path) -> None:
    found = refused(released("swin")[1], tmp_path, UsageError, gate_scale=0.5)
    assert [one.field for one in found] == ["gate_scale"]


@pytest.mark.parametrize(
    "state",
    [
        {"downsample_layers.0.0.weight": 0, "stages.0.0.dwconv.weight": 0},
        {"patch_embed.proj.weight": 0, "blocks.0.attn.qkv.weight": 0},
        {"backbone.stem.conv1.weight": 0, "backbone.res2.0.conv1.weight": 0},
    ],
    ids=["convnext", "vit", "resnet"],
)
def test_other_backbones(state: dict[str, Any], tmp_path: Path) -> None:
    found = refused({name: torch.zeros(2) for name in state}, tmp_path)
    assert [one.kind for one in found] == ["checkpoint.family"]


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model": released("hornet")[1]}, tmp_path / "hornet.pth")
    assert run(["models", "convert", str(tmp_path / "hornet.pth"), str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert (
        "hornet alone of" in told.out
        and "left out: head.bias, head.weight, norm.bias, norm.weight" in told.out
    )
    assert "new where a training starts: norms.0.weight" in told.out
    assert "keeps the licence of its source" in told.err
    assert run(["models", "info", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "backbone.orders" in text and text.split()[:2] == ["family", "backbone"]


def test_a_damaged_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = converted(released("hornet")[1], tmp_path)
    changes: list[Callable[[], Any]] = [
        lambda: (folder / "model.safetensors").write_bytes(b"x" * 20),
        lambda: (folder / "config.json").write_text('{"model_type": "hornet", "depths": 3}'),
    ]
    for change in changes:
        change()
        assert run(["models", "info", str(folder), "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["findings"]
