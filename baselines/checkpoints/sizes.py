"""What a released state dict is: its family from the names, its sizes from the shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from entityseg.baselines import _hf
from entityseg.baselines.checkpoints.official import BACKBONE, PIXELS, PREDICTOR
from entityseg.baselines.models.config import SegmenterConfig
from entityseg.errors import InputError, UsageError, input_error, usage_error

# Classes of the releases (EntitySeg, COCO, ADE20K) and what they are for.
_TASKS = {1: "entity", 206: "instance", 350: "panoptic", 80: "instance", 133: "panoptic", 150: "semantic"}
# Beginnings of names that tell another program's file.
_OTHERS = {
    "vita_module.": "VITA of its authors, whose layout is not supported",
    "model.pixel_level_module.": "a Mask2Former of transformers' hub, not a released file",
    "roi_heads.": "a detectron2 model with RoI heads, such as Mask R-CNN",
    "image_encoder.": "a Segment Anything model",
    "pixels.": "a model of entityseg already; load its folder",
}


class Shapes:
    """Shapes of a state dict by name; what is asked for and not there becomes a finding.

    Args:
        state: the tensors.
        file: what to name in findings.
    """

    def __init__(self, state: Mapping[str, Tensor], file: str) -> None:
        self._shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        self._file = file

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def has(self, prefix: str) -> bool:
        """Return whether a name begins with this."""
        return any(name.startswith(prefix) for name in self._shapes)

    def of(self, name: str, axes: int) -> tuple[int, ...]:
        """Return the shape of a tensor.

        Raises:
            InputError: it is not there, or has another number of axes, or none of some.
        """
        shape = self._shapes.get(name)
        if shape is None:
            message = "the file lacks a weight that every model of its kind has"
            remedy = "Download the file again; if it is whole, it is no released model of this family."
            raise input_error("checkpoint.missing", message, remedy, file=self._file, record=name)
        if len(shape) != axes or 0 in shape:
            message = f"a weight has shape {shape}, where {axes} axes are due"
            remedy = "Download the file again; if it is whole, it is no released model of this family."
            raise input_error("checkpoint.shape", message, remedy, file=self._file, record=name)
        return shape

    def count(self, prefix: str) -> int:
        """Return how many numbers follow a prefix in the names, from 0 without a gap.

        >>> from torch import zeros
        >>> Shapes({"layers.0.weight": zeros(1), "layers.1.weight": zeros(1)}, "a.pth").count("layers.")
        2
        """
        pattern = re.compile(re.escape(prefix) + r"(\d+)\.")
        found = {int(match[1]) for name in self._shapes if (match := pattern.match(name))}
        return next(number for number in range(len(found) + 1) if number not in found)


def find_family(state: Mapping[str, Tensor], file: str) -> str:
    """Return the family of a released state dict.

    Raises:
        InputError: it is of none that can be converted.
    """
    if any(name.startswith(f"{PREDICTOR}make_3d.") for name in state):
        return "cropformer"
    if f"{PREDICTOR}query_feat.weight" in state and any(name.startswith(PIXELS) for name in state):
        return "mask2former"
    known = next((text for start, text in _OTHERS.items() if any(n.startswith(start) for n in state)), None)
    starts = ", ".join(sorted({name.split(".")[0] for name in state})[:8])
    message = f"the names are not those of a released Mask2Former or CropFormer (they begin with: {starts})"
    if known:
        message = f"this is {known}"
    remedy = (
        "Give a file of CropFormer's or Mask2Former's release, with `backbone.` and `sem_seg_head.` inside."
    )
    raise input_error("checkpoint.family", message, remedy, file=file)


def find_sizes(
    state: Mapping[str, Tensor], family: str, file: str, *, heads: int | None = None, task: str | None = None
) -> SegmenterConfig:
    """Return the configuration that the shapes of a released state dict tell.

    Three things no shape tells. The decoders' attention heads are taken to be as many as the pixel decoder's, as in
    every released configuration, if not given; normalisation is taken to stand behind the blocks; and a HorNet's
    gates to be scaled by 1/3.

    Args:
        state: tensors under normalised names.
        family: `mask2former`, `cropformer` or `vmask2former`.
        file: what to name in findings.
        heads: attention heads of the decoders.
        task: what the classes mean; None: told by their number.

    Raises:
        InputError: a weight is missing or has an impossible shape.
        UsageError: the heads do not divide the channels, or the number of classes does not tell the task.
    """
    shapes = Shapes(state, file)
    queries, hidden = shapes.of(f"{PREDICTOR}query_feat.weight", 2)
    classes = shapes.of(f"{PREDICTOR}class_embed.weight", 2)[0] - 1
    if classes < 1:
        message, remedy = (
            'the head has no class beside "no object"',
            "Take a file as the authors released it.",
        )
        raise input_error(
            "checkpoint.shape", message, remedy, file=file, record=f"{PREDICTOR}class_embed.weight"
        )
    pixel_size = shapes.of(f"{PIXELS}input_proj.0.0.weight", 4)[0]
    layer = f"{PIXELS}transformer.encoder.layers.0"
    rows = shapes.of(f"{layer}.self_attn.attention_weights.weight", 2)[0]
    pixel_heads = _divided(rows, _hf.LEVELS * _hf.POINTS, f"{layer}.self_attn.attention_weights.weight", file)
    sizes: dict[str, Any] = {
        "backbone_config": _backbone(shapes, file),
        "queries": queries,
        "hidden_size": hidden,
        "heads": pixel_heads if heads is None else heads,
        "ffn": shapes.of(f"{PREDICTOR}transformer_ffn_layers.0.linear1.weight", 2)[0],
        "decoder_layers": shapes.count(f"{PREDICTOR}transformer_ffn_layers."),
        "input_projection": shapes.has(f"{PREDICTOR}input_proj."),
        "pixel_size": pixel_size,
        "mask_size": shapes.of(f"{PIXELS}mask_features.weight", 4)[0],
        "pixel_layers": shapes.count(f"{PIXELS}transformer.encoder.layers."),
        "pixel_heads": pixel_heads,
        "pixel_ffn": shapes.of(f"{layer}.linear1.weight", 2)[0],
        "task": task or _task(classes),
        "id2label": {0: "entity"} if classes == 1 else {index: str(index) for index in range(classes)},
    }
    if family == "cropformer":
        sizes |= _association(shapes)
    if sizes["heads"] < 1 or hidden % sizes["heads"]:
        message = f"{hidden} channels cannot be shared by {sizes['heads']} attention heads"
        remedy = "Say how many heads the decoders have with `--heads`."
        raise usage_error("checkpoint.heads", message, remedy, file=file, field="heads", value=sizes["heads"])
    try:
        return SegmenterConfig(**sizes)
    except UsageError as error:
        # Not the caller's doing: the file's shapes say so.
        raise InputError(replace(finding, file=file) for finding in error.findings) from None


def _task(classes: int) -> str:
    if classes not in _TASKS:
        message = f"{classes} classes do not tell what they are for"
        remedy = "Say it with `--task`: entity, instance, semantic or panoptic."
        raise usage_error("checkpoint.task", message, remedy, field="task", value=classes)
    return _TASKS[classes]


def _divided(rows: int, by: int, name: str, file: str) -> int:
    if rows % by:
        message = f"{rows} rows are no multiple of {by} (levels x points of the deformable attention)"
        remedy = "Only models of 3 feature levels and 4 points can be converted."
        raise input_error("checkpoint.shape", message, remedy, file=file, record=name)
    return rows // by


def _association(shapes: Shapes) -> dict[str, Any]:
    start = f"{PREDICTOR}make_3d."
    parts = {"cross": "enc_crosattn_3d.", "self": "enc_selfattn_3d.", "ffn": "enc_ffn_3d."}
    counts = {part: shapes.count(start + name) for part, name in parts.items()}
    found: dict[str, Any] = {f"association_{part}": count > 0 for part, count in counts.items()}
    found["association_layers"] = max(counts.values())
    if counts["ffn"]:
        found["association_units"] = shapes.of(f"{start}{parts['ffn']}0.linear1.weight", 2)[0]
    return found


def _backbone(shapes: Shapes, file: str) -> dict[str, Any]:
    if shapes.has(f"{BACKBONE}patch_embed."):
        return _swin(shapes, file)
    if shapes.has(f"{BACKBONE}stem."):
        return _resnet(shapes)
    if shapes.has(f"{BACKBONE}downsample_layers."):
        return _hornet(shapes)
    message = "the backbone is none of Swin, ResNet and HorNet"
    remedy = "Give a file of CropFormer's or Mask2Former's release."
    raise input_error("checkpoint.backbone", message, remedy, file=file, record=BACKBONE)


def _swin(shapes: Shapes, file: str) -> dict[str, Any]:
    stages = shapes.count(f"{BACKBONE}layers.")
    depths = [shapes.count(f"{BACKBONE}layers.{stage}.blocks.") for stage in range(stages)]
    channels, _, patch, _ = shapes.of(f"{BACKBONE}patch_embed.proj.weight", 4)
    heads, windows = [], set()
    for stage in range(stages):
        name = f"{BACKBONE}layers.{stage}.blocks.0.attn.relative_position_bias_table"
        places, count = shapes.of(name, 2)
        heads.append(count)
        windows.add((math.isqrt(places) + 1) // 2)
    name = f"{BACKBONE}layers.0.blocks.0"
    # A Swin has four stages here: the pixel decoder takes strides 4 to 32.
    if stages != 4 or len(windows) != 1 or patch != 4:
        message = f"a Swin with {stages} stages, windows {sorted(windows)} and patches of {patch}"
        remedy = "Only four stages, one window size and patches of 4 can be converted."
        raise input_error("checkpoint.backbone", message, remedy, file=file, record=BACKBONE)
    return {
        "model_type": "swin",
        "embed_dim": channels,
        "depths": depths,
        "num_heads": heads,
        "window_size": windows.pop(),
        "mlp_ratio": shapes.of(f"{name}.mlp.fc1.weight", 2)[0] / channels,
        "drop_path_rate": 0.3,
    }


def _resnet(shapes: Shapes) -> dict[str, Any]:
    return {
        "model_type": "resnet",
        "embedding_size": shapes.of(f"{BACKBONE}stem.conv1.weight", 4)[0],
        "hidden_sizes": [shapes.of(f"{BACKBONE}res{stage}.0.conv3.weight", 4)[0] for stage in range(2, 6)],
        "depths": [shapes.count(f"{BACKBONE}res{stage}.") for stage in range(2, 6)],
    }


def _hornet(shapes: Shapes) -> dict[str, Any]:
    depths, orders, filters = [], [], []
    for stage in range(4):
        name = f"{BACKBONE}stages.{stage}"
        depths.append(shapes.count(f"{name}."))
        orders.append(shapes.count(f"{name}.0.gnconv.pws.") + 1)
        spectrum = f"{name}.0.gnconv.dwconv.complex_weight"
        filters.append(list(shapes.of(spectrum, 4)[1:3]) if spectrum in shapes else None)
    return {
        "model_type": "hornet",
        "embed_dim": shapes.of(f"{BACKBONE}downsample_layers.0.0.weight", 4)[0],
        "depths": depths,
        "orders": orders,
        "filters": filters,
    }
