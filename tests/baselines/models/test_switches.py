"""Each switch of the configuration changes what it should, and nothing else."""

from __future__ import annotations

import pytest
import torch
from transformers import ConvNextConfig, PreTrainedConfig, ResNetConfig, SwinConfig

from entityseg.baselines.models import HorNetConfig, SegmenterConfig, SegmenterModel, tiny_config
from entityseg.errors import UsageError
from tests.baselines.models.test_models import make, pixels

PARTS = {"association_cross": "cross", "association_self": "own", "association_ffn": "feed_forward"}


def with_weights_of(model: SegmenterModel, source: SegmenterModel) -> SegmenterModel:
    own = source.state_dict()
    model.load_state_dict({key: own[key] for key in model.state_dict()})
    return model


@pytest.mark.parametrize("switch", PARTS)
@torch.no_grad()
def test_a_part_of_the_association_can_be_left_out(switch: str) -> None:
    full = make("cropformer")
    less = with_weights_of(make("cropformer", **{switch: False}), full)
    gone = full.state_dict().keys() - less.state_dict().keys()
    assert gone and all(key.startswith(f"association.{PARTS[switch]}.") for key in gone)
    given = pixels(1, 3)
    one, other = full(given), less(given)
    assert torch.equal(one.image.masks[-1], other.image.masks[-1])
    assert not torch.allclose(one.batch.masks[-1], other.batch.masks[-1], atol=1e-4)


@torch.no_grad()
def test_without_association_the_full_images_queries_go_on() -> None:
    model = make("cropformer", association_cross=False, association_self=False, association_ffn=False)
    assert not any(key.startswith("association.") for key in model.state_dict())
    queries = torch.randn(2 * 3, 20, 64)
    assert torch.equal(model.association(queries, model.query_positions.weight, 3), queries[0::3])


@torch.no_grad()
def test_layers_of_the_association_follow_one_another() -> None:
    model = make("cropformer", association_layers=2).double()
    assert len(model.association.cross) == 2
    model.association.count = 1
    given = pixels(1, 2).double()
    shorter = model(given).batch.masks[-1]
    model.association.count = 2
    assert not torch.allclose(model(given).batch.masks[-1], shorter, atol=1e-6)


@torch.no_grad()
def test_separate_decoders_of_equal_weights_are_shared_ones() -> None:
    shared = make("cropformer").double()
    separate = make("cropformer", share_decoders=False).double()
    own = shared.state_dict()
    twice = {key: own[key.replace("separate_decoder.", "image_decoder.")] for key in separate.state_dict()}
    separate.load_state_dict(twice)
    given = pixels(1, 3).double()
    one, other = shared(given), separate(given)
    torch.testing.assert_close(one.batch.masks[-1], other.batch.masks[-1])
    separate.separate_decoder.head.classes.bias.add_(1)
    moved = separate(given)
    torch.testing.assert_close(moved.image.logits[-1], one.image.logits[-1])
    torch.testing.assert_close(moved.batch.logits[-1], one.batch.logits[-1] + 1)


@torch.no_grad()
def test_view_code_of_a_fixed_number_of_views() -> None:
    given = pixels(1, 3).double()
    free = make("cropformer").double()
    found = {}
    for views in (3, 2):
        model = with_weights_of(make("cropformer", view_code_views=views).double(), free)
        found[views] = model(given).batch.masks[-1]
    torch.testing.assert_close(found[3], free(given).batch.masks[-1])
    assert not torch.allclose(found[2], found[3], atol=1e-6)


@torch.no_grad()
def test_a_mark_at_a_time() -> None:
    """Sizes of decoder, pixels and masks may all differ, and are then projected."""
    model = make(
        "cropformer", hidden_size=48, pixel_size=64, mask_size=20, association_heads=2, pre_norm=True
    )
    assert len(model.memory.projections) == 3
    assert model(pixels(1, 2)).batch.masks[-1].shape == (1, 20, 2, 16, 24)


@pytest.mark.parametrize(
    "options",
    [
        {"queries": 0},
        {"queries": "many"},
        {"queries": True},
        {"heads": 3},
        {"pixel_heads": 5},
        {"pixel_size": 48},
        {"hidden_size": 66, "heads": 6},
        {"view_code": 1},
        {"task": "depth"},
        {"backbone_config": {"model_type": "vgg"}},
        {"backbone_config": {"embed_dim": 4}},
        {"backbone_config": {"model_type": "swin", "embed_dims": 4}},
        {"backbone_config": {"model_type": "swin", "embed_dim": "wide"}},
        {"backbone_config": {"model_type": "hornet", "depths": [1, 1, 1]}},
        {"backbone_config": {"model_type": "hornet", "depths": 4}},
        {"backbone_config": {"model_type": "resnet", "depths": [1, 1, 1]}},
        {"backbone_config": "swin"},
        {"backbone_config": ConvNextConfig()},
        {"backbone_config": SwinConfig(patch_size=8)},
        {"backbone_config": SwinConfig(out_features=["stage2", "stage4"])},
        {"backbone_config": {"model_type": "swin", "drop_path_rate": 1.0}},
        {"backbone_config": {"model_type": "hornet", "drop_path_rate": "high"}},
        {"backbone_config": {"model_type": "hornet", "gate_scale": "x"}},
        {"backbone_config": {"model_type": "hornet", "filters": [None, None, 7, [12, 7]]}},
        {"backbone_config": {"model_type": "hornet", "filters": [None, None, [24, 13, 1], [12, 7]]}},
        {"backbone_config": {"model_type": "hornet", "embed_dim": 16, "orders": [6, 3, 4, 5]}},
    ],
)
def test_a_configuration_without_sense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        tiny_config(**options)


@pytest.mark.parametrize(
    "backbone",
    [
        SwinConfig(embed_dim=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8]),
        ResNetConfig(embedding_size=16, hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1]),
        HorNetConfig(embed_dim=16, depths=[1, 1, 1, 1]),
    ],
)
@torch.no_grad()
def test_a_backbone_may_be_a_configuration_of_the_library(backbone: PreTrainedConfig) -> None:
    model = make("mask2former", backbone_config=backbone)
    assert len(model.pixels.backbone.channels) == 4
    assert model(pixels(1, 1)).answer.masks[-1].shape[-2:] == (16, 24)
    again = SegmenterConfig(backbone_config=model.config.backbone_config)
    assert again.backbone_config.to_dict() == model.config.backbone_config.to_dict()


def test_a_hornet_can_have_the_orders_that_it_was_made_for() -> None:
    """A stage of order n with a filter needs channels that can be halved n times, one without once less."""
    for orders, embed in (([2, 3, 4, 5], 4), ([5, 3, 4, 5], 16)):
        backbone = {"model_type": "hornet", "embed_dim": embed, "depths": [1, 1, 1, 1], "orders": orders}
        made = make("mask2former", backbone_config=backbone)
        assert made(pixels(1, 1)).answer.masks[-1].shape[-2:] == (16, 24)


def test_defaults_are_the_released_ones() -> None:
    config = SegmenterConfig()
    assert (config.num_labels, config.id2label) == (1, {0: "entity"})
    assert (config.queries, config.hidden_size, config.heads, config.ffn) == (100, 256, 8, 2048)
    assert (config.decoder_layers, config.pixel_layers, config.pixel_ffn) == (9, 6, 1024)
    backbone = config.backbone_config
    assert (backbone.model_type, backbone.embed_dim, list(backbone.depths)) == ("swin", 96, [2, 2, 6, 2])
    assert SegmenterConfig(num_labels=206, task="instance").num_labels == 206


def test_unknown_family() -> None:
    with pytest.raises(UsageError, match="model.family"):
        tiny_config("segformer")
