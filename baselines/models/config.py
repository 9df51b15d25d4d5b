"""The configuration of the four models: sizes, and a switch for every ablation of the papers that is the model's."""

from __future__ import annotations

import math
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig, ResNetConfig, SwinConfig

from entityseg.errors import Findings, UsageError, usage_error

_GROUPS = 32
_STAGES = ["stage1", "stage2", "stage3", "stage4"]
# Far above what any model has; a damaged file must not ask for all memory.
_MOST = 2**16
_MOST_LAYERS = 2**10
TASKS = ("entity", "instance", "semantic", "panoptic")


# Counts of the configuration and the least that each may be.
_COUNTS = {
    "queries": 1,
    "hidden_size": 1,
    "heads": 1,
    "ffn": 1,
    "decoder_layers": 1,
    "pixel_size": 1,
    "mask_size": 1,
    "pixel_layers": 1,
    "pixel_heads": 1,
    "pixel_ffn": 1,
    "association_layers": 0,
    "association_heads": 1,
    "association_units": 1,
    "view_code_views": 1,
    "object_layers": 0,
    "object_window": 0,
    "clip_layers": 1,
    "clip_queries": 1,
    "clip_sources": 1,
}
_OPTIONAL = ("association_heads", "view_code_views", "clip_queries")
_SWITCHES = (
    "pre_norm",
    "input_projection",
    "share_decoders",
    "association_cross",
    "association_self",
    "association_ffn",
    "view_code",
    "freeze_batch_norm",
)
_SHARED = {"heads": "hidden_size", "association_heads": "hidden_size", "pixel_heads": "pixel_size"}


class HorNetConfig(PreTrainedConfig):  # type: ignore[misc]
    """Sizes of a HorNet with global-local filters (Rao et al., HorNet, NeurIPS 2022, section 3.3).

    Args:
        embed_dim: channels of the first stage; each stage doubles them.
        depths: blocks of each stage.
        orders: order of the recursive gated convolution of each stage.
        filters: (height, width) of a stage's global filter in the frequency domain; None where the stage has a
            7 x 7 convolution.
        gate_scale: the convolution's output is multiplied by it. No shape tells it: 1/3 in every released file.
        layer_scale: initial value of the residual scales.
        drop_path_rate: stochastic depth of the last block; linear from 0.
    """

    model_type = "hornet"

    embed_dim: int = 192
    depths: list[int] | tuple[int, ...] = (2, 3, 18, 2)
    orders: list[int] | tuple[int, ...] = (2, 3, 4, 5)
    filters: list[Any] | tuple[Any, ...] = (None, None, (24, 13), (12, 7))
    gate_scale: float = 1 / 3
    layer_scale: float = 1e-6
    drop_path_rate: float = 0.6


BACKBONES: dict[str, type[PreTrainedConfig]] = {
    "swin": SwinConfig,
    "resnet": ResNetConfig,
    "hornet": HorNetConfig,
}


# Fields of a backbone: lists of a value a stage, sizes, and what the pixel decoder needs as it is.
_BY_STAGE = {
    "swin": ("depths", "num_heads"),
    "resnet": ("depths", "hidden_sizes"),
    "hornet": ("depths", "orders", "filters"),
}
_SIZES = ("embed_dim", "embedding_size", "window_size")
_FIXED = {"num_channels": 3, "patch_size": 4, "out_features": _STAGES, "return_dict": True}


class SegmenterConfig(PreTrainedConfig):  # type: ignore[misc]
    """Configuration of Mask2Former, CropFormer, V-Mask2Former and VITA; the defaults are the released ones.

    The number of classes is `num_labels` (1, "entity", where nothing is said), their names `id2label`.

    Args:
        backbone_config: of a Swin transformer, a ResNet or a HorNet; a mapping needs `model_type`.
        task: what the classes mean: `entity`, `instance`, `semantic` or `panoptic`.
        category_ids: category id of each class in the data; None where the classes are not those of a dataset.
        things: which classes are things, for panoptic results; None if all are.
        queries: how many entities can be found in an image.
        hidden_size: channels of queries and memory.
        heads: attention heads of the decoders and of the association.
        ffn: hidden units of a decoder layer's feed-forward network.
        decoder_layers: masked-attention layers; one stage of output more than layers.
        pre_norm: normalise before each block, not behind it.
        input_projection: project the memory even where sizes agree (they must where they do not).
        pixel_size: channels of the pixel decoder.
        mask_size: channels of the mask features.
        pixel_layers: deformable attention layers of the pixel decoder.
        pixel_heads: attention heads of the pixel decoder.
        pixel_ffn: hidden units of its feed-forward networks.
        share_decoders: image-level and batch-level decoder have one set of weights (as released), or two (as the
            CropFormer paper, section 4.1, reads). CropFormer only.
        association_cross: cross-attention from the full image's queries to those of all views (Table 9b: XAtt).
        association_self: self-attention in the association (Table 9b: SAtt).
        association_ffn: feed-forward network in the association (Table 9b: FFN).
        association_layers: how many of these.
        association_heads: attention heads of the association; None: as many as the decoders'.
        association_units: hidden units of the association's feed-forward network.
        view_code: add a sine code of the view's place in the batch to the batch-level memory.
        view_code_views: code view t as (t + 1) / this many views; None: of the views that there are, so that the
            codes of training (2 views) and inference (5) differ, as released.
        object_layers: encoder layers over the queries of all views. VITA only.
        object_window: views whose queries an encoder layer relates, every second layer half a window further; 0: all
            views, as where they are no more than these. VITA only.
        clip_layers: decoder layers of the clip queries. VITA only.
        clip_queries: queries of the clip decoder; None: as many as `queries`. VITA only.
        clip_sources: how many of the last image-level stages the clip decoder is trained from. VITA only.
        freeze_batch_norm: a ResNet's statistics and scales stay as they were loaded.

    Raises:
        UsageError: an unknown backbone or task, a size that is no count, heads that do not divide the channels,
            classes without names, ids or things that are not of these classes.
    """

    model_type = "entity_segmenter"

    backbone_config: Any = None
    task: str = "entity"
    category_ids: list[int] | None = None
    things: list[int] | None = None
    queries: int = 100
    hidden_size: int = 256
    heads: int = 8
    ffn: int = 2048
    decoder_layers: int = 9
    pre_norm: bool = False
    input_projection: bool = False
    pixel_size: int = 256
    mask_size: int = 256
    pixel_layers: int = 6
    pixel_heads: int = 8
    pixel_ffn: int = 1024
    share_decoders: bool = True
    association_cross: bool = True
    association_self: bool = True
    association_ffn: bool = True
    association_layers: int = 1
    association_heads: int | None = None
    association_units: int = 2048
    view_code: bool = True
    view_code_views: int | None = None
    object_layers: int = 6
    object_window: int = 6
    clip_layers: int = 3
    clip_queries: int | None = None
    clip_sources: int = 3
    freeze_batch_norm: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        named: Any = getattr(self, "id2label", None)
        if named is None and kwargs.get("num_labels") is None:
            self.id2label = {0: "entity"}
        self.backbone_config = _backbone(self.backbone_config)
        _check(self)
        super().__post_init__(**kwargs)

    def to_diff_dict(self) -> dict[str, Any]:
        """Return what `config.json` holds: where it differs from the library's defaults, and always the classes.

        The library leaves out two classes without names, which are its default; ours is one.
        """
        whole = self.to_dict()
        return {**super().to_diff_dict(), **{name: whole[name] for name in ("id2label", "label2id")}}

    @property
    def projects_input(self) -> bool:
        """Whether the decoder's memory is a projection of the pixel decoder's maps."""
        return self.input_projection or self.pixel_size != self.hidden_size


def _check(config: SegmenterConfig) -> None:
    """Raise if a value makes no sense; every such value is named."""
    findings = Findings()

    def add(name: str, message: str, remedy: str) -> None:
        findings.add("model.config", message, remedy, field=name, value=getattr(config, name))

    for name, least in _COUNTS.items():
        value = getattr(config, name)
        most = _MOST_LAYERS if name.endswith("_layers") else _MOST
        if not _is_count(value, least, most) and not (value is None and name in _OPTIONAL):
            add(name, "this is no count", f"Give a whole number from {least} to {most:,}.")
    for name in _SWITCHES:
        if not isinstance(getattr(config, name), bool):
            add(name, "this is no switch", "Give true or false.")
    if config.task not in TASKS:
        add("task", "no model has this task", f"There are: {', '.join(TASKS)}.")
    classes = _count_classes(config)
    if classes is None:
        add("id2label", "this does not name each class", 'Give {"0": "name", "1": ...} without a gap.')
    elif classes:
        if not _are_numbers(config.category_ids, classes, 2**63):
            add(
                "category_ids",
                f"these are no ids of {classes} classes",
                "Give a whole number for each, or null.",
            )
        if not _are_numbers(config.things, None, classes):
            add("things", f"these are no indices of {classes} classes", "Give a list of them, or null.")
    if not findings.errors:
        for heads, size in _SHARED.items():
            if getattr(config, size) % (getattr(config, heads) or 1):
                add(
                    heads, f"heads do not divide {size} ({getattr(config, size)})", "Take a number that does."
                )
        if config.hidden_size % 4:
            add("hidden_size", "the code of places needs a multiple of 4", "Take one.")
        if config.pixel_size % _GROUPS:
            add("pixel_size", f"the group norms need a multiple of {_GROUPS}", "Take one.")
    if findings.errors:
        raise UsageError(findings)


def _is_count(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _count_classes(config: SegmenterConfig) -> int | None:
    """Return how many classes are named, 0 if only their number is given, None if the names make no sense."""
    named: Any = getattr(config, "id2label", None)
    if named is None:
        return 0
    if not isinstance(named, dict) or not named or not all(isinstance(name, str) for name in named.values()):
        return None
    return len(named) if {str(key) for key in named} == {str(index) for index in range(len(named))} else None


def _are_numbers(values: object, count: int | None, most: int) -> bool:
    """Return whether this is None, or a list of whole numbers below `most`, as many as `count` says."""
    if values is None:
        return True
    whole = isinstance(values, list | tuple) and all(_is_count(value, 0, most - 1) for value in values)
    return whole and count in (None, len(values))  # type: ignore[arg-type]


def _backbone(given: Any) -> PreTrainedConfig:
    """Return the backbone's configuration; a Swin-T where nothing is said."""
    options = {"model_type": "swin", "drop_path_rate": 0.3} if given is None else given
    if isinstance(given, PreTrainedConfig):
        options = _options_of(given)
    name = options.get("model_type") if isinstance(options, dict) else None
    if not isinstance(name, str) or name not in BACKBONES:
        remedy = f"Set `model_type` to one of: {', '.join(BACKBONES)}."
        raise _wrong_backbone("no such backbone", remedy, "model_type", given)
    kind = BACKBONES[name]
    options = {key: value for key, value in options.items() if key != "model_type"}
    known = kind().to_dict().keys() | {"num_labels"}
    for key in options.keys() - known:
        fields = ", ".join(sorted(kind.__annotations__))
        raise _wrong_backbone(f"a {name} has no such field", f"There are: {fields}.", key, options[key])
    if name != "hornet":
        options = {"out_features": _STAGES, **options}
    try:
        made = kind(**options)
    except (TypeError, ValueError, StrictDataclassError) as error:
        message = f"the backbone's values cannot be taken: {str(error).splitlines()[0]}"
        raise _wrong_backbone(message, "Mend the field.", "", given) from error
    for field in _BY_STAGE[name]:
        most = _MOST_LAYERS if field == "depths" else _MOST
        values = getattr(made, field)
        if not isinstance(values, list | tuple) or len(values) != len(_STAGES):
            raise _wrong_backbone("a backbone has four stages", "Give four values a list.", field, values)
        if field != "filters" and not all(_is_count(value, 1, most) for value in values):
            remedy = f"Give whole numbers from 1 to {most:,}."
            raise _wrong_backbone("these are no counts", remedy, field, values)
    for field, value in made.to_dict().items():
        if field in _SIZES and not _is_count(value, 1, _MOST):
            remedy = f"Give a whole number from 1 to {_MOST:,}."
            raise _wrong_backbone("this is no size", remedy, field, value)
        if field in _FIXED and value != _FIXED[field]:
            remedy = f"Give {_FIXED[field]}."
            raise _wrong_backbone("the pixel decoder takes no other value", remedy, field, value)
    if not _is_share(made.to_dict().get("drop_path_rate", 0.0)):
        remedy = "Give a number from 0 on, below 1."
        raise _wrong_backbone("this is no share", remedy, "drop_path_rate", made.drop_path_rate)
    if name == "hornet":
        _check_hornet(made)
    if name == "swin" and any(made.embed_dim * 2**i % heads for i, heads in enumerate(made.num_heads)):
        message = f"heads do not divide the stages' channels, {made.embed_dim} doubled from stage to stage"
        raise _wrong_backbone(message, "Take numbers that do.", "num_heads", made.num_heads)
    return made


def _options_of(given: PreTrainedConfig) -> dict[str, Any]:
    """Return the fields of a backbone's configuration; the last map alone is the library's default, and no choice."""
    options: dict[str, Any] = given.to_dict()
    if options.get("out_features") == _STAGES[-1:]:
        del options["out_features"], options["out_indices"]
    return options


def _check_hornet(made: PreTrainedConfig) -> None:
    """Raise if no HorNet has these values; lists have four counts already."""
    for stage, (order, size) in enumerate(zip(made.orders, made.filters, strict=True)):
        channels = made.embed_dim * 2**stage
        if size is not None and not (
            isinstance(size, list | tuple)
            and len(size) == 2
            and all(_is_count(side, 1, _MOST) for side in size)
        ):
            remedy = "Give (height, width) for a stage, or null."
            raise _wrong_backbone("this is no size of a filter", remedy, "filters", made.filters)
        # Each gate has half the channels of the next; a filter halves what all of them have.
        parts = 2 ** (order - 1 if size is None else order)
        if channels % parts:
            message = f"{channels} channels of stage {stage + 1} cannot be halved as often as its order asks"
            raise _wrong_backbone(message, "Take smaller orders, or more channels.", "orders", made.orders)
    for field in ("gate_scale", "layer_scale"):
        value = getattr(made, field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise _wrong_backbone("this is no number", "Give one.", field, value)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


def _wrong_backbone(message: str, remedy: str, field: str, value: object) -> UsageError:
    name = f"backbone_config.{field}".rstrip(".")
    return usage_error("model.backbone", message, remedy, field=name, value=value)
