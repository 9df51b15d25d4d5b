"""From a map of inks to a picture: hand-drawn wobble, textures, outlines, shadows, blur and grain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from entityseg.data.mini.canvas import Canvas
from entityseg.data.mini.categories import BLUR_ID
from entityseg.data.mini.noise import SINE, SINE_STEPS, Field, layered_noise, value_noise

Pixels = NDArray[np.uint8]

# Rows worked on at a time: the temporaries of a strip stay in the processor's cache.
STRIP = 48


@dataclass(frozen=True)
class Style:
    """What a look does to every picture.

    Lengths are thousandths of the long side. `wobble` and `wave`: how far outlines stray and over which
    distance; `edge` and `edge_width`: how dark and how wide the line around entities is; `light`: uneven
    lighting over the picture; `noise`: grain over everything.
    """

    wobble: float
    wave: float
    edge: float
    edge_width: float
    light: float
    noise: float


def warped(
    inks: NDArray[np.uint16], shades: Pixels | None, style: Style, rng: np.random.Generator, u: float
) -> tuple[NDArray[np.uint16], Pixels | None]:
    """Move every pixel by a smooth random displacement, which makes straight edges wiggle.

    The displacement is the same for `inks` ``[H, W]`` and for `shades`, which has half the size.
    """
    height, width = inks.shape
    far, near = style.wobble * u, style.wobble * u * 0.35
    moves = [
        value_noise(rng, height, width, style.wave * u) * np.float32(far)
        + value_noise(rng, height, width, max(style.wave * u * 0.25, 10)) * np.float32(near)
        for _ in range(2)
    ]
    columns = np.arange(width, dtype=np.float32)
    out, dark = np.empty_like(inks), None if shades is None else np.empty_like(inks, dtype=np.uint8)
    flat = inks.ravel()
    for top in range(0, height, STRIP):
        rows = slice(top, min(top + STRIP, height))
        x = np.clip(moves[0][rows] + columns, 0, width - 1).astype(np.int32)
        down = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        y = np.clip(moves[1][rows] + down, 0, height - 1).astype(np.int32)
        out[rows] = flat[y * width + x]
        if shades is not None and dark is not None:
            dark[rows] = shades[y >> 1, x >> 1]
    return out, dark


def edges(keys: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels ``[H, W]`` whose right or lower neighbour has another key, and those neighbours."""
    found = np.zeros(keys.shape, dtype=bool)
    across, down = keys[:, 1:] != keys[:, :-1], keys[1:] != keys[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found


def render(canvas: Canvas, style: Style) -> tuple[Pixels, NDArray[np.uint16]]:
    """Shade a canvas: the picture ``[H, W, 3]`` and the ink map ``[H, W]`` that it shows.

    The map is wobbled as the style says and, for every second scene or so, mirrored with its picture.
    """
    rng, u = canvas.rng, canvas.u
    shade_image = canvas.shade_map()
    if shade_image is not None:
        shade_image = shade_image.filter(ImageFilter.BoxBlur(max(1, round(0.8 * u))))
    inks, shades = warped(
        canvas.ink_map(), None if shade_image is None else np.asarray(shade_image), style, rng, u
    )
    image = _textured(canvas, inks, shades, style)
    _draw_edges(image, np.array(canvas.outline_key, dtype=np.uint16)[inks], style, u)
    _defocus(image, canvas, inks)
    _soften(image, inks)
    if rng.random() < 0.5:
        image, inks = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(inks[:, ::-1])
    return image, inks


def _textured(canvas: Canvas, inks: NDArray[np.uint16], shades: Pixels | None, style: Style) -> Pixels:
    rng, u, materials = canvas.rng, canvas.u, canvas.materials
    height, width = inks.shape
    coarse = layered_noise(rng, height, width, 80 * u, 3)
    ridges = layered_noise(rng, height, width, 130 * u, 3)
    fine = value_noise(rng, height, width, max(2.2, 3.2 * u))
    light = value_noise(rng, height, width, 600 * u) * np.float32(style.light)
    dust = np.frombuffer(rng.bytes(height * width), dtype=np.int8).reshape(height, width)

    def table(values: list[float]) -> Field:
        return np.array(values, dtype=np.float32)

    first = table([c for m in materials for c in m.colour]).reshape(-1, 3)
    delta = table([c for m in materials for c in m.second]).reshape(-1, 3) - first
    turns = [SINE_STEPS / m.period for m in materials]
    ax = table([t * _cosine(m.angle) for t, m in zip(turns, materials, strict=True)])
    ay = table([t * _sine(m.angle) for t, m in zip(turns, materials, strict=True)])
    mottle, vein, speck = (table([getattr(m, n) for m in materials]) for n in ("mottle", "vein", "fine"))
    stripe, weave, warp = (table([getattr(m, n) for m in materials]) for n in ("stripe", "weave", "warp"))
    grain = table([(m.grain + style.noise) / 128 for m in materials])
    slope_x, slope_y = (table([m.lift[k] for m in materials]) for k in (0, 1))
    slope_0 = table([-m.lift[0] * m.centre[0] - m.lift[1] * m.centre[1] for m in materials])

    image = np.empty((height, width, 3), dtype=np.uint8)
    x = np.arange(width, dtype=np.float32)
    mask = SINE_STEPS - 1
    for top in range(0, height, STRIP):
        rows = slice(top, min(top + STRIP, height))
        i = inks[rows].astype(np.intp)
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        soft = coarse[rows]
        across, down = ax[i], ay[i]
        bend = soft * (warp[i] * np.float32(SINE_STEPS / 6))
        bars = SINE[(across * x + down * y + bend).astype(np.int32) & mask]
        cross = SINE[(across * y - down * x + bend).astype(np.int32) & mask]
        mix = mottle[i] * soft + speck[i] * fine[rows] * np.float32(0.5)
        mix += stripe[i] * (bars * np.float32(0.5)) + weave[i] * (cross * np.float32(0.5))
        mix += np.float32(0.3) + vein[i] * (np.float32(0.7) - np.minimum(np.abs(ridges[rows]) * 7, 1))
        np.clip(mix, 0, 1, out=mix)
        level = slope_x[i] * x + slope_y[i] * y + slope_0[i] + grain[i] * dust[rows] + light[rows]
        if shades is not None:
            level += shades[rows].astype(np.float32) - 128
        pixels = first[i] + delta[i] * mix[..., None] + level[..., None]
        image[rows] = np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)
    return image


def _cosine(angle: float) -> float:
    return round(float(np.cos(angle)), 6)


def _sine(angle: float) -> float:
    return round(float(np.sin(angle)), 6)


def _draw_edges(image: Pixels, keys: NDArray[np.uint16], style: Style, u: float) -> None:
    """Darken `image` in place along the borders of `keys`."""
    radius = max(style.edge_width * u / 2 - 0.5, 0.3)
    line = Image.fromarray(edges(keys).view(np.uint8) * 255).filter(ImageFilter.BoxBlur(radius))
    # A straight border, two pixels wide before the filter, then covers this share of the window.
    full = 255 * 2 / (2 * radius + 1)
    curve = (style.edge * np.minimum(np.arange(256) / full, 1) * 256).astype(np.uint16)
    keep = (256 - curve)[np.asarray(line)]
    for top in range(0, image.shape[0], STRIP):
        rows = slice(top, top + STRIP)
        image[rows] = (image[rows] * keep[rows][..., None]) >> 8


def _defocus(image: Pixels, canvas: Canvas, inks: NDArray[np.uint16]) -> None:
    """Blur `image` in place inside the "blur" entity."""
    owners = {k for k, s in enumerate(canvas.sketches, start=1) if s.category["id"] == BLUR_ID}
    if not owners:
        return
    inside = np.isin(np.array(canvas.owner), list(owners))[inks]
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # Weighted by the mask, so that nothing from outside bleeds in.
    weight = inside[part].view(np.uint8)
    size = weight.shape[1], weight.shape[0]
    radius = max(2.0, 2.6 * canvas.u)
    layers = [
        np.asarray(Image.fromarray(plane).reduce(4).filter(ImageFilter.GaussianBlur(radius))).astype(
            np.float32
        )
        for plane in (
            weight * 255,
            *(np.ascontiguousarray((image[part] * weight[..., None])[..., k]) for k in range(3)),
        )
    ]
    for k in range(3):
        plane = np.clip(layers[k + 1] * 255 / np.maximum(layers[0], 1), 0, 255)
        far = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC)).clip(0, 255)
        image[part][..., k][inside[part]] = far[inside[part]].astype(np.uint8)


def _soften(image: Pixels, inks: NDArray[np.uint16]) -> None:
    """Mix the pixels along all borders with their neighbours, in place: the camera's antialiasing."""
    y, x = np.nonzero(edges(inks)[1:-1, 1:-1])
    width = image.shape[1]
    at = (y + 1) * width + x + 1
    flat = image.reshape(-1, 3)
    total = flat[at].astype(np.uint16) * 4
    for step in (-1, 1, -width, width):
        total += flat[at + step]
    flat[at] = (total >> 3).astype(np.uint8)
