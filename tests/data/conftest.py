"""A small dataset that has everything a format can lose, and the check that nothing was lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.masks import from_dense


def build_rich(seed: int = 0, images: int = 5) -> Dataset:
    """Overlapping masks, a hole, crowds, an empty image and mask, extras, repeated names, a stray id."""
    rng = np.random.default_rng(seed)
    made = []
    next_id = 7
    for i in range(images):
        height, width = 20 + i, 31
        n = 0 if i == 1 else int(rng.integers(2, 5))
        dense = rng.random((n, height, width)) < 0.4
        if n:
            dense[0] = False
            dense[0, 2:9, 3:12] = True
            dense[0, 4:6, 5:8] = False
            dense[1] = False if i == 3 else dense[1]
        extras: Any = [{"attribute": "ü", "deep": [k, {"a": None}]} for k in range(n)] if i in (0, 2) else ()
        ids = np.arange(next_id, next_id + n)
        next_id += n
        category_ids = rng.choice([0, 5, 99], n)
        crowd = rng.random(n) < 0.3
        image = ImageRecord(10 - i, f"entity_01_2/a.{i}.jpg", height, width, {"url": "x"} if i == 1 else {})
        masks = from_dense(dense.reshape(n, height, width))
        made.append(AnnotatedImage(image, masks, ids, category_ids, crowd, extras))
    categories = [
        Category(0, " pipe", True, "tube", {"type": "thing", "c_name": "管"}),
        Category(5, " pipe", False, "tube", {"type": "stuff"}),
    ]
    return Dataset.build(made, categories, info={"info": {"year": 2022}, "licenses": [{"id": 1}]})


def assert_same(got: Dataset, want: Dataset) -> None:
    """Fail unless two datasets have the same images, categories, annotations, masks and other keys."""
    assert got.images == want.images
    assert got.categories == want.categories
    assert dict(got.info) == dict(want.info)
    for column in ("offsets", "ids", "category_ids", "iscrowd"):
        np.testing.assert_array_equal(getattr(got, column), getattr(want, column), err_msg=column)
    for a, b in zip(got, want, strict=True):
        assert a.masks == b.masks
        assert [a.extra_of(i) for i in range(len(a))] == [b.extra_of(i) for i in range(len(b))]


@pytest.fixture
def rich() -> Dataset:
    return build_rich()


@pytest.fixture(scope="session")
def make_rich() -> Callable[..., Dataset]:
    return build_rich


@pytest.fixture
def same() -> Callable[[Dataset, Dataset], None]:
    return assert_same


@dataclass
class Made:
    """A dataset and the id map of each of its images."""

    dataset: Dataset
    maps: list[np.ndarray]


PLAIN_CATEGORIES = (
    Category(3, "person", True, "human", {"isthing": 1, "color": [220, 20, 60]}),
    Category(7, "sky", False, None, {"isthing": 0}),
    Category(9, " folder", True, "office", {"isthing": 1}),
)


def dense_masks(id_map: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """The plain way: compare the map with each id."""
    return np.stack([id_map == value for value in ids]) if len(ids) else np.zeros((0, *id_map.shape), bool)


def make(
    images: int = 4, seed: int = 0, *, first_id: int = 1, extras: bool = True, empty: bool = True
) -> Made:
    """Images of random blobs: nearest of a few points, some of them void; the last image is empty."""
    rng = np.random.default_rng(seed)
    annotated, maps, next_id = [], [], first_id
    for i in range(images):
        height, width = (int(side) for side in rng.integers(17, 60, 2))
        points = rng.random((9, 2)) * [height, width]
        y, x = np.mgrid[:height, :width]
        nearest = ((y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2).argmin(-1)
        blank = empty and i == images - 1
        ids = [] if blank else list(range(next_id, next_id + 6))
        next_id += len(ids)
        id_map = np.zeros((height, width), np.int64)
        for k, value in enumerate(ids):
            id_map[nearest == k] = value
        ids = [value for value in ids if (id_map == value).any()]
        n = len(ids)
        annotated.append(
            AnnotatedImage(
                ImageRecord(10 + i, f"photo.{i}.jpg", height, width, {"license": 2}),
                from_dense(dense_masks(id_map, ids)),
                np.array(ids, np.int64),
                np.array([PLAIN_CATEGORIES[k % 3].id for k in range(n)], np.int64),
                np.array([k == 4 for k in range(n)], bool),
                [{"attribute": f"a{value}"} for value in ids] if extras else (),
            )
        )
        maps.append(id_map)
    info = {"info": {"description": "made"}, "licenses": [{"id": 2, "name": "CC BY"}]}
    return Made(Dataset.build(annotated, PLAIN_CATEGORIES, info=info), maps)


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Made]:
    return make


@pytest.fixture
def made() -> Made:
    return make()
