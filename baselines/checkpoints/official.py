"""The released key layout, weight by weight: what a name of the authors' code is called in our models.

A layout is a list of links, written down once, so that it can be followed either way: `models convert` reads
released files by it, and the tests write files in the released layout by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from entityseg.baselines import _hf
from entityseg.baselines.models.config import SegmenterConfig

BACKBONE = "backbone."
PIXELS = "sem_seg_head.pixel_decoder."
PREDICTOR = "sem_seg_head.predictor."
_OURS_BACKBONE = "pixels.backbone.body."
_OURS_PIXELS = "pixels.decoder."


@dataclass(frozen=True)
class Link:
    """One tensor of a released file and its place with us.

    Attributes:
        official: its name in the released layout.
        ours: its name in the model; several names if the released tensor stacks theirs along its first axis.
    """

    official: str
    ours: tuple[str, ...]

    def split(self, tensor: Tensor) -> dict[str, Tensor]:
        """Return our tensors of the released one."""
        return dict(zip(self.ours, tensor.chunk(len(self.ours)), strict=True))

    def join(self, state: Mapping[str, Tensor]) -> Tensor:
        """Return the released tensor of ours."""
        return torch.cat([state[name] for name in self.ours])


def links(config: SegmenterConfig, *, association: bool) -> list[Link]:
    """Return the whole layout of a model.

    Args:
        config: its sizes.
        association: with CropFormer's association module.
    """
    found = [
        *_prefixed(backbone_links(config.backbone_config), BACKBONE, _OURS_BACKBONE),
        *_prefixed(_pixel_decoder(config), PIXELS, _OURS_PIXELS),
        *_prefixed(_predictor(config), PREDICTOR, ""),
    ]
    if association:
        found.extend(_prefixed(_association(config), f"{PREDICTOR}make_3d.", "association."))
    return found


def backbone_links(config: PreTrainedConfig) -> Iterator[Link]:
    """Return the layout of a backbone, without what stands before its names in a whole model."""
    return {"swin": _swin, "resnet": _resnet, "hornet": _hornet}[config.model_type](config)


def to_official(state: Mapping[str, Tensor], layout: Iterable[Link]) -> dict[str, Tensor]:
    """Return a model's weights under their released names."""
    return {link.official: link.join(state) for link in layout}


def _prefixed(found: Iterable[Link], official: str, ours: str) -> Iterator[Link]:
    for link in found:
        yield Link(official + link.official, tuple(ours + name for name in link.ours))


def _layer(official: str, ours: str, *kinds: str) -> Iterator[Link]:
    """Yield the links of a layer's tensors, by default weight and bias."""
    for kind in kinds or ("weight", "bias"):
        yield Link(f"{official}.{kind}", (f"{ours}.{kind}",))


def _swin(config: PreTrainedConfig) -> Iterator[Link]:
    yield from _layer("patch_embed.proj", "swin.embeddings.patch_embeddings.projection")
    yield from _layer("patch_embed.norm", "swin.embeddings.norm")
    for stage, depth in enumerate(config.depths):
        for block in range(depth):
            there = f"layers.{stage}.blocks.{block}"
            here = f"swin.encoder.{there}"
            yield from _layer(f"{there}.norm1", f"{here}.layernorm_before")
            yield from _layer(f"{there}.norm2", f"{here}.layernorm_after")
            yield Link(
                f"{there}.attn.relative_position_bias_table",
                (f"{here}.attention.relative_position_bias.relative_position_bias_table",),
            )
            for kind in ("weight", "bias"):
                names = tuple(f"{here}.attention.{part}_proj.{kind}" for part in "qkv")
                yield Link(f"{there}.attn.qkv.{kind}", names)
            yield from _layer(f"{there}.attn.proj", f"{here}.attention.o_proj")
            yield from _layer(f"{there}.mlp.fc1", f"{here}.mlp.fc1")
            yield from _layer(f"{there}.mlp.fc2", f"{here}.mlp.fc2")
        if stage < len(config.depths) - 1:
            there = f"layers.{stage}.downsample"
            yield from _layer(f"{there}.reduction", f"swin.encoder.{there}.reduction", "weight")
            yield from _layer(f"{there}.norm", f"swin.encoder.{there}.norm")
        yield from _layer(f"norm{stage}", f"hidden_states_norms.stage{stage + 1}")


def _resnet(config: PreTrainedConfig) -> Iterator[Link]:
    def convolution(official: str, ours: str) -> Iterator[Link]:
        yield from _layer(official, f"{ours}.convolution", "weight")
        statistics = ("weight", "bias", "running_mean", "running_var")
        yield from _layer(f"{official}.norm", f"{ours}.normalization", *statistics)

    yield from convolution("stem.conv1", "embedder.embedder")
    narrow = config.embedding_size
    for stage, (depth, wide) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
        for block in range(depth):
            there, here = f"res{stage + 2}.{block}", f"encoder.stages.{stage}.layers.{block}"
            # The first stage keeps the resolution: its first block needs a shortcut only for more channels.
            if block == 0 and (stage > 0 or narrow != wide):
                yield from convolution(f"{there}.shortcut", f"{here}.shortcut")
            for place in range(3):
                yield from convolution(f"{there}.conv{place + 1}", f"{here}.layer.{place}")
        narrow = wide


def _hornet(config: PreTrainedConfig) -> Iterator[Link]:
    for stage, (depth, order, size) in enumerate(
        zip(config.depths, config.orders, config.filters, strict=True)
    ):
        for place in range(2):
            yield from _layer(f"downsample_layers.{stage}.{place}", f"entries.{stage}.{place}")
        for block in range(depth):
            name = f"stages.{stage}.{block}"
            yield Link(f"{name}.gamma1", (f"{name}.scale_mix",))
            yield Link(f"{name}.gamma2", (f"{name}.scale_perceptron",))
            yield from _layer(f"{name}.norm1", f"{name}.norm_mix")
            yield from _layer(f"{name}.norm2", f"{name}.norm_perceptron")
            yield from _layer(f"{name}.pwconv1", f"{name}.inner")
            yield from _layer(f"{name}.pwconv2", f"{name}.outer")
            yield from _layer(f"{name}.gnconv.proj_in", f"{name}.mix.enter")
            yield from _layer(f"{name}.gnconv.proj_out", f"{name}.mix.leave")
            for gate in range(order - 1):
                yield from _layer(f"{name}.gnconv.pws.{gate}", f"{name}.mix.widen.{gate}")
            there, here = f"{name}.gnconv.dwconv", f"{name}.mix.spread"
            if size is None:
                yield from _layer(there, here)
            else:
                yield Link(f"{there}.complex_weight", (f"{here}.spectrum",))
                yield from _layer(f"{there}.dw", f"{here}.local", "weight")
                yield from _layer(f"{there}.pre_norm", f"{here}.norm_in")
                yield from _layer(f"{there}.post_norm", f"{here}.norm_out")
        yield from _layer(f"norm{stage}", f"norms.{stage}")


def _pixel_decoder(config: SegmenterConfig) -> Iterator[Link]:
    yield Link("transformer.level_embed", ("level_embed",))
    for level in range(_hf.LEVELS):
        for place in range(2):
            yield from _layer(f"input_proj.{level}.{place}", f"input_projections.{level}.{place}")
    for layer in range(config.pixel_layers):
        there, here = f"transformer.encoder.layers.{layer}", f"encoder.layers.{layer}"
        for part in ("sampling_offsets", "attention_weights", "value_proj", "output_proj"):
            yield from _layer(f"{there}.self_attn.{part}", f"{here}.self_attn.{part}")
        yield from _layer(f"{there}.norm1", f"{here}.self_attn_layer_norm")
        yield from _layer(f"{there}.linear1", f"{here}.fc1")
        yield from _layer(f"{there}.linear2", f"{here}.fc2")
        yield from _layer(f"{there}.norm2", f"{here}.final_layer_norm")
    yield from _layer("mask_features", "mask_projection")
    for name in ("adapter_1", "layer_1"):
        yield from _layer(name, f"{name}.0", "weight")
        yield from _layer(f"{name}.norm", f"{name}.1")


def _predictor(config: SegmenterConfig) -> Iterator[Link]:
    yield from _layer("query_feat", "query_features", "weight")
    yield from _layer("query_embed", "query_positions", "weight")
    yield from _layer("level_embed", "memory.level_code", "weight")
    if config.projects_input:
        for level in range(_hf.LEVELS):
            yield from _layer(f"input_proj.{level}", f"memory.projections.{level}")
    for layer in range(config.decoder_layers):
        here = f"image_decoder.layers.{layer}"
        yield from _cross(f"transformer_cross_attention_layers.{layer}", f"{here}.cross")
        yield from _self(f"transformer_self_attention_layers.{layer}", f"{here}.own")
        yield from _feed_forward(f"transformer_ffn_layers.{layer}", f"{here}.feed_forward")
    yield from _layer("decoder_norm", "image_decoder.head.norm")
    yield from _layer("class_embed", "image_decoder.head.classes")
    for layer in range(3):
        # With us, activations stand between them.
        yield from _layer(f"mask_embed.layers.{layer}", f"image_decoder.head.masks.{2 * layer}")


def _association(config: SegmenterConfig) -> Iterator[Link]:
    for layer in range(config.association_layers):
        if config.association_cross:
            yield from _cross(f"enc_crosattn_3d.{layer}", f"cross.{layer}")
        if config.association_self:
            yield from _self(f"enc_selfattn_3d.{layer}", f"own.{layer}")
        if config.association_ffn:
            yield from _feed_forward(f"enc_ffn_3d.{layer}", f"feed_forward.{layer}")


def _cross(official: str, ours: str) -> Iterator[Link]:
    yield from _attention(f"{official}.multihead_attn", f"{ours}.attention")
    yield from _layer(f"{official}.norm", f"{ours}.norm")


def _self(official: str, ours: str) -> Iterator[Link]:
    yield from _attention(f"{official}.self_attn", f"{ours}.attention")
    yield from _layer(f"{official}.norm", f"{ours}.norm")


def _attention(official: str, ours: str) -> Iterator[Link]:
    for kind in ("weight", "bias"):
        names = tuple(f"{ours}.{part}.{kind}" for part in ("query", "key", "value"))
        yield Link(f"{official}.in_proj_{kind}", names)
    yield from _layer(f"{official}.out_proj", f"{ours}.output")


def _feed_forward(official: str, ours: str) -> Iterator[Link]:
    yield from _layer(f"{official}.linear1", f"{ours}.inner")
    yield from _layer(f"{official}.linear2", f"{ours}.outer")
    yield from _layer(f"{official}.norm", f"{ours}.norm")
