"""VITA: windows of the object encoder against masked attention, its runs, and the embeddings of the identities."""

from __future__ import annotations

import math
from itertools import accumulate
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from entityseg.baselines.models import VITA, SegmenterConfig, load_model, save_model, tiny_config
from entityseg.baselines.models.vita import ObjectEncoder, window_lengths
from entityseg.errors import UsageError
from tests.baselines.models.test_models import make, pixels


def encoder(**options: object) -> ObjectEncoder:
    torch.manual_seed(0)
    return ObjectEncoder(tiny_config("vita", object_layers=3, **options)).double()


def tokens(views: int, queries: int = 4, images: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(views)
    return torch.randn(images, views, queries, 64, generator=generator, dtype=torch.float64)


@given(st.integers(1, 40), st.integers(0, 9))
def test_windows_cover_every_view_once_and_shifted_ones_reach_over_the_borders(
    views: int, window: int
) -> None:
    plain, shifted = (window_lengths(views, window, shifted=shifted) for shifted in (False, True))
    assert sum(plain) == sum(shifted) == views
    if window == 0 or views <= window:
        assert plain == shifted == [views]
        return
    assert all(1 <= length <= window for length in (*plain, *shifted))
    assert set(plain[:-1]) == {window}
    if window > 1:
        assert not set(accumulate(plain[:-1])) & set(accumulate(shifted[:-1]))


def test_windows_by_hand() -> None:
    assert window_lengths(13, 6, shifted=False) == [6, 6, 1]
    assert window_lengths(13, 6, shifted=True) == [3, 6, 4]
    assert window_lengths(8, 3, shifted=True) == [1, 3, 3, 1]
    assert window_lengths(3, 1, shifted=True) == [1, 1, 1]


@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize(("views", "window"), [(9, 6), (7, 3), (8, 4), (5, 2), (4, 1), (12, 6)])
@torch.no_grad()
def test_windows_are_attention_with_a_mask(views: int, window: int, pre_norm: bool) -> None:
    model = encoder(object_window=window, pre_norm=pre_norm)
    given = tokens(views)
    x = model.entry(given).flatten(1, 2)
    view = torch.arange(views).repeat_interleave(4)
    for index, layer in enumerate(model.layers):
        # Where the released code rolls the views by, before it cuts them.
        place = (view + (math.ceil(window / 2) if index == 1 else 0)) // window
        allowed = (place[:, None] == place).expand(len(x), -1, -1)
        own = layer.own
        if pre_norm:
            normed = own.norm(x)
            x = x + own.attention(normed, normed, normed, allowed)
        else:
            x = own.norm(x + own.attention(x, x, x, allowed))
        x = layer.feed_forward(x)
    torch.testing.assert_close(model(given), x.reshape(given.shape), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("window", [5, 6, 100])
@torch.no_grad()
def test_a_window_that_holds_all_views_is_full_attention(window: int) -> None:
    given = tokens(5)
    full = encoder(object_window=0)(given)
    assert torch.equal(encoder(object_window=window)(given), full)
    assert not torch.allclose(encoder(object_window=4)(given), full, atol=1e-4)


@torch.no_grad()
def test_a_view_is_seen_as_far_as_its_windows_reach() -> None:
    model = encoder(object_window=2)
    given = tokens(8)
    moved = given.clone()
    moved[:, 4] += 1
    same = (model(moved) - model(given)).abs().amax((0, 2, 3)) < 1e-9
    # Layer by layer: views 4 and 5; with 3 to 6; with 2 to 7.
    assert same.tolist() == [True, True, False, False, False, False, False, False]


@torch.no_grad()
def test_windows_change_the_batch_level_only_and_not_five_views() -> None:
    windows, full = make("vita", object_layers=2), make("vita", object_layers=2, object_window=0)
    assert windows.config.object_window == SegmenterConfig().object_window == 6
    full.load_state_dict(windows.state_dict())
    few, many = pixels(1, 5, 32, 32), pixels(1, 9, 32, 32)
    assert torch.equal(windows(few).batch.masks[-1], full(few).batch.masks[-1])
    one, other = windows(many), full(many)
    assert torch.equal(one.image.masks[-1], other.image.masks[-1])
    assert not torch.allclose(one.batch.masks[-1], other.batch.masks[-1], atol=1e-5)


@pytest.mark.parametrize("window", [-1, 2.5, None, True])
def test_a_window_that_is_no_count_is_refused(window: object) -> None:
    with pytest.raises(UsageError, match="object_window"):
        tiny_config("vita", object_window=window)


@torch.no_grad()
def test_identities_are_there_with_all_stages_only() -> None:
    model = make("vita", clip_sources=2, clip_queries=7)
    given = pixels(3, 2, 32, 32)
    answer, every = model(given), model(given, every_stage=True)
    assert answer.identities is None and answer.batch.runs == 1
    assert every.identities.views.shape == (2, 3, 2, 20, 64)
    assert every.identities.images.shape == (2, 3, 7, 64)
    assert every.batch.runs == 2
    # Two runs of two stages each.
    assert [one.shape for one in every.batch.logits] == [(3, 7, 2)] * 4
    assert make("cropformer")(pixels(1, 2, 32, 32), every_stage=True).identities is None


@torch.no_grad()
def test_a_run_is_the_association_from_its_stage() -> None:
    model = make("vita", clip_sources=2).double()
    given = pixels(2, 3, 32, 32).double()
    two = model(given, every_stage=True)
    model.config.clip_sources = 1
    one = model(given, every_stage=True)
    for ours, theirs in zip(one.batch.masks, two.batch.masks[2:], strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(one.identities.views[0], two.identities.views[1])
    torch.testing.assert_close(one.identities.images[0], two.identities.images[1])
    assert not torch.allclose(two.identities.views[0], two.identities.views[1], atol=1e-4)


@torch.no_grad()
def test_identities_are_projections_of_tokens_and_clip_queries() -> None:
    model = make("vita", clip_sources=1).double()
    kept: dict[str, Tensor] = {}
    model.object_encoder.register_forward_hook(lambda _, __, found: kept.update(tokens=found))
    model.object_decoder.register_forward_hook(lambda _, __, found: kept.update(clips=found[-1]))
    found = model(pixels(2, 3, 32, 32).double(), every_stage=True).identities
    torch.testing.assert_close(found.views[0], model.view_identity(kept["tokens"]))
    normed = model.object_decoder.head.norm(kept["clips"])
    torch.testing.assert_close(found.images[0], model.image_identity(normed))


def test_mask_features_start_as_released_and_stay_when_read(tmp_path: Path) -> None:
    model = make("vita", mask_size=128)
    bound = math.sqrt(3 / 128)
    assert 0.98 * bound < float(model.clip_features.weight.detach().abs().max()) <= bound
    assert not model.clip_features.bias.any()
    torch.nn.init.ones_(model.clip_features.bias)
    save_model(model, tmp_path)
    for read in (load_model(tmp_path), VITA.from_pretrained(tmp_path)):
        assert all(torch.equal(read.state_dict()[key], one) for key, one in model.state_dict().items())
