"""Which query answers for which entity: the assignment of least cost (Mask2Former, section 3.2; DETR, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from entityseg.baselines.training.sampling import random_points, sample_maps, sample_masks


@dataclass(frozen=True)
class Weights:
    """What the three parts of loss and matching cost weigh.

    Attributes:
        classes: cross-entropy of the class (in the cost: minus its probability).
        mask: binary cross-entropy of the mask.
        dice: dice loss of the mask.
    """

    classes: float = 2.0
    mask: float = 5.0
    dice: float = 5.0


@dataclass(frozen=True)
class Truth:
    """What one row of a decoder's output is to find.

    Attributes:
        labels: int64 [n], classes from 0.
        masks: bool [n, views, height + 2, width + 2], `with_border`, on the device of the output.
    """

    labels: Tensor
    masks: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Match:
    """Pairs of a query and an entity, in the order of the queries; int64 [pairs] each."""

    queries: Tensor
    entities: Tensor


@torch.no_grad()
def match(
    logits: Tensor,
    masks: Tensor,
    truths: Sequence[Truth],
    weights: Weights,
    points: int,
    generator: torch.Generator | None = None,
) -> list[Match]:
    """Assign entities to queries, for each row of a decoder's output.

    All queries, entities and views of a row are compared at the same random points.

    Args:
        logits: float [rows, queries, classes + 1], the last class is "no object".
        masks: logits, float [rows, queries, views, height, width].
        truths: one a row.
        weights: of the parts of the cost.
        points: how many points a view.
        generator: of the points, on the device of the output.

    Returns:
        min(queries, entities) pairs for each row.
    """
    costs = [
        _cost(logits[row], masks[row], truth, weights, random_points(1, points, masks, generator))
        for row, truth in enumerate(truths)
    ]
    # One transfer for all rows: each of them makes an accelerator wait.
    flat = torch.cat([cost.flatten() for cost in costs]).cpu().numpy() if costs else np.empty(0)
    ends = np.cumsum([cost.numel() for cost in costs])
    return [
        _assign(part.reshape(tuple(cost.shape)), logits.device)
        for part, cost in zip(np.split(flat, ends[:-1]), costs, strict=True)
    ]


def _cost(logits: Tensor, masks: Tensor, truth: Truth, weights: Weights, points: Tensor) -> Tensor:
    """Return the cost of every pair, float [queries, entities]."""
    queries, views = masks.shape[:2]
    width = views * points.shape[1]
    # Maps as channels, because the points are the same for all of them.
    found = sample_maps(masks.flatten(0, 1)[None], points)[0].reshape(queries, width)
    wanted = sample_masks(truth.masks.flatten(0, 1), points).reshape(len(truth), width)
    classes = -logits.to(found).softmax(-1)[:, truth.labels]
    # log(1 + e^x) - x t is the cross-entropy of the logit x and the target t.
    product = found @ wanted.T
    mask = (functional.softplus(found).sum(-1, keepdim=True) - product) / width
    shares = found.sigmoid()
    dice = 1 - (2 * (shares @ wanted.T) + 1) / (shares.sum(-1, keepdim=True) + wanted.sum(-1) + 1)
    return weights.classes * classes + weights.mask * mask + weights.dice * dice


def _assign(cost: np.ndarray, device: torch.device) -> Match:  # type: ignore[type-arg]
    from scipy.optimize import linear_sum_assignment

    # A model that has diverged is reported by its loss, with the batch named; the assignment only has to go through.
    largest = np.finfo(cost.dtype).max
    queries, entities = linear_sum_assignment(
        np.nan_to_num(cost, nan=largest, posinf=largest, neginf=largest)
    )
    return Match(torch.as_tensor(queries, device=device), torch.as_tensor(entities, device=device))
