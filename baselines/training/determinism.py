"""The same bits each time, as far as the device can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Use algorithms that give the same bits each time, and leave the caller's random numbers alone."""
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    cuda = device.type == "cuda"
    if cuda:
        # cuBLAS reads it when it starts; without it, its workspaces depend on the streams.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Some backward passes (grid_sample) have no deterministic form on CUDA.
    torch.use_deterministic_algorithms(True, warn_only=cuda)
    try:
        with torch.random.fork_rng(devices=[device] if cuda else []):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
