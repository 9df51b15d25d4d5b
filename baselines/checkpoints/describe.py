"""What a model folder or a released file holds: `entityseg models info`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedConfig

from entityseg.baselines.catalogue import FAMILIES
from entityseg.baselines.checkpoints.alone import convert_alone, find_alone
from entityseg.baselines.checkpoints.convert import BACKBONE_FAMILY, convert_state
from entityseg.baselines.checkpoints.provenance import PROVENANCE, digest
from entityseg.baselines.checkpoints.reading import read_state
from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.loading import CONFIG, WEIGHTS, family_name, load_model
from entityseg.baselines.models.segmenter import SegmenterModel
from entityseg.data.json_file import parse_json_file
from entityseg.errors import InputError, UsageError, input_error

_OF_BACKBONES = {
    "swin": ("embed_dim", "depths", "num_heads", "window_size"),
    "resnet": ("embedding_size", "hidden_sizes", "depths"),
    "hornet": ("embed_dim", "depths", "orders", "filters"),
}
_SHARED = (
    "hidden_size", "heads", "ffn", "decoder_layers", "pixel_size", "mask_size", "pixel_layers", "pixel_heads",
    "pixel_ffn",
)  # fmt: skip


def describe(path: str | Path) -> dict[str, Any]:
    """Return what is known of a model: family, sizes, parameters, digest of its weights, provenance.

    Args:
        path: a folder of a model, or of a backbone that `convert_file` wrote; or a released file.

    Raises:
        InputError: as `load_model`, or as `convert_state` for a file.
    """
    path = Path(path)
    if path.is_dir():
        record = path / PROVENANCE
        provenance = parse_json_file(record) if record.is_file() else None
        if isinstance(provenance, dict) and provenance.get("family") == BACKBONE_FAMILY:
            found = _alone_in(path)
        else:
            found = _of_model(load_model(path))
        weights, told = path / WEIGHTS, {"provenance": provenance}
    else:
        state, weights = read_state(path), path
        if find_alone(state, str(path)):
            alone = convert_alone(state, file=str(path))
            found = _of_backbone(alone.config, alone.parameters, alone.precision)
            told = {"assumed": alone.assumed, "dropped": list(alone.dropped), "fresh": list(alone.fresh)}
        else:
            made = convert_state(state, file=str(path))
            found, told = _of_model(made.model), {"assumed": made.assumed, "dropped": list(made.dropped)}
    return {"path": str(path), **found, "bytes": weights.stat().st_size, "sha256": digest(weights), **told}


def sizes(model: SegmenterModel) -> dict[str, Any]:
    """Return the sizes of a model by the names of its configuration."""
    config = model.config
    found: dict[str, Any] = {"task": config.task, "classes": config.num_labels, "queries": config.queries}
    return found | _backbone_sizes(config.backbone_config) | {name: getattr(config, name) for name in _SHARED}


def _of_model(model: SegmenterModel) -> dict[str, Any]:
    family = FAMILIES[family_name(model)]
    return {
        "family": family.name,
        "support": family.support,
        "parity": family.parity,
        "sizes": sizes(model),
        "parameters": model.num_parameters(),
        "dtype": str(model.dtype).removeprefix("torch."),
    }


def _of_backbone(config: PreTrainedConfig, parameters: int, precision: str) -> dict[str, Any]:
    return {
        "family": BACKBONE_FAMILY,
        "sizes": _backbone_sizes(config),
        "parameters": parameters,
        "dtype": precision,
    }


def _alone_in(folder: Path) -> dict[str, Any]:
    """Return what a folder with a backbone alone holds."""
    weights, file = folder / WEIGHTS, folder / CONFIG
    try:
        config = SegmenterConfig(backbone_config=parse_json_file(file)).backbone_config
    except UsageError as error:
        raise InputError(replace(finding, file=str(file)) for finding in error.findings) from None
    try:
        state = load_file(weights)
    except (OSError, SafetensorError) as error:
        message = f"the weights cannot be read: {error}"
        raise input_error("model.weights", message, "Copy the folder again.", file=str(weights)) from error
    types = {str(one.dtype).removeprefix("torch.") for one in state.values()}
    return _of_backbone(config, sum(one.numel() for one in state.values()), ", ".join(sorted(types)))


def _backbone_sizes(config: PreTrainedConfig) -> dict[str, Any]:
    names = _OF_BACKBONES[config.model_type]
    return {"backbone": config.model_type} | {f"backbone.{name}": getattr(config, name) for name in names}
