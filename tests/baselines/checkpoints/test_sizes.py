"""Names and shapes that would make a large or a slow model: refused before there is one."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from entityseg.baselines.checkpoints import convert_state
from entityseg.baselines.checkpoints.shapes import Shapes
from entityseg.errors import InputError
from tests.baselines.checkpoints.released import PREDICTOR, made

State = dict[str, Tensor]
ONE = torch.zeros(1)
TABLE = "attn.relative_position_bias_table"


def numbered(state: State, number: str) -> None:
    state[f"{PREDICTOR}transformer_ffn_layers.{number}.linear1.weight"] = ONE


def windows(state: State, places: int) -> None:
    for name in [name for name in state if name.endswith(TABLE)]:
        state[name] = torch.zeros(places, state[name].shape[1])


def stages(state: State, count: int) -> None:
    state.update({f"backbone.layers.{stage}.x": ONE for stage in range(count)})


def blocks(state: State, count: int) -> None:
    state.update({f"backbone.layers.2.blocks.{block}.x": ONE for block in range(count)})


def layers(state: State, count: int) -> None:
    """Names of layers without what is in them."""
    for part in ("ffn", "self_attention", "cross_attention"):
        state.update({f"{PREDICTOR}transformer_{part}_layers.{layer}.x": ONE for layer in range(count)})


def wide(state: State) -> None:
    """Two thin weights that ask for a square one of 17 GB."""
    state[f"{PREDICTOR}transformer_ffn_layers.0.linear1.weight"] = torch.zeros(2**16, 1)
    state[f"{PREDICTOR}query_feat.weight"] = torch.zeros(1, 2**16)


def long_filters(state: State) -> None:
    name = "backbone.stages.2.0.gnconv.dwconv.complex_weight"
    state[name] = torch.zeros(1, 2**11, 2**11, 2)


def many_orders(state: State) -> None:
    """Gates of half the channels of the one before, until none are left."""
    for order in range(1, 12):
        for part in ("weight", "bias"):
            state[f"backbone.stages.0.0.gnconv.pws.{order}.{part}"] = ONE


@pytest.mark.parametrize(
    ("backbone", "change", "kind"),
    [
        ("swin", lambda state: numbered(state, "1000000"), "left_over"),
        ("swin", lambda state: numbered(state, "9" * 5000), "left_over"),
        ("swin", lambda state: numbered(state, "\u0663"), "left_over"),
        ("swin", lambda state: windows(state, (2 * 33 - 1) ** 2), "backbone"),
        ("swin", lambda state: windows(state, (2 * 1000 - 1) ** 2), "backbone"),
        ("swin", lambda state: windows(state, 170), "backbone"),
        ("swin", lambda state: windows(state, 16), "backbone"),
        ("swin", lambda state: stages(state, 50_000), "backbone"),
        ("swin", lambda state: blocks(state, 1000), "missing"),
        ("swin", lambda state: blocks(state, 5000), "model.backbone"),
        ("swin", lambda state: layers(state, 900), "missing"),
        ("swin", lambda state: layers(state, 5000), "model.config"),
        ("swin", wide, "shape"),
        ("hornet", long_filters, "shape"),
        ("hornet", many_orders, "model.backbone"),
    ],
)
def test_no_model_is_built_for_what_is_not_there(
    backbone: str, change: Callable[[State], None], kind: str
) -> None:
    _, state = made("mask2former", backbone)
    change(state)
    begin = time.process_time()
    with pytest.raises(InputError) as error:
        convert_state(state, file="x.pth")
    assert time.process_time() - begin < 20
    kinds = {one.kind for one in error.value.findings}
    assert kind in {one.removeprefix("checkpoint.") for one in kinds}
    assert all(one.file == "x.pth" for one in error.value.findings)


def test_a_window_at_the_limit() -> None:
    _, state = made("mask2former", "swin")
    windows(state, (2 * 32 - 1) ** 2)
    model = convert_state(state).model
    assert model.config.backbone_config.window_size == 32
    indices = [one.numel() for name, one in model.named_buffers() if name.endswith("relative_position_index")]
    assert indices and set(indices) == {32**4}


def test_numbers_of_layers() -> None:
    names = ["a.0.x", "a.1.x", "a.3.x", "b.a.2.x", "a.2", "a.02x.y", "aa.2.x"]
    assert Shapes(dict.fromkeys(names, ONE), "").count("a.") == 2
    assert Shapes({}, "").count("a.") == 0


def test_counts_that_no_configuration_has() -> None:
    """Real numbers, and many: named by what they are."""
    _, state = made("mask2former", "resnet")
    state[f"{PREDICTOR}query_feat.weight"] = torch.zeros(2**17, 64)
    with pytest.raises(InputError, match="queries") as error:
        convert_state(state, file="x.pth")
    assert {one.value for one in error.value.findings} == {str(2**17)}
