"""What a model folder or a released file holds: `entityseg models info`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from entityseg.baselines.catalogue import FAMILIES
from entityseg.baselines.checkpoints.convert import convert_state
from entityseg.baselines.checkpoints.provenance import PROVENANCE, digest
from entityseg.baselines.checkpoints.reading import read_state
from entityseg.baselines.models.loading import WEIGHTS, family_name, load_model
from entityseg.baselines.models.segmenter import SegmenterModel
from entityseg.data.json_file import parse_json_file


def describe(path: str | Path) -> dict[str, Any]:
    """Return what is known of a model: family, sizes, parameters, digest of its weights, provenance.

    Args:
        path: a model's folder, or a released `.pth` file.

    Raises:
        InputError: as `load_model`, or as `convert_state` for a file.
    """
    path = Path(path)
    if path.is_dir():
        model = load_model(path)
        weights = path / WEIGHTS
        record = path / PROVENANCE
        told = {"provenance": parse_json_file(record) if record.is_file() else None}
    else:
        made = convert_state(read_state(path), file=str(path))
        model, weights = made.model, path
        told = {"assumed": made.assumed, "dropped": list(made.dropped)}
    family = FAMILIES[family_name(model)]
    return {
        "path": str(path),
        "family": family.name,
        "support": family.support,
        "parity": family.parity,
        "sizes": sizes(model),
        "parameters": model.num_parameters(),
        "dtype": str(model.dtype).removeprefix("torch."),
        "bytes": weights.stat().st_size,
        "sha256": digest(weights),
        **told,
    }


def sizes(model: SegmenterModel) -> dict[str, Any]:
    """Return the sizes of a model by the names of its configuration."""
    config = model.config
    backbone = config.backbone_config
    names = {
        "swin": ("embed_dim", "depths", "num_heads", "window_size"),
        "resnet": ("embedding_size", "hidden_sizes", "depths"),
        "hornet": ("embed_dim", "depths", "orders"),
    }[backbone.model_type]
    found: dict[str, Any] = {"task": config.task, "classes": config.num_labels, "queries": config.queries}
    found["backbone"] = backbone.model_type
    found |= {f"backbone.{name}": getattr(backbone, name) for name in names}
    shared = (
        "hidden_size", "heads", "ffn", "decoder_layers", "pixel_size", "mask_size", "pixel_layers", "pixel_heads",
        "pixel_ffn",
    )  # fmt: skip
    return found | {name: getattr(config, name) for name in shared}
