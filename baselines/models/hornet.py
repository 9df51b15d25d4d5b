"""HorNet: recursive gated convolutions and global-local filters (Rao et al., NeurIPS 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from entityseg.baselines.models.config import HorNetConfig

_EPSILON = 1e-6
_KERNEL = 7
_EXPANSION = 4


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of maps [N, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps, each place normalised over its channels."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GlobalLocalFilter(nn.Module):
    """One half of the channels through a 3 x 3 convolution, the other through a filter in the frequency domain.

    Args:
        channels: even number.
        height: of the learned spectrum.
        width: of the learned spectrum, half of one as for real input.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        half = channels // 2
        self.local = nn.Conv2d(half, half, kernel_size=3, padding=1, groups=half, bias=False)
        self.spectrum = nn.Parameter(torch.empty(half, height, width, 2))
        self.norm_in = ChannelNorm(channels)
        self.norm_out = ChannelNorm(channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise the spectrum; what is inside initialises itself."""
        nn.init.trunc_normal_(self.spectrum, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return the filtered maps, float [N, C, H, W]."""
        near, far = self.norm_in(x).chunk(2, dim=1)
        height, width = far.shape[-2:]
        # The transform knows no half precision.
        exact = far if far.dtype == torch.float64 else far.float()
        with torch.autocast(x.device.type, enabled=False):
            waves = torch.fft.rfft2(exact, norm="ortho")
            waves = waves * self._spectrum_for(waves.shape[-2], waves.shape[-1], exact.dtype)
            exact = torch.fft.irfft2(waves, s=(height, width), norm="ortho")
        # Local and global channels take turns, as in the released weights.
        both = torch.stack([self.local(near), exact.to(near.dtype)], dim=2).flatten(1, 2)
        return self.norm_out(both)

    def _spectrum_for(self, height: int, width: int, dtype: torch.dtype) -> Tensor:
        """Return the learned spectrum, complex [C / 2, height, width], stretched to the input's."""
        spectrum = self.spectrum.to(dtype)
        if spectrum.shape[1:3] != (height, width):
            planes = spectrum.permute(3, 0, 1, 2)
            planes = functional.interpolate(planes, size=(height, width), mode="bilinear", align_corners=True)
            spectrum = planes.permute(1, 2, 3, 0)
        return torch.view_as_complex(spectrum.contiguous())


class GatedConvolution(nn.Module):
    """Recursive gated convolution of some order (section 3.1): gates of growing width, one after the other."""

    def __init__(
        self, channels: int, order: int, filter_size: tuple[int, int] | None, gate_scale: float
    ) -> None:
        super().__init__()
        self.widths = [channels // 2**step for step in reversed(range(order))]
        total = sum(self.widths)
        self.enter = nn.Conv2d(channels, 2 * channels, kernel_size=1)
        self.spread: nn.Module = (
            nn.Conv2d(total, total, kernel_size=_KERNEL, padding=_KERNEL // 2, groups=total)
            if filter_size is None
            else GlobalLocalFilter(total, *filter_size)
        )
        self.widen = nn.ModuleList(
            nn.Conv2d(narrow, wide, kernel_size=1)
            for narrow, wide in zip(self.widths[:-1], self.widths[1:], strict=True)
        )
        self.leave = nn.Conv2d(channels, channels, kernel_size=1)
        self.gate_scale = gate_scale

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps after the interactions, float [N, C, H, W]."""
        first, rest = self.enter(x).split((self.widths[0], sum(self.widths)), dim=1)
        gates = (self.spread(rest) * self.gate_scale).split(self.widths, dim=1)
        x = first * gates[0]
        for widen, gate in zip(self.widen, gates[1:], strict=True):
            x = widen(x) * gate
        return self.leave(x)


class HorNetBlock(nn.Module):
    """Gated convolution and perceptron, both residual, scaled channel by channel and dropped at random."""

    def __init__(
        self,
        channels: int,
        order: int,
        filter_size: tuple[int, int] | None,
        gate_scale: float,
        layer_scale: float,
        drop: float,
    ) -> None:
        super().__init__()
        self.norm_mix = ChannelNorm(channels)
        self.mix = GatedConvolution(channels, order, filter_size, gate_scale)
        self.norm_perceptron = nn.LayerNorm(channels, eps=_EPSILON)
        self.inner = nn.Linear(channels, _EXPANSION * channels)
        self.outer = nn.Linear(_EXPANSION * channels, channels)
        self.scale_mix = nn.Parameter(torch.empty(channels))
        self.scale_perceptron = nn.Parameter(torch.empty(channels))
        self.layer_scale = layer_scale
        self.drop = drop
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise scales and perceptron."""
        for scale in (self.scale_mix, self.scale_perceptron):
            nn.init.constant_(scale, self.layer_scale)
        for layer in (self.inner, self.outer):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps after the block, float [N, C, H, W]."""
        x = x + self._dropped(self.scale_mix[:, None, None] * self.mix(self.norm_mix(x)))
        last = self.norm_perceptron(x.permute(0, 2, 3, 1))
        last = self.scale_perceptron * self.outer(functional.gelu(self.inner(last)))
        return x + self._dropped(last.permute(0, 3, 1, 2))

    def _dropped(self, x: Tensor) -> Tensor:
        """Return x with the block left out for some images, while training (stochastic depth)."""
        if not self.training or self.drop == 0:
            return x
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop
        return x * kept.to(x.dtype) / (1 - self.drop)


class HorNet(nn.Module):
    """Four stages at strides 4, 8, 16, 32, each followed by a normalisation of its own.

    Attributes:
        channels: of each stage's output.
    """

    def __init__(self, config: HorNetConfig) -> None:
        super().__init__()
        self.channels = [config.embed_dim * 2**stage for stage in range(len(config.depths))]
        self.entries = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(3, self.channels[0], kernel_size=4, stride=4), ChannelNorm(self.channels[0])
                )
            ]
        )
        self.entries.extend(
            nn.Sequential(ChannelNorm(narrow), nn.Conv2d(narrow, wide, kernel_size=2, stride=2))
            for narrow, wide in zip(self.channels[:-1], self.channels[1:], strict=True)
        )
        blocks = sum(config.depths)
        drops = iter([config.drop_path_rate * block / max(blocks - 1, 1) for block in range(blocks)])
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    HorNetBlock(
                        width, order, size and tuple(size), config.gate_scale, config.layer_scale, next(drops)
                    )
                    for _ in range(depth)
                )
            )
            for width, depth, order, size in zip(
                self.channels, config.depths, config.orders, config.filters, strict=True
            )
        )
        self.norms = nn.ModuleList(ChannelNorm(width) for width in self.channels)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of pixels [N, 3, H, W], finest first."""
        maps = []
        x = pixels
        for entry, stage, norm in zip(self.entries, self.stages, self.norms, strict=True):
            x = stage(entry(x))
            maps.append(norm(x))
        return tuple(maps)
