"""Shapes of a state dict by name: what sizes are read from."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from entityseg.errors import input_error

REMEDY = "Download the file again; if it is whole, it is no released model of this family."


class Shapes:
    """Shapes of a state dict by name; what is asked for and not there becomes a finding.

    Args:
        state: the tensors.
        file: what to name in findings.
    """

    def __init__(self, state: Mapping[str, Tensor], file: str) -> None:
        self._shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        self.file = file

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def has(self, prefix: str) -> bool:
        """Return whether a name begins with this."""
        return any(name.startswith(prefix) for name in self._shapes)

    def of(self, name: str, axes: int) -> tuple[int, ...]:
        """Return the shape of a tensor.

        Raises:
            InputError: it is not there, or has another number of axes, or none of some.
        """
        shape = self._shapes.get(name)
        if shape is None:
            message = "the file lacks a weight that every model of its kind has"
            raise input_error("checkpoint.missing", message, REMEDY, file=self.file, record=name)
        if len(shape) != axes or 0 in shape:
            message = f"a weight has shape {shape}, where {axes} axes are due"
            raise input_error("checkpoint.shape", message, REMEDY, file=self.file, record=name)
        return shape

    def count(self, prefix: str) -> int:
        """Return how many numbers follow a prefix in the names, from 0 without a gap.

        >>> from torch import zeros
        >>> Shapes({"layers.0.weight": zeros(1), "layers.1.weight": zeros(1)}, "a.pth").count("layers.")
        2
        """
        # No layer has a number of more digits; such a name is left over.
        pattern = re.compile(re.escape(prefix) + r"([0-9]{1,6})\.")
        found = {int(match[1]) for name in self._shapes if (match := pattern.match(name))}
        return next(number for number in range(len(found) + 1) if number not in found)
