"""What a training starts from: weights of a whole model, or of a backbone, for all that fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from entityseg.baselines.models import SegmenterConfig, SegmenterModel, load_model
from entityseg.data.json_file import parse_json_file
from entityseg.errors import input_error, usage_error

_BACKBONE = "pixels.backbone."


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
    CropFormer, and a head of other classes stays random. A folder of transformers' `save_pretrained` with a Swin
    transformer or a ResNet gives the backbone.

    Raises:
        InputError: there is no such folder, it is damaged, or its backbone is another one.
    """
    path = folder / "config.json"
    if not path.is_file():
        remedy = (
            "Name a folder with config.json and model.safetensors (`entityseg models convert` writes one)."
        )
        raise input_error("training.weights", "these are no weights to start from", remedy, file=str(path))
    described = parse_json_file(path)
    kind = described.get("model_type") if isinstance(described, dict) else None
    if kind == SegmenterConfig.model_type:
        source: Mapping[str, Tensor] = load_model(folder).state_dict()
    else:
        source = _backbone_weights(model, folder, kind)
    found = model.state_dict()
    taken = [name for name, weight in source.items() if name in found and found[name].shape == weight.shape]
    missing = [name for name in found if name.startswith(_BACKBONE) and name not in set(taken)]
    if missing:
        message = f"the backbone there is another one: {len(missing)} of its weights do not fit, such as {missing[0]}"
        raise input_error("training.weights", message, "Start from the same backbone.", file=str(folder))
    with torch.no_grad():
        for name in taken:
            found[name].copy_(source[name])
    chosen = set(taken)
    fresh = tuple(name for name in found if name not in chosen)
    return Start(len(taken), fresh, tuple(name for name in source if name not in chosen))


def _backbone_weights(model: SegmenterModel, folder: Path, kind: object) -> dict[str, Tensor]:
    body = model.pixels.backbone.body
    config = model.config.backbone_config
    if kind != config.model_type or not hasattr(type(body), "from_pretrained"):
        message = f"the folder holds a {kind}, the backbone is a {config.model_type}"
        raise usage_error("training.weights", message, "Start from the same kind.", file=str(folder))
    try:
        loaded, told = type(body).from_pretrained(
            folder, config=config, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, RuntimeError) as error:
        remedy = "Copy the folder again; check that the backbone has the same sizes."
        raise input_error(
            "training.weights", f"the weights cannot be read: {error}", remedy, file=str(folder)
        ) from error
    absent = set(told["missing_keys"])
    prefix = f"{_BACKBONE}body."
    return {prefix + name: weight for name, weight in loaded.state_dict().items() if name not in absent}
