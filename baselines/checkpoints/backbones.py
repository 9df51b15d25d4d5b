"""Sizes of a backbone, told by the names and shapes of a released state dict."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from transformers import PreTrainedConfig

from entityseg.baselines.checkpoints.shapes import Shapes
from entityseg.baselines.models.config import SegmenterConfig
from entityseg.errors import InputError, UsageError, input_error, usage_error

# A block keeps a table of window^4 indices beside its weights: a file may not ask for what it does not hold.
_WIDEST = 32
_STAGES = 4


def backbone_kind(shapes: Shapes, prefix: str) -> str | None:
    """Return `swin`, `resnet` or `hornet` by the names behind a prefix; None: it is another one."""
    if shapes.has(f"{prefix}layers.0.blocks."):
        return "swin"
    if shapes.has(f"{prefix}stem."):
        return "resnet"
    # A ConvNeXt's stages have the same names, and no gated convolution.
    return "hornet" if shapes.has(f"{prefix}stages.0.0.gnconv.") else None


def backbone_config(shapes: Shapes, prefix: str, gate_scale: float | None = None) -> PreTrainedConfig:
    """Return the configuration of a backbone.

    Args:
        shapes: of the whole state dict.
        prefix: what stands before the backbone's names.
        gate_scale: what a HorNet's gates are scaled by, which no shape tells; None: 1/3, as in every released file.

    Raises:
        InputError: it is another backbone, a weight is missing or has an impossible shape.
        UsageError: a scale that makes no sense, or for a backbone without gates.
    """
    kind = backbone_kind(shapes, prefix)
    if kind is None:
        message = "the backbone is none of Swin, ResNet and HorNet"
        raise _unknown(message, "Give a file of CropFormer's or Mask2Former's release.", shapes, prefix)
    sizes = {"swin": _swin, "resnet": _resnet, "hornet": _hornet}[kind](shapes, prefix)
    if gate_scale is not None:
        if kind != "hornet" or not 0 < gate_scale < math.inf:
            message, remedy = (
                f"a {kind} has no such scale",
                "Give a number above 0 for a HorNet, or leave it out.",
            )
            raise usage_error("checkpoint.option", message, remedy, field="gate_scale", value=gate_scale)
        sizes["gate_scale"] = gate_scale
    try:
        return SegmenterConfig(backbone_config={"model_type": kind, **sizes}).backbone_config
    except UsageError as error:
        # Not the caller's doing: the file's shapes say so.
        raise InputError(replace(finding, file=shapes.file) for finding in error.findings) from None


def _swin(shapes: Shapes, prefix: str) -> dict[str, Any]:
    channels, _, patch, _ = shapes.of(f"{prefix}patch_embed.proj.weight", 4)
    stages = shapes.count(f"{prefix}layers.")
    # A Swin has four stages here: the pixel decoder takes strides 4 to 32.
    if stages != _STAGES or patch != 4:
        message = f"a Swin with {stages} stages and patches of {patch}"
        raise _unknown(message, "Only four stages and patches of 4 can be converted.", shapes, prefix)
    heads, windows = [], set()
    for stage in range(stages):
        name = f"{prefix}layers.{stage}.blocks.0.attn.relative_position_bias_table"
        places, count = shapes.of(name, 2)
        heads.append(count)
        windows.add((math.isqrt(places) + 1) / 2 if math.isqrt(places) ** 2 == places else 0.0)
    window = windows.pop()
    if windows or not window.is_integer() or not 1 <= window <= _WIDEST:
        message = "the tables of relative positions are not those of one window size"
        remedy = f"Only a Swin with windows of one size, up to {_WIDEST}, can be converted."
        raise _unknown(message, remedy, shapes, prefix)
    units = shapes.of(f"{prefix}layers.0.blocks.0.mlp.fc1.weight", 2)[0]
    return {
        "embed_dim": channels,
        "depths": [shapes.count(f"{prefix}layers.{stage}.blocks.") for stage in range(stages)],
        "num_heads": heads,
        "window_size": int(window),
        "mlp_ratio": units / channels,
        "drop_path_rate": 0.3,
    }


def _resnet(shapes: Shapes, prefix: str) -> dict[str, Any]:
    stages = [f"{prefix}res{stage}." for stage in range(2, 2 + _STAGES)]
    return {
        "embedding_size": shapes.of(f"{prefix}stem.conv1.weight", 4)[0],
        "hidden_sizes": [shapes.of(f"{stage}0.conv3.weight", 4)[0] for stage in stages],
        "depths": [shapes.count(stage) for stage in stages],
    }


def _hornet(shapes: Shapes, prefix: str) -> dict[str, Any]:
    depths, orders, filters = [], [], []
    for stage in range(_STAGES):
        name = f"{prefix}stages.{stage}"
        depths.append(shapes.count(f"{name}."))
        orders.append(shapes.count(f"{name}.0.gnconv.pws.") + 1)
        spectrum = f"{name}.0.gnconv.dwconv.complex_weight"
        filters.append(list(shapes.of(spectrum, 4)[1:3]) if spectrum in shapes else None)
    return {
        "embed_dim": shapes.of(f"{prefix}downsample_layers.0.0.weight", 4)[0],
        "depths": depths,
        "orders": orders,
        "filters": filters,
    }


def _unknown(message: str, remedy: str, shapes: Shapes, prefix: str) -> InputError:
    return input_error("checkpoint.backbone", message, remedy, file=shapes.file, record=prefix or None)
