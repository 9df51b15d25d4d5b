"""The loss: against transformers' at equal points, against a plain version for several views, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from entityseg.baselines.models import Decoded, SegmenterOutput
from entityseg.baselines.training.criterion import Criterion
from entityseg.baselines.training.matching import Truth, Weights, match
from entityseg.baselines.training.sampling import sample_maps, sample_masks, uncertain_points, with_border

POINTS = 60


class FakeTarget:
    """Labels and dense masks, as `Target` gives them."""

    def __init__(self, labels: torch.Tensor, masks: torch.Tensor) -> None:
        self.labels, self.masks = labels, masks

    def dense(self, size: tuple[int, int], device: torch.device) -> torch.Tensor:
        assert self.masks.shape[2:] == size
        return self.masks


def decoded(seed: int, rows: int, views: int, *, queries: int = 7, classes: int = 3, stages: int = 3):
    generator = torch.Generator().manual_seed(seed)
    logits = [
        torch.randn(rows, queries, classes + 1, generator=generator, dtype=torch.float64)
        for _ in range(stages)
    ]
    masks = [
        torch.randn(rows, queries, views, 8, 12, generator=generator, dtype=torch.float64) * 3
        for _ in range(stages)
    ]
    return Decoded(
        logits=tuple(one.requires_grad_() for one in logits),
        masks=tuple(one.requires_grad_() for one in masks),
    )


def target(seed: int, entities: int, views: int, classes: int = 3) -> FakeTarget:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (entities,), generator=generator)
    masks = torch.rand(entities, views, 32, 48, generator=generator) < 0.4
    if entities:
        # At least one pixel, so that each is in each view.
        masks[:, :, 0, 0] = True
    return FakeTarget(labels, masks)


def transformers_loss(found, targets: list[FakeTarget], view: int = 0) -> dict[str, torch.Tensor]:
    from transformers import Mask2FormerConfig
    from transformers.models.mask2former.modeling_mask2former import Mask2FormerLoss

    config = Mask2FormerConfig(
        num_labels=3, train_num_points=POINTS, class_weight=2.0, mask_weight=5.0, dice_weight=5.0
    )
    loss = Mask2FormerLoss(config, {})
    loss.empty_weight = loss.empty_weight.double()
    stages = [
        {"masks_queries_logits": masks[:, :, view], "class_queries_logits": logits}
        for logits, masks in zip(found.logits, found.masks, strict=True)
    ]
    return loss(
        **stages[-1],
        mask_labels=[one.masks[:, view].double() for one in targets],
        class_labels=[one.labels for one in targets],
        auxiliary_predictions=stages[:-1],
    )


@pytest.fixture
def double() -> None:
    """transformers draws its points in the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def criterion(**changes) -> Criterion:
    return Criterion(points=POINTS, **changes)


@pytest.mark.usefixtures("double")
def test_one_view_equals_transformers_at_the_same_points() -> None:
    found, targets = decoded(0, rows=2, views=1), [target(1, 4, 1), target(2, 9, 1)]
    torch.manual_seed(5)
    theirs = transformers_loss(found, targets)
    torch.manual_seed(5)
    ours = criterion()(SegmenterOutput(image=found, batch=None), targets, (32, 48), torch.default_generator)
    for part, name, weight in (
        ("class", "loss_cross_entropy", 2),
        ("mask", "loss_mask", 5),
        ("dice", "loss_dice", 5),
    ):
        # Entities are summed in another order here.
        expected = weight * sum(theirs[key] for key in theirs if key.startswith(name))
        assert ours.parts[f"image.{part}"].item() == pytest.approx(expected.item(), rel=1e-12)
    assert ours.total.item() == pytest.approx(sum(part.item() for part in ours.parts.values()), rel=1e-12)


@pytest.mark.usefixtures("double")
def test_gradients_equal_those_of_transformers() -> None:
    found, targets = decoded(3, rows=1, views=1, stages=1), [target(4, 5, 1)]
    torch.manual_seed(1)
    theirs = transformers_loss(found, targets)
    total = 2 * theirs["loss_cross_entropy"] + 5 * theirs["loss_mask"] + 5 * theirs["loss_dice"]
    expected = torch.autograd.grad(total, [found.logits[0], found.masks[0]])
    torch.manual_seed(1)
    ours = criterion()(SegmenterOutput(image=found, batch=None), targets, (32, 48), torch.default_generator)
    for mine, their in zip(
        torch.autograd.grad(ours.total, [found.logits[0], found.masks[0]]), expected, strict=True
    ):
        torch.testing.assert_close(mine, their, rtol=1e-10, atol=1e-12)


def plain_batch_loss(
    found: Decoded, wanted: FakeTarget, seed: int, *, joint: bool = False
) -> tuple[float, float, float]:
    """One stage, one image, several views: the sums written out, with torch's own interpolation."""
    generator = torch.Generator().manual_seed(seed)
    logits, masks = found.logits[-1][0].detach(), found.masks[-1][0].detach()
    queries = len(masks)
    points = torch.rand(1, POINTS, 2, generator=generator, dtype=torch.float64)

    def values(maps: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        grid = 2 * where[:, :, None] - 1
        return functional.grid_sample(maps.double(), grid, align_corners=False)[..., 0]

    at_queries = values(masks, points.expand(queries, -1, -1)).flatten(1)
    at_entities = values(wanted.masks, points.expand(len(wanted.labels), -1, -1)).flatten(1)
    best, best_cost = None, np.inf
    from itertools import permutations

    cost = torch.empty(queries, len(wanted.labels))
    for q in range(queries):
        for e in range(len(wanted.labels)):
            x, t = at_queries[q], at_entities[e]
            bce = functional.binary_cross_entropy_with_logits(x, t)
            s = x.sigmoid()
            dice = 1 - (2 * (s * t).sum() + 1) / (s.sum() + t.sum() + 1)
            cost[q, e] = 5 * bce + 5 * dice - 2 * logits[q].softmax(-1)[wanted.labels[e]]
    for chosen in permutations(range(queries), len(wanted.labels)):
        value = sum(cost[q, e].item() for e, q in enumerate(chosen))
        if value < best_cost:
            best, best_cost = chosen, value
    order = sorted(range(len(best)), key=lambda e: best[e])
    found_masks = torch.stack([masks[best[e]] for e in order]).flatten(0, 1)
    wanted_masks = torch.stack([wanted.masks[e] for e in order]).flatten(0, 1)
    where = uncertain_points(found_masks, POINTS, 3.0, 0.75, generator)
    x, t = values(found_masks[:, None], where)[:, 0], values(wanted_masks[:, None], where)[:, 0]
    if joint:
        x, t = ([torch.cat(list(entity)) for entity in one.view(len(order), -1, POINTS)] for one in (x, t))
        x, t = torch.stack(x), torch.stack(t)
    bce = functional.binary_cross_entropy_with_logits(x, t, reduction="none").mean(1).sum() / len(order)
    s = x.sigmoid()
    dice = (1 - (2 * (s * t).sum(1) + 1) / (s.sum(1) + t.sum(1) + 1)).sum() / len(order)
    classes = torch.full((queries,), 3)
    for e in order:
        classes[best[e]] = wanted.labels[e]
    weight = torch.tensor([1, 1, 1, 0.1], dtype=torch.float64)
    return functional.cross_entropy(logits, classes, weight).item(), bce.item(), dice.item()


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("views", [1, 2, 5])
def test_batch_level_equals_the_sums_written_out(views: int, joint: bool) -> None:
    found, wanted = decoded(7, rows=1, views=views, queries=5, stages=1), target(8, 3, views)
    # One entity is absent from the last view, where its mask is empty.
    if views > 1:
        wanted.masks[1, -1] = False
    classes, mask, dice = plain_batch_loss(found, wanted, 11, joint=joint)
    generator = torch.Generator().manual_seed(11)
    output = SegmenterOutput(image=None, batch=found)
    ours = criterion(joint_views=joint)(output, [wanted], (32, 48), generator)
    assert ours.parts["batch.class"].item() == pytest.approx(2 * classes, rel=1e-10)
    assert ours.parts["batch.mask"].item() == pytest.approx(5 * mask, rel=1e-10)
    assert ours.parts["batch.dice"].item() == pytest.approx(5 * dice, rel=1e-10)


def test_image_level_sees_only_the_entities_of_its_view_and_weighs_half() -> None:
    image, batch, wanted = decoded(1, rows=2, views=1), decoded(2, rows=1, views=2), target(3, 4, 2)
    wanted.masks[2, 1] = False
    split = [
        FakeTarget(wanted.labels, wanted.masks[:, :1]),
        FakeTarget(wanted.labels[[0, 1, 3]], wanted.masks[[0, 1, 3], 1:]),
    ]
    alone = criterion()(
        SegmenterOutput(image=image, batch=None), split, (32, 48), torch.Generator().manual_seed(0)
    )
    both = SegmenterOutput(image=image, batch=batch)
    for factor in (0.5, 1.0):
        ours = criterion(image_level=factor)(both, [wanted], (32, 48), torch.Generator().manual_seed(0))
        for part in ("class", "mask", "dice"):
            expected = factor * alone.parts[f"image.{part}"].item()
            assert ours.parts[f"image.{part}"].item() == pytest.approx(expected, rel=1e-12)


def test_the_loss_is_the_mean_over_runs() -> None:
    found, wanted = decoded(1, rows=2, views=2, stages=6), [target(2, 3, 2), target(3, 5, 2)]

    def parts(runs: int) -> dict[str, torch.Tensor]:
        output = SegmenterOutput(image=None, batch=replace(found, runs=runs))
        return criterion()(output, wanted, (32, 48), torch.Generator().manual_seed(0)).parts

    for name, part in parts(1).items():
        assert parts(3)[name].item() == pytest.approx(part.item() / 3, rel=1e-12)


@pytest.mark.parametrize("entities", [[0], [0, 0], [0, 3]])
def test_images_without_entities_only_teach_no_object(entities: list[int]) -> None:
    rows = len(entities)
    found = decoded(1, rows=rows, views=2)
    targets = [target(row, n, 2) for row, n in enumerate(entities)]
    ours = criterion()(SegmenterOutput(image=None, batch=found), targets, (32, 48))
    ours.total.backward()
    assert all(torch.isfinite(part) for part in ours.parts.values())
    assert found.masks[0].grad is not None
    if not any(entities):
        assert ours.parts["batch.mask"] == 0
        expected = 2 * sum(-one.log_softmax(-1)[..., -1].mean() for one in found.logits)
        assert ours.parts["batch.class"].item() == pytest.approx(expected.item(), rel=1e-12)


def test_more_entities_than_queries_match_every_query_once() -> None:
    found, wanted = decoded(1, rows=1, views=1, queries=4, stages=1), target(2, 9, 1)
    truth = Truth(wanted.labels, with_border(wanted.masks))
    (pair,) = match(found.logits[0], found.masks[0], [truth], Weights(), POINTS)
    assert pair.queries.tolist() == [0, 1, 2, 3]
    assert len(set(pair.entities.tolist())) == 4


def test_a_perfect_answer_costs_next_to_nothing() -> None:
    wanted = target(2, 3, 2)
    wanted.masks[:] = False
    for entity in range(3):
        wanted.masks[entity, :, :, 16 * entity : 16 * entity + 16] = True
    masks = torch.where(wanted.masks, 8.0, -8.0)[None]
    logits = torch.full((1, 3, 4), -30.0)
    logits[0, range(3), wanted.labels] = 30
    perfect = Decoded(logits=(logits,), masks=(masks,))
    ours = criterion()(SegmenterOutput(image=None, batch=perfect), [wanted], (32, 48))
    assert ours.parts["batch.class"] < 1e-6
    worst = Decoded(logits=(-logits,), masks=(-masks,))
    theirs = criterion()(SegmenterOutput(image=None, batch=worst), [wanted], (32, 48))
    assert ours.total < 0.05 * theirs.total


def test_a_nan_passes_through_to_the_loss() -> None:
    found = decoded(1, rows=1, views=1, stages=1)
    broken = Decoded(logits=found.logits, masks=(found.masks[0] * float("nan"),))
    ours = criterion()(SegmenterOutput(image=broken, batch=None), [target(1, 3, 1)], (32, 48))
    assert torch.isnan(ours.total)


def test_equal_generators_give_equal_losses_and_others_do_not() -> None:
    found, wanted = decoded(1, rows=1, views=2), target(2, 4, 2)
    output = SegmenterOutput(image=None, batch=found)

    def total(seed: int) -> float:
        return criterion()(output, [wanted], (32, 48), torch.Generator().manual_seed(seed)).total.item()

    assert total(1) == total(1) != total(2)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**16))
def test_sampling_masks_equals_sampling_maps(height: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    masks = torch.rand(3, height, width, generator=generator) < 0.5
    points = torch.rand(3, 40, 2, generator=generator, dtype=torch.float64)
    points[0, 0], points[0, 1] = 0, 1
    expected = sample_maps(masks[:, None].double(), points)[:, 0]
    torch.testing.assert_close(sample_masks(with_border(masks), points), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        sample_masks(with_border(masks), points[:1]),
        sample_maps(masks[None].double(), points[:1])[0],
        rtol=0,
        atol=1e-12,
    )


@given(st.integers(0, 2**16), st.sampled_from([0.0, 0.5, 0.75, 1.0]))
def test_uncertain_points_are_where_the_sign_changes(seed: int, importance: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(-10, 10, 64).expand(2, 32, 64)
    points = uncertain_points(ramp, 100, 3.0, importance, generator)
    assert points.shape == (2, 100, 2)
    kept = int(importance * 100)
    # Half a pixel from the border values fade to the zero outside, which is as uncertain as it gets.
    border = torch.tensor([0.5 / 64, 0.5 / 32])
    inner = ((points >= border) & (points <= 1 - border)).all(2)[:, :kept]
    away = (points[:, :kept, 0] - 0.5).abs()[inner]
    # The nearest `kept` of 300 uniform points lie in a band of about `kept / 300` of the width.
    assert not len(away) or away.max() < 0.5 * kept / 300 + 0.12
    assert kept == 100 or (points[:, kept:, 0] - 0.5).abs().max() > 0.3


@pytest.mark.parametrize("entities", [0, 2])
@pytest.mark.parametrize("family", ["mask2former", "cropformer", "vmask2former", "vita"])
def test_every_parameter_gets_a_gradient_in_every_step(family: str, entities: int) -> None:
    """Several processes wait for the gradients of all parameters, in a batch without an entity too."""
    from entityseg.baselines.models import new_model, tiny_config

    torch.manual_seed(0)
    model = new_model(tiny_config(family)).train()
    views = 1 if family == "mask2former" else 2
    wanted = FakeTarget(torch.zeros(entities, dtype=torch.int64), torch.rand(entities, views, 64, 64) < 0.5)
    output = model(torch.randn(1, views, 3, 64, 64))
    criterion()(output, [wanted], (64, 64)).total.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []
