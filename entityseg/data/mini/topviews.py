"""Scenes from above: farmland and a port."""

import math

import numpy as np

from entityseg.data.mini import overhead as o
from entityseg.data.mini.canvas import Canvas, Colour, shade, vary
from entityseg.data.mini.clutter import blurred_corner, odd_thing, strand
from entityseg.data.mini.figures import CLOTHES, pick
from entityseg.data.mini.noise import blob, box, scatter, voronoi_cells, wander
from entityseg.data.mini.shading import Style

STYLES = {
    "farmland": Style(wobble=7.0, wave=85, edge=0.25, edge_width=2.4, light=16, noise=6),
    "port": Style(wobble=1.0, wave=50, edge=0.22, edge_width=1.6, light=12, noise=6),
}
CROPS: tuple[tuple[Colour, Colour], ...] = (
    ((196, 176, 104), (164, 138, 76)),
    ((112, 138, 68), (86, 110, 54)),
    ((150, 122, 86), (118, 92, 64)),
    ((168, 178, 92), (134, 150, 74)),
    ((208, 186, 84), (184, 160, 60)),
    ((92, 118, 70), (120, 142, 82)),
    ((140, 104, 78), (110, 80, 62)),
)


def farmland(c: Canvas) -> str:
    """Fields with furrows, a river, roads and tracks, farms with trees."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    grass = c.add("grass", vary(rng, (118, 142, 78)), "mottled", (146, 160, 92), shape="scattered parcels")
    soil = c.add("soil", vary(rng, (140, 112, 86)), "rough", (112, 86, 66), shape="scattered parcels")
    c.rectangle(-1, -1, w + 1, h + 1, grass)
    cells = voronoi_cells(scatter(rng, c.number(6, 28, 80), w, h), w, h)
    for cell in cells:
        kind = rng.random()
        if kind > 0.22:
            colour, second = CROPS[int(rng.integers(len(CROPS)))]
            field = c.add(
                "field",
                vary(rng, colour),
                str(rng.choice(["furrowed", "furrowed", "lined", "leafy", "mottled"])),
                vary(rng, second),
                shape="parcel",
                angle=float(rng.uniform(0, math.pi)),
                period=float(rng.uniform(7, 20)) * u,
            )
            # A strip of grass stays between the parcels.
            c.polygon((cell - cell.mean(axis=0)) * rng.uniform(0.94, 0.995) + cell.mean(axis=0), field)
        elif kind > 0.12:
            c.polygon(cell, soil)
    if rng.random() < 0.7:
        bank = c.add("water", vary(rng, (74, 112, 124)), "wavy", (104, 140, 146), shape="winding band")
        c.line(
            wander(rng, (0.0, rng.uniform(0.1, 0.9) * h), (float(w), rng.uniform(0.1, 0.9) * h), 0.16 * h),
            rng.uniform(18, 46) * u,
            bank,
        )
    road = c.add("road", vary(rng, (150, 146, 140)), "grainy", shape="network")
    main = wander(rng, (rng.uniform(0.2, 0.8) * w, -5.0), (rng.uniform(0.2, 0.8) * w, h + 5.0), 0.08 * w)
    for k in range(int(rng.integers(2, 5))):
        start = main[int(rng.integers(4, len(main) - 4))]
        side = (-5.0 if k % 2 else w + 5.0, rng.uniform(0, h))
        # Tracks are 2 to 4 pixels wide.
        c.line(
            wander(rng, (float(start[0]), float(start[1])), side, 0.05 * h), float(rng.integers(2, 5)), road
        )
    c.line(main, 15 * u, road)
    for x, y in scatter(rng, c.number(0, 5, 5), w, h, 60 * u).tolist():
        angle = float(rng.uniform(0, math.pi))
        for _ in range(int(rng.integers(1, 4))):
            dx, dy = rng.uniform(-55, 55, 2) * u
            o.building(c, x + dx, y + dy, rng.uniform(26, 60) * u, rng.uniform(20, 38) * u, angle, grass)
        for dx, dy in (rng.uniform(-85, 85, (int(rng.integers(2, 6)), 2)) * u).tolist():
            o.crown(c, x + dx, y + dy, rng.uniform(9, 19) * u)
    for at in rng.integers(4, len(main) - 4, 4).tolist():
        step = main[at + 1] - main[at - 1]
        x, y = main[at].tolist()
        o.car(
            c,
            x,
            y,
            15 * u,
            math.atan2(step[1], step[0]),
            road,
            str(rng.choice(["car", "truck"])),
        )
    if rng.random() < 0.6:
        odd_thing(c, rng.uniform(0.1, 0.9) * w, rng.uniform(0.1, 0.9) * h, 36 * u, grass)
    strand(c, "wire", (70, 66, 62), 2)
    if rng.random() < 0.4:
        blurred_corner(c, o.FAR_OFF)
    return "farmland from above"


def port(c: Canvas) -> str:
    """A quay with rows of containers and cranes, and ships on the water."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    sea = c.add(
        "water", vary(rng, (52, 92, 112)), "wavy", (74, 118, 134), shape="wide area", angle=0.4, period=16 * u
    )
    c.rectangle(-1, -1, w + 1, h + 1, sea)
    quay = c.add("pavement", vary(rng, (160, 156, 150)), "mottled", (144, 140, 136), shape="wide area")
    edge = float(rng.uniform(0.42, 0.58)) * h
    basin = rng.uniform(0.3, 0.7) * w
    c.polygon(
        [
            [-5, edge],
            [basin, edge],
            [basin, edge + 0.2 * h],
            [basin + 0.13 * w, edge + 0.2 * h],
            [basin + 0.13 * w, edge],
            [w + 5, edge - 0.04 * h],
            [w + 5, h + 5],
            [-5, h + 5],
        ],
        quay,
    )
    road = c.add("road", vary(rng, (104, 104, 108)), "grainy", shape="band")
    c.line([[-5, edge + 0.27 * h], [w + 5.0, edge + 0.27 * h]], 34 * u, road)
    sand = c.add("sand", (206, 190, 150), "speckled", shape="patch", parent=sea)
    c.polygon(blob(rng, rng.uniform(0.1, 0.9) * w, 0.06 * h, 0.16 * w, 0.07 * h, 0.2), sand)
    size = 30 * u
    limit = c.number(3, 24, 75)
    spots = [
        (x, y)
        for y in np.arange(edge + 0.33 * h, h, 0.6 * size).tolist()
        for x in np.arange(0.05 * w, 0.97 * w, 1.12 * size).tolist()
        if int(x / (5 * size)) % 4 != 3
    ]
    for k in rng.permutation(len(spots))[:limit].tolist():
        paint = pick(c, CLOTHES, 14)
        ink = c.add("container", paint, "lined", shade(paint, 0.8), shape="oblong", parent=quay, period=4 * u)
        x, y = spots[k]
        body = box(x, y, size, 0.46 * size)
        c.shadow(body + 0.12 * size, 55)
        c.polygon(body, ink)
    for x in np.linspace(0.06, 0.94, c.number(2, 9, 12)).tolist():
        o.car(
            c,
            x * w + rng.uniform(-20, 20) * u,
            edge + 0.27 * h + float(rng.choice([-8, 8])) * u,
            22 * u,
            0.0,
            road,
            str(rng.choice(["car", "truck", "truck"])),
        )
    for _ in range(int(rng.integers(1, 4))):
        x = rng.uniform(0.08, 0.92) * w
        if any(c.name_at(x + k * w, edge + 0.13 * h) != "pavement" for k in (-0.065, 0, 0.065)):
            continue
        o.building(c, x, edge + 0.13 * h, 0.12 * w, 0.09 * h, 0.0, quay)
    for x in np.linspace(0.2, 0.8, int(rng.integers(2, 4))).tolist():
        ship = o.vessel(
            c,
            x * w,
            edge - rng.uniform(0.05, 0.09) * h,
            rng.uniform(0.24, 0.32) * w,
            rng.uniform(-0.03, 0.03),
            "ship",
            sea,
        )
        if rng.random() < 0.8:
            o.gantry(c, (x + 0.04) * w, edge - 0.0 * h, 0.26 * h, math.pi / 2 + rng.uniform(-0.1, 0.1), ship)
    for x, y in scatter(rng, c.number(1, 11, 18), w, 0.32 * h, 30 * u).tolist():
        if c.name_at(x, y) == "water":
            o.vessel(c, x, y, rng.uniform(34, 80) * u, rng.uniform(0, 6.3), "boat", sea)
    if rng.random() < 0.7:
        odd_thing(c, rng.uniform(0.1, 0.9) * w, 0.2 * h, 28 * u, sea)
    strand(c, "wire", (44, 44, 48), 2)
    if rng.random() < 0.35:
        blurred_corner(c, ((70, 110, 124), (150, 160, 160), (50, 76, 92)))
    return "a port from above"
