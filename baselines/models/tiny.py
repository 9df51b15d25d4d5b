"""Models small enough to be trained on one processor core, for tests and the demo."""

from __future__ import annotations

from typing import Any

from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.loading import model_class

_SWIN = {
    "model_type": "swin",
    "embed_dim": 24,
    "depths": [1, 1, 2, 1],
    "num_heads": [1, 2, 4, 8],
    "window_size": 7,
    "drop_path_rate": 0.0,
}
_RESNET = {
    "model_type": "resnet",
    "embedding_size": 16,
    "hidden_sizes": [32, 48, 64, 96],
    "depths": [1, 1, 1, 1],
}
_HORNET = {
    "model_type": "hornet",
    "embed_dim": 16,
    "depths": [1, 1, 2, 1],
    "drop_path_rate": 0.0,
    "layer_scale": 0.1,
}
_BACKBONES = {"swin": _SWIN, "resnet": _RESNET, "hornet": _HORNET}


def tiny_config(name: str = "mask2former", backbone: str = "swin", **options: Any) -> SegmenterConfig:
    """Return a configuration of about a million parameters.

    Args:
        name: of the model family.
        backbone: `swin`, `resnet` or `hornet`.
        options: other values of the configuration's fields.

    Raises:
        UsageError: there is no such family.
    """
    sizes: dict[str, Any] = {
        "architectures": [model_class(name).__name__],
        "backbone_config": dict(_BACKBONES[backbone]),
        "queries": 20,
        "hidden_size": 64,
        "heads": 4,
        "ffn": 128,
        "decoder_layers": 3,
        "pixel_size": 64,
        "mask_size": 64,
        "pixel_layers": 1,
        "pixel_heads": 4,
        "pixel_ffn": 128,
        "association_units": 128,
        "object_layers": 1,
        "clip_layers": 2,
    }
    return SegmenterConfig(**{**sizes, **options})
