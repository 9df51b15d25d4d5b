"""Files in the released layout, of small models with random weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from entityseg.baselines.checkpoints.official import links, to_official
from entityseg.baselines.models import SegmenterModel, new_model, tiny_config

PIXELS = "sem_seg_head.pixel_decoder."
PREDICTOR = "sem_seg_head.predictor."


def made(
    name: str = "cropformer", backbone: str = "swin", **options: Any
) -> tuple[SegmenterModel, dict[str, Tensor]]:
    """Return a model whose every weight is random, and its state dict as the authors would have saved it."""
    torch.manual_seed(5)
    model = new_model(tiny_config(name, backbone, **options)).eval()
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            tensor.add_(torch.randn_like(tensor) * 0.05)
            if key.endswith("running_var"):
                tensor.abs_().add_(0.5)
    layout = links(model.config, association=name == "cropformer")
    return model, to_official(model.state_dict(), layout)


def with_extras(state: dict[str, Tensor], classes: int = 1) -> dict[str, Tensor]:
    """Return the state dict with what the release keeps beside the weights."""
    extra = {
        "criterion_2d.empty_weight": torch.ones(classes + 1),
        "criterion_3d.empty_weight": torch.ones(classes + 1),
        "pixel_mean": torch.ones(3, 1, 1),
        "pixel_std": torch.ones(3, 1, 1),
    }
    tables = [key for key in state if key.endswith("relative_position_bias_table")]
    for key in tables:
        places = len(state[key])
        name = key.replace("relative_position_bias_table", "relative_position_index")
        extra[name] = torch.zeros((places, places), dtype=torch.int64)
    return {**state, **extra}
