"""What is relied on of transformers' private parts: a new series that changes any of it fails here first."""

from __future__ import annotations

import inspect

import torch
from transformers import (
    Mask2FormerConfig,
    PreTrainedModel,
    ResNetBackbone,
    ResNetConfig,
    SwinBackbone,
    SwinConfig,
)
from transformers import __version__ as version

from entityseg.baselines import _hf
from entityseg.baselines.models.deformable import DeformableAttention

STAGES = ["stage1", "stage2", "stage3", "stage4"]


def decoder(**options: int) -> torch.nn.Module:
    sizes = {"size": 32, "mask_size": 16, "layers": 2, "heads": 4, "ffn": 64}
    return _hf.pixel_decoder([8, 12, 16, 24], **{**sizes, **options})


def test_the_series_is_the_pinned_one() -> None:
    assert version.split(".")[:2] == ["5", "23"]


def test_pixel_decoder_takes_and_gives_what_we_use() -> None:
    assert list(inspect.signature(_hf.DeformablePixelDecoder.__init__).parameters) == [
        "self",
        "config",
        "feature_channels",
    ]
    maps = [
        torch.randn(2, width, 64 // step, 96 // step) for width, step in ((8, 4), (12, 8), (16, 16), (24, 32))
    ]
    found = decoder()(maps)
    assert [tuple(one.shape) for one in found.multi_scale_features] == [
        (2, 32, 2, 3),
        (2, 32, 4, 6),
        (2, 32, 8, 12),
    ]
    assert found.mask_features.shape == (2, 16, 16, 24)


def test_pixel_decoder_has_the_names_that_conversion_fills() -> None:
    names = {name for name, _ in decoder().named_parameters()}
    heads = {name.split(".")[0] for name in names}
    assert heads == {"level_embed", "input_projections", "encoder", "mask_projection", "adapter_1", "layer_1"}
    layer = {name.removeprefix("encoder.layers.1.") for name in names if name.startswith("encoder.layers.1.")}
    parts = ("sampling_offsets", "attention_weights", "value_proj", "output_proj")
    assert layer == {
        f"{part}.{kind}"
        for part in (
            *(f"self_attn.{part}" for part in parts),
            "self_attn_layer_norm",
            "fc1",
            "fc2",
            "final_layer_norm",
        )
        for kind in ("weight", "bias")
    }


def test_deformable_attention_has_what_initialisation_sets() -> None:
    attention = decoder().encoder.layers[0].self_attn
    assert isinstance(attention, _hf.DeformableAttention)
    assert (attention.n_heads, attention.n_levels, attention.n_points) == (4, _hf.LEVELS, _hf.POINTS)
    assert attention.sampling_offsets.bias.shape == (4 * _hf.LEVELS * _hf.POINTS * 2,)
    assert attention.attention_weights.bias.shape == (4 * _hf.LEVELS * _hf.POINTS,)
    assert isinstance(decoder().encoder.layers[0], _hf.DeformableLayer)
    assert (
        list(inspect.signature(_hf.DeformableAttention.forward).parameters)[1:]
        == list(inspect.signature(DeformableAttention.forward).parameters)[1:]
    )
    made = decoder()
    assert len(made.lateral_convolutions) == len(made.output_convolutions) == 1


def test_modules_without_weights_are_asked_how_to_initialise() -> None:
    """A layer that holds others sets their weights after they did so themselves."""
    from tests.baselines.models.test_models import make

    model = make("mask2former")
    assert model.is_custom_code() is False
    assert "is_custom_code" in inspect.signature(PreTrainedModel._initialize_weights).parameters
    # torch starts the biases of plain layers at random.
    assert not model.image_decoder.layers[0].cross.attention.query.bias.any()


def test_groups_are_fixed() -> None:
    norms = [one for one in decoder().modules() if isinstance(one, torch.nn.GroupNorm)]
    assert {norm.num_groups for norm in norms} == {_hf.GROUPS}


def test_swin_has_an_unused_norm_and_shifts_windows_at_any_size() -> None:
    config = SwinConfig(embed_dim=12, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], out_features=STAGES)
    body = SwinBackbone(config).eval()
    assert body.channels == [12, 24, 48, 96]
    x = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        one = body(x).feature_maps
        body.swin.layernorm = torch.nn.Identity()
        other = body(x).feature_maps
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    # A window wider than the map would be shrunk and not shifted, if the backbone did not forbid it.
    assert "always_partition=True" in inspect.getsource(SwinBackbone.forward)


def test_resnet_strides_in_the_middle_convolution() -> None:
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 16, 16, 16], depths=[1, 1, 1, 1], out_features=STAGES
    )
    body = ResNetBackbone(config)
    block = body.encoder.stages[1].layers[0]
    assert [conv.convolution.stride for conv in block.layer] == [(1, 1), (2, 2), (1, 1)]


def test_configuration_has_the_fields_that_we_set() -> None:
    fields = Mask2FormerConfig().to_dict()
    needed = {
        "feature_size", "mask_feature_size", "encoder_layers", "encoder_feedforward_dim", "num_attention_heads",
        "dropout", "feature_strides", "common_stride",
    }  # fmt: skip
    assert needed <= fields.keys()
