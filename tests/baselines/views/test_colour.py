"""Colours are distorted within bounds, alike in all views, and by the generator alone."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from entityseg.baselines.views.augment import ViewAugmentation
from entityseg.baselines.views.colour import Distortion
from entityseg.masks import from_dense

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_each_part_by_hand() -> None:
    assert np.array_equal(Distortion().apply(PIXELS), PIXELS)
    shifted = Distortion(brightness=-20.4).apply(PIXELS)
    assert np.array_equal(shifted, np.clip(np.rint(PIXELS - 20.4), 0, 255))
    assert np.array_equal(Distortion(contrast=1.25).apply(PIXELS), np.clip(np.rint(PIXELS * 1.25), 0, 255))
    grey = Distortion(saturation=0.0).apply(PIXELS).astype(int)
    assert np.array_equal(grey.max(axis=2), grey.min(axis=2))
    assert np.array_equal(grey[..., 0], PIXELS.max(axis=2))


@pytest.mark.parametrize("hue", [0.1, -0.1, 0.5])
def test_hues_turn_as_in_the_standard_library(hue: float) -> None:
    found = Distortion(hue=hue).apply(PIXELS)
    errors = []
    for before, after in zip(PIXELS.reshape(-1, 3), found.reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*(before / 255))
        expected = np.array(colorsys.hsv_to_rgb((h + hue) % 1, s, v)) * 255
        errors.append(np.abs(after - expected).max())
    # Hue and saturation are bytes in between: a step of hue is 6 grey values of a pure colour.
    assert np.mean(errors) < 4 and np.max(errors) < 16


def test_contrast_comes_first_or_last() -> None:
    first, last = (Distortion(contrast=1.5, saturation=0.5, contrast_first=one) for one in (True, False))
    assert not np.array_equal(first.apply(PIXELS), last.apply(PIXELS))


def test_draws_stay_in_bounds_and_leave_half_as_it_is() -> None:
    drawn = [Distortion.draw(np.random.default_rng(seed)) for seed in range(2000)]
    for name, neutral, low, high in (
        ("brightness", 0.0, -32, 32), ("contrast", 1.0, 0.5, 1.5), ("saturation", 1.0, 0.5, 1.5),
        ("hue", 0.0, -0.1, 0.1),
    ):  # fmt: skip
        values = np.array([getattr(one, name) for one in drawn])
        assert values.min() >= low and values.max() <= high
        assert 0.45 < (values == neutral).mean() < 0.55
        assert np.ptp(values) > 0.9 * (high - low)
    assert 0.45 < np.mean([one.contrast_first for one in drawn]) < 0.55


def test_views_are_distorted_alike_and_masks_not_at_all() -> None:
    image = np.full((64, 80, 3), (200, 120, 40), np.uint8)
    masks = from_dense(np.ones((1, 64, 80), bool))
    options = {"short_sides": (32,), "max_side": 64, "flip": 0.0}
    plain = ViewAugmentation(**options)
    coloured = ViewAugmentation(**options, colour=True)
    changed = 0
    for seed in range(10):
        before, runs = plain(image, masks, np.random.default_rng(seed))
        after, same = coloured(image, masks, np.random.default_rng(seed))
        assert runs == same and [one.shape for one in before] == [one.shape for one in after]
        colours = {tuple(one.reshape(-1, 3).mean(axis=0).tolist()) for one in after}
        assert len(colours) == 1
        changed += not np.array_equal(after[0], before[0])
        again, _ = coloured(image, masks, np.random.default_rng(seed))
        assert all(np.array_equal(one, other) for one, other in zip(after, again, strict=True))
    assert changed >= 7
