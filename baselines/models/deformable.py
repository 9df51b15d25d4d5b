"""Multi-scale deformable attention that is quick where nothing is learnt (Deformable DETR, section 4.1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from entityseg.baselines import _hf


class DeformableAttention(_hf.DeformableAttention):  # type: ignore[misc]
    """The library's module with another way to the same sums when no gradient is asked for.

    The library samples each feature map for all points, keeps all samples, and then weighs and adds them up. A sample
    is itself a weighted sum of four features, so that each query needs one weighted sum of 4 x levels x points rows,
    which one call does without keeping anything. Only the way back is slower, hence the library's way in training.
    """

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        position_embeddings: Tensor | None = None,
        reference_points: Tensor | None = None,
        spatial_shapes_list: list[tuple[int, int]] | None = None,
        level_start_index: Tensor | None = None,
        output_attentions: bool = False,
    ) -> Any:
        """Return what each place gathers, float [N, S, size], and the attention weights; arguments as the library's.

        The pixel decoder's mask is all False, for views are padded with pixels that count, and is not looked at.
        """
        if (
            torch.is_grad_enabled()
            or encoder_hidden_states is None
            or spatial_shapes_list is None
            or reference_points is None
        ):
            return super().forward(
                hidden_states,
                attention_mask,
                encoder_hidden_states,
                encoder_attention_mask,
                position_embeddings,
                reference_points,
                spatial_shapes_list,
                level_start_index,
                output_attentions,
            )
        queries = hidden_states if position_embeddings is None else hidden_states + position_embeddings
        count, places, size = queries.shape
        points = (count, places, self.n_heads, self.n_levels, self.n_points)
        offsets = self.sampling_offsets(queries).view(*points, 2)
        weights = (
            self.attention_weights(queries).view(count, places, self.n_heads, -1).softmax(-1).view(points)
        )
        widths = torch.tensor(
            [[w, h] for h, w in spatial_shapes_list], device=queries.device, dtype=queries.dtype
        )
        spots = reference_points[:, :, None, :, None] * widths[:, None] + offsets
        values = self.value_proj(encoder_hidden_states).view(count, places, self.n_heads, -1)
        gathered = gather(values, spatial_shapes_list, spots, weights)
        return self.output_proj(gathered.view(count, places, size)), weights


def gather(values: Tensor, sizes: list[tuple[int, int]], spots: Tensor, weights: Tensor) -> Tensor:
    """Return weighted sums of bilinear samples of feature maps, zero outside, float [N, Q, heads, channels].

    Args:
        values: float [N, S, heads, channels], the maps of all levels one after the other, row by row.
        sizes: (height, width) of each level; their products add up to S.
        spots: float [N, Q, heads, levels, points, 2], (x, y) in pixels of the level, 0.5 in the middle of the first.
        weights: float [N, Q, heads, levels, points].
    """
    count, length, heads, channels = values.shape
    rows, shares = [], []
    start = 0
    for level, (height, width) in enumerate(sizes):
        left, x_share = _split(spots[:, :, :, level, :, 0])
        top, y_share = _split(spots[:, :, :, level, :, 1])
        for below in (0, 1):
            y = top + below
            in_rows = (
                weights[:, :, :, level] * (y_share if below else 1 - y_share) * ((y >= 0) & (y < height))
            )
            row = start + y.clamp(0, height - 1) * width
            for right in (0, 1):
                x = left + right
                shares.append(in_rows * (x_share if right else 1 - x_share) * ((x >= 0) & (x < width)))
                rows.append(row + x.clamp(0, width - 1))
        start += height * width
    # Each head of each image has its own part of the table.
    parts = torch.arange(count * heads, device=values.device).view(count, 1, heads, 1, 1) * length
    table = values.transpose(1, 2).reshape(-1, channels)
    index = (torch.stack(rows, dim=-2) + parts).flatten(-2)
    share = torch.stack(shares, dim=-2).flatten(-2)
    found = functional.embedding_bag(
        index.flatten(0, 2), table, per_sample_weights=share.flatten(0, 2), mode="sum"
    )
    return found.view(count, -1, heads, channels)


def _split(spots: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixel whose middle lies left of a spot, int64, and the share of the next one."""
    before = (spots - 0.5).floor()
    return before.long(), spots - 0.5 - before
