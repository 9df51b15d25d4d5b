"""The masked-attention decoder, over one view or over several (Mask2Former, section 3.2; CropFormer, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from entityseg.baselines.models.blocks import CrossAttention, FeedForward, SelfAttention
from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.output import Decoded
from entityseg.baselines.models.positions import place_code, view_code


@dataclass(frozen=True)
class Memory:
    """What a decoder looks at: the pixel decoder's feature maps as tokens, coarsest first.

    Attributes:
        values: each float [N, T * h * w, size], a level.
        keys: the same with the codes of place, and of view, added.
        sizes: (h, w) of each level.
        features: float [N, T, mask size, H, W], the mask features at stride 4.
    """

    values: tuple[Tensor, ...]
    keys: tuple[Tensor, ...]
    sizes: tuple[tuple[int, int], ...]
    features: Tensor

    def batched(self, views: int, code: Tensor | None) -> Memory:
        """Return the memory of B images from that of their B * T views.

        Args:
            views: T.
            code: float [T, size], added to the keys of each view; None: nothing is.
        """
        values = tuple(by_image(one, views).flatten(1, 2) for one in self.values)
        keys = [by_image(one, views) for one in self.keys]
        if code is not None:
            keys = [one + code[:, None].to(one.dtype) for one in keys]
        features = by_image(self.features.flatten(0, 1), views)
        return Memory(values, tuple(one.flatten(1, 2) for one in keys), self.sizes, features)


def by_image(rows: Tensor, views: int) -> Tensor:
    """Return rows [B * views, ...] as [B, views, ...]."""
    return rows.reshape(-1, views, *rows.shape[1:])


class MemoryMaker(nn.Module):
    """Turns feature maps into tokens: projection, a code for the level, a code for the place."""

    def __init__(self, config: SegmenterConfig, levels: int) -> None:
        super().__init__()
        self.config = config
        self.level_code = nn.Embedding(levels, config.hidden_size)
        self.projections = nn.ModuleList()
        if config.projects_input:
            self.projections.extend(
                nn.Conv2d(config.pixel_size, config.hidden_size, kernel_size=1) for _ in range(levels)
            )

    def reset_parameters(self) -> None:
        """Initialise as the released code (`c2_xavier_fill`)."""
        self.level_code.reset_parameters()
        for layer in self.projections:
            nn.init.kaiming_uniform_(cast(Tensor, layer.weight), a=1)
            nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, maps: tuple[Tensor, ...], features: Tensor) -> Memory:
        """Return the memory of N views, each alone.

        Args:
            maps: float [N, pixel size, h, w] a level, coarsest first.
            features: float [N, mask size, H, W].
        """
        values, keys, sizes = [], [], []
        for level, found in enumerate(maps):
            height, width = found.shape[-2:]
            projected = self.projections[level](found) if self.projections else found
            value = projected.flatten(2).transpose(1, 2) + self.level_code.weight[level]
            place = place_code(height, width, self.config.hidden_size, found.device)
            values.append(value)
            keys.append(value + place.to(value.dtype))
            sizes.append((height, width))
        return Memory(tuple(values), tuple(keys), tuple(sizes), features[:, None])

    def view_code(self, views: int, device: torch.device) -> Tensor | None:
        """Return the code of each view, float [T, size]; None if the configuration wants none."""
        if not self.config.view_code:
            return None
        return view_code(views, self.config.hidden_size, device, of=self.config.view_code_views)


class DecoderLayer(nn.Module):
    """Masked cross-attention, then self-attention, then a feed-forward network."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.cross = CrossAttention(config.hidden_size, config.heads, config.pre_norm)
        self.own = SelfAttention(config.hidden_size, config.heads, config.pre_norm)
        self.feed_forward = FeedForward(config.hidden_size, config.ffn, config.pre_norm)

    def forward(
        self, x: Tensor, position: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None
    ) -> Tensor:
        """Return the queries [N, Q, size] after the layer."""
        x = self.cross(x, position, keys, values, allowed)
        return self.feed_forward(self.own(x, position))


class PredictionHead(nn.Module):
    """Reads class logits and mask embeddings from queries."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.norm = nn.LayerNorm(size)
        self.classes = nn.Linear(size, config.num_labels + 1)
        self.masks = nn.Sequential(
            nn.Linear(size, size),
            nn.ReLU(),
            nn.Linear(size, size),
            nn.ReLU(),
            nn.Linear(size, config.mask_size),
        )

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits [N, Q, C + 1] and mask embeddings [N, Q, mask size]."""
        normed = self.norm(queries)
        return self.classes(normed), self.masks(normed)


class MaskDecoder(nn.Module):
    """Layers that look where the masks found so far are, and the head that reads masks and classes."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.head = PredictionHead(config)

    def forward(
        self, queries: Tensor, position: Tensor, memory: Memory, every_stage: bool
    ) -> tuple[Decoded, tuple[Tensor, ...]]:
        """Return what is decoded, and the queries after each stage kept, [N, Q, size] each.

        Args:
            queries: float [N, Q, size] as they enter.
            position: float [Q, size], the queries' learned positions.
            memory: of N views or batches of views.
            every_stage: keep all stages, not only the last.
        """
        levels = len(memory.sizes)
        # Resizing is linear, so that small features give the small mask logits without the large ones.
        small = [_resized(memory.features, size) for size in memory.sizes]
        logits, embeddings, stages = [], [], []
        for stage in range(len(self.layers) + 1):
            classes, embedding = self.head(queries)
            if every_stage or stage == len(self.layers):
                logits.append(classes)
                embeddings.append(embedding)
                stages.append(queries)
            if stage < len(self.layers):
                level = stage % levels
                allowed = _inside(embedding.detach(), small[level])
                queries = self.layers[stage](
                    queries, position, memory.keys[level], memory.values[level], allowed
                )
        masks = tuple(mask_logits(one, memory.features) for one in embeddings)
        return Decoded(tuple(logits), masks), tuple(stages)


def mask_logits(embedding: Tensor, features: Tensor) -> Tensor:
    """Return the product of mask embeddings [N, Q, C] and features [N, T, C, H, W]: [N, Q, T, H, W]."""
    return torch.einsum("nqc,ntchw->nqthw", embedding, features)


@torch.no_grad()
def _resized(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Return mask features [N, T, C, H, W] at the size of a level, as columns [N, C, T * h * w]."""
    views = features.shape[1]
    small = functional.interpolate(features.flatten(0, 1), size=size, mode="bilinear", align_corners=False)
    return by_image(small.flatten(2), views).transpose(1, 2).flatten(2)


@torch.no_grad()
def _inside(embedding: Tensor, small: Tensor) -> Tensor:
    """Return where each query may look, bool [N, Q, L]: inside its mask, or everywhere if that is empty."""
    inside = (embedding @ small).sigmoid() >= 0.5
    return inside | ~inside.any(dim=-1, keepdim=True)
