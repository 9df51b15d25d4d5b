"""Scenes of materials: patchwork, pebbles, strata and a microscope's view."""

import math

import numpy as np

from entityseg.data.mini.canvas import Canvas, Colour, shade, vary
from entityseg.data.mini.clutter import CLOTH, blurred_corner, button, leaf, odd_thing, ring, strand
from entityseg.data.mini.materials import STONES, STUFF, material
from entityseg.data.mini.noise import arc, blob, layered_noise, scatter, smooth, voronoi_cells
from entityseg.data.mini.shading import Style

STYLES = {
    "patchwork": Style(wobble=11, wave=110, edge=0.28, edge_width=4, light=16, noise=4),
    "pebbles": Style(wobble=5, wave=60, edge=0.3, edge_width=5, light=14, noise=4),
    "strata": Style(wobble=8, wave=70, edge=0.2, edge_width=4, light=12, noise=4),
    "microscope": Style(wobble=6, wave=60, edge=0.25, edge_width=4, light=20, noise=6),
}


def patchwork(c: Canvas) -> str:
    """Patches of cloth and materials, with small things lying on them."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    names = rng.permutation(list(STUFF))
    inks: list[int] = []
    cells = voronoi_cells(scatter(rng, c.number(3, 18, 34), w, h), w, h)
    n_stuff = int(rng.integers(3, 6))
    for k, cell in enumerate(cells):
        # The first materials come twice: one entity in several parts.
        if k < n_stuff:
            inks.append(material(c, str(names[k])))
        elif k < n_stuff + 2:
            inks.append(inks[k - n_stuff])
        else:
            colour, second = CLOTH[int(rng.integers(len(CLOTH)))]
            texture = str(rng.choice(["striped", "woven", "chequered", "wavy", "grainy", "veined"]))
            inks.append(
                c.add(
                    "patch",
                    vary(rng, colour),
                    texture,
                    vary(rng, second),
                    shape="patch",
                    angle=float(rng.uniform(0, 3.1)),
                )
            )
        c.polygon(cell, inks[-1])
    _clutter(c, c.number(1, 16, 50))
    for _ in range(c.number(1, 3, 4)):
        strand(c, "wire", CLOTH[int(rng.integers(len(CLOTH)))][0], max(2, 2.2 * u))
    if rng.random() < 0.35:
        blurred_corner(c, (CLOTH[0][0], CLOTH[2][0], CLOTH[5][0]))
    return "a patchwork of cloth and materials"


def _clutter(c: Canvas, n: int) -> None:
    """Rings, buttons, leaves, and once in a while something unknown."""
    rng, u = c.rng, c.u
    for k, (x, y) in enumerate(scatter(rng, n, c.width, c.height, 60 * u)):
        ground = int(c.ink_at(x, y))
        r = float(rng.uniform(22, 62)) * u
        kind = int(rng.integers(4))
        if k == 0 and rng.random() < 0.6:
            odd_thing(c, x, y, r, ground)
        elif kind == 0:
            ring(c, x, y, r, rng.uniform(0.1, 0.25) * r, vary(rng, (196, 160, 84)), ground)
        elif kind == 1:
            button(c, x, y, 0.7 * r, ground)
        else:
            leaf(c, x, y, 1.3 * r, ground)


def pebbles(c: Canvas) -> str:
    """Stones on sand, many or very many, with shells, leaves and a twig."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    base = material(c, str(rng.choice(["sand", "soil", "moss", "water"])))
    c.rectangle(-1, -1, w + 1, h + 1, base)
    count = c.number(7, 42, 110)
    points = scatter(rng, count, w, h)
    for centre, cell in zip(points, voronoi_cells(points, w, h), strict=True):
        middle = cell.mean(axis=0)
        size = float(np.hypot(*(cell - middle).T).mean())
        outline = smooth((cell - middle) * rng.uniform(0.72, 0.93) + middle, closed=True)
        if rng.random() < 0.12:
            leaf(c, float(middle[0]), float(middle[1]), 0.6 * size, base)
            continue
        colour = vary(rng, STONES[int(rng.integers(len(STONES)))], 12)
        name, texture = (
            ("shell", "striped")
            if rng.random() < 0.1
            else ("stone", str(rng.choice(["speckled", "veined", "mottled", "grainy", "cloudy"])))
        )
        lift = (-22 / size, -30 / size)
        ink = c.add(
            name,
            colour,
            texture,
            shade(colour, rng.uniform(0.6, 1.35)),
            shape="rounded",
            parent=base,
            lift=lift,
            centre=(float(middle[0]), float(middle[1])),
            angle=float(rng.uniform(0, 3)),
            period=0.22 * size,
        )
        c.shadow(outline + 0.09 * size, 75)
        c.polygon(outline, ink)
        if rng.random() < 0.05:
            c.ellipse(centre[0], centre[1], 0.18 * size, 0.15 * size, base)
    if rng.random() < 0.6:
        odd_thing(c, rng.uniform(0.2, 0.8) * w, rng.uniform(0.2, 0.8) * h, 45 * u, base)
    strand(c, "wire", (60, 52, 48), max(2, 2 * u))
    ring(c, rng.uniform(0.2, 0.8) * w, rng.uniform(0.2, 0.8) * h, 45 * u, 9 * u, (206, 172, 92), base)
    if rng.random() < 0.35:
        blurred_corner(c, (STONES[3], STONES[5], STONES[7]))
    return "stones on a beach"


def strata(c: Canvas) -> str:
    """A cut through rock: bands that split and close again, crystals, stones and cracks."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    field = layered_noise(rng, h, w, float(rng.uniform(240, 420)) * u, 3)
    lean = rng.uniform(-0.6, 0.6), rng.uniform(0.8, 2.4)
    field = (
        field
        + np.linspace(0, lean[0], w, dtype=np.float32)
        + np.linspace(0, lean[1], h, dtype=np.float32)[:, None]
    )
    n = c.number(3, 7, 7)
    cuts = np.quantile(field[::8, ::8], (np.arange(1, n) + rng.uniform(-0.3, 0.3, n - 1)) / n)
    inks = np.array([material(c, str(name)) for name in rng.permutation(list(STUFF))[:n]])
    level = np.zeros((h, w), dtype=np.uint8)
    for cut in cuts:
        level += field > np.float32(cut)
    c.lay(inks[level])
    for x, y in scatter(rng, c.number(2, 26, 70), w, h, 40 * u):
        ground, r = c.ink_at(x, y), float(rng.uniform(14, 60)) * u
        kind = rng.random()
        if kind < 0.4:
            colour = vary(
                rng, ((150, 120, 190), (120, 180, 190), (210, 150, 170), (220, 214, 170))[rng.integers(4)]
            )
            corners = np.sort(rng.uniform(0, 2 * math.pi, 7))
            points = np.stack([x + r * np.cos(corners), y + r * np.sin(corners)], axis=1)
            ink = c.add(
                "object_ot",
                colour,
                "veined",
                shade(colour, 1.3),
                shape="angular",
                parent=ground,
                relation="in",
                lift=(-25 / r, -25 / r),
                centre=(x, y),
            )
            c.polygon(points, ink)
        elif kind < 0.8:
            colour = vary(rng, STONES[int(rng.integers(len(STONES)))])
            ink = c.add(
                "stone",
                colour,
                "speckled",
                shape="rounded",
                parent=ground,
                relation="in",
                lift=(-20 / r, -25 / r),
                centre=(x, y),
            )
            c.polygon(blob(rng, x, y, r, 0.7 * r, 0.2), ink)
        elif kind < 0.92:
            turns = np.linspace(0, 6 * math.pi, 90)
            spiral = np.stack(
                [x + r * turns / 19 * np.cos(turns), y + r * turns / 19 * np.sin(turns)], axis=1
            )
            c.line(spiral, max(3, 0.09 * r), c.add("shell", (214, 202, 180), shape="spiral", parent=ground))
        else:
            odd_thing(c, x, y, r, ground)
    for _ in range(c.number(1, 3, 4)):
        strand(c, "wire", (40, 36, 36), max(2, 2 * u), "thin and jagged")
    if rng.random() < 0.3:
        blurred_corner(c, ((96, 90, 84), (150, 132, 112), (62, 60, 66)))
    return "a cut through layers of rock"


def microscope(c: Canvas) -> str:
    """Cells under a microscope: membranes with a hole, nuclei inside, bubbles and fibres."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    tint = ((226, 214, 222), (206, 222, 220), (228, 222, 200))[int(rng.integers(3))]
    stain = ((150, 80, 140), (64, 120, 140), (170, 104, 60))[int(rng.integers(3))]
    base = c.add("water", tint, "cloudy", shade(tint, 0.9), shape="wide area")
    c.rectangle(-1, -1, w + 1, h + 1, base)
    for _ in range(int(rng.integers(2, 7))):
        strand(c, "wire", shade(stain, 0.9), max(2, rng.uniform(1.6, 4) * u))
    count = c.number(3, 18, 40)
    points = scatter(rng, count, w, h, 20 * u)
    reach = 0.48 * math.sqrt(w * h / count)
    for x, y in points:
        r = reach * float(rng.uniform(0.6, 1.0))
        if rng.random() < 0.15:
            ink = c.add("object_ot", shade(tint, 0.8), shape="bubble", parent=base, relation="in")
            c.line(arc(x, y, 0.45 * r, 0.45 * r, 0, 2 * math.pi, 60), max(4, 0.06 * r), ink)
            continue
        mix = rng.uniform(0.25, 0.6)
        body: Colour = tuple(int(t * (1 - mix) + s * mix) for t, s in zip(tint, stain, strict=True))  # type: ignore
        outline = blob(rng, x, y, r, r * rng.uniform(0.7, 1.0), 0.16)
        cell = c.add(
            "cell",
            vary(rng, body, 8),
            "mottled",
            shade(body, 1.12),
            shape="rounded",
            parent=base,
            relation="in",
        )
        c.polygon(outline, cell)
        if rng.random() < 0.5:
            c.line(
                np.concatenate([outline, outline[:2]]),
                max(3, 5 * u),
                c.also(cell, shade(body, 0.75), outlined=False),
            )
        for _ in range(int(rng.integers(1, 3))):
            dx, dy = rng.uniform(-0.3, 0.3, 2) * r
            nucleus = c.add(
                "nucleus",
                vary(rng, stain),
                "speckled",
                shade(stain, 0.6),
                shape="round",
                parent=cell,
                relation="in",
            )
            c.polygon(blob(rng, x + dx, y + dy, 0.24 * r, 0.2 * r, 0.12), nucleus)
        for dx, dy in rng.uniform(-0.55, 0.55, (int(rng.integers(0, 4)), 2)) * r:
            c.ellipse(x + dx, y + dy, 0.09 * r, 0.08 * r, base)
    if rng.random() < 0.7:
        odd_thing(c, rng.uniform(0.15, 0.85) * w, rng.uniform(0.15, 0.85) * h, 0.3 * reach, base)
    if rng.random() < 0.5:
        blurred_corner(c, (shade(tint, 0.9), stain, shade(stain, 1.3)))
    return "cells under a microscope"
