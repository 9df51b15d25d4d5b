"""What a training starts from: weights of a whole model, or of a backbone, for all that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from entityseg.baselines.models import SegmenterConfig, SegmenterModel, load_model
from entityseg.baselines.models.loading import CONFIG, WEIGHTS, quiet
from entityseg.baselines.models.values import check_values
from entityseg.data.json_file import parse_json_file, require_type
from entityseg.errors import Findings, input_error, usage_error

_BACKBONE = "pixels.backbone."
_BODY = f"{_BACKBONE}body."
# Normalisations of the maps that leave a backbone: what was trained to classify has none.
_OF_MAPS = (f"{_BODY}hidden_states_norms.", f"{_BODY}norms.")
# Fields of a backbone's configuration that decide what its weights are.
_SIZES = {
    "swin": ("embed_dim", "depths", "num_heads", "window_size", "mlp_ratio", "qkv_bias"),
    "resnet": ("embedding_size", "hidden_sizes", "depths", "layer_type", "downsample_in_bottleneck"),
    "hornet": ("embed_dim", "depths", "orders", "filters", "gate_scale"),
}
# What no shape of the decoders tells.
_UNSEEN = ("heads", "pre_norm")


@dataclass(frozen=True)
class Start:
    """What was taken over.

    Attributes:
        taken: weights that were copied.
        fresh: names of weights that stayed random, because the source has none of that name and shape.
        unused: names of the source's weights that have no place.
    """

    taken: int
    fresh: tuple[str, ...]
    unused: tuple[str, ...]


def start_from(model: SegmenterModel, folder: Path) -> Start:
    """Copy the weights of a folder into a model, where name and shape agree.

    A folder of `entityseg models convert` or `entityseg train` gives a whole model: a Mask2Former may start a
    CropFormer, and a head of other classes stays random. A folder with a Swin transformer, a ResNet or a HorNet, of
    `models convert` or of transformers' `save_pretrained`, gives the backbone; the normalisations of its maps begin
    anew if it has none.

    Raises:
        InputError: there is no such folder, it is damaged, its weights are not finite, or its backbone is another one.
    """
    path = folder / CONFIG
    if not path.is_file():
        remedy = (
            "Name a folder with config.json and model.safetensors (`entityseg models convert` writes one)."
        )
        raise input_error("training.weights", "these are no weights to start from", remedy, file=str(path))
    described = require_type(parse_json_file(path), dict, "the configuration", str(path))
    whole = described.get("model_type") == SegmenterConfig.model_type
    source: Mapping[str, Tensor] = (
        _whole_weights(model, folder) if whole else _backbone_weights(model, folder, described)
    )
    found = model.state_dict()
    taken = {name for name, weight in source.items() if name in found and found[name].shape == weight.shape}
    missing = [name for name in found if name.startswith(_BACKBONE) and name not in taken]
    if not whole:
        missing = [name for name in missing if not name.startswith(_OF_MAPS)]
    if missing:
        message = f"the backbone there is another one: {len(missing)} of its weights do not fit, such as {missing[0]}"
        raise input_error("training.weights", message, "Start from the same backbone.", file=str(folder))
    with torch.no_grad():
        for name in taken:
            found[name].copy_(source[name])
    fresh = tuple(name for name in found if name not in taken)
    return Start(len(taken), fresh, tuple(name for name in source if name not in taken))


def _whole_weights(model: SegmenterModel, folder: Path) -> dict[str, Tensor]:
    """Return the weights of a folder with a whole model."""
    source = load_model(folder)
    file = str(folder / CONFIG)
    _check_equal(model.config, source.config.to_dict(), _UNSEEN, "model.options", file)
    backbone = source.config.backbone_config.to_dict()
    if backbone["model_type"] == model.config.backbone_config.model_type:
        sizes = _SIZES[backbone["model_type"]]
        _check_equal(model.config.backbone_config, backbone, sizes, "model.backbone", file)
    weights: dict[str, Tensor] = source.state_dict()
    return weights


def _backbone_weights(model: SegmenterModel, folder: Path, described: dict[str, Any]) -> dict[str, Tensor]:
    """Return the weights of a folder with a backbone alone, under the model's names."""
    config, body = model.config.backbone_config, model.pixels.backbone.body
    kind = described.get("model_type")
    if kind != config.model_type:
        message = f"the folder holds a {kind}, the backbone is a {config.model_type}"
        raise usage_error("training.weights", message, "Start from the same kind.", file=str(folder))
    _check_equal(config, described, _SIZES[kind], "model.backbone", str(folder / CONFIG))
    file = folder / WEIGHTS
    try:
        if config.model_type == "hornet":
            weights = load_file(file)
        else:
            with quiet():
                loaded, told = type(body).from_pretrained(
                    folder,
                    config=config,
                    local_files_only=True,
                    use_safetensors=True,
                    output_loading_info=True,
                )
            # The library's classes have buffers and a last normalisation that ours do without.
            own = body.state_dict().keys() - set(told["missing_keys"])
            weights = {name: one for name, one in loaded.state_dict().items() if name in own}
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        message = f"the weights cannot be read: {reason}"
        raise input_error("training.weights", message, "Copy the folder again.", file=str(file)) from error
    check_values(
        {name: one for name, one in weights.items() if one.is_floating_point()}, str(file), "training"
    )
    return {_BODY + name: one for name, one in weights.items()}


def _check_equal(
    config: Any, described: dict[str, Any], names: Sequence[str], section: str, file: str
) -> None:
    """Raise if a configuration has other values than the model's; each is named.

    Filters of a HorNet among them: it resizes them as it runs, and the released code resizes none when it loads.
    """
    findings = Findings(file)
    for name in names:
        mine, there = getattr(config, name), described.get(name, getattr(type(config)(), name))
        if _plain(mine) != _plain(there):
            message = f"what is to be started has {mine} there"
            remedy = f"Start from weights of the same, or set `{section}.{name}`."
            findings.add("training.weights", message, remedy, field=name, value=there)
    findings.raise_errors()


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it: lists for tuples."""
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
