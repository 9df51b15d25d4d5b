"""What a released state dict is: its family from the names, its sizes from the shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from torch import Tensor

from entityseg.baselines import _hf
from entityseg.baselines.checkpoints.backbones import backbone_config
from entityseg.baselines.checkpoints.official import BACKBONE, PIXELS, PREDICTOR
from entityseg.baselines.checkpoints.shapes import REMEDY, Shapes
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


class Options(TypedDict, total=False):
    """The fields of `Unseen`, as named arguments."""

    task: str | None
    heads: int | None
    association_heads: int | None
    pre_norm: bool | None
    gate_scale: float | None


@dataclass(frozen=True)
class Unseen:
    """What no shape tells; what is None is taken as it is in every released configuration.

    Attributes:
        task: what the classes mean; None: told by their number.
        heads: attention heads of the decoders; None: as many as the pixel decoder's, for the release has one setting
            for both.
        association_heads: of CropFormer's association; None: as many as the decoders'.
        pre_norm: whether normalisation stands before the blocks; None: it does not.
        gate_scale: what a HorNet's gates are scaled by; None: 1/3.
    """

    task: str | None = None
    heads: int | None = None
    association_heads: int | None = None
    pre_norm: bool | None = None
    gate_scale: float | None = None


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
    state: Mapping[str, Tensor], family: str, file: str, given: Unseen = Unseen()
) -> SegmenterConfig:
    """Return the configuration that the shapes of a released state dict tell.

    Args:
        state: tensors under normalised names.
        family: `mask2former`, `cropformer` or `vmask2former`.
        file: what to name in findings.
        given: what shapes do not tell.

    Raises:
        InputError: a weight is missing or has an impossible shape.
        UsageError: heads do not divide the channels, the number of classes does not tell the task, or something is
            given that the model does not have.
    """
    shapes = Shapes(state, file)
    backbone = backbone_config(shapes, BACKBONE, given.gate_scale)
    queries, hidden = shapes.of(f"{PREDICTOR}query_feat.weight", 2)
    head = f"{PREDICTOR}class_embed.weight"
    classes = shapes.of(head, 2)[0] - 1
    if classes < 1:
        message = 'the head has no class beside "no object"'
        raise input_error("checkpoint.shape", message, REMEDY, file=file, record=head)
    layer = f"{PIXELS}transformer.encoder.layers.0"
    pixel_heads = _pixel_heads(shapes, f"{layer}.self_attn.attention_weights.weight")
    sizes: dict[str, Any] = {
        "backbone_config": backbone,
        "queries": queries,
        "hidden_size": hidden,
        "heads": pixel_heads if given.heads is None else given.heads,
        "ffn": shapes.of(f"{PREDICTOR}transformer_ffn_layers.0.linear1.weight", 2)[0],
        "decoder_layers": shapes.count(f"{PREDICTOR}transformer_ffn_layers."),
        "input_projection": shapes.has(f"{PREDICTOR}input_proj."),
        "pixel_size": shapes.of(f"{PIXELS}input_proj.0.0.weight", 4)[0],
        "mask_size": shapes.of(f"{PIXELS}mask_features.weight", 4)[0],
        "pixel_layers": shapes.count(f"{PIXELS}transformer.encoder.layers."),
        "pixel_heads": pixel_heads,
        "pixel_ffn": shapes.of(f"{layer}.linear1.weight", 2)[0],
        "task": given.task or _task(classes),
        "pre_norm": bool(given.pre_norm),
        "id2label": {0: "entity"} if classes == 1 else {index: str(index) for index in range(classes)},
    }
    if family == "cropformer":
        sizes |= _association(shapes) | {"association_heads": given.association_heads}
    elif given.association_heads is not None:
        message, remedy = f"a {family} has no association", "Leave it out."
        raise usage_error("checkpoint.option", message, remedy, file=file, field="association_heads")
    for name in ("heads", "association_heads"):
        count = sizes.get(name)
        if count is not None and (count < 1 or hidden % count):
            message = f"{hidden} channels cannot be shared by {count} attention heads"
            remedy = f"Say how many there are with `--{name.replace('_', '-')}`."
            raise usage_error("checkpoint.heads", message, remedy, file=file, field=name, value=count)
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


def _pixel_heads(shapes: Shapes, name: str) -> int:
    """Return the heads of the deformable attention, which has a weight for each point of each level of each."""
    rows, each = shapes.of(name, 2)[0], _hf.LEVELS * _hf.POINTS
    if rows % each:
        message = f"{rows} rows are no multiple of {each} (levels x points of the deformable attention)"
        remedy = "Only models of 3 feature levels and 4 points can be converted."
        raise input_error("checkpoint.shape", message, remedy, file=shapes.file, record=name)
    return rows // each


def _association(shapes: Shapes) -> dict[str, Any]:
    start = f"{PREDICTOR}make_3d."
    parts = {"cross": "enc_crosattn_3d.", "self": "enc_selfattn_3d.", "ffn": "enc_ffn_3d."}
    counts = {part: shapes.count(start + name) for part, name in parts.items()}
    found: dict[str, Any] = {f"association_{part}": count > 0 for part, count in counts.items()}
    found["association_layers"] = max(counts.values())
    if counts["ffn"]:
        found["association_units"] = shapes.of(f"{start}{parts['ffn']}0.linear1.weight", 2)[0]
    return found
