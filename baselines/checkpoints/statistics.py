"""Mean and standard deviation of the pixels that a released model was trained on, where its file has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from entityseg.baselines.views.cutting import MEAN
from entityseg.errors import Findings, input_error

_NAMES = ("pixel_mean", "pixel_std")
# Means of the releases are given to three digits.
_CLOSE = 0.01


@dataclass(frozen=True)
class Statistics:
    """Of the channels R, G, B in pixel values (0 to 255)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def find_statistics(state: Mapping[str, Tensor], file: str) -> Statistics | None:
    """Return the statistics of a state dict; None if it has none: newer files do not.

    Raises:
        InputError: they are no three numbers each, or are those of images whose channels are B, G, R.
    """
    there = {name.rpartition(".")[2]: name for name in state if name.rpartition(".")[2] in _NAMES}
    if len(there) < len(_NAMES):
        return None
    findings = Findings(file)
    values = []
    for part in _NAMES:
        name = there[part]
        tensor = state[name].double().flatten()
        least = 0.0 if part == "pixel_mean" else 1e-6
        if tensor.numel() != 3 or not bool(torch.isfinite(tensor).all()) or bool((tensor < least).any()):
            message = "mean and standard deviation of the pixels are three numbers each, the latter above 0"
            findings.add("checkpoint.pixels", message, "Take a file as released.", record=name)
        values.append(tuple(tensor.tolist()))
    findings.raise_errors()
    mean, std = values
    if all(abs(one - other) < _CLOSE for one, other in zip(mean, reversed(MEAN), strict=True)):
        message = "the model was trained on images whose channels are B, G, R"
        remedy = "Only models of RGB images, as all of these releases, can be converted."
        raise input_error(
            "checkpoint.pixels", message, remedy, file=file, record=there["pixel_mean"], value=mean
        )
    return Statistics(mean, std)
