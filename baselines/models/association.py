"""View association: the queries of the full image learn what those of all views saw (CropFormer, section 4.1)."""

from __future__ import annotations

from torch import Tensor, nn

from entityseg.baselines.models.blocks import CrossAttention, FeedForward, SelfAttention
from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.decoder import by_image


class ViewAssociation(nn.Module):
    """Cross-attention, self-attention and a feed-forward network, each of which can be left out (Table 9b)."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        size, pre_norm = config.hidden_size, config.pre_norm
        heads = config.association_heads or config.heads
        count = config.association_layers
        self.cross = nn.ModuleList(
            CrossAttention(size, heads, pre_norm) for _ in range(count * config.association_cross)
        )
        self.own = nn.ModuleList(
            SelfAttention(size, heads, pre_norm) for _ in range(count * config.association_self)
        )
        self.feed_forward = nn.ModuleList(
            FeedForward(size, config.association_units, pre_norm)
            for _ in range(count * config.association_ffn)
        )
        self.count = count

    def forward(self, queries: Tensor, position: Tensor, views: int) -> Tensor:
        """Return the batch-level queries, float [B, Q, size].

        Args:
            queries: float [B * T, Q, size], the image-level decoder's last; view 0 of each image is the whole of it.
            position: float [Q, size], the queries' learned positions.
            views: T.
        """
        by_view = by_image(queries, views)
        x = by_view[:, 0]
        values = by_view.flatten(1, 2)
        keys = (by_view + position).flatten(1, 2)
        for layer in range(self.count):
            if self.cross:
                x = self.cross[layer](x, position, keys, values)
            if self.own:
                x = self.own[layer](x)
            if self.feed_forward:
                x = self.feed_forward[layer](x)
        return x
