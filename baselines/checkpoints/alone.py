"""A backbone alone, as its authors released it for classification: what a training starts from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedConfig

from entityseg.baselines.checkpoints.backbones import backbone_config, backbone_kind
from entityseg.baselines.checkpoints.official import BACKBONE, backbone_links
from entityseg.baselines.checkpoints.placing import place, precision_of
from entityseg.baselines.checkpoints.reading import normalised
from entityseg.baselines.checkpoints.shapes import Shapes
from entityseg.baselines.models.backbone import Backbone
from entityseg.baselines.models.loading import WEIGHTS, saving
from entityseg.baselines.models.values import check_values

# The head that tells classes, and the normalisation before it; no feature map has either.
_HEAD = re.compile(r"(norm|head)\.(weight|bias)")
# Normalisation of each stage's map: only models that look at maps have them.
_NORM = re.compile(r"norm[0-3]\.(weight|bias)")


@dataclass(frozen=True)
class Alone:
    """A released backbone as one of ours.

    Attributes:
        config: of a Swin transformer or a HorNet.
        weights: those of the file, under our names.
        dropped: names of the file that have no use here.
        fresh: our names of the maps' normalisations, where the file has none; a training begins with new ones.
        assumed: values that no shape tells, as they were taken.
    """

    config: PreTrainedConfig
    weights: dict[str, Tensor]
    dropped: tuple[str, ...]
    fresh: tuple[str, ...]
    assumed: dict[str, Any]

    @property
    def parameters(self) -> int:
        """How many numbers there are."""
        return sum(one.numel() for one in self.weights.values())

    @property
    def precision(self) -> str:
        """Type of the numbers."""
        return str(next(iter(self.weights.values())).dtype).removeprefix("torch.")

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`; for a Swin transformer, as transformers would.

        Raises:
            OSError: the folder is not writable or the disk is full.
        """
        with saving(folder):
            if self.config.model_type == "swin":
                with torch.device("meta"):
                    body = _body(self.config)
                body.save_pretrained(folder, state_dict=self.weights, max_shard_size="100GB")
            else:
                self.config.save_pretrained(folder)
                save_file(self.weights, folder / WEIGHTS, metadata={"format": "pt"})


def find_alone(state: Mapping[str, Tensor], file: str) -> str | None:
    """Return `swin` or `hornet` if a state dict holds one alone; else None."""
    tensors, _ = normalised(state, file)
    if any(name.startswith("sem_seg_head.") for name in tensors):
        return None
    kind = backbone_kind(Shapes(tensors, file), _prefix(tensors))
    return kind if kind in ("swin", "hornet") else None


def convert_alone(state: Mapping[str, Tensor], *, gate_scale: float | None = None, file: str) -> Alone:
    """Return the backbone of a state dict that `find_alone` knows.

    Args:
        state: tensors under the names of the authors of Swin or HorNet, `backbone.` before all of them or not.
        gate_scale: what a HorNet's gates are scaled by; None: 1/3.
        file: what to name in findings.

    Raises:
        InputError: a weight is missing, left over, of a wrong shape or not finite. All are named.
        UsageError: a scale for a backbone without gates.
    """
    tensors, dropped = normalised(state, file)
    prefix = _prefix(tensors)
    heads = {name for name in tensors if _HEAD.fullmatch(name.removeprefix(prefix))}
    kept = {name.removeprefix(prefix): one for name, one in tensors.items() if name not in heads}
    config = backbone_config(Shapes(kept, file), "", gate_scale)
    layout = list(backbone_links(config))
    fresh: list[str] = []
    if not any(_NORM.fullmatch(name) for name in kept):
        fresh = [name for link in layout if _NORM.fullmatch(link.official) for name in link.ours]
        layout = [link for link in layout if not _NORM.fullmatch(link.official)]
    weights = place(kept, layout, lambda: _body(config), file)
    check_values(kept, file, "checkpoint")
    precision = precision_of(kept.values())
    # Safetensors wants numbers of its own for each.
    weights = {
        name: one.to(precision).clone(memory_format=torch.contiguous_format) for name, one in weights.items()
    }
    assumed = {}
    if config.model_type == "hornet" and gate_scale is None:
        assumed["gate_scale"] = config.gate_scale
    return Alone(config, weights, (*dropped, *sorted(heads)), tuple(fresh), assumed)


def _body(config: PreTrainedConfig) -> Any:
    return Backbone(config, freeze_batch_norm=False).body


def _prefix(tensors: Mapping[str, Tensor]) -> str:
    return BACKBONE if all(name.startswith(BACKBONE) for name in tensors) else ""
