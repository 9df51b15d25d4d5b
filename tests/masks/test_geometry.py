"""Crop, flip and resize, against numpy and Pillow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, crop, flip, from_dense, resize
from entityseg.masks.geometry import nearest_sources
from tests.strategies import Dense, checked, dense_stacks, pixels_of, wiggly


@given(dense_stacks(), st.data())
def test_crop_and_flip_against_pixels(dense: Dense, data: st.DataObject) -> None:
    masks = from_dense(dense)
    _, height, width = dense.shape
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    assert np.array_equal(pixels_of(checked(crop(masks, x, y, w, h))), dense[:, y : y + h, x : x + w])
    for horizontal in (False, True):
        for vertical in (False, True):
            flipped = checked(flip(masks, horizontal=horizontal, vertical=vertical))
            want = dense[:, :: -1 if vertical else 1, :: -1 if horizontal else 1]
            assert np.array_equal(pixels_of(flipped), want)


@given(dense_stacks(), st.integers(1, 25), st.integers(1, 25))
def test_resize_against_pillow(dense: Dense, height: int, width: int) -> None:
    resized = checked(resize(from_dense(dense), (height, width)))
    assert np.array_equal(pixels_of(resized), _pillow(dense, height, width))


def _pillow(dense: Dense, height: int, width: int) -> Dense:
    nearest = Image.Resampling.NEAREST
    images = [Image.fromarray(mask.astype(np.uint8)).resize((width, height), nearest) for mask in dense]
    return np.array([np.asarray(image) > 0 for image in images]).reshape(-1, height, width)


def test_resize_of_large_masks_against_pillow() -> None:
    rng = np.random.default_rng(0)
    dense = wiggly(rng, 4, 403, 287)
    masks = from_dense(dense)
    for size in [(134, 96), (403, 287), (1209, 861), (1000, 3), (1, 1), (800, 570), (57, 1333)]:
        assert np.array_equal(pixels_of(checked(resize(masks, size))), _pillow(dense, *size))


def test_the_pixel_rule_is_pillows_for_every_pair_of_sides() -> None:
    """Sums of float64 come out just below and just above whole numbers; both sides round the same."""
    rng = np.random.default_rng(1)
    for old, new in [*rng.integers(1, 5000, (300, 2)).tolist(), (3, 10), (10, 3), (4000, 1333), (1333, 4000)]:
        ramp = Image.fromarray(np.arange(old, dtype=np.int32)[None])
        want = np.asarray(ramp.resize((new, 1), Image.Resampling.NEAREST))[0]
        assert np.array_equal(nearest_sources(old, new), want), (old, new)


def test_hand_computed() -> None:
    masks = RunLengths((2, 2), [1, 3], [0, 2])
    assert resize(masks, (2, 2)) is masks
    assert resize(masks, (4, 2)).edges.tolist() == [2, 6]
    assert resize(masks, (1, 2)).edges.tolist() == [0, 1]
    assert crop(masks, 1, 0, 1, 2).edges.tolist() == [0, 1]
    assert flip(masks, vertical=True).edges.tolist() == [0, 1, 3, 4]
    for result in (resize(masks[[]], (5, 6)), crop(masks[[]], 0, 0, 1, 1), flip(masks[[]], horizontal=True)):
        assert len(result) == 0


@pytest.mark.parametrize(
    "box", [(-1, 0, 2, 2), (0, -1, 2, 2), (0, 0, 0, 2), (0, 0, 2, 0), (3, 0, 2, 2), (0, 2, 2, 2)]
)
def test_parts_that_are_not_in_the_image(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(UsageError, match="not inside the image of 4 x 3"):
        crop(RunLengths.empty((3, 4), 1), *box)


def test_sizes_that_are_none() -> None:
    with pytest.raises(InputError, match="size"):
        resize(RunLengths.empty((3, 4), 1), (0, 4))
