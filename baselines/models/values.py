"""Weights are finite floating-point numbers, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from entityseg.errors import Findings

_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_values(state: Mapping[str, Tensor], file: str, area: str) -> None:
    """Raise if a weight is no finite floating-point number.

    Args:
        state: the weights by name.
        file: what to name in findings.
        area: what the findings' kinds begin with.

    Raises:
        InputError: names every tensor at fault.
    """
    findings = Findings(file)
    for name, tensor in state.items():
        if tensor.dtype not in _TYPES:
            message = f"a weight is of type {str(tensor.dtype).removeprefix('torch.')}"
            remedy = "Weights are floating-point numbers of 16, 32 or 64 bits."
            findings.add(f"{area}.type", message, remedy, record=name)
            continue
        finite = torch.isfinite(tensor)
        if not finite.all():
            message = f"{int((~finite).sum())} of {tensor.numel()} weights are not finite"
            remedy = "Get the file again; if it is whole, its training had diverged."
            findings.add(f"{area}.nan", message, remedy, record=name)
    findings.raise_errors()
