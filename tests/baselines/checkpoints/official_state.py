"""State dicts as the released code would save them, name by name and shape by shape, of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Shapes = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Swin:
    """Sizes of a Swin transformer."""

    channels: int = 24
    depths: tuple[int, ...] = (1, 1, 2, 1)
    heads: tuple[int, ...] = (1, 2, 4, 8)
    window: int = 7
    ratio: int = 4

    @property
    def widths(self) -> list[int]:
        return [self.channels * 2**stage for stage in range(4)]

    def shapes(self) -> Shapes:
        yield from layer("patch_embed.proj", self.channels, 3, 4, 4)
        yield from norm("patch_embed.norm", self.channels)
        for stage, (depth, heads, width) in enumerate(zip(self.depths, self.heads, self.widths, strict=True)):
            for block in range(depth):
                name = f"layers.{stage}.blocks.{block}"
                yield from norm(f"{name}.norm1", width)
                yield f"{name}.attn.relative_position_bias_table", ((2 * self.window - 1) ** 2, heads)
                yield from layer(f"{name}.attn.qkv", 3 * width, width)
                yield from layer(f"{name}.attn.proj", width, width)
                yield from norm(f"{name}.norm2", width)
                yield from layer(f"{name}.mlp.fc1", self.ratio * width, width)
                yield from layer(f"{name}.mlp.fc2", width, self.ratio * width)
            if stage < 3:
                yield f"layers.{stage}.downsample.reduction.weight", (2 * width, 4 * width)
                yield from norm(f"layers.{stage}.downsample.norm", 4 * width)
            yield from norm(f"norm{stage}", width)

    def buffers(self) -> Shapes:
        for stage, depth in enumerate(self.depths):
            for block in range(depth):
                yield f"layers.{stage}.blocks.{block}.attn.relative_position_index", (self.window**2,) * 2


@dataclass(frozen=True)
class ResNet:
    """Sizes of a ResNet of bottlenecks."""

    stem: int = 16
    widths: tuple[int, ...] = (32, 48, 64, 96)
    depths: tuple[int, ...] = (1, 1, 1, 1)

    def shapes(self) -> Shapes:
        yield from batch_normed("stem.conv1", self.stem, 3, 7, 7)
        narrow = self.stem
        for stage, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            for block in range(depth):
                name = f"res{stage + 2}.{block}"
                if block == 0:
                    yield from batch_normed(f"{name}.shortcut", width, narrow, 1, 1)
                yield from batch_normed(f"{name}.conv1", width // 4, narrow, 1, 1)
                yield from batch_normed(f"{name}.conv2", width // 4, width // 4, 3, 3)
                yield from batch_normed(f"{name}.conv3", width, width // 4, 1, 1)
                narrow = width

    def buffers(self) -> Shapes:
        yield from ()


@dataclass(frozen=True)
class HorNet:
    """Sizes of a HorNet."""

    channels: int = 16
    depths: tuple[int, ...] = (1, 1, 2, 1)
    orders: tuple[int, ...] = (2, 3, 4, 5)
    filters: tuple[tuple[int, int] | None, ...] = (None, None, (24, 13), (12, 7))

    @property
    def widths(self) -> list[int]:
        return [self.channels * 2**stage for stage in range(4)]

    def shapes(self) -> Shapes:
        yield from layer("downsample_layers.0.0", self.channels, 3, 4, 4)
        yield from norm("downsample_layers.0.1", self.channels)
        for stage, (depth, order, size) in enumerate(
            zip(self.depths, self.orders, self.filters, strict=True)
        ):
            width = self.widths[stage]
            if stage:
                yield from norm(f"downsample_layers.{stage}.0", width // 2)
                yield from layer(f"downsample_layers.{stage}.1", width, width // 2, 2, 2)
            gates = [width // 2**step for step in range(order)][::-1]
            for block in range(depth):
                name = f"stages.{stage}.{block}"
                yield f"{name}.gamma1", (width,)
                yield f"{name}.gamma2", (width,)
                yield from norm(f"{name}.norm1", width)
                yield from layer(f"{name}.gnconv.proj_in", 2 * width, width, 1, 1)
                there = f"{name}.gnconv.dwconv"
                if size is None:
                    yield from layer(there, sum(gates), 1, 7, 7)
                else:
                    yield f"{there}.complex_weight", (sum(gates) // 2, *size, 2)
                    yield f"{there}.dw.weight", (sum(gates) // 2, 1, 3, 3)
                    yield from norm(f"{there}.pre_norm", sum(gates))
                    yield from norm(f"{there}.post_norm", sum(gates))
                yield from layer(f"{name}.gnconv.proj_out", width, width, 1, 1)
                for gate in range(order - 1):
                    yield from layer(f"{name}.gnconv.pws.{gate}", gates[gate + 1], gates[gate], 1, 1)
                yield from norm(f"{name}.norm2", width)
                yield from layer(f"{name}.pwconv1", 4 * width, width)
                yield from layer(f"{name}.pwconv2", width, 4 * width)
            yield from norm(f"norm{stage}", width)

    def buffers(self) -> Shapes:
        yield from ()


@dataclass(frozen=True)
class Sizes:
    """Sizes of a whole model.

    Attributes:
        association: hidden units of each layer of CropFormer's association; empty for a Mask2Former.
    """

    backbone: Swin | ResNet | HorNet = Swin()
    classes: int = 1
    queries: int = 12
    hidden: int = 32
    units: int = 64
    layers: int = 3
    convolutions: int = 32
    masks: int = 32
    encoder: int = 2
    heads: int = 4
    association: tuple[int, ...] = ()
    project: bool = False

    def shapes(self) -> Shapes:
        for name, shape in self.backbone.shapes():
            yield f"backbone.{name}", shape
        for name, shape in self._pixel_decoder():
            yield f"sem_seg_head.pixel_decoder.{name}", shape
        for name, shape in self._predictor():
            yield f"sem_seg_head.predictor.{name}", shape

    def _pixel_decoder(self) -> Shapes:
        size, points = self.convolutions, self.heads * 3 * 4
        widths = list(self.backbone.widths)
        for level, width in enumerate(widths[:0:-1]):
            yield from layer(f"input_proj.{level}.0", size, width, 1, 1)
            yield from norm(f"input_proj.{level}.1", size)
        yield "transformer.level_embed", (3, size)
        for index in range(self.encoder):
            name = f"transformer.encoder.layers.{index}"
            yield from layer(f"{name}.self_attn.sampling_offsets", 2 * points, size)
            yield from layer(f"{name}.self_attn.attention_weights", points, size)
            yield from layer(f"{name}.self_attn.value_proj", size, size)
            yield from layer(f"{name}.self_attn.output_proj", size, size)
            yield from norm(f"{name}.norm1", size)
            yield from layer(f"{name}.linear1", 1024, size)
            yield from layer(f"{name}.linear2", size, 1024)
            yield from norm(f"{name}.norm2", size)
        yield from layer("mask_features", self.masks, size, 1, 1)
        yield "adapter_1.weight", (size, widths[0], 1, 1)
        yield from norm("adapter_1.norm", size)
        yield "layer_1.weight", (size, size, 3, 3)
        yield from norm("layer_1.norm", size)

    def _predictor(self) -> Shapes:
        size = self.hidden
        for index in range(self.layers):
            yield from attention(f"transformer_self_attention_layers.{index}", "self_attn", size)
            yield from attention(f"transformer_cross_attention_layers.{index}", "multihead_attn", size)
            yield from perceptron(f"transformer_ffn_layers.{index}", size, self.units)
        for index, units in enumerate(self.association):
            yield from attention(f"make_3d.enc_crosattn_3d.{index}", "multihead_attn", size)
            yield from attention(f"make_3d.enc_selfattn_3d.{index}", "self_attn", size)
            yield from perceptron(f"make_3d.enc_ffn_3d.{index}", size, units)
        yield from norm("decoder_norm", size)
        yield "query_feat.weight", (self.queries, size)
        yield "query_embed.weight", (self.queries, size)
        yield "level_embed.weight", (3, size)
        if self.project or self.convolutions != size:
            for level in range(3):
                yield from layer(f"input_proj.{level}", size, self.convolutions, 1, 1)
        yield from layer("class_embed", self.classes + 1, size)
        for index, width in enumerate((size, size, self.masks)):
            yield from layer(f"mask_embed.layers.{index}", width, size)


def layer(name: str, *shape: int) -> Shapes:
    """Yield weight and bias of a linear layer or convolution."""
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def norm(name: str, width: int) -> Shapes:
    """Yield scale and offset of a normalisation."""
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def batch_normed(name: str, *shape: int) -> Shapes:
    """Yield a convolution without offset and its frozen batch normalisation."""
    yield f"{name}.weight", shape
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.norm.{part}", shape[:1]


def attention(name: str, kind: str, size: int) -> Shapes:
    """Yield a residual attention."""
    yield f"{name}.{kind}.in_proj_weight", (3 * size, size)
    yield f"{name}.{kind}.in_proj_bias", (3 * size,)
    yield from layer(f"{name}.{kind}.out_proj", size, size)
    yield from norm(f"{name}.norm", size)


def perceptron(name: str, size: int, units: int) -> Shapes:
    """Yield a residual perceptron."""
    yield from layer(f"{name}.linear1", units, size)
    yield from layer(f"{name}.linear2", size, units)
    yield from norm(f"{name}.norm", size)


def drawn(shapes: Shapes, seed: int) -> dict[str, Tensor]:
    """Return random weights in double precision, of sizes that neither vanish nor explode."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes:
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        inputs = values[0].numel() if values.ndim > 1 else 1
        values *= 1 / max(inputs, 1) ** 0.5 if inputs > 1 else 0.2
        if name.endswith(("norm.weight", "norm1.weight", "norm2.weight", "gamma1", "gamma2", "running_var")):
            values = values.abs() + 0.7
        if name.endswith(
            ("in_proj_weight", "qkv.weight", "bias_table", "query_feat.weight", "attention_weights.weight")
        ):
            # Attention that chooses, or it would make little difference what is seen.
            values *= 2
        state[name] = values
    return state
