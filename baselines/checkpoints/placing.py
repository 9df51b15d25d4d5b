"""Released tensors put where they belong: each has one place, and each place one tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from entityseg.baselines.checkpoints.official import Link
from entityseg.baselines.checkpoints.shapes import REMEDY
from entityseg.errors import SHOWN_PER_KIND, Findings, input_error

_LEFT_OVER = "Take a file as the authors released it; a weight without a place would be lost in silence."


def outline(make: Callable[[], nn.Module], file: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what a module has, without making its numbers: they may be too many.

    Args:
        make: makes the module.
        file: what to name in findings.

    Raises:
        InputError: there is no module of such sizes.
    """
    try:
        with torch.device("meta"):
            return {name: tuple(one.shape) for name, one in make().state_dict().items()}
    except Exception as error:
        # Sizes can be impossible in as many ways as the classes have lines.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        message = f"the shapes are those of no model: {reason}"
        raise input_error("checkpoint.shape", message, REMEDY, file=file) from error


def place(
    tensors: Mapping[str, Tensor],
    layout: Sequence[Link],
    make: Callable[[], nn.Module],
    file: str,
) -> dict[str, Tensor]:
    """Return the weights under our names; what the release stacks is taken apart.

    Args:
        tensors: under released names.
        layout: where each belongs.
        make: makes the module that they are for; it is only outlined, and only if names are as they should be.
        file: what to name in findings.

    Raises:
        InputError: names every weight that is missing, left over or of a wrong shape.
    """
    findings = Findings(file)
    absent = [link.official for link in layout if link.official not in tensors]
    for name in absent:
        findings.add(
            "checkpoint.missing", "the file lacks a weight that the model needs", REMEDY, record=name
        )
    for name in sorted(tensors.keys() - {link.official for link in layout}):
        message = "a weight of the file has no place in the model"
        findings.add("checkpoint.left_over", message, _LEFT_OVER, record=name)
    if len(absent) > SHOWN_PER_KIND:
        # As many as this are another model's names; a thousand layers of nothing would take long to outline.
        findings.raise_errors()
    due = outline(make, file)
    found: dict[str, Tensor] = {}
    for link in layout:
        if link.official not in tensors:
            continue
        tensor = tensors[link.official]
        first, *rest = due[link.ours[0]]
        shape = (first * len(link.ours), *rest)
        if tensor.shape == shape:
            found |= link.split(tensor)
        else:
            message = f"a weight has shape {tuple(tensor.shape)}, the model needs {shape}"
            findings.add("checkpoint.shape", message, REMEDY, record=link.official)
    findings.raise_errors()
    return found


def precision_of(tensors: Iterable[Tensor]) -> torch.dtype:
    """Return the precision that keeps all weights as they are; halves become single."""
    return torch.float64 if any(one.dtype == torch.float64 for one in tensors) else torch.float32
