"""Feature extractors: Swin and ResNet of `transformers`, HorNet of our own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, ResNetBackbone, SwinBackbone

from entityseg.baselines.models.hornet import HorNet


class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation whose statistics, scale and offset do not change (detectron2's `FrozenBN`)."""

    eps = 1e-5
    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def reset_parameters(self) -> None:
        """Make it pass on what comes in."""
        for name in ("weight", "running_var"):
            nn.init.ones_(getattr(self, name))
        for name in ("bias", "running_mean"):
            nn.init.zeros_(getattr(self, name))

    def forward(self, x: Tensor) -> Tensor:
        """Return x [N, C, H, W] scaled and moved, channel by channel."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        offset = self.bias - self.running_mean * scale
        return x * scale[:, None, None].to(x.dtype) + offset[:, None, None].to(x.dtype)


class Backbone(nn.Module):
    """Feature maps at strides 4, 8, 16 and 32.

    Attributes:
        channels: of each map.
    """

    def __init__(self, config: PreTrainedConfig, freeze_batch_norm: bool) -> None:
        super().__init__()
        self.body: Any
        if config.model_type == "swin":
            self.body = SwinBackbone(config)
            # It normalises the last stage for classification; no feature map has that.
            self.body.swin.layernorm = nn.Identity()
        elif config.model_type == "resnet":
            self.body = ResNetBackbone(config)
            if freeze_batch_norm:
                _freeze(self.body)
        else:
            self.body = HorNet(config)
        self.channels: list[int] = list(self.body.channels)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of pixels [N, 3, H, W], finest first."""
        found = self.body(pixels)
        return tuple(found if isinstance(found, tuple) else found.feature_maps)


def _freeze(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features))
        else:
            _freeze(child)
