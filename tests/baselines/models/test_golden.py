"""The models against the released code's numbers, in float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from entityseg.baselines.checkpoints import convert_file, convert_state
from entityseg.baselines.checkpoints.official import _hornet
from entityseg.baselines.models import HorNetConfig, load_model
from entityseg.baselines.models.hornet import HorNet
from tests.baselines.golden import golden_file

MEAN = torch.tensor([123.675, 116.28, 103.53], dtype=torch.float64)[:, None, None]
STD = torch.tensor([58.395, 57.12, 57.375], dtype=torch.float64)[:, None, None]


def network_input(pixels: np.ndarray) -> Tensor:
    """Return uint8 views [T, 3, h, w] as the network takes them, [1, T, 3, H, W]."""
    views = torch.from_numpy(pixels).double().reshape(-1, *pixels.shape[-3:])
    height, width = views.shape[-2:]
    return functional.pad((views - MEAN) / STD, (0, -width % 32, 0, -height % 32))[None]


@pytest.fixture(scope="module")
def read(golden: Path):
    return lambda name: golden_file(golden, name)


def close(found: Tensor, expected: np.ndarray, limit: float = 1e-6) -> None:
    assert found.shape == expected.shape
    assert float((found - torch.from_numpy(expected)).abs().max()) < limit


@torch.no_grad()
def test_mask2former_equals_the_release(read) -> None:
    state, arrays = read("mask2former")
    model = convert_state(state).model.double()
    found = model(network_input(arrays["input/image"]))
    assert found.batch is None
    close(found.image.logits[-1], arrays["decoder/logits"])
    close(found.image.masks[-1].reshape(arrays["decoder/masks"].shape), arrays["decoder/masks"])


@pytest.mark.parametrize("kind", ["pth", "npz"])
@torch.no_grad()
def test_cropformer_equals_the_release_through_a_file(read, golden: Path, kind: str, tmp_path: Path) -> None:
    state, arrays = read("cropformer")
    torch.save({"model": state, "iteration": 7}, tmp_path / "cropformer.pth")
    source = golden / "cropformer.npz" if kind == "npz" else tmp_path / "cropformer.pth"
    convert_file(source, tmp_path / "model")
    model = load_model(tmp_path / "model", dtype=torch.float64)
    found = model(network_input(arrays["input/views"]))
    close(found.image.logits[-1], arrays["image_decoder/logits"])
    close(found.image.masks[-1][:, :, 0], arrays["image_decoder/masks"])
    close(found.batch.logits[-1], arrays["batch_decoder/logits"])
    close(found.batch.masks[-1], arrays["batch_decoder/masks"])


@torch.no_grad()
def test_hornet_features_equal_the_release(read) -> None:
    state, arrays = read("hornet")
    config = HorNetConfig(embed_dim=16, depths=[1, 1, 2, 1])
    backbone: nn.Module = HorNet(config).eval()
    weights = {
        name: part for link in _hornet(config) for name, part in link.split(state[link.official]).items()
    }
    backbone.load_state_dict(weights, strict=True)
    assert len(weights) == len(state)
    for stage, found in enumerate(backbone(torch.from_numpy(arrays["input/x"]))):
        expected = torch.from_numpy(arrays[f"output/res{stage + 2}"])
        assert float((found - expected).abs().max() / expected.abs().max()) < 1e-5
