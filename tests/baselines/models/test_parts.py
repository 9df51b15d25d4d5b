"""Parts of the models against independent references: torch's attention, transformers' codes, formulas by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from entityseg.baselines import _hf
from entityseg.baselines.models import HorNetConfig, tiny_config
from entityseg.baselines.models.backbone import FrozenBatchNorm2d
from entityseg.baselines.models.blocks import Attention, CrossAttention, SelfAttention
from entityseg.baselines.models.decoder import _inside, _resized, mask_logits
from entityseg.baselines.models.deformable import DeformableAttention
from entityseg.baselines.models.hornet import GlobalLocalFilter, HorNet
from entityseg.baselines.models.positions import place_code, view_code
from tests.baselines.models.test_models import make


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_attention_is_torchs() -> None:
    ours, theirs = Attention(32, 4), nn.MultiheadAttention(32, 4, batch_first=True)
    layers = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.data = torch.cat([layer.weight for layer in layers])
    theirs.in_proj_bias.data = torch.cat([nn.init.normal_(layer.bias) for layer in layers])
    theirs.out_proj.load_state_dict(ours.output.state_dict())
    queries, keys, values = torch.randn(3, 5, 32), torch.randn(3, 9, 32), torch.randn(3, 9, 32)
    allowed = torch.rand(3, 5, 9) < 0.6
    allowed[..., 0] = True
    expected, _ = theirs(queries, keys, values, attn_mask=~allowed.repeat_interleave(4, dim=0))
    torch.testing.assert_close(ours(queries, keys, values, allowed), expected)


def test_attention_starts_as_torchs() -> None:
    """The bound of the Xavier initialisation over the stacked matrix."""
    bound = math.sqrt(6 / (512 + 3 * 512))
    layer = Attention(512, 8)
    for one in (layer.query, layer.key, layer.value):
        assert 0.98 * bound < float(one.weight.detach().abs().max()) <= bound


def test_normalisation_before_or_behind() -> None:
    x, position, memory = torch.randn(2, 5, 16), torch.randn(5, 16), torch.randn(2, 7, 16)
    behind, before = CrossAttention(16, 2, False), CrossAttention(16, 2, True)
    inner = behind.attention
    assert torch.equal(
        behind(x, position, memory, memory), behind.norm(x + inner(x + position, memory, memory))
    )
    normed = before.norm(x)
    assert torch.equal(
        before(x, position, memory, memory), x + before.attention(normed + position, memory, memory)
    )
    own = SelfAttention(16, 2, False)
    assert torch.equal(own(x), own.norm(x + own.attention(x, x, x)))


def test_places_are_coded_as_the_library_does() -> None:
    theirs = _hf.pixel_decoder(
        [8, 8, 8, 8], size=64, mask_size=8, layers=1, heads=2, ffn=8
    ).position_embedding(torch.Size([1, 64, 5, 7]), torch.device("cpu"), torch.float32)
    ours = place_code(5, 7, 64, torch.device("cpu"))
    torch.testing.assert_close(ours, theirs[0].flatten(1).T, rtol=0, atol=2e-6)


def test_views_are_coded_by_turns() -> None:
    code = view_code(5, 8, torch.device("cpu"))
    for view in range(5):
        angle = 2 * math.pi * (view + 1) / (5 + 1e-6)
        assert float(code[view, 0]) == pytest.approx(math.sin(angle), abs=1e-6)
        assert float(code[view, 1]) == pytest.approx(math.cos(angle), abs=1e-6)
        assert float(code[view, 2]) == pytest.approx(math.sin(angle / 10_000**0.25), abs=1e-6)
    assert torch.equal(view_code(2, 8, torch.device("cpu"), of=5), code[:2])


@pytest.mark.parametrize("size", [(2, 3), (4, 6), (8, 12)])
def test_small_logits_are_the_large_ones_resized(size: tuple[int, int]) -> None:
    embedding = torch.randn(2, 7, 5, dtype=torch.float64)
    features = torch.randn(2, 3, 5, 16, 24, dtype=torch.float64)
    large = mask_logits(embedding, features)
    assert large.shape == (2, 7, 3, 16, 24)
    by_hand = sum(embedding[1, 4, c] * features[1, 2, c, 8, 9] for c in range(5))
    assert float(large[1, 4, 2, 8, 9]) == pytest.approx(float(by_hand))
    resized = functional.interpolate(large.flatten(0, 1), size=size, mode="bilinear", align_corners=False)
    expected = resized.unflatten(0, (2, 7)).flatten(2) >= 0
    found = _inside(embedding, _resized(features, size))
    empty = ~expected.any(-1)
    assert torch.equal(found[~empty], expected[~empty])


def test_an_empty_mask_looks_everywhere() -> None:
    embedding = torch.tensor([[[1.0], [-1.0]]])
    small = torch.tensor([[[-1.0, -2.0, -3.0]]])
    assert _inside(embedding, small).tolist() == [[[True, True, True], [True, True, True]]]
    assert _inside(embedding, torch.tensor([[[-1.0, 2.0, 0.0]]])).tolist() == [
        [[False, True, True], [True, False, True]]
    ]


def test_frozen_normalisation_is_torchs_in_evaluation() -> None:
    theirs = nn.BatchNorm2d(6).eval()
    for one in (theirs.weight, theirs.bias, theirs.running_mean):
        nn.init.normal_(one)
    nn.init.uniform_(theirs.running_var, 0.5, 2)
    ours = FrozenBatchNorm2d(6)
    ours.load_state_dict(
        {key: one for key, one in theirs.state_dict().items() if key != "num_batches_tracked"}
    )
    x = torch.randn(2, 6, 4, 5)
    torch.testing.assert_close(ours.train()(x), theirs(x), rtol=1e-5, atol=1e-5)
    assert not list(ours.parameters())


def test_a_resnet_learns_its_normalisation_if_told() -> None:
    assert any(isinstance(one, FrozenBatchNorm2d) for one in make("mask2former", "resnet").modules())
    free = make("mask2former", "resnet", freeze_batch_norm=False)
    assert not any(isinstance(one, FrozenBatchNorm2d) for one in free.modules())


def test_a_spectrum_of_ones_passes_on() -> None:
    """With a flat spectrum the filter's global half is the normalised input itself, at any size."""
    block = GlobalLocalFilter(8, 6, 4)
    block.spectrum.data[..., 0], block.spectrum.data[..., 1] = 1.0, 0.0
    for height, width in ((6, 6), (9, 14)):
        x = torch.randn(1, 8, height, width)
        normed = block.norm_in(x)
        both = torch.stack([block.local(normed[:, :4]), normed[:, 4:]], dim=2).flatten(1, 2)
        torch.testing.assert_close(block(x), block.norm_out(both), rtol=1e-4, atol=1e-4)


def test_hornet_drops_blocks_only_while_training() -> None:
    config = HorNetConfig(embed_dim=16, depths=[1, 1, 1, 1], drop_path_rate=0.9, layer_scale=1.0)
    model = HorNet(config)
    assert [stage[0].drop for stage in model.stages] == pytest.approx([0.0, 0.3, 0.6, 0.9])
    x = torch.randn(4, 3, 64, 64)
    still = model.eval()(x)[-1]
    assert torch.equal(still, model(x)[-1])
    assert not torch.equal(model.train()(x)[-1], still)


@pytest.mark.parametrize("reach", [0.5, 8.0])
def test_quick_deformable_attention_is_the_librarys(reach: float) -> None:
    """Also where points lie outside of the maps."""
    layer = DeformableAttention(32, 4, n_levels=3, n_points=4).double()
    for one in layer.parameters():
        nn.init.normal_(one, std=0.3)
    nn.init.uniform_(layer.sampling_offsets.bias, -reach, reach)
    sizes = [(1, 2), (2, 3), (4, 6)]
    places = sum(height * width for height, width in sizes)
    x, position = torch.randn(2, 2, places, 32, dtype=torch.float64)
    options = {
        "encoder_hidden_states": x,
        "position_embeddings": position,
        "reference_points": torch.rand(2, places, 3, 2, dtype=torch.float64),
        "spatial_shapes_list": sizes,
    }
    slow, slow_weights = layer(x, **options)
    with torch.no_grad():
        quick, weights = layer(x, **options)
    torch.testing.assert_close(quick, slow)
    torch.testing.assert_close(weights, slow_weights)


def test_deformable_attention_starts_by_directions() -> None:
    """Deformable DETR, section 4.1: head h looks along angle 2 pi h / heads, its points 1, 2, 3, 4 steps away."""
    attention = make("mask2former").pixels.decoder.encoder.layers[0].self_attn
    offsets = attention.sampling_offsets.bias.view(4, 3, 4, 2)
    for head, direction in enumerate([(1, 0), (0, 1), (-1, 0), (0, -1)]):
        for level in range(3):
            for point in range(4):
                expected = torch.tensor(direction, dtype=torch.float32) * (point + 1)
                torch.testing.assert_close(offsets[head, level, point], expected, rtol=0, atol=1e-5)
    assert not attention.sampling_offsets.weight.any()
    assert not attention.attention_weights.weight.any()


def test_layers_start_as_documented() -> None:
    model = make("mask2former", "hornet", hidden_size=128, heads=4)
    block = model.pixels.backbone.body.stages[0][0]
    assert torch.equal(block.scale_mix, torch.full((16,), 0.1))
    inner = model.image_decoder.layers[0].feed_forward.inner
    bound = math.sqrt(6 / (inner.in_features + inner.out_features))
    assert 0.95 * bound < float(inner.weight.detach().abs().max()) <= bound
    norm = model.image_decoder.head.norm
    assert torch.equal(norm.weight, torch.ones(128)) and not norm.bias.any()
    assert 0.8 < float(model.query_features.weight.detach().std()) < 1.2
    assert 0.8 < float(model.pixels.decoder.level_embed.detach().std()) < 1.2


def test_tiny_models_are_tiny() -> None:
    for name in ("mask2former", "cropformer", "vmask2former", "vita"):
        assert make(name).num_parameters() < 1_300_000
    assert tiny_config("cropformer", queries=7).queries == 7
