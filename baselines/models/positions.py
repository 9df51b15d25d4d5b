"""Sine codes of where a feature stands in its view, and which view that is (Mask2Former; CropFormer, section 4.1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_TEMPERATURE = 10_000
_FULL_TURN = 2 * math.pi
# Of the released code; it keeps the last code a hair below a full turn.
_EPSILON = 1e-6


def place_code(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """Return the code of each place of a feature map, float32 [height * width, channels], row by row.

    The first half of the channels codes the row, the second the column.

    >>> place_code(2, 3, 4, torch.device("cpu")).shape
    torch.Size([6, 4])
    """
    rows = _waves(_turns(height, height, device), channels // 2)
    columns = _waves(_turns(width, width, device), channels // 2)
    rows = rows[:, None].expand(height, width, -1)
    columns = columns[None].expand(height, width, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


def view_code(views: int, channels: int, device: torch.device, *, of: int | None = None) -> Tensor:
    """Return the code of each view of a batch, float32 [views, channels]: view t stands at (t + 1) / `of` turns.

    Args:
        views: how many views there are.
        channels: of the code.
        device: where to make it.
        of: number of views that make a full turn; None: as many as there are.

    >>> code = view_code(2, 4, torch.device("cpu"))
    >>> [round(value, 3) for value in code[0].tolist()]  # sin and cos of half a turn, then of a hundredth of that
    [0.0, -1.0, 0.031, 1.0]
    """
    return _waves(_turns(views, of or views, device), channels)


def _turns(count: int, of: int, device: torch.device) -> Tensor:
    return torch.arange(1, count + 1, dtype=torch.float32, device=device) / (of + _EPSILON) * _FULL_TURN


def _waves(angles: Tensor, channels: int) -> Tensor:
    """Return sines (even channels) and cosines (odd) of angles [n] at falling frequencies, [n, channels]."""
    index = torch.arange(channels, dtype=torch.float32, device=angles.device)
    scaled = angles[:, None] / _TEMPERATURE ** (2 * torch.div(index, 2, rounding_mode="trunc") / channels)
    return torch.stack([scaled[:, 0::2].sin(), scaled[:, 1::2].cos()], dim=-1).flatten(1)
