"""Colours for any number of entities: told apart by eye, the same each time.

Hue, lightness and chroma walk through OKLCH (Ottosson, 2020, https://bottosson.github.io/posts/oklab/),
whose equal steps look equal, by a sequence that never comes back to where it was.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# The golden ratio's share of a turn leaves the widest gaps between any number of hues.
_GOLDEN = 0.6180339887498949
_LIGHTNESS = (0.72, 0.58, 0.82, 0.65)
_CHROMA = (0.19, 0.15, 0.13)
# Okabe and Ito's colours, told apart in all common kinds of colour blindness.
MATCHED, MISSED, FALSE = (0, 114, 178), (230, 159, 0), (204, 61, 128)


def entity_colours(count: int) -> NDArray[np.uint8]:
    """Return `count` different colours, uint8 [count, 3] RGB; the first ones do not depend on the count.

    >>> entity_colours(2).tolist() == entity_colours(3)[:2].tolist()
    True
    """
    number = np.arange(count)
    hue = 2 * np.pi * ((0.07 + number * _GOLDEN) % 1)
    # After each round of four lightnesses by three chromas the values shift a little: no colour repeats.
    drift = 0.05 * (((number // 12) * _GOLDEN) % 1) - 0.025
    lightness = np.array(_LIGHTNESS)[number % 4] + drift
    chroma = np.array(_CHROMA)[number % 3] + drift
    colours = _from_oklch(lightness, chroma, hue)
    # Rounding and sRGB's edge make a few of a thousand equal; those take the next blue that is free.
    seen: set[tuple[int, int, int]] = set()
    for row, (red, green, blue) in enumerate(colours.tolist()):
        while (red, green, blue) in seen:
            blue = (blue + 1) % 256
        seen.add((red, green, blue))
        colours[row, 2] = blue
    return colours


def _from_oklch(
    lightness: NDArray[np.floating[Any]], chroma: NDArray[np.floating[Any]], hue: NDArray[np.floating[Any]]
) -> NDArray[np.uint8]:
    """Return sRGB bytes [n, 3]; what lies outside sRGB is cut to it."""
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    lms = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    ) @ (lms**3)
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    colours: NDArray[np.uint8] = np.round(encoded.T * 255).astype(np.uint8)
    return colours
