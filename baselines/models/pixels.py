"""From pixels to feature maps: backbone and pixel decoder, alike in all four models."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from entityseg.baselines import _hf
from entityseg.baselines.models.backbone import Backbone
from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.deformable import DeformableAttention

STRIDE = 32


class PixelEncoder(nn.Module):
    """Backbone, and the multi-scale deformable attention that refines its maps (Mask2Former, section 3.2.1)."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.backbone = Backbone(config.backbone_config, config.freeze_batch_norm)
        self.decoder = _hf.pixel_decoder(
            self.backbone.channels,
            size=config.pixel_size,
            mask_size=config.mask_size,
            layers=config.pixel_layers,
            heads=config.pixel_heads,
            ffn=config.pixel_ffn,
        )
        for layer in self.decoder.encoder.layers:
            layer.self_attn = DeformableAttention(
                config.pixel_size, config.pixel_heads, n_levels=_hf.LEVELS, n_points=_hf.POINTS
            )

    def forward(self, pixels: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return three maps, coarsest first, and the mask features at stride 4.

        Args:
            pixels: float [N, 3, H, W], normalised; H and W are multiples of 32.
        """
        maps = self.backbone(pixels)
        # In half precision, places to sample would be off by tenths of a pixel; the released code has float32, too.
        with torch.autocast(pixels.device.type, enabled=False):
            precision = self.decoder.level_embed.dtype
            found = self.decoder([one.to(precision) for one in maps])
        return tuple(found.multi_scale_features), found.mask_features


@torch.no_grad()
def reset_pixel_decoder(module: nn.Module) -> bool:
    """Initialise a module of the pixel decoder as the released code does; return whether it is one of those."""
    if isinstance(module, _hf.DeformableAttention):
        # Points of each head start along one direction, 1 to 4 pixels away (Deformable DETR, section 4.1).
        turns = torch.arange(module.n_heads, dtype=torch.float32) * (2 * torch.pi / module.n_heads)
        directions = torch.stack([turns.cos(), turns.sin()], dim=-1)
        directions = directions / directions.abs().amax(dim=-1, keepdim=True)
        steps = torch.arange(1, module.n_points + 1, dtype=torch.float32)
        offsets = directions[:, None, None] * steps[:, None]
        nn.init.zeros_(module.sampling_offsets.weight)
        _hf.init.copy_(module.sampling_offsets.bias, offsets.expand(-1, module.n_levels, -1, -1).reshape(-1))
        nn.init.zeros_(module.attention_weights.weight)
        nn.init.zeros_(module.attention_weights.bias)
        for layer in (module.value_proj, module.output_proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    elif isinstance(module, _hf.DeformableLayer):
        for layer in (module.fc1, module.fc2):
            layer.reset_parameters()
            nn.init.xavier_uniform_(layer.weight)
    elif isinstance(module, _hf.DeformablePixelDecoder):
        nn.init.normal_(module.level_embed)
        for projection, _ in module.input_projections:
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)
        # What detectron2 calls `c2_xavier_fill`.
        fills = [stack[0] for stack in (*module.lateral_convolutions, *module.output_convolutions)]
        for layer in (*fills, module.mask_projection):
            nn.init.kaiming_uniform_(layer.weight, a=1)
        nn.init.zeros_(module.mask_projection.bias)
    else:
        return False
    return True
