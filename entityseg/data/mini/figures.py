"""Figures of the drawings: houses, trees, fences, people, animals, boats and their like.

Every figure is drawn on a canvas at (x, base), the middle of its foot, in pixels; what it is made of becomes
one entity, or several where it has parts worth a mask of their own (a house's roof, windows and door).
"""

import math
from itertools import pairwise

import numpy as np

from entityseg.data.mini.canvas import Canvas, Colour, shade, vary
from entityseg.data.mini.noise import arc, blob

CLOTHES: tuple[Colour, ...] = (
    (196, 62, 58),
    (52, 98, 160),
    (236, 186, 72),
    (78, 140, 88),
    (150, 92, 150),
    (232, 128, 70),
    (240, 236, 224),
    (60, 60, 76),
)
WALLS: tuple[Colour, ...] = (
    (238, 222, 190),
    (226, 176, 134),
    (206, 212, 204),
    (196, 120, 98),
    (232, 206, 120),
    (176, 196, 210),
)
ROOFS: tuple[Colour, ...] = ((168, 66, 52), (110, 62, 56), (84, 92, 108), (196, 108, 66), (70, 104, 100))
LEAVES: tuple[Colour, ...] = ((88, 138, 70), (60, 112, 72), (126, 158, 68), (202, 138, 56), (178, 92, 62))
BARK: Colour = (112, 78, 56)


def pick(c: Canvas, colours: tuple[Colour, ...], amount: int = 10) -> Colour:
    """One of the colours, varied a little."""
    return vary(c.rng, colours[int(c.rng.integers(len(colours)))], amount)


def house(c: Canvas, x: float, base: float, w: float, h: float) -> int:
    """A house with roof, chimney, door and windows; returns its first ink."""
    rng = c.rng
    wall = c.add(
        "house",
        pick(c, WALLS),
        str(rng.choice(["plain", "lined", "cloudy"])),
        shape="boxy",
        angle=math.pi / 2,
    )
    top = base - h
    c.rectangle(x - w / 2, top, x + w / 2, base, wall)
    colour = pick(c, ROOFS)
    roof = c.add("roof", colour, "lined", shade(colour, 0.8), shape="pitched", parent=wall, angle=math.pi / 2)
    if rng.random() < 0.7:
        cx = x + w * rng.uniform(0.1, 0.28)
        c.rectangle(cx, top - 0.52 * h, cx + 0.11 * w, top, c.also(roof, shade(colour, 0.7)))
    inset = rng.uniform(0.05, 0.32) * w if rng.random() < 0.5 else 0.5 * w
    c.polygon(
        [
            [x - 0.58 * w, top],
            [x + 0.58 * w, top],
            [x + 0.58 * w - inset, top - 0.5 * h],
            [x - 0.58 * w + inset, top - 0.5 * h],
        ],
        roof,
    )
    door_x = x + rng.uniform(-0.25, 0.25) * w
    door_w, door_h = 0.17 * w, min(0.5 * h, 0.36 * w)
    door = c.add("door", pick(c, CLOTHES), shape="upright", parent=wall, relation="part of")
    c.rectangle(door_x - door_w / 2, base - door_h, door_x + door_w / 2, base, door)
    c.ellipse(
        door_x + 0.3 * door_w, base - 0.5 * door_h, 0.08 * door_w, 0.08 * door_w, c.also(door, (230, 200, 90))
    )
    floors = 2 if h > 0.75 * w else 1
    for floor in range(floors):
        wy = top + h * (0.28 if floors == 1 else 0.18 + 0.42 * floor)
        for k in (-0.32, 0.0, 0.32):
            wx = x + k * w
            if rng.random() < 0.85 and (wy + 0.2 * w < base - door_h or abs(wx - door_x) > 0.2 * w):
                window(c, wx, wy, 0.17 * w, 0.19 * w, wall)
    return wall


def window(c: Canvas, x: float, y: float, w: float, h: float, wall: int) -> None:
    """A window with a light frame and crossbars; a mere detail of the house in sparse scenes."""
    glass = pick(c, ((126, 170, 196), (74, 92, 116), (246, 214, 130)), 8)
    if c.crowd == "sparse":
        ink = c.also(wall, glass, "cloudy", shade(glass, 1.25))
    else:
        ink = c.add(
            "window", glass, "cloudy", shade(glass, 1.25), shape="square", parent=wall, relation="part of"
        )
    frame = c.also(ink, (244, 240, 228), outlined=False)
    c.rectangle(x - w / 2, y - h / 2, x + w / 2, y + h / 2, frame)
    b = 0.1 * w
    for x0, x1 in ((x - w / 2 + b, x - b / 2), (x + b / 2, x + w / 2 - b)):
        for y0, y1 in ((y - h / 2 + b, y - b / 2), (y + b / 2, y + h / 2 - b)):
            c.rectangle(x0, y0, x1, y1, ink)


def tree(c: Canvas, x: float, base: float, h: float) -> None:
    """A tree: round, conifer or poplar; gaps in the crown may show what is behind."""
    rng = c.rng
    colour = pick(c, LEAVES)
    kind = str(rng.choice(["round", "round", "conifer", "poplar", "bare"]))
    trunk = c.add("tree", vary(rng, BARK), "woody", shape=kind, angle=0.1)
    t = 0.05 * h
    c.polygon(
        [[x - t, base], [x + t, base], [x + 0.5 * t, base - 0.6 * h], [x - 0.5 * t, base - 0.6 * h]], trunk
    )
    crown = c.also(trunk, colour, "leafy", shade(colour, 0.7))
    light = c.also(trunk, shade(colour, 1.18), "leafy", colour)
    if kind == "bare":
        _branches(c, trunk, x, base - 0.45 * h, 0.3 * h, -math.pi / 2, 4, max(3, t))
    elif kind == "conifer":
        for k in range(4):
            wide, low = (0.3 - 0.06 * k) * h, base - (0.14 + 0.2 * k) * h
            c.polygon([[x - wide, low], [x + wide, low], [x, low - 0.34 * h]], crown)
    elif kind == "poplar":
        c.polygon(blob(rng, x, base - 0.58 * h, 0.14 * h, 0.44 * h, 0.12), crown)
    else:
        spots = rng.uniform(-1, 1, (6, 2)) * (0.2 * h, 0.14 * h) + (x, base - 0.68 * h)
        for dx, dy in spots.tolist():
            c.polygon(blob(rng, dx, dy, 0.19 * h, 0.16 * h, 0.16), crown)
        for dx, dy in spots[:2].tolist():
            c.polygon(blob(rng, dx - 0.04 * h, dy - 0.05 * h, 0.09 * h, 0.07 * h, 0.2), light)


def _branches(
    c: Canvas, ink: int, x: float, y: float, length: float, angle: float, depth: int, width: float
) -> None:
    end = x + length * math.cos(angle), y + length * math.sin(angle)
    c.line([[x, y], end], max(2, width), ink)
    if depth:
        for side in (-0.5, 0.45):
            bent = angle + side * float(c.rng.uniform(0.6, 1.3))
            _branches(c, ink, *end, length * float(c.rng.uniform(0.6, 0.85)), bent, depth - 1, width * 0.62)


def bush(c: Canvas, x: float, base: float, h: float) -> None:
    """A bush, wider than high."""
    colour = pick(c, LEAVES[:3])
    ink = c.add("bush", colour, "leafy", shade(colour, 0.72), shape="rounded")
    for k in (-0.6, 0.0, 0.6):
        c.polygon(blob(c.rng, x + k * h, base - 0.45 * h, 0.62 * h, 0.5 * h, 0.14), ink)


def fence(c: Canvas, x0: float, x1: float, base: float, h: float) -> None:
    """A fence of posts and rails: the ground shows through its many holes."""
    ink = c.add("fence", pick(c, ((236, 230, 214), (150, 108, 74), (96, 82, 76))), shape="long, with gaps")
    step, post = 0.55 * h, max(3.0, 0.11 * h)
    for x in np.arange(x0, x1, step).tolist():
        c.polygon(
            [
                [x, base],
                [x + post, base],
                [x + post, base - 0.9 * h],
                [x + post / 2, base - h],
                [x, base - 0.9 * h],
            ],
            ink,
        )
    for level in (0.3, 0.7):
        c.rectangle(x0, base - level * h, x1, base - level * h + max(2.0, 0.07 * h), ink)


def boat(c: Canvas, x: float, base: float, w: float) -> None:
    """A sailing boat: hull and sails, a mast of its own, and stays a few pixels wide."""
    rng = c.rng
    hull = c.add("boat", pick(c, CLOTHES), shape="curved")
    sail = c.also(
        hull, pick(c, ((244, 240, 228), (214, 96, 72), (236, 196, 110))), "striped", angle=math.pi / 2
    )
    mast = c.add("mast", (96, 72, 56), shape="long and thin", parent=hull)
    high = w * float(rng.uniform(1.0, 1.35))
    c.polygon(
        [[x - 0.05 * w, base - 0.25 * w], [x - 0.05 * w, base - 0.95 * high], [x - 0.5 * w, base - 0.3 * w]],
        sail,
    )
    c.polygon(
        [[x + 0.05 * w, base - 0.3 * w], [x + 0.05 * w, base - 0.85 * high], [x + 0.42 * w, base - 0.3 * w]],
        sail,
    )
    c.line([[x, base - 0.1 * w], [x, base - high]], max(3, 0.025 * w), mast)
    stays = c.add("wire", (70, 66, 70), shape="long and thin", parent=mast)
    for end in (-0.52, 0.52):
        c.line([[x, base - high], [x + end * w, base - 0.18 * w]], max(2, 2 * c.u), stays)
    bow, stern = [[x - 0.55 * w, base - 0.22 * w]], [[x + 0.6 * w, base - 0.24 * w]]
    c.polygon(np.concatenate([bow, arc(x, base - 0.2 * w, 0.5 * w, 0.2 * w, math.pi, 0), stern]), hull)


def pylons(c: Canvas, y: float, h: float, count: int) -> None:
    """Masts across the picture with two wires hanging between them, 2 to 4 pixels thick."""
    rng, w = c.rng, c.width
    xs = np.linspace(rng.uniform(-0.1, 0.1) * w, rng.uniform(0.95, 1.15) * w, count)
    tops = []
    for x in xs.tolist():
        ink = c.add("mast", (84, 74, 70), shape="long and thin")
        c.line([[x, y], [x, y - h]], max(4, 0.035 * h), ink)
        c.line([[x - 0.12 * h, y - 0.92 * h], [x + 0.12 * h, y - 0.92 * h]], max(3, 0.025 * h), ink)
        tops.append((x, y - 0.92 * h))
    for side in (-0.11, 0.11):
        ink = c.add("wire", (52, 50, 56), shape="long and thin")
        t = np.linspace(0, 1, 20)[:, None]
        for a, b in pairwise(tops):
            path = np.array(a) * (1 - t) + np.array(b) * t + (side * h, 0)
            path[:, 1] += (4 * t * (1 - t))[:, 0] * 0.16 * h
            c.line(path, max(2, 2.2 * c.u), ink)
