"""Everything of `transformers` that is not public API, in one place.

The models use private classes of one series of `transformers` (pinned in setup.cfg). tests/baselines/models/test_hf.py
holds the names, arguments and parameter names that are relied on, so that a new series is the work of this file.
"""

from __future__ import annotations

from transformers import Mask2FormerConfig
from transformers import initialization as init
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerPixelDecoder as DeformablePixelDecoder,
)
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerPixelDecoderEncoderLayer as DeformableLayer,
)
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention as DeformableAttention,
)

__all__ = [
    "GROUPS",
    "LEVELS",
    "POINTS",
    "DeformableAttention",
    "DeformableLayer",
    "DeformablePixelDecoder",
    "init",
    "pixel_decoder",
]

# Fixed in the library's code: feature levels of the deformable attention, its points a level, groups of GroupNorm.
LEVELS = 3
POINTS = 4
GROUPS = 32


def pixel_decoder(
    channels: list[int], *, size: int, mask_size: int, layers: int, heads: int, ffn: int
) -> DeformablePixelDecoder:
    """Return a multi-scale deformable attention pixel decoder (Mask2Former, section 3.2.1).

    Args:
        channels: of the backbone's feature maps at strides 4, 8, 16, 32.
        size: channels inside.
        mask_size: channels of the mask features.
        layers: encoder layers.
        heads: attention heads of a layer.
        ffn: hidden units of a layer's feed-forward network.
    """
    config = Mask2FormerConfig(
        feature_size=size,
        mask_feature_size=mask_size,
        encoder_layers=layers,
        encoder_feedforward_dim=ffn,
        num_attention_heads=heads,
        dropout=0.0,
        feature_strides=[4, 8, 16, 32],
        common_stride=4,
    )
    return DeformablePixelDecoder(config, feature_channels=channels)
