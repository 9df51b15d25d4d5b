"""Configs, losses, the loop, checkpoints that resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entityseg.baselines.training.config import TrainingConfig
    from entityseg.baselines.training.criterion import Criterion
    from entityseg.baselines.training.loop import train
    from entityseg.baselines.training.outcome import Outcome
    from entityseg.baselines.training.reading import read_config, recipe_names

# Resolved on first use, so that listing recipes does not import torch.
_HOMES = {
    "Criterion": "criterion",
    "Outcome": "outcome",
    "TrainingConfig": "config",
    "read_config": "reading",
    "recipe_names": "reading",
    "train": "loop",
}

__all__ = ["Criterion", "Outcome", "TrainingConfig", "read_config", "recipe_names", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
