"""A dataset with everything that statistics must tell apart, small enough to count by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.masks import from_dense

CATEGORIES = (
    Category(1, "cat", True, "animal"),
    Category(2, "sky", False, "outdoor"),
    Category(3, "unknown", None, None),
    Category(4, "animal_ot", True, "animal"),
)


def image(
    number: int,
    maps: list[str],
    categories: list[int],
    *,
    crowd: tuple[int, ...] = (),
    file_name: str | None = None,
    size: tuple[int, int] | None = None,
    **extra: object,
) -> AnnotatedImage:
    """An image from pictures of its masks, rows parted by `/`, `#` for foreground."""
    height, width = size or (len(maps[0].split("/")), len(maps[0].split("/")[0]))
    dense = np.zeros((len(maps), height, width), bool)
    for k, text in enumerate(maps):
        dense[k] = np.array([[letter == "#" for letter in row] for row in text.split("/")])
    record = ImageRecord(number, file_name or f"entity_01_3/{number}.png", height, width, dict(extra))
    n = len(maps)
    ids = 10 * number + np.arange(n)
    iscrowd = np.isin(np.arange(n), crowd)
    return AnnotatedImage(record, from_dense(dense), ids, np.array(categories, np.int64), iscrowd)


@pytest.fixture(scope="session")
def make_image() -> Callable[..., AnnotatedImage]:
    return image


def build() -> Dataset:
    """Three images of 4 x 2, 4 x 4 and 2 x 2 pixels (width x height).

    1: a cat of 4 pixels, two skies of 1 pixel each in one column (a corner apart from none), 2 pixels of nothing.
    2: two cats that share 2 pixels, an unknown, a crowd of 4 pixels, an empty mask.
    3: no annotation.
    """
    first = image(1, ["##../##..", "...#/....", "..../..#."], [1, 2, 2], img_source="Pixabay")
    second = image(
        2,
        [
            "####/..../..../....",
            "..##/..##/..../....",
            "..../..../#.../....",
            "..../..../..##/..##",
            "..../..../..../....",
        ],
        [1, 1, 3, 1, 4],
        crowd=(3,),
        img_source="Pixabay",
    )
    third = image(3, [], [], size=(2, 2), file_name="entity_02_1/c.png")
    return Dataset.build([first, second, third], CATEGORIES)


@pytest.fixture
def tiny() -> Dataset:
    return build()
