"""Living figures of the drawings: people, animals, birds and flowers.

As in `figures`, (x, base) is the middle of the foot in pixels and `h` the height.
"""

import math

import numpy as np

from entityseg.data.mini.canvas import Canvas, Colour, shade
from entityseg.data.mini.figures import CLOTHES, pick
from entityseg.data.mini.noise import arc, blob, box, smooth

SKIN: tuple[Colour, ...] = ((238, 200, 172), (196, 146, 112), (142, 98, 72), (92, 64, 50))


def person(c: Canvas, x: float, base: float, h: float, name: str = "person") -> None:
    """A standing or walking figure with head, hair, shirt, trousers and arms."""
    rng = c.rng
    top = pick(c, CLOTHES)
    body = c.add(
        name, top, str(rng.choice(["plain", "plain", "striped"])), shape="upright", angle=math.pi / 2
    )
    skin, legs = c.also(body, pick(c, SKIN)), c.also(body, pick(c, CLOTHES))
    hair = c.also(body, pick(c, ((60, 44, 36), (140, 96, 52), (206, 172, 110), (90, 86, 90))))
    stride, limb = rng.uniform(0.05, 0.16) * h, max(2.0, 0.075 * h)
    for side in (-1, 1):
        c.line([[x + side * 0.045 * h, base - 0.48 * h], [x + side * stride, base]], 1.15 * limb, legs)
        hand = x + side * rng.uniform(0.14, 0.26) * h, base - rng.uniform(0.38, 0.75) * h
        c.line([[x + side * 0.1 * h, base - 0.76 * h], hand], limb, body)
        c.ellipse(*hand, 0.6 * limb, 0.6 * limb, skin)
    if rng.random() < 0.4:
        c.polygon(
            [
                [x - 0.08 * h, base - 0.55 * h],
                [x + 0.08 * h, base - 0.55 * h],
                [x + 0.17 * h, base - 0.24 * h],
                [x - 0.17 * h, base - 0.24 * h],
            ],
            legs,
        )
    c.polygon(smooth(box(x, base - 0.63 * h, 0.27 * h, 0.38 * h), closed=True, rounds=2), body)
    c.ellipse(x, base - 0.9 * h, 0.085 * h, 0.1 * h, skin)
    c.polygon(arc(x, base - 0.92 * h, 0.095 * h, 0.1 * h, math.pi, 2 * math.pi), hair)


def beast(c: Canvas, x: float, base: float, h: float, name: str) -> None:
    """A four-legged animal: a dog, a cow, or another."""
    rng = c.rng
    coat = pick(c, ((236, 230, 220), (128, 88, 62), (70, 62, 60), (196, 150, 98)))
    side = float(rng.choice([-1, 1]))
    ink = c.add(name, coat, "cloudy", shape="four-legged")
    dark = c.also(ink, shade(coat, 0.55), outlined=False)
    long = {"cow": 0.62, "dog": 0.5}.get(name, 0.55) * h
    for k in (-0.85, -0.6, 0.55, 0.8):
        c.line([[x + k * long, base - 0.5 * h], [x + k * long * 1.04, base]], max(3, 0.1 * h), ink)
    tail = np.array(
        [
            [x - side * long, base - 0.75 * h],
            [x - side * 1.3 * long, base - 0.85 * h],
            [x - side * 1.4 * long, base - 0.5 * h],
        ]
    )
    c.line(smooth(tail), max(2, 0.045 * h), ink)
    c.polygon(blob(rng, x, base - 0.6 * h, long * 1.08, 0.27 * h, 0.07), ink)
    hx, hy = x + side * 1.2 * long, base - 0.86 * h
    c.line([[x + side * 0.75 * long, base - 0.65 * h], [hx, hy]], 0.24 * h, ink)
    c.polygon(blob(rng, hx + side * 0.06 * h, hy, 0.2 * h, 0.14 * h, 0.05), ink)
    c.ellipse(hx - side * 0.08 * h, hy - 0.1 * h, 0.05 * h, 0.1 * h, dark)
    if name == "cow":
        for dx, dy in rng.uniform(-0.6, 0.6, (3, 2)).tolist():
            c.polygon(blob(rng, x + dx * long, base - 0.62 * h + dy * 0.2 * h, 0.14 * h, 0.1 * h, 0.3), dark)
    c.ellipse(hx + side * 0.1 * h, hy - 0.03 * h, 0.02 * h, 0.02 * h, c.also(ink, (20, 18, 18)))


def bird(c: Canvas, x: float, y: float, r: float) -> None:
    """A bird in the air, wings spread."""
    ink = c.add("bird", pick(c, ((52, 56, 70), (240, 240, 238), (120, 84, 72))), shape="winged")
    lift = float(c.rng.uniform(0.3, 0.9))
    wings = np.array(
        [
            [x - r, y - lift * r],
            [x - 0.45 * r, y - 0.7 * lift * r],
            [x, y],
            [x + 0.45 * r, y - 0.7 * lift * r],
            [x + r, y - lift * r],
            [x + 0.3 * r, y - 0.2 * r],
            [x, y + 0.22 * r],
            [x - 0.3 * r, y - 0.2 * r],
        ]
    )
    c.polygon(smooth(wings, closed=True, rounds=2), ink)


def wader(c: Canvas, x: float, base: float, h: float) -> None:
    """A crane, the bird: thin legs, a curved neck."""
    ink = c.add("animal/crane", pick(c, ((236, 236, 240), (176, 186, 200))), shape="slender")
    dark = c.also(ink, (60, 56, 64))
    thin = max(2, 0.02 * h)
    for k in (-0.04, 0.05):
        c.line([[x + k * h, base], [x, base - 0.45 * h]], thin, dark)
    c.polygon(blob(c.rng, x, base - 0.5 * h, 0.2 * h, 0.11 * h, 0.06), ink)
    neck = np.array(
        [
            [x + 0.12 * h, base - 0.52 * h],
            [x + 0.32 * h, base - 0.7 * h],
            [x + 0.1 * h, base - 0.82 * h],
            [x + 0.22 * h, base - 0.97 * h],
        ]
    )
    c.line(smooth(neck), 2.2 * thin, ink)
    c.line([[x + 0.2 * h, base - 0.96 * h], [x + 0.36 * h, base - 0.93 * h]], 1.3 * thin, dark)


def flower(c: Canvas, x: float, base: float, h: float) -> None:
    """A flower on a thin stem."""
    colour = pick(c, ((222, 74, 84), (246, 200, 66), (166, 104, 190), (246, 244, 238), (240, 140, 170)))
    ink = c.add("flower", colour, shape="star-like")
    stem = c.also(ink, (82, 124, 62))
    sway = float(c.rng.uniform(-0.15, 0.15)) * h
    c.line(
        smooth(np.array([[x, base], [x + 0.2 * sway, base - 0.5 * h], [x + sway, base - 0.8 * h]])),
        max(2, 0.04 * h),
        stem,
    )
    angle = np.arange(80) * (2 * math.pi / 80)
    r = 0.2 * h * (0.72 + 0.28 * np.cos(int(c.rng.integers(5, 8)) * angle))
    c.polygon(np.stack([x + sway + r * np.cos(angle), base - 0.82 * h + r * np.sin(angle)], axis=1), ink)
    c.ellipse(x + sway, base - 0.82 * h, 0.06 * h, 0.06 * h, c.also(ink, (150, 96, 40)))
