"""Folders of tiny models with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from entityseg.baselines.models import new_model, save_model, tiny_config
from entityseg.baselines.views import ViewProcessor

Make = Callable[..., Path]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes the folder of a tiny model, once for equal options."""
    root = tmp_path_factory.mktemp("weights")
    made: dict[str, Path] = {}

    def make(name: str = "cropformer", **options: Any) -> Path:
        key = f"{name}-{sorted(options.items())}"
        if key not in made:
            folder = root / str(len(made))
            torch.manual_seed(0)
            save_model(new_model(tiny_config(name, **options)), folder)
            crops = "none" if name == "mask2former" else "fixed4"
            ViewProcessor(64, 96, crops=crops).save_pretrained(folder)
            made[key] = folder
        return made[key]

    return make


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mini dataset, with few scenes; not to be changed."""
    from entityseg.data.mini.write import write_mini

    folder = tmp_path_factory.mktemp("predict") / "mini"
    write_mini(folder, scenes=4, jobs=1)
    return folder
