"""A small ground truth and predictions for it, drawn by hand so that every figure can be counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.masks import RunLengths, from_dense
from entityseg.predictions import Predictions

HEIGHT, WIDTH = 12, 20
IMAGES = (
    ImageRecord(7, "val/a.jpg", HEIGHT, WIDTH),
    ImageRecord(11, "val/b.png", HEIGHT, WIDTH),
    ImageRecord(5, "c.jpeg", 6, 8),
)


def boxes(size: tuple[int, int], corners: Sequence[tuple[int, int, int, int]]) -> RunLengths:
    """Return one mask a rectangle (top, left, bottom, right)."""
    stack = np.zeros((len(corners), *size), bool)
    for mask, (top, left, bottom, right) in zip(stack, corners, strict=True):
        mask[top:bottom, left:right] = True
    return from_dense(stack) if len(corners) else RunLengths.empty(size)


@pytest.fixture
def gt() -> Dataset:
    drawn = [
        boxes((HEIGHT, WIDTH), [(0, 0, 12, 10), (0, 10, 12, 20)]),
        boxes((HEIGHT, WIDTH), [(2, 2, 6, 9)]),
        boxes((6, 8), [(0, 0, 6, 4), (0, 4, 6, 8)]),
    ]
    annotated = [
        AnnotatedImage(
            image,
            masks,
            np.arange(len(masks)) + 10 * i + 1,
            np.ones(len(masks), np.int64),
            np.zeros(len(masks), bool),
        )
        for i, (image, masks) in enumerate(zip(IMAGES, drawn, strict=True))
    ]
    return Dataset.build(annotated, [Category(1, "entity")])


@pytest.fixture
def disjoint() -> Predictions:
    """Two masks in the first image, nothing found in the second, one mask in the third."""
    return Predictions.build(
        IMAGES,
        [
            (boxes((HEIGHT, WIDTH), [(0, 0, 12, 9), (0, 10, 12, 20)]), [0.9, 0.1 + 0.2]),
            (RunLengths.empty((HEIGHT, WIDTH)), []),
            (boxes((6, 8), [(0, 0, 6, 4)]), [1e-300]),
        ],
        listed=np.array([True, True, True]),
    )


@pytest.fixture
def overlapping() -> Predictions:
    """In the first image: a 12 x 10 box, one over its right half, and a small one hidden inside both."""
    masks = boxes((HEIGHT, WIDTH), [(0, 0, 12, 10), (0, 5, 12, 15), (4, 6, 6, 8)])
    return Predictions.build(
        IMAGES,
        [
            (masks, [0.5, 0.8, 0.3]),
            (RunLengths.empty((HEIGHT, WIDTH)), []),
            (boxes((6, 8), [(0, 0, 6, 4)]), [0.7]),
        ],
    )
