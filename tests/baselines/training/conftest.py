"""A small dataset with train and validation images, and configs that train in seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entityseg.baselines.training.config import TrainingConfig
from entityseg.baselines.training.reading import read_config
from entityseg.masks import from_id_map, to_coco

CATEGORIES = [
    {"id": 3, "name": "box", "type": "thing", "supercategory": "thing"},
    {"id": 7, "name": "wall", "type": "stuff", "supercategory": "stuff"},
]
# Everything smaller than in the recipe, which is made to learn something; these are made to be over soon.
SMALL = (
    "views.short_sides=[32, 40]",
    "views.max_side=64",
    "views.test_short_side=32",
    "views.test_max_side=64",
    "loss.points=64",
    "model.options.queries=6",
    "model.options.hidden_size=32",
    "model.options.pixel_size=32",
    "model.options.mask_size=32",
    "model.options.decoder_layers=1",
    "model.backbone.embed_dim=8",
    "model.backbone.num_heads=[1, 1, 2, 2]",
    "model.backbone.drop_path_rate=0.3",
    "schedule.steps=10",
    "schedule.warmup=2",
    "run.checkpoint_every=5",
    "run.log_every=1",
)


def write_split(folder: Path, name: str, images: int, seed: int, *, empty: int | None = None) -> None:
    """Write images of a wall with boxes, each an entity, and their annotations."""
    generator = np.random.default_rng(seed)
    records, annotations = [], []
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for index in range(images):
        ids = np.ones((48, 64), np.uint32)
        for entity in (2, 3):
            y, x = generator.integers(0, 28), generator.integers(0, 44)
            ids[y : y + 18, x : x + 18] = entity
        colours = generator.integers(0, 256, (4, 3))
        file = f"{name}_{index}.png"
        Image.fromarray(colours[ids].astype(np.uint8)).save(folder / "images" / file)
        records.append({"id": index + 1, "file_name": file, "height": 48, "width": 64})
        if index == empty:
            continue
        found, masks = from_id_map(ids)
        for segmentation, entity in zip(to_coco(masks), found.tolist(), strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index + 1,
                    "category_id": 7 if entity == 1 else 3,
                    "segmentation": segmentation,
                    "area": int((ids == entity).sum()),
                    "bbox": [0, 0, 64, 48],
                    "iscrowd": 0,
                }
            )
    value = {"images": records, "annotations": annotations, "categories": CATEGORIES}
    (folder / f"{name}.json").write_text(json.dumps(value))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `train.json` (5 images), `val.json` (2), and their images."""
    folder = tmp_path_factory.mktemp("small")
    write_split(folder, "train", 5, 0)
    write_split(folder, "val", 2, 1)
    return folder


@pytest.fixture(scope="session")
def small(data: Path) -> Callable[..., TrainingConfig]:
    """Return a function that makes a small config of a family, with overrides."""

    def make(family: str = "cropformer", *overrides: str) -> TrainingConfig:
        recipe = "tiny-mask2former" if family == "mask2former" else "tiny-cropformer"
        images = json.dumps(str(data / "images"))
        paths = [
            f"data.{part}={{path: {json.dumps(str(data / name))}, images: {images}}}"
            for part, name in (("train", "train.json"), ("validation", "val.json"))
        ]
        return read_config(recipe, [*SMALL, f"model.family={family}", *paths, *overrides])

    return make


@pytest.fixture(scope="session")
def split_writer() -> Callable[..., None]:
    """Return `write_split`."""
    return write_split
