"""An exponential moving average of a model's weights."""

from __future__ import annotations

from copy import deepcopy

import torch

from entityseg.baselines.models import SegmenterModel


class Average:
    """A copy of a model whose weights follow those of the model slowly; it is what is scored and written.

    Args:
        model: what is trained.
        decay: share of the average that stays in a step.
    """

    def __init__(self, model: SegmenterModel, decay: float) -> None:
        self.decay = decay
        self.model: SegmenterModel = deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: SegmenterModel) -> None:
        """Move towards a model's weights; what is no floating-point number is copied."""
        for mine, theirs in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - self.decay)
            else:
                mine.copy_(theirs)
