"""Distortion of colours in training, as SSD does it (Liu et al., ECCV 2016): for semantic models, as released."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from entityseg.baselines.views.cutting import Pixels

# Half-ranges of what is added to values of 0 to 255, and of the share of the circle that hues are turned by.
_BRIGHTNESS, _HUE = 32.0, 0.1
# Least and largest factor of contrast and of saturation.
_FACTORS = (0.5, 1.5)
_CHANCE = 0.5


@dataclass(frozen=True)
class Distortion:
    """One distortion, the same for all views of an image.

    Attributes:
        brightness: is added to all values.
        contrast: factor of all values.
        saturation: factor of the saturation.
        hue: share of the circle that hues are turned by.
        contrast_first: whether contrast comes before saturation and hue, or after them.
    """

    brightness: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    contrast_first: bool = True

    @classmethod
    def draw(cls, generator: np.random.Generator) -> Distortion:
        """Draw a distortion: each of its four parts is made with a chance of one half."""
        made = generator.random(5) < _CHANCE
        brightness, hue = generator.uniform(-1, 1, 2) * (_BRIGHTNESS, _HUE)
        contrast, saturation = generator.uniform(*_FACTORS, 2)
        return cls(
            brightness=float(brightness) if made[0] else 0.0,
            contrast=float(contrast) if made[1] else 1.0,
            saturation=float(saturation) if made[2] else 1.0,
            hue=float(hue) if made[3] else 0.0,
            contrast_first=bool(made[4]),
        )

    def apply(self, pixels: Pixels) -> Pixels:
        """Return the distorted pixels; each step rounds to bytes and clips, as the released code does.

        Args:
            pixels: uint8 [height, width, 3], RGB.

        >>> Distortion(brightness=10, contrast=2).apply(np.array([[[0, 100, 200]]], np.uint8)).tolist()
        [[[20, 220, 255]]]
        """
        pixels = _linear(pixels, 1.0, self.brightness)
        if self.contrast_first:
            pixels = _linear(pixels, self.contrast, 0.0)
        pixels = self._turned(pixels)
        return pixels if self.contrast_first else _linear(pixels, self.contrast, 0.0)

    def _turned(self, pixels: Pixels) -> Pixels:
        """Change saturation and hue."""
        if self.saturation == 1.0 and self.hue == 0.0:
            return pixels
        values = np.array(Image.fromarray(pixels).convert("HSV"))
        values[..., 1] = _linear(values[..., 1], self.saturation, 0.0)
        # Bytes run around the circle by themselves.
        values[..., 0] += np.uint8(round(self.hue * 256) % 256)
        return np.array(Image.fromarray(values, "HSV").convert("RGB"))


def _linear(values: Pixels, factor: float, shift: float) -> Pixels:
    if factor == 1.0 and shift == 0.0:
        return values
    changed: Pixels = np.clip(np.rint(values * np.float32(factor) + np.float32(shift)), 0, 255).astype(
        np.uint8
    )
    return changed
