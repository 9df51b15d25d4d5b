"""A small dataset that has everything a format can lose, and the check that nothing was lost."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.masks import from_dense


def build_rich(seed: int = 0, images: int = 5) -> Dataset:
    """Overlapping masks, a hole, crowds, an empty image, an empty mask, extras, names that repeat, a stray id."""
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


@pytest.fixture
def same() -> Callable[[Dataset, Dataset], None]:
    return assert_same
