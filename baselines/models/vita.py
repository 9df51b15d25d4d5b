"""VITA (Heo et al., NeurIPS 2022) over views: a peer of CropFormer in ESG's Table VI."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from entityseg.baselines.models.blocks import CrossAttention, FeedForward, SelfAttention
from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.decoder import Memory, PredictionHead, by_image, mask_logits
from entityseg.baselines.models.output import Decoded, SegmenterOutput
from entityseg.baselines.models.segmenter import SegmenterModel


class ObjectLayer(nn.Module):
    """Self-attention over the queries of all views, and a feed-forward network (section 3.2, object encoder)."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.own = SelfAttention(config.hidden_size, config.heads, config.pre_norm)
        self.feed_forward = FeedForward(config.hidden_size, config.ffn, config.pre_norm)

    def forward(self, x: Tensor) -> Tensor:
        """Return the queries [N, T * Q, size] after the layer."""
        return self.feed_forward(self.own(x))


class ClipLayer(nn.Module):
    """Clip queries look at the queries of all views, then at each other (section 3.3, object decoder)."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.cross = CrossAttention(config.hidden_size, config.heads, config.pre_norm)
        self.own = SelfAttention(config.hidden_size, config.heads, config.pre_norm)
        self.feed_forward = FeedForward(config.hidden_size, config.ffn, config.pre_norm)

    def forward(self, x: Tensor, position: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return the clip queries [N, Q, size] after the layer."""
        return self.feed_forward(self.own(self.cross(x, position, keys, values), position))


class ObjectAssociation(nn.Module):
    """Object encoder and object decoder: from the queries of each view to those of the image."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        size = config.hidden_size
        clips = config.clip_queries or config.queries
        self.entry = nn.Linear(size, size)
        self.encoder = nn.ModuleList(ObjectLayer(config) for _ in range(config.object_layers))
        self.object_positions = nn.Embedding(config.queries, size)
        self.clip_features = nn.Embedding(clips, size)
        self.clip_positions = nn.Embedding(clips, size)
        self.decoder = nn.ModuleList(ClipLayer(config) for _ in range(config.clip_layers))
        self.head = PredictionHead(config)

    def reset_parameters(self) -> None:
        """Initialise the projection as the released code does."""
        nn.init.xavier_uniform_(self.entry.weight)

    def forward(self, queries: Tensor, every_stage: bool) -> list[tuple[Tensor, Tensor]]:
        """Return class logits and mask embeddings of each stage kept.

        Args:
            queries: float [N, T, Q, size] of each view.
            every_stage: keep all stages, not only the last.
        """
        views = queries.shape[1]
        values = self.entry(queries).flatten(1, 2)
        for layer in self.encoder:
            values = layer(values)
        keys = values + self.object_positions.weight.repeat(views, 1)
        x = self.clip_features.weight.expand(len(values), -1, -1)
        found = []
        for stage, layer in enumerate(self.decoder, start=1):
            x = layer(x, self.clip_positions.weight, keys, values)
            if every_stage or stage == len(self.decoder):
                found.append(self.head(x))
        return found


class VITA(SegmenterModel):
    """Image-level decoder over each view, and an association that sees only its queries, never the features.

    While all stages are asked for, the association runs from each of the last `clip_sources` image-level stages, and
    the stages of all these runs follow one another; the answer is the last stage of the last.
    """

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__(config)
        self.association = ObjectAssociation(config)
        self.clip_features = nn.Conv2d(config.mask_size, config.mask_size, kernel_size=1)
        self.post_init()

    def _decode(self, memory: Memory, views: int, every_stage: bool) -> SegmenterOutput:
        count = len(memory.features)
        position = self.query_positions.weight
        image, stages = self.image_decoder(self._learned_queries(count), position, memory, every_stage)
        sources = stages[-self.config.clip_sources :] if every_stage else stages[-1:]
        # The released code hands over the queries as the image-level head normalises them.
        normed = [by_image(self.image_decoder.head.norm(one), views) for one in sources]
        features = by_image(self.clip_features(memory.features.flatten(0, 1)), views)
        found = self.association(torch.cat(normed), every_stage)
        images = len(features)
        pairs = [
            (logits[source * images :][:images], masks[source * images :][:images])
            for source in range(len(sources))
            for logits, masks in found
        ]
        batch = Decoded(
            tuple(logits for logits, _ in pairs), tuple(mask_logits(one, features) for _, one in pairs)
        )
        return SegmenterOutput(image=image, batch=batch)
