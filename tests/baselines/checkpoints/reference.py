"""What the released networks compute, written down once more from papers and released code, for the tests alone.

Everything is a function of a state dict under released names, in double precision, of one image in T views.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as f


@dataclass(frozen=True)
class Told:
    """What the released configuration says and no shape."""

    heads: int = 4
    association_heads: int = 4
    pre_norm: bool = False
    gate_scale: float = 1 / 3


class Weights:
    """Weights under a prefix."""

    def __init__(self, state: Mapping[str, Tensor], prefix: str = "") -> None:
        self.state, self.prefix = state, prefix

    def __call__(self, name: str) -> Weights:
        return Weights(self.state, f"{self.prefix}{name}.")

    def __getitem__(self, name: str) -> Tensor:
        return self.state[self.prefix + name]

    def __contains__(self, name: str) -> bool:
        return any(key.startswith(f"{self.prefix}{name}") for key in self.state)

    def count(self, name: str) -> int:
        found = 0
        while f"{name}.{found}." in self:
            found += 1
        return found

    def bias(self) -> Tensor | None:
        return self.state.get(f"{self.prefix}bias")

    def linear(self, x: Tensor) -> Tensor:
        return f.linear(x, self["weight"], self.bias())

    def convolve(self, x: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Tensor:
        return f.conv2d(x, self["weight"], self.bias(), stride, padding, 1, groups)

    def norm(self, x: Tensor, eps: float = 1e-5) -> Tensor:
        return f.layer_norm(x, x.shape[-1:], self["weight"], self["bias"], eps)

    def norm_maps(self, x: Tensor, eps: float) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1), eps).permute(0, 3, 1, 2)

    def group_norm(self, x: Tensor) -> Tensor:
        return f.group_norm(x, 32, self["weight"], self["bias"])


# --- backbones: a list of maps at strides 4, 8, 16, 32 ---


def swin(w: Weights, pixels: Tensor) -> list[Tensor]:
    x = w("patch_embed.proj").convolve(pixels, 4).permute(0, 2, 3, 1)
    x = w("patch_embed.norm").norm(x)
    maps = []
    for stage in range(4):
        blocks = w(f"layers.{stage}")
        for block in range(blocks.count("blocks")):
            x = swin_block(blocks(f"blocks.{block}"), x, shifted=block % 2 == 1)
        maps.append(w(f"norm{stage}").norm(x).permute(0, 3, 1, 2))
        if stage < 3:
            down = blocks("downsample")
            x = f.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
            corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
            x = down("norm").norm(torch.cat(corners, -1)) @ down["reduction.weight"].T
    return maps


def swin_block(w: Weights, x: Tensor, shifted: bool) -> Tensor:
    table = w["attn.relative_position_bias_table"]
    heads, side = table.shape[1], (math.isqrt(len(table)) + 1) // 2
    height, width = x.shape[1:3]
    shift = side // 2 if shifted else 0
    y = f.pad(w("norm1").norm(x), (0, 0, 0, -width % side, 0, -height % side))
    rows, columns = y.shape[1:3]
    region = _regions(rows, side, shift)[:, None] * 3 + _regions(columns, side, shift)
    y = y.roll((-shift, -shift), (1, 2))
    tokens = _windows(y, side)
    place = _windows(region[None, :, :, None].to(torch.int64), side)[..., 0]
    apart = (place[:, :, None] != place[:, None, :])[:, None] * -100.0
    grid = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    offset = grid[:, None] - grid[None] + side - 1
    bias = table[offset[..., 0] * (2 * side - 1) + offset[..., 1]].permute(2, 0, 1)
    query, key, value = (
        one.unflatten(-1, (heads, -1)).transpose(1, 2) for one in w("attn.qkv").linear(tokens).chunk(3, -1)
    )
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
    scores = (scores.unflatten(0, (-1, len(place))) + apart).flatten(0, 1)
    found = w("attn.proj").linear((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))
    found = found.reshape(len(x), rows // side, columns // side, side, side, -1).transpose(2, 3).flatten(3, 4)
    found = found.reshape(len(x), rows, columns, -1).roll((shift, shift), (1, 2))
    x = x + found[:, :height, :width]
    return x + w("mlp.fc2").linear(f.gelu(w("mlp.fc1").linear(w("norm2").norm(x))))


def _regions(size: int, side: int, shift: int) -> Tensor:
    """Number places that are neighbours before they are shifted round the edge alike."""
    places = torch.arange(size)
    if not shift:
        return torch.zeros_like(places)
    return (places >= size - side).long() + (places >= size - shift).long()


def _windows(x: Tensor, side: int) -> Tensor:
    batch, rows, columns, size = x.shape
    x = x.reshape(batch, rows // side, side, columns // side, side, size)
    return x.transpose(2, 3).reshape(-1, side * side, size)


def resnet(w: Weights, pixels: Tensor) -> list[Tensor]:
    def convolve(w: Weights, x: Tensor, stride: int = 1) -> Tensor:
        x = f.conv2d(x, w["weight"], None, stride, w["weight"].shape[-1] // 2)
        mean, variance, scale, offset = (
            w[f"norm.{name}"][:, None, None] for name in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(variance + 1e-5) * scale + offset

    x = f.max_pool2d(convolve(w("stem.conv1"), pixels, 2).relu(), 3, 2, 1)
    maps = []
    for stage in range(2, 6):
        for block in range(w.count(f"res{stage}")):
            b = w(f"res{stage}.{block}")
            stride = 2 if stage > 2 and block == 0 else 1
            y = convolve(b("conv2"), convolve(b("conv1"), x).relu(), stride).relu()
            short = convolve(b("shortcut"), x, stride) if "shortcut" in b else x
            x = (convolve(b("conv3"), y) + short).relu()
        maps.append(x)
    return maps


def hornet(w: Weights, pixels: Tensor, scale: float) -> list[Tensor]:
    x, maps = pixels, []
    for stage in range(4):
        entry = w(f"downsample_layers.{stage}")
        if stage == 0:
            x = entry("1").norm_maps(entry("0").convolve(x, 4), 1e-6)
        else:
            x = entry("1").convolve(entry("0").norm_maps(x, 1e-6), 2)
        for block in range(w.count(f"stages.{stage}")):
            b = w(f"stages.{stage}.{block}")
            x = x + b["gamma1"][:, None, None] * gated(b("gnconv"), b("norm1").norm_maps(x, 1e-6), scale)
            y = b("norm2").norm(x.permute(0, 2, 3, 1), 1e-6)
            y = b["gamma2"] * b("pwconv2").linear(f.gelu(b("pwconv1").linear(y)))
            x = x + y.permute(0, 3, 1, 2)
        maps.append(w(f"norm{stage}").norm_maps(x, 1e-6))
    return maps


def gated(w: Weights, x: Tensor, scale: float) -> Tensor:
    size, order = x.shape[1], w.count("pws") + 1
    widths = [size >> step for step in range(order)][::-1]
    first, rest = w("proj_in").convolve(x).split([widths[0], sum(widths)], 1)
    if "dwconv.complex_weight" in w:
        d = w("dwconv")
        near, far = d("pre_norm").norm_maps(rest, 1e-6).chunk(2, 1)
        near = f.conv2d(near, d["dw.weight"], padding=1, groups=near.shape[1])
        waves = torch.fft.rfft2(far, norm="ortho")
        spectrum = d["complex_weight"].permute(3, 0, 1, 2)
        spectrum = f.interpolate(spectrum, size=waves.shape[-2:], mode="bilinear", align_corners=True)
        far = torch.fft.irfft2(waves * torch.complex(*spectrum), s=far.shape[-2:], norm="ortho")
        rest = torch.stack([near, far], 2).flatten(1, 2)
        rest = d("post_norm").norm_maps(rest, 1e-6)
    else:
        rest = w("dwconv").convolve(rest, padding=3, groups=sum(widths))
    gates = (rest * scale).split(widths, 1)
    x = first * gates[0]
    for index, gate in enumerate(gates[1:]):
        x = w(f"pws.{index}").convolve(x) * gate
    return w("proj_out").convolve(x)


# --- pixel decoder ---


def place_code(height: int, width: int, size: int) -> Tensor:
    """Return sines and cosines of row and column, [size, height, width]."""
    y = waves_of(height, size // 2)[:, :, None].expand(-1, -1, width)
    x = waves_of(width, size // 2)[:, None].expand(-1, height, -1)
    return torch.cat([y, x])


def waves_of(count: int, size: int) -> Tensor:
    """Return sines and cosines of places 1 to `count` of a turn, [size, count]; in single precision, as released."""
    places = torch.arange(1, count + 1, dtype=torch.float32)
    turns = places / (places[-1] + 1e-6) * (2 * math.pi)
    lengths = 10000 ** (2 * (torch.arange(size, dtype=torch.float32) // 2) / size)
    angles = turns / lengths[:, None]
    even = torch.arange(size)[:, None] % 2 == 0
    return torch.where(even, angles.sin(), angles.cos()).double()


def pixel_decoder(w: Weights, maps: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Return three maps, coarsest first, and the mask features."""
    coarse = maps[:0:-1]
    levels = [
        w(f"input_proj.{i}.1").group_norm(w(f"input_proj.{i}.0").convolve(one))
        for i, one in enumerate(coarse)
    ]
    sizes = [one.shape[-2:] for one in levels]
    x = torch.cat([one.flatten(2).transpose(1, 2) for one in levels], 1)
    codes = [
        place_code(*size, x.shape[-1]).flatten(1).T + w["transformer.level_embed"][i]
        for i, size in enumerate(sizes)
    ]
    code = torch.cat(codes)
    centres = torch.cat([
        torch.stack(torch.meshgrid(
            (torch.arange(h, dtype=torch.float64) + 0.5) / h, (torch.arange(v, dtype=torch.float64) + 0.5) / v,
            indexing="ij",
        ), -1).flip(-1).reshape(-1, 2)
        for h, v in sizes
    ])  # fmt: skip
    for index in range(w.count("transformer.encoder.layers")):
        b = w(f"transformer.encoder.layers.{index}")
        x = b("norm1").norm(x + deformable(b("self_attn"), x + code, x, centres, sizes))
        x = b("norm2").norm(x + b("linear2").linear(b("linear1").linear(x).relu()))
    parts = x.split([h * v for h, v in sizes], 1)
    found = [part.transpose(1, 2).unflatten(2, size) for part, size in zip(parts, sizes, strict=True)]
    fine = w("adapter_1.norm").group_norm(w("adapter_1").convolve(maps[0]))
    fine = fine + f.interpolate(found[-1], size=fine.shape[-2:], mode="bilinear", align_corners=False)
    fine = w("layer_1.norm").group_norm(w("layer_1").convolve(fine, padding=1)).relu()
    return found, w("mask_features").convolve(fine)


def deformable(
    w: Weights, queries: Tensor, values: Tensor, centres: Tensor, sizes: list[torch.Size]
) -> Tensor:
    batch, count, size = queries.shape
    heads = len(w["attention_weights.weight"]) // 12
    offsets = w("sampling_offsets").linear(queries).reshape(batch, count, heads, 3, 4, 2)
    shares = w("attention_weights").linear(queries).reshape(batch, count, heads, 12).softmax(-1)
    shares = shares.reshape(batch, count, heads, 3, 4)
    values = w("value_proj").linear(values).reshape(batch, count, heads, -1)
    found = torch.zeros(batch, heads, size // heads, count, dtype=queries.dtype)
    begin = 0
    for level, (h, v) in enumerate(sizes):
        grid = values[:, begin : begin + h * v].permute(0, 2, 3, 1).reshape(batch * heads, -1, h, v)
        begin += h * v
        places = centres[:, None, None] + offsets[..., level, :, :] / torch.tensor([v, h])
        places = places.transpose(1, 2).flatten(0, 1) * 2 - 1
        taken = f.grid_sample(grid, places, align_corners=False).unflatten(0, (batch, heads))
        found += (taken * shares[:, :, :, level].transpose(1, 2)[:, :, None]).sum(-1)
    return w("output_proj").linear(found.flatten(1, 2).transpose(1, 2))


# --- decoders ---


def attend(
    w: Weights, query: Tensor, key: Tensor, value: Tensor, heads: int, hidden: Tensor | None
) -> Tensor:
    """Return multi-head attention [N, Q, size]; `hidden` bool [N, Q, L] is what no query sees."""
    weights, biases = w["in_proj_weight"].chunk(3), w["in_proj_bias"].chunk(3)
    q, k, v = (
        f.linear(one, weight, bias).unflatten(-1, (heads, -1)).transpose(1, 2)
        for one, weight, bias in zip((query, key, value), weights, biases, strict=True)
    )
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if hidden is not None:
        scores = scores.masked_fill(hidden[:, None], -math.inf)
    return w("out_proj").linear((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


def block(w: Weights, x: Tensor, pre_norm: bool, step) -> Tensor:
    """Return a residual block with its normalisation before or behind it."""
    return x + step(w("norm").norm(x)) if pre_norm else w("norm").norm(x + step(x))


def decoder_layer(
    w: Weights, index: int, x: Tensor, code: Tensor, keys: Tensor, values: Tensor, hidden: Tensor, told: Told
) -> Tensor:
    b = w(f"transformer_cross_attention_layers.{index}")
    x = block(
        b, x, told.pre_norm, lambda y: attend(b("multihead_attn"), y + code, keys, values, told.heads, hidden)
    )
    return self_and_perceptron(
        w(f"transformer_self_attention_layers.{index}"), w(f"transformer_ffn_layers.{index}"), x, code, told.heads,
        told.pre_norm,
    )  # fmt: skip


def self_and_perceptron(
    own: Weights, forward: Weights, x: Tensor, code: Tensor | float, heads: int, pre_norm: bool
) -> Tensor:
    x = block(own, x, pre_norm, lambda y: attend(own("self_attn"), y + code, y + code, y, heads, None))
    return block(
        forward, x, pre_norm, lambda y: forward("linear2").linear(forward("linear1").linear(y).relu())
    )


def heads_of(w: Weights, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return class logits and mask embeddings."""
    x = w("decoder_norm").norm(x)
    y = w("mask_embed.layers.0").linear(x).relu()
    y = w("mask_embed.layers.2").linear(w("mask_embed.layers.1").linear(y).relu())
    return w("class_embed").linear(x), y


def decode(
    w: Weights, x: Tensor, memory: list[tuple[Tensor, Tensor, torch.Size]], features: Tensor, told: Told
) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits, masks [N, Q, T, H, W] and queries of N batches of T views; features are [N, T, C, H, W]."""
    code = w["query_embed.weight"]
    for index in range(w.count("transformer_ffn_layers")):
        keys, values, size = memory[index % 3]
        masks = torch.einsum("nqc,ntchw->nqthw", heads_of(w, x)[1], features)
        small = f.interpolate(masks.flatten(0, 1), size=size, mode="bilinear", align_corners=False)
        hidden = (small.sigmoid() < 0.5).reshape(*masks.shape[:2], -1)
        hidden = hidden & ~hidden.all(-1, keepdim=True)
        x = decoder_layer(w, index, x, code, keys, values, hidden, told)
    logits, embedding = heads_of(w, x)
    return logits, torch.einsum("nqc,ntchw->nqthw", embedding, features), x


def network(state: Mapping[str, Tensor], pixels: Tensor, told: Told) -> dict[str, Tensor]:
    """Return what a Mask2Former or a CropFormer predicts of views [T, 3, H, W].

    `image_logits` [T, Q, C + 1] and `image_masks` [T, Q, h, w]; with an association, `batch_logits` [1, Q, C + 1] and
    `batch_masks` [1, Q, T, h, w].
    """
    state = {name: one.double() for name, one in state.items() if one.is_floating_point()}
    backbone, w = Weights(state, "backbone."), Weights(state, "sem_seg_head.predictor.")
    if "layers.0" in backbone:
        maps = swin(backbone, pixels)
    else:
        maps = resnet(backbone, pixels) if "stem" in backbone else hornet(backbone, pixels, told.gate_scale)
    levels, features = pixel_decoder(Weights(state, "sem_seg_head.pixel_decoder."), maps)
    memory = []
    for index, one in enumerate(levels):
        y = w(f"input_proj.{index}").convolve(one) if f"input_proj.{index}" in w else one
        values = y.flatten(2).transpose(1, 2) + w["level_embed.weight"][index]
        memory.append(
            (values + place_code(*one.shape[-2:], values.shape[-1]).flatten(1).T, values, one.shape[-2:])
        )
    views = len(pixels)
    x = w["query_feat.weight"].expand(views, -1, -1)
    logits, masks, x = decode(w, x, memory, features[:, None], told)
    found = {"image_logits": logits, "image_masks": masks[:, :, 0]}
    if "make_3d" not in w:
        return found
    code, a = w["query_embed.weight"], w("make_3d")
    values, y = x.flatten(0, 1)[None], x[:1]
    for index in range(a.count("enc_ffn_3d")):
        b = a(f"enc_crosattn_3d.{index}")
        y = block(b, y, told.pre_norm, lambda z, b=b: attend(
            b("multihead_attn"), z + code, values + code.repeat(views, 1), values, told.association_heads, None
        ))  # fmt: skip
        y = self_and_perceptron(
            a(f"enc_selfattn_3d.{index}"),
            a(f"enc_ffn_3d.{index}"),
            y,
            0.0,
            told.association_heads,
            told.pre_norm,
        )
    view = waves_of(views, values.shape[-1]).T
    joined = [
        ((keys + view[:, None]).flatten(0, 1)[None], one.flatten(0, 1)[None], shape)
        for keys, one, shape in memory
    ]
    logits, masks, _ = decode(w, y, joined, features[None], told)
    return found | {"batch_logits": logits, "batch_masks": masks}
