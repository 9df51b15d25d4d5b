"""A small dataset with its images on disk, and its predictions."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entityseg.data.formats import get_format
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.masks import from_id_map

CATEGORIES = (Category(1, "sky", False, "nature"), Category(2, "<b>house</b>", True, "building"))


def blobs(height: int, width: int, count: int, seed: int) -> np.ndarray:
    """Each pixel belongs to the nearest of a few points: masks of all shapes that cover the image."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, 2)) * (height, width)
    y, x = np.mgrid[:height, :width]
    return np.argmin([(y - py) ** 2 + (x - px) ** 2 for py, px in points], axis=0) + 1


def build(images: int = 3) -> Dataset:
    made = []
    next_id = 1
    for i in range(images):
        ids, masks = from_id_map(blobs(120 + 10 * i, 160, 6 + i, i))
        numbers = np.arange(next_id, next_id + len(ids))
        next_id += len(ids)
        record = ImageRecord(i + 1, f"pic{i}.png", *masks.size)
        made.append(AnnotatedImage(record, masks, numbers, 1 + ids % 2, np.zeros(len(ids), bool)))
    return Dataset.build(made, CATEGORIES, info={"info": {"license": "CC0-1.0"}})


@pytest.fixture
def small() -> Dataset:
    return build()


@pytest.fixture
def on_disk(tmp_path: Path) -> Path:
    """The dataset as entity JSON, `own/annotations.json`, with its images beside it."""
    folder = tmp_path / "own"
    dataset = build()
    get_format("entity").write(dataset, folder)
    for number, image in enumerate(dataset.images):
        pixels = np.random.default_rng(number).integers(0, 256, (*image.size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / image.file_name)
    return folder
