"""VITA's similarity loss: against the sum over pairs written out, by hand, and within the whole loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from entityseg.baselines.models import Decoded, Identities, SegmenterOutput, new_model, tiny_config
from entityseg.baselines.training.building import build_criterion
from entityseg.baselines.training.criterion import Criterion
from entityseg.baselines.training.matching import Match, Weights
from entityseg.baselines.training.reading import read_config
from entityseg.baselines.training.similarity import similarity_loss
from tests.baselines.training.test_criterion import FakeTarget

ALONE = Weights(classes=0.0, mask=0.0, dice=0.0)


def cross_entropy(one: Tensor, other: Tensor, same: bool) -> float:
    logit = sum(a * b for a, b in zip(one.tolist(), other.tolist(), strict=True))
    return math.log1p(math.exp(-abs(logit))) + max(logit, 0) - logit * same


def plain_loss(groups: Sequence[Sequence[tuple[int, Tensor]]]) -> float:
    """Return the mean over all pairs of all groups; an element is an entity and the embedding of its query."""
    pairs = [
        cross_entropy(one, other, entity == its)
        for group in groups
        for entity, one in group
        for its, other in group
    ]
    return sum(pairs) / max(len(pairs), 1)


def random_match(generator: torch.Generator, queries: int, entities: int) -> Match:
    """Return pairs as the assignment gives them: as many as there can be, in the order of the queries."""
    count = min(queries, entities)
    chosen = torch.randperm(queries, generator=generator)[:count].sort().values
    return Match(chosen, torch.randperm(entities, generator=generator)[:count])


@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.lists(st.integers(0, 7), min_size=3, max_size=3),
    st.integers(0, 2**16),
)  # fmt: skip
def test_it_is_the_sum_over_pairs_written_out(
    runs: int, images: int, views: int, entities: list[int], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    identities = Identities(
        torch.randn(runs, images, views, 4, 3, generator=generator, dtype=torch.float64),
        torch.randn(runs, images, 5, 3, generator=generator, dtype=torch.float64),
    )
    present = [
        [(torch.rand(entities[image], generator=generator) < 0.6).nonzero()[:, 0] for _ in range(views)]
        for image in range(images)
    ]
    in_views = [
        [random_match(generator, 4, len(among)) for by_view in present for among in by_view]
        for _ in range(runs)
    ]
    in_images = [
        [random_match(generator, 5, entities[image]) for image in range(images)] for _ in range(runs)
    ]
    groups = []
    for run in range(runs):
        for image in range(images):
            pair = in_images[run][image]
            group = [
                (entity, identities.images[run, image, query])
                for query, entity in zip(pair.queries.tolist(), pair.entities.tolist(), strict=True)
            ]
            for view in range(views):
                pair = in_views[run][image * views + view]
                for query, place in zip(pair.queries.tolist(), pair.entities.tolist(), strict=True):
                    entity = present[image][view].tolist()[place]
                    group.append((entity, identities.views[run, image, view, query]))
            groups.append(group)
    found = similarity_loss(identities, present, in_views, in_images)
    assert found.item() == pytest.approx(plain_loss(groups), rel=1e-12, abs=1e-300)


def index(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


def test_by_hand() -> None:
    """One view with entities 0 and 4 of five; the batch-level decoder found only number 4."""
    identities = Identities(torch.tensor([[[[[-1.0], [9.0], [2.0]]]]]), torch.tensor([[[[3.0], [8.0]]]]))
    found = similarity_loss(
        identities,
        present=[[index(0, 4)]],
        in_views=[[Match(index(0, 2), index(0, 1))]],
        in_images=[[Match(index(0), index(4))]],
    )
    # Queries 3 and 2 are of entity 4, query -1 of entity 0: the products of all nine pairs.
    same, other = (9, 6, 6, 4, 1), (-3, -3, -2, -2)
    expected = sum(math.log(1 + math.exp(-x)) for x in same) + sum(math.log(1 + math.exp(x)) for x in other)
    assert found.item() == pytest.approx(expected / 9, rel=1e-6)
    # The same identity in another image is another one, and none of its pairs is counted.
    twice = Identities(identities.views.expand(-1, 2, -1, -1, -1), identities.images.expand(-1, 2, -1, -1))
    both = similarity_loss(
        twice,
        present=[[index(0, 4)]] * 2,
        in_views=[[Match(index(0, 2), index(0, 1))] * 2],
        in_images=[[Match(index(0), index(4))] * 2],
    )
    assert both.item() == pytest.approx(found.item(), rel=1e-6)


def test_without_entities_it_is_zero_and_still_a_function_of_both() -> None:
    identities = Identities(
        torch.randn(2, 1, 3, 4, 8, requires_grad=True), torch.randn(2, 1, 5, 8, requires_grad=True)
    )
    nothing = Match(index(), index())
    loss = similarity_loss(identities, [[index()] * 3], [[nothing] * 3] * 2, [[nothing]] * 2)
    assert loss.item() == 0
    for gradient in torch.autograd.grad(loss, [identities.views, identities.images]):
        assert not gradient.any()


def test_half_precision_is_summed_in_single() -> None:
    # 256 products of 16 x 17 overflow a half.
    identities = Identities(
        torch.full((1, 1, 1, 1, 256), 16.0).half(), torch.full((1, 1, 1, 256), 17.0).half()
    )
    pair = Match(index(0), index(0))
    loss = similarity_loss(identities, [[index(0)]], [[pair]], [[pair]])
    assert loss.dtype == torch.float32 and loss.item() == 0


def stripes(entities: int, views: int) -> Tensor:
    """Return bool [entities, views, 32, 48] of which each is a stripe of its own."""
    masks = torch.zeros(entities, views, 32, 48, dtype=torch.bool)
    for entity in range(entities):
        masks[entity, :, :, 12 * entity : 12 * entity + 12] = True
    return masks


def answering(masks: Tensor, order: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return class and mask logits whose query q of a row answers for entity order[row][q]."""
    views = masks.shape[1]
    found = torch.stack([torch.where(masks[list(row)], 9.0, -9.0) for row in order])
    return torch.zeros(len(order), masks.shape[0], 2), found.reshape(len(order), -1, views, 32, 48)


def test_the_loss_takes_the_matches_of_the_right_stages_and_views() -> None:
    masks = stripes(3, 2)
    # Entity 1 is in view 0 alone.
    masks[1, 1] = False
    wanted = FakeTarget(index(0, 0, 0), masks)
    views = [
        # Stage by stage, row by row: only the last two stages count. Query 1 of view 1 answers for nothing.
        ([2, 1, 0], [2, 1, 0]),
        ([0, 1, 2], [0, 1, 2]),
        ([1, 2, 0], [2, 1, 0]),
    ]
    clips = [[0, 1, 2], [2, 0, 1], [1, 0, 2], [0, 2, 1]]
    image_stages = [
        tuple(
            torch.cat(pair)
            for pair in zip(
                *(answering(masks[:, view : view + 1], [row]) for view, row in enumerate(rows)), strict=True
            )
        )
        for rows in views
    ]
    batch_stages = [answering(masks, [row]) for row in clips]
    generator = torch.Generator().manual_seed(0)
    identities = Identities(
        torch.randn(2, 1, 2, 3, 4, generator=generator), torch.randn(2, 1, 3, 4, generator=generator)
    )
    output = SegmenterOutput(
        image=Decoded(*(tuple(one) for one in zip(*image_stages, strict=True))),
        batch=Decoded(*(tuple(one) for one in zip(*batch_stages, strict=True)), runs=2),
        identities=identities,
    )
    groups = []
    # Two runs of two stages: the second of each.
    for run, (rows, clip) in enumerate(zip(views[1:], (clips[1], clips[3]), strict=True)):
        group = [(entity, identities.images[run, 0, query]) for query, entity in enumerate(clip)]
        for view, row in enumerate(rows):
            for query, entity in enumerate(row):
                if masks[entity, view].any():
                    group.append((entity, identities.views[run, 0, view, query]))
        groups.append(group)
    assert [len(group) for group in groups] == [8, 8]
    for weight in (0.5, 2.0, 0.0):
        ours = Criterion(points=200, similarity=weight)(output, [wanted], (32, 48), generator)
        expected = weight * plain_loss(groups)
        assert ours.parts["batch.similarity"].item() == pytest.approx(expected, rel=1e-5)
        assert ours.total.item() == pytest.approx(sum(part.item() for part in ours.parts.values()), rel=1e-5)


@pytest.mark.parametrize("views", [1, 2])
def test_gradients_reach_both_embeddings_and_all_that_is_before_them(views: int) -> None:
    torch.manual_seed(0)
    model = new_model(tiny_config("vita")).train()
    wanted = FakeTarget(torch.zeros(3, dtype=torch.int64), torch.rand(3, views, 64, 64) < 0.5)
    losses = Criterion(points=60, weights=ALONE)(model(torch.randn(1, views, 3, 64, 64)), [wanted], (64, 64))
    assert losses.parts["batch.similarity"] > 0
    losses.total.backward()
    reached = {name for name, one in model.named_parameters() if one.grad is not None and one.grad.any()}
    for name in (
        "view_identity.weight", "view_identity.bias", "image_identity.weight", "image_identity.bias",
        "object_encoder.entry.weight", "object_decoder.clip_features.weight", "query_features.weight",
    ):  # fmt: skip
        assert name in reached
    assert not any(name.startswith(("clip_features", "object_decoder.head.masks")) for name in reached)


def test_a_step_down_makes_identities_clearer() -> None:
    torch.manual_seed(0)
    model = new_model(tiny_config("vita")).train()
    given = torch.randn(1, 2, 3, 32, 64)
    wanted = FakeTarget(torch.zeros(3, dtype=torch.int64), functional.pad(stripes(3, 2), (0, 16)))
    criterion = Criterion(points=60, weights=ALONE)
    optimizer = torch.optim.SGD([*model.view_identity.parameters(), *model.image_identity.parameters()], 0.01)
    found = []
    for _ in range(8):
        optimizer.zero_grad()
        losses = criterion(model(given), [wanted], (32, 64), torch.Generator().manual_seed(0))
        losses.total.backward()
        optimizer.step()
        found.append(losses.total.item())
    assert found == sorted(found, reverse=True) and found[-1] < 0.9 * found[0]


@pytest.mark.parametrize("family", ["mask2former", "cropformer", "vmask2former"])
def test_other_models_have_no_such_loss(family: str) -> None:
    torch.manual_seed(0)
    model = new_model(tiny_config(family)).train()
    views = 1 if family == "mask2former" else 2
    wanted = FakeTarget(torch.zeros(2, dtype=torch.int64), torch.rand(2, views, 32, 32) < 0.5)
    output = model(torch.randn(1, views, 3, 32, 32))
    found = [
        Criterion(points=60, similarity=weight)(output, [wanted], (32, 32), torch.Generator().manual_seed(0))
        for weight in (0.5, 7.0)
    ]
    assert torch.equal(found[0].total, found[1].total)
    assert not any("similarity" in name for name in found[0].parts)


def test_recipe_weighs_as_the_paper() -> None:
    loss = build_criterion(read_config("vita-swin-tiny-1x"))
    assert (loss.similarity, loss.image_level, loss.joint_views) == (0.5, 1.0, True)
    assert (loss.weights, loss.no_object) == (Weights(2, 5, 5), 0.1)
    other = build_criterion(read_config("tiny-cropformer", ["loss.similarity=0.25", "loss.joint_views=true"]))
    assert (other.similarity, other.joint_views) == (0.25, True)
    assert not build_criterion(read_config("cropformer-swin-tiny")).joint_views
