"""Drawn scenes, flat colours with outlines: a village, a harbour and a meadow."""

import math

import numpy as np

from entityseg.data.mini import creatures
from entityseg.data.mini import figures as f
from entityseg.data.mini.canvas import Canvas, Colour, shade, vary
from entityseg.data.mini.clutter import blurred_corner, odd_thing, ring
from entityseg.data.mini.noise import blob, scatter, value_noise, wander
from entityseg.data.mini.shading import Style

_INK = Style(wobble=1.6, wave=28, edge=0.72, edge_width=2.6, light=5, noise=3)
_SOFT = Style(wobble=2.4, wave=40, edge=0.45, edge_width=1.8, light=10, noise=5)
STYLES = {"village": _INK, "harbour": _SOFT, "meadow": _INK}

SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((164, 204, 232), (206, 228, 240)),
    ((236, 190, 158), (246, 220, 190)),
    ((120, 146, 190), (170, 186, 214)),
    ((206, 216, 220), (228, 232, 232)),
)
GRASSES: tuple[Colour, ...] = ((150, 182, 96), (118, 160, 88), (176, 178, 96), (196, 176, 110))


def backdrop(c: Canvas, horizon: float) -> int:
    """Sky with sun and clouds, and two ranges of hills behind the horizon; returns the sky's ink."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    colour, second = SKIES[int(rng.integers(len(SKIES)))]
    sky = c.add(
        "sky",
        vary(rng, colour, 8),
        "cloudy",
        second,
        shape="wide area",
        lift=(0, 40 / h),
        centre=(w / 2, 0.4 * horizon),
    )
    c.rectangle(-1, -1, w + 1, h + 1, sky)
    if rng.random() < 0.75:
        sun = c.add("sun", (250, 216, 120), shape="round", parent=sky, relation="in")
        c.ellipse(rng.uniform(0.1, 0.9) * w, rng.uniform(0.1, 0.5) * horizon, 38 * u, 38 * u, sun)
    for x, y in scatter(rng, c.number(0, 4, 6), w, 0.55 * horizon, 30 * u).tolist():
        cloud = c.add(
            "cloud",
            vary(rng, (246, 246, 244), 5),
            "cloudy",
            (222, 228, 234),
            shape="billowy",
            parent=sky,
            relation="in",
        )
        r = rng.uniform(22, 48) * u
        for k in (-1.5, -0.6, 0.3, 1.2):
            c.polygon(blob(rng, x + k * r, y + rng.uniform(-0.3, 0.3) * r, 1.05 * r, 0.7 * r, 0.1), cloud)
    if rng.random() < 0.3:
        hills = c.add(
            "blur", (128, 152, 140), "mottled", (176, 186, 160), shape="blurred area", relation="in front of"
        )
    else:
        hills = c.add("hills", vary(rng, (132, 160, 150)), "cloudy", shape="wavy band")
    near = c.also(hills, vary(rng, (104, 138, 104)), "leafy", (140, 166, 110))
    for ink, level in ((hills, 0.3), (near, 0.14)):
        ridge = value_noise(rng, 2, w, 240 * u)[0].astype(np.float64) * 0.13 * horizon + horizon * (1 - level)
        x = np.append(np.arange(0, w, 4), w - 1)
        outline = np.concatenate([np.stack([x, ridge[x]], axis=1), [[w, h], [0, h]]])
        c.polygon(outline, ink)
    return sky


def ground(c: Canvas, horizon: float, name: str = "grass") -> int:
    """The ground below the horizon, its border softly waving."""
    w, h = c.width, c.height
    colour = f.pick(c, GRASSES)
    ink = c.add(
        name, colour, "leafy", shade(colour, 0.86), shape="wide area", lift=(0, -30 / h), centre=(0, horizon)
    )
    border = wander(c.rng, (-5.0, horizon), (w + 5.0, horizon), 0.012 * h)
    c.polygon(np.concatenate([border, [[w + 5, h + 5], [-5, h + 5]]]), ink)
    return ink


def village(c: Canvas) -> str:
    """Houses along a street, with trees, fences, people and a power line."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    horizon = h * float(rng.uniform(0.42, 0.55))
    backdrop(c, horizon)
    grass = ground(c, horizon)
    f.pylons(c, horizon + 0.06 * h, 0.3 * h, int(rng.integers(3, 6)))
    road = c.add("road", (176, 166, 150), "grainy", shape="winding band", parent=grass)
    bend = wander(
        rng, (rng.uniform(0.3, 0.7) * w, horizon + 0.02 * h), (rng.uniform(0.2, 0.8) * w, h + 5.0), 0.12 * w
    )
    spread = np.linspace(0.012, 0.16, len(bend))[:, None] * w * (1, 0)
    c.polygon(np.concatenate([bend - spread, (bend + spread)[::-1]]), road)
    rows = c.number(1, 2, 3)
    for row in range(rows):
        depth = (row + 0.4) / rows
        base, size = horizon + depth * 0.4 * (h - horizon) + 0.03 * h, (0.09 + 0.1 * depth) * min(w, h) * 1.3
        for x in np.arange(0.05 * w, w, size * (2.8 if c.crowd == "sparse" else 1.9)).tolist():
            what, at = rng.random(), x + rng.uniform(-0.3, 0.3) * size
            if what < 0.55:
                f.house(c, at, base, size * rng.uniform(0.9, 1.3), size * rng.uniform(0.6, 1.05))
            elif what < 0.85:
                f.tree(c, at, base, size * rng.uniform(1.2, 1.9))
            else:
                f.bush(c, at, base, 0.35 * size)
    f.fence(c, rng.uniform(-0.05, 0.2) * w, rng.uniform(0.5, 0.9) * w, h * 0.83, 0.09 * h)
    for x, y in scatter(rng, c.number(2, 9, 16), 0.9 * w, 0.22 * h).tolist():
        what = rng.random()
        at, base = x + 0.05 * w, 0.76 * h + y
        if what < 0.6:
            creatures.person(
                c, at, base, rng.uniform(0.1, 0.16) * h, "child" if rng.random() < 0.3 else "person"
            )
        elif what < 0.8:
            creatures.beast(c, at, base, 0.08 * h, "dog")
        else:
            creatures.flower(c, at, base, 0.09 * h)
    if rng.random() < 0.6:
        odd_thing(c, rng.uniform(0.1, 0.9) * w, 0.9 * h, 26 * u, grass)
    return "a village street"


def harbour(c: Canvas) -> str:
    """Boats with masts and stays on the water, a tower, a pier with a railing, and birds."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    horizon = h * float(rng.uniform(0.38, 0.52))
    sky = backdrop(c, horizon)
    sea = c.add(
        "water",
        vary(rng, (84, 136, 160)),
        "wavy",
        (140, 182, 192),
        shape="wide area",
        angle=math.pi / 2,
        warp=2.5,
    )
    c.rectangle(-1, horizon, w + 1, h + 1, sea)
    sand = c.add("sand", (220, 202, 160), "speckled", shape="wide area")
    tower = c.add("tower", (240, 234, 224), shape="tall", parent=sand)
    x, high = rng.uniform(0.08, 0.3) * w, min(0.5 * h, 0.85 * horizon)
    c.polygon(blob(rng, x, horizon + 0.1 * h, 0.24 * w, 0.1 * h, 0.1), sand)
    stripe = c.also(tower, (196, 66, 58))
    for k in range(6):
        low, up = horizon + 0.04 * h - k * high / 6, horizon + 0.04 * h - (k + 1) * high / 6
        wide = [(0.036 - 0.014 * (k + j) / 6) * h for j in (0, 1)]
        c.polygon(
            [[x - wide[0], low], [x + wide[0], low], [x + wide[1], up], [x - wide[1], up]],
            stripe if k % 2 else tower,
        )
    c.ellipse(
        x,
        horizon + 0.02 * h - high,
        0.024 * h,
        0.034 * h,
        c.add("lamp", (250, 224, 130), shape="round", parent=tower),
    )
    for bx, by in sorted(scatter(rng, c.number(1, 9, 18), w, 0.3 * h).tolist(), key=lambda p: p[1]):
        f.boat(c, bx, horizon + 0.06 * h + by, (0.07 + 0.35 * by / h) * min(w, h) * 1.2)
    pier = c.add("floor", (150, 116, 84), "lined", shape="long band", angle=0.0)
    top = 0.86 * h
    c.polygon([[-5, top], [0.72 * w, top + 0.03 * h], [0.78 * w, h + 5], [-5, h + 5]], pier)
    for k in range(c.number(0, 5, 5)):
        creatures.person(c, (0.08 + 0.13 * k) * w, top + rng.uniform(0.05, 0.1) * h, 0.15 * h)
    rail = c.add("fence", (236, 236, 232), shape="long, with gaps", parent=pier)
    for k in np.linspace(0.01, 0.72, 15).tolist():
        c.line([[k * w, top + 0.08 * h], [k * w, top - 0.01 * h]], max(3, 3 * u), rail)
    for level in (-0.008, 0.025, 0.055):
        c.line([[0, top + level * h], [0.73 * w, top + (level + 0.012) * h]], max(2, 2.4 * u), rail)
    for bx, by in scatter(rng, c.number(1, 8, 18), w, 0.8 * horizon, 20 * u).tolist():
        creatures.bird(c, bx, by, rng.uniform(12, 28) * u)
    if rng.random() < 0.6:
        creatures.wader(c, x + 0.1 * w, horizon + 0.14 * h, 0.17 * h)
    if rng.random() < 0.7:
        ring(c, 0.85 * w, 0.9 * h, 34 * u, 11 * u, (230, 110, 70), sea)
    if rng.random() < 0.4:
        odd_thing(c, rng.uniform(0.3, 0.9) * w, horizon * 0.5, 30 * u, sky)
    return "a harbour"


def meadow(c: Canvas) -> str:
    """Animals and people among flowers, sometimes very many of them."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    horizon = h * float(rng.uniform(0.3, 0.42))
    backdrop(c, horizon)
    grass = ground(c, horizon)
    for x in np.arange(0, w, 0.09 * w).tolist():
        if rng.random() < (0.25 if c.crowd == "sparse" else 0.6):
            f.tree(c, x, horizon + 0.03 * h, rng.uniform(0.12, 0.24) * h)
    if rng.random() < 0.6:
        pond = c.add("water", (110, 160, 180), "wavy", shape="rounded", parent=grass, angle=math.pi / 2)
        px, py = rng.uniform(0.2, 0.8) * w, horizon + rng.uniform(0.2, 0.4) * (h - horizon)
        c.polygon(blob(rng, px, py, 0.2 * w, 0.07 * h, 0.15), pond)
        creatures.wader(c, px, py + 0.02 * h, 0.14 * h)
    f.fence(c, -5, w + 5.0, horizon + 0.11 * h, 0.06 * h)
    count = c.number(5, 32, 92)
    spots = scatter(rng, count, w, 0.93 * (h - horizon) - 0.1 * h) + np.array([0, horizon + 0.15 * h])
    for x, y in spots[np.argsort(spots[:, 1])].tolist():
        if c.name_at(x, y) == "water":
            continue
        size = (0.05 + 0.09 * (y - horizon) / (h - horizon)) * h * min(1.0, 5 / math.sqrt(count))
        what = rng.random()
        if what < 0.28:
            creatures.beast(c, x, y, size, str(rng.choice(["cow", "cow", "dog", "animal_ot"])))
        elif what < 0.42:
            creatures.person(c, x, y, 1.6 * size, "child" if rng.random() < 0.4 else "person")
        elif what < 0.9:
            creatures.flower(c, x, y, 1.3 * size)
        else:
            f.bush(c, x, y, 0.7 * size)
    if rng.random() < 0.6:
        odd_thing(c, rng.uniform(0.1, 0.9) * w, 0.92 * h, 30 * u, grass)
    if rng.random() < 0.35:
        blurred_corner(c, ((120, 150, 80), (220, 120, 120), (240, 210, 120)))
    return "a meadow with animals and flowers"
