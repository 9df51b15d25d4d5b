"""The learning rate of each step, and AdamW with the groups of the released code."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from entityseg.baselines.training.config import OptimizerSection, ScheduleSection

_BACKBONE = "backbone"
_UNDECAYED_NAMES = ("relative_position_bias_table", "absolute_pos_embed", "position_embeddings")
_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm, nn.LocalResponseNorm)


def lr_factor(schedule: ScheduleSection, step: int) -> float:
    """Return what the base learning rate is multiplied by in a step, counted from 0.

    `poly` falls as `(1 - step / steps) ** power` (detectron2's WarmupPolyLR), `step` by `gamma` at each milestone.

    >>> lr_factor(ScheduleSection(steps=100, kind="step", milestones=(0.5, 0.9)), 90)
    0.010000000000000002
    """
    warm = min(1.0, (step + 1) / schedule.warmup) if schedule.warmup else 1.0
    if schedule.kind == "poly":
        return warm * (1 - step / schedule.steps) ** schedule.power
    if schedule.kind == "step":
        passed = sum(step >= round(share * schedule.steps) for share in schedule.milestones)
        return float(warm * schedule.gamma**passed)
    return warm


def parameter_groups(model: nn.Module, optimizer: OptimizerSection) -> list[dict[str, Any]]:
    """Return the parameters in groups of equal learning rate and weight decay, in a fixed order.

    The backbone learns with `backbone_factor`; norms, embeddings and tables of relative positions do not decay.
    Each group has the `names` of its parameters and its `factor` of the base learning rate.
    """
    groups: dict[tuple[bool, bool], dict[str, Any]] = {}
    seen: set[int] = set()
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(prefix, recurse=False):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            in_backbone = _BACKBONE in name.split(".")
            decays = not (
                isinstance(module, (*_NORMS, nn.Embedding))
                or type(module).__name__.endswith(("Norm", "Norm2d"))
                or name.endswith(_UNDECAYED_NAMES)
            )
            key = in_backbone, decays
            if key not in groups:
                groups[key] = {
                    "params": [],
                    "names": [],
                    "factor": optimizer.backbone_factor if in_backbone else 1.0,
                    "weight_decay": optimizer.weight_decay if decays else 0.0,
                }
            groups[key]["params"].append(parameter)
            groups[key]["names"].append(name)
    return [groups[key] for key in sorted(groups)]


def make_optimizer(model: nn.Module, optimizer: OptimizerSection) -> torch.optim.AdamW:
    """Return AdamW over the groups of a model."""
    return torch.optim.AdamW(parameter_groups(model, optimizer), lr=optimizer.lr)


def set_lr(optimizer: torch.optim.Optimizer, base: float, factor: float) -> float:
    """Set the learning rates of a step; return that of the parts outside the backbone."""
    for group in optimizer.param_groups:
        group["lr"] = base * factor * group["factor"]
    return base * factor
