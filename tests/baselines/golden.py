"""Reads the files of golden values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def golden_file(folder: Path, name: str) -> tuple[dict[str, Tensor], dict[str, np.ndarray]]:
    """Return the state dict and the other arrays of a golden file."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        state = {key[6:]: torch.from_numpy(arrays[key]) for key in arrays.files if key.startswith("state/")}
        rest = {key: arrays[key] for key in arrays.files if not key.startswith("state/")}
    return state, rest
