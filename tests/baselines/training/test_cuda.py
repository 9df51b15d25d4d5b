"""Training and inference on a GPU: skipped where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from entityseg.baselines.inference.segmenter import FolderSegmenter
from entityseg.baselines.training.config import TrainingConfig
from entityseg.baselines.training.loop import train
from entityseg.baselines.training.trackers import LOG, read_log

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    # Some backward passes have no deterministic form on CUDA, which torch warns of.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_training_on_the_gpu_ends_and_its_model_runs_everywhere(
    small: Callable[..., TrainingConfig], tmp_path: Path, precision: str
) -> None:
    outcome = train(small("cropformer", f"run.precision={precision}"), tmp_path)
    assert outcome.status == "finished"
    losses = [line["loss"] for line in read_log(tmp_path / LOG) if "loss" in line]
    assert losses and all(map(math.isfinite, losses))
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    on_cpu = FolderSegmenter(tmp_path, device="cpu").segment(image)
    on_gpu = FolderSegmenter(tmp_path, device="cuda").segment(image)
    assert len(on_cpu.masks) == len(on_gpu.masks)
    # Attention masks are thresholds, so a few queries may differ; the class scores of most must not.
    assert np.median(np.abs(np.sort(on_cpu.scores) - np.sort(on_gpu.scores))) < 1e-2


def test_half_precision_and_the_compiler_give_finite_results(
    small: Callable[..., TrainingConfig], tmp_path: Path
) -> None:
    train(small("mask2former"), tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    for options in ({"amp": True}, {"compile": True}):
        found = FolderSegmenter(tmp_path, device="cuda", **options).segment(image)
        assert np.isfinite(found.scores).all()
