"""A town from above: blocks between streets, with all that stands, drives and grows there."""

import math

import numpy as np

from entityseg.data.mini import overhead as o
from entityseg.data.mini.canvas import Canvas, vary
from entityseg.data.mini.clutter import blurred_corner, odd_thing, strand
from entityseg.data.mini.noise import Points, box, placed, scatter, turn
from entityseg.data.mini.shading import Style

STYLES = {"town": Style(wobble=1.2, wave=50, edge=0.22, edge_width=1.6, light=12, noise=6)}
# Entities a town draws at most; blocks beyond stay empty.
MOST = 112


def town(c: Canvas) -> str:
    """Blocks of roofs between streets, with cars, trees, courts and pools."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    paved = c.add(
        "pavement", vary(rng, (176, 168, 158)), "mottled", (160, 154, 146), shape="scattered parcels"
    )
    grass = c.add("grass", vary(rng, (116, 138, 80)), "leafy", (138, 156, 94), shape="scattered parcels")
    road = c.add("road", vary(rng, (96, 96, 100)), "grainy", shape="network")
    paint = c.also(road, (214, 210, 196), outlined=False)
    c.rectangle(-1, -1, w + 1, h + 1, road)
    tilt, side = (
        float(rng.uniform(-0.5, 0.5)),
        float(rng.uniform(210, 290) if c.crowd == "crowded" else rng.uniform(290, 460)) * u,
    )
    reach = int(math.hypot(w, h) / side / 2) + 1
    middle = np.array([w / 2, h / 2])
    lanes: list[tuple[Points, float]] = []
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            corner = turn(np.array([[i, j]]) * side, tilt)[0] + middle
            if not (-side < corner[0] < w + side and -side < corner[1] < h + side):
                continue
            for angle in (tilt, tilt + math.pi / 2):
                way = (
                    turn(np.array([[0.16, 0], [0.84, 0]]) * side, angle)
                    + corner
                    - turn(np.array([[0.5, 0.5]]) * side, tilt)
                )
                lanes.append((way, angle))
                dashes = np.linspace(way[0], way[1], 12).reshape(6, 2, 2)
                for dash in dashes:
                    c.line(dash, max(2, 2.2 * u), paint)
            _block(c, corner, 0.82 * side, tilt, paved if rng.random() < 0.45 else grass)
    rng.shuffle(lanes)  # type: ignore[arg-type]
    for way, angle in lanes:
        for t in rng.uniform(0, 1, c.number(0, 2, 3)).tolist():
            x, y = (
                way[0] * (1 - t) + way[1] * t + turn(np.array([[0, 9 * u * rng.choice([-1, 1])]]), angle)[0]
            ).tolist()
            if len(c.sketches) < MOST and 0 < x < w and 0 < y < h and c.name_at(x, y) == "road":
                o.car(
                    c, x, y, rng.uniform(17, 21) * u, angle, road, "truck" if rng.random() < 0.15 else "car"
                )
    if rng.random() < 0.6:
        odd_thing(c, rng.uniform(0.1, 0.9) * w, rng.uniform(0.1, 0.9) * h, 24 * u, road)
    if rng.random() < 0.6:
        strand(c, "wire", (50, 48, 50), 2)
    if rng.random() < 0.35:
        blurred_corner(c, o.FAR_OFF, 0.26)
    return "a town from above"


def _block(c: Canvas, at: Points, side: float, tilt: float, ground: int) -> None:
    """One block of the town: a court, a pool with a house, or roofs and trees."""
    rng = c.rng
    left, top = at.tolist()
    c.polygon(placed(box(0, 0, side, side), left, top, tilt), ground)
    if len(c.sketches) > MOST - 10:
        return
    kind = rng.random()
    if kind < 0.14:
        o.court(c, left, top, 0.7 * side, tilt, ground)
    elif kind < 0.24:
        for x, y in (scatter(rng, 8, side, side, 0.1 * side) - side / 2).tolist():
            x, y = placed(np.array([[x, y]]), left, top, tilt)[0].tolist()
            o.crown(c, x, y, rng.uniform(0.07, 0.13) * side, ground)
    elif kind < 0.36:
        o.building(c, left, top, 0.74 * side, 0.7 * side, tilt, ground)
    else:
        n = 3 if c.crowd == "crowded" else 2
        for i in range(n):
            for j in range(n):
                middle = np.array([[i, j]]) * side / n + side * (0.5 / n - 0.5)
                x, y = placed(middle, left, top, tilt)[0].tolist()
                what = rng.random()
                if what < 0.66:
                    turned = tilt + math.pi / 2 * int(rng.integers(2))
                    o.building(
                        c,
                        x,
                        y,
                        side / n * rng.uniform(0.62, 0.8),
                        side / n * rng.uniform(0.44, 0.62),
                        turned,
                        ground,
                    )
                elif what < 0.9:
                    o.crown(c, x, y, side / n * rng.uniform(0.16, 0.3), ground)
                else:
                    o.pool(c, x, y, side / n * 0.26, tilt, ground)
