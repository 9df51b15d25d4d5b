"""VITA (Heo et al., NeurIPS 2022) over views: a peer of CropFormer in ESG's Table VI."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from entityseg.baselines.models.blocks import CrossAttention, FeedForward, SelfAttention
from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.decoder import Memory, PredictionHead, by_image, mask_logits
from entityseg.baselines.models.output import Decoded, Identities, SegmenterOutput
from entityseg.baselines.models.segmenter import SegmenterModel


def window_lengths(views: int, window: int, *, shifted: bool) -> list[int]:
    """Return how many views are in each window of the object encoder; their sum is `views`.

    Shifted windows begin half a window before the others, so that they reach over the borders of those.

    Args:
        views: how many there are.
        window: how many fit into a window; 0: all. If all fit, there is one window, shifted or not.
        shifted: whether the windows are the shifted ones.

    >>> window_lengths(9, 6, shifted=False), window_lengths(9, 6, shifted=True), window_lengths(6, 6, shifted=True)
    ([6, 3], [3, 6], [6])
    """
    if not 0 < window < views:
        return [views]
    first = window // 2 if shifted else 0
    return [stop - start for start, stop in pairwise([0, *range(first or window, views, window), views])]


class ObjectLayer(nn.Module):
    """Self-attention over the queries of the views in a window, and a feed-forward network."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.own = SelfAttention(config.hidden_size, config.heads, config.pre_norm)
        self.feed_forward = FeedForward(config.hidden_size, config.ffn, config.pre_norm)

    def forward(self, x: Tensor, lengths: list[int]) -> Tensor:
        """Return the queries [N, T, Q, size] after the layer; `lengths` says how many views each window has."""
        windows = [self.own(part.flatten(1, 2)) for part in torch.split(x, lengths, dim=1)]
        return self.feed_forward(torch.cat(windows, dim=1)).reshape(x.shape)


class ObjectEncoder(nn.Module):
    """Relates the queries of all views, which are the object tokens (the paper's Object Encoder)."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.window = config.object_window
        self.entry = nn.Linear(config.hidden_size, config.hidden_size)
        self.layers = nn.ModuleList(ObjectLayer(config) for _ in range(config.object_layers))

    def reset_parameters(self) -> None:
        """Initialise the projection as the released code does."""
        nn.init.xavier_uniform_(self.entry.weight)

    def forward(self, queries: Tensor) -> Tensor:
        """Return the object tokens, float [N, T, Q, size], of queries of the same shape."""
        tokens = self.entry(queries)
        for index, layer in enumerate(self.layers):
            tokens = layer(tokens, window_lengths(tokens.shape[1], self.window, shifted=index % 2 == 1))
        return tokens


class ClipLayer(nn.Module):
    """Clip queries look at the object tokens, then at each other."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.cross = CrossAttention(config.hidden_size, config.heads, config.pre_norm)
        self.own = SelfAttention(config.hidden_size, config.heads, config.pre_norm)
        self.feed_forward = FeedForward(config.hidden_size, config.ffn, config.pre_norm)

    def forward(self, x: Tensor, position: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return the clip queries [N, Q, size] after the layer."""
        return self.feed_forward(self.own(self.cross(x, position, keys, values), position))


class ObjectDecoder(nn.Module):
    """Gathers from all object tokens, by learned clip queries, what is in the image (the paper's Object Decoder)."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        size = config.hidden_size
        clips = config.clip_queries or config.queries
        self.token_positions = nn.Embedding(config.queries, size)
        self.clip_features = nn.Embedding(clips, size)
        self.clip_positions = nn.Embedding(clips, size)
        self.layers = nn.ModuleList(ClipLayer(config) for _ in range(config.clip_layers))
        self.head = PredictionHead(config)

    def forward(self, tokens: Tensor, every_stage: bool) -> list[Tensor]:
        """Return the clip queries, float [N, Q, size], after each stage kept.

        Args:
            tokens: float [N, T, Q, size], of each view.
            every_stage: keep all stages, not only the last.
        """
        values = tokens.flatten(1, 2)
        keys = (tokens + self.token_positions.weight).flatten(1, 2)
        x = self.clip_features.weight.expand(len(tokens), -1, -1)
        kept = []
        for stage, layer in enumerate(self.layers, start=1):
            x = layer(x, self.clip_positions.weight, keys, values)
            if every_stage or stage == len(self.layers):
                kept.append(x)
        return kept


class VITA(SegmenterModel):
    """Image-level decoder over each view, and an association that sees only its queries, never the features.

    While all stages are asked for, the association runs from each of the last `clip_sources` image-level stages, and
    the stages of all these runs follow one another; the answer is the last stage of the last. Only then are there
    embeddings of the identities, which are for the loss alone.
    """

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__(config)
        self.object_encoder = ObjectEncoder(config)
        self.object_decoder = ObjectDecoder(config)
        self.clip_features = nn.Conv2d(config.mask_size, config.mask_size, kernel_size=1)
        self.view_identity = nn.Linear(config.hidden_size, config.hidden_size)
        self.image_identity = nn.Linear(config.hidden_size, config.hidden_size)
        self.post_init()

    def reset_parameters(self) -> None:
        """Initialise the projection of the mask features as the released code (`c2_xavier_fill`)."""
        nn.init.kaiming_uniform_(self.clip_features.weight, a=1)
        nn.init.zeros_(cast(Tensor, self.clip_features.bias))

    def _decode(self, memory: Memory, views: int, every_stage: bool) -> SegmenterOutput:
        count = len(memory.features)
        position = self.query_positions.weight
        image, stages = self.image_decoder(self._learned_queries(count), position, memory, every_stage)
        sources = stages[-self.config.clip_sources :] if every_stage else stages[-1:]
        runs = len(sources)
        # The released code hands over the queries as the image-level head normalises them.
        normed = [by_image(self.image_decoder.head.norm(one), views) for one in sources]
        tokens = self.object_encoder(torch.cat(normed))
        clips = self.object_decoder(tokens, every_stage)
        head = self.object_decoder.head
        # By stage, then by run; the stages of a run are to follow one another.
        found = [[part.chunk(runs) for part in head(clip)] for clip in clips]
        logits = tuple(classes[run] for run in range(runs) for classes, _ in found)
        embeddings = tuple(masks[run] for run in range(runs) for _, masks in found)
        features = by_image(self.clip_features(memory.features.flatten(0, 1)), views)
        batch = Decoded(logits, tuple(mask_logits(one, features) for one in embeddings), runs)
        if not every_stage:
            return SegmenterOutput(image, batch)
        identities = Identities(
            views=self.view_identity(tokens).unflatten(0, (runs, -1)),
            images=self.image_identity(head.norm(clips[-1])).unflatten(0, (runs, -1)),
        )
        return SegmenterOutput(image, batch, identities)
