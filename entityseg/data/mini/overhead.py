"""Figures of the views from above: cars, roofs, trees, courts, ships and cranes, with their shadows."""

from itertools import pairwise

import numpy as np

from entityseg.data.mini.canvas import Canvas, Colour, shade, vary
from entityseg.data.mini.figures import CLOTHES, ROOFS, pick
from entityseg.data.mini.noise import blob, box, placed, smooth

PAINTS: tuple[Colour, ...] = (
    (226, 226, 224),
    (58, 60, 66),
    (150, 154, 160),
    (176, 52, 48),
    (48, 82, 140),
    (220, 178, 80),
    (84, 110, 92),
)
# What shines through where the picture is out of focus.
FAR_OFF: tuple[Colour, ...] = ((120, 136, 84), (186, 170, 120), (90, 104, 96))
TREES: tuple[Colour, ...] = ((62, 96, 54), (84, 116, 60), (52, 82, 58), (110, 122, 62))


def car(
    c: Canvas, x: float, y: float, length: float, angle: float, parent: int | None, name: str = "car"
) -> None:
    """A car with windows, or a truck with its load."""
    paint = pick(c, PAINTS)
    ink = c.add(name, paint, shape="oblong", parent=parent)
    wide = length * (0.46 if name == "car" else 0.34)
    body = smooth(box(0, 0, length, wide), closed=True, rounds=2)
    body[:, 0] *= 1.08
    c.shadow(placed(body, x + 0.09 * length, y + 0.12 * length, angle), 60)
    c.polygon(placed(body, x, y, angle), ink)
    glass = c.also(ink, (48, 58, 70))
    if name == "car":
        for at, deep in ((0.16, 0.16), (-0.3, 0.12)):
            c.polygon(placed(box(at * length, 0, deep * length, 0.74 * wide), x, y, angle), glass)
    else:
        load = c.also(ink, pick(c, CLOTHES))
        c.polygon(placed(box(-0.16 * length, 0, 0.62 * length, 0.94 * wide), x, y, angle), load)
        c.polygon(placed(box(0.34 * length, 0, 0.07 * length, 0.7 * wide), x, y, angle), glass)


def building(c: Canvas, x: float, y: float, w: float, h: float, angle: float, parent: int | None) -> None:
    """A roof from above: pitched in two tones, hipped, or flat with a courtyard as a hole."""
    rng = c.rng
    colour = pick(c, (*ROOFS, (176, 172, 164), (206, 200, 190), (140, 130, 122)), 12)
    tall = 0.16 * min(w, h)
    c.shadow(placed(box(0, 0, w, h), x + tall, y + tall, angle), 70)
    kind = rng.random()
    if kind < 0.68:
        ink = c.add(
            "house", colour, "lined", shade(colour, 0.85), shape="rectangular", parent=parent, angle=angle
        )
        dark = c.also(ink, shade(colour, 0.72), "lined", shade(colour, 0.6), angle=angle)
        c.polygon(placed(box(0, 0, w, h), x, y, angle), ink)
        hip = (0.0 if kind < 0.4 else 0.25) * h
        half = np.array([[-w / 2, h / 2], [w / 2, h / 2], [w / 2 - hip, 0], [-w / 2 + hip, 0]])
        c.polygon(placed(half, x, y, angle), dark)
        if rng.random() < 0.5:
            c.polygon(
                placed(box(0.3 * w, -0.15 * h, 0.08 * w, 0.12 * h), x, y, angle), c.also(ink, (90, 70, 64))
            )
        if rng.random() < 0.25:
            pane = c.add(
                "window",
                (52, 64, 92),
                "chequered",
                (76, 92, 124),
                shape="square",
                parent=ink,
                relation="on",
                period=0.1 * w,
                angle=angle,
            )
            c.polygon(placed(box(-0.1 * w, -0.24 * h, 0.4 * w, 0.3 * h), x, y, angle), pane)
        return
    ink = c.add("building_ot", vary(rng, (182, 178, 170), 20), "grainy", shape="flat", parent=parent)
    outer = box(0, 0, w, h)
    if kind < 0.86 and min(w, h) > 40 * c.u:
        inner = box(0, 0, 0.42 * w, 0.4 * h)[::-1]
        c.shadow(placed(inner, x, y, angle), 70)
        outer = np.concatenate([outer, outer[:1], inner, inner[:1], outer[:1]])
    c.polygon(placed(outer, x, y, angle), ink)
    for _ in range(int(rng.integers(1, 4))):
        vent = c.also(ink, (120, 122, 124))
        c.polygon(placed(box(rng.uniform(-0.36, 0.36) * w, 0.36 * h, 0.08 * w, 0.1 * h), x, y, angle), vent)


def crown(c: Canvas, x: float, y: float, r: float, parent: int | None = None) -> None:
    """A tree's crown with its shadow."""
    colour = pick(c, TREES, 12)
    ink = c.add(
        "tree",
        colour,
        "leafy",
        shade(colour, 1.45),
        shape="rounded",
        parent=parent,
        lift=(-16 / r, -20 / r),
        centre=(x, y),
    )
    outline = blob(c.rng, x, y, r, r, 0.18, 48)
    c.shadow(outline + 0.4 * r, 60)
    c.polygon(outline, ink)


def court(c: Canvas, x: float, y: float, length: float, angle: float, parent: int | None) -> None:
    """A tennis court with white lines."""
    ground = pick(c, ((176, 96, 68), (70, 120, 92), (72, 100, 150)))
    ink = c.add("court", ground, "grainy", shape="rectangular", parent=parent)
    paint = c.also(ink, (238, 236, 228), outlined=False)
    c.polygon(placed(box(0, 0, length, 0.56 * length), x, y, angle), ink)
    thick = max(2, 2.4 * c.u)
    for w, h in ((0.8, 0.38), (0.8, 0.28), (0.42, 0.28), (0.42, 0.002)):
        frame = box(0, 0, w * length, h * length)
        c.line(placed(np.concatenate([frame, frame[:1]]), x, y, angle), thick, paint)
    c.line(placed(np.array([[0, -0.22], [0, 0.22]]) * length, x, y, angle), thick, paint)


def pool(c: Canvas, x: float, y: float, r: float, angle: float, parent: int | None) -> None:
    """A swimming pool with a pale rim."""
    ink = c.add("pool", (78, 176, 204), "wavy", (140, 214, 228), shape="rounded", parent=parent)
    shape = smooth(box(0, 0, 2 * r, 1.1 * r), closed=True, rounds=3)
    c.polygon(placed(shape * 1.12, x, y, angle), c.also(ink, (232, 226, 212), outlined=False))
    c.polygon(placed(shape, x, y, angle), ink)


def vessel(c: Canvas, x: float, y: float, length: float, angle: float, name: str, parent: int | None) -> int:
    """A ship or boat from above, with deck and bridge; returns its ink."""
    hull = pick(c, ((168, 62, 52), (54, 66, 84), (226, 224, 218), (70, 104, 92)))
    ink = c.add(name, hull, shape="long and pointed", parent=parent)
    outline = np.array([[0.5, 0], [0.36, 0.085], [0.2, 0.11], [-0.46, 0.1], [-0.5, 0.07]])
    outline = np.concatenate([outline, outline[::-1] * (1, -1)]) * length
    c.shadow(placed(outline, x + 0.025 * length, y + 0.035 * length, angle), 55)
    wake = placed(
        np.array([[-0.5, 0.03], [-0.95, 0.13], [-0.9, 0], [-0.95, -0.13], [-0.5, -0.03]]) * length,
        x,
        y,
        angle,
    )
    if name == "boat":
        c.shadow(wake, -40)
    c.polygon(placed(outline, x, y, angle), ink)
    c.polygon(placed(outline * (0.92, 0.78), x, y, angle), c.also(ink, (186, 176, 158), "lined", angle=angle))
    c.polygon(
        placed(box(-0.36 * length, 0, 0.12 * length, 0.15 * length), x, y, angle),
        c.also(ink, (240, 240, 236)),
    )
    return ink


def gantry(c: Canvas, x: float, y: float, length: float, angle: float, parent: int | None) -> None:
    """A crane, the machine: two beams with a lattice between them, open in its meshes."""
    ink = c.add(
        "machine/crane",
        pick(c, ((226, 160, 52), (196, 70, 54), (70, 110, 160))),
        shape="long lattice",
        parent=parent,
        relation="in front of",
    )
    thick, half = max(3, 3.4 * c.u), 0.06 * length
    for side in (-half, half):
        beam = np.array([[-0.5 * length, side], [0.5 * length, side]])
        c.shadow(placed(box(0, side, length, 2 * thick), x + 8 * c.u, y + 10 * c.u, angle), 50)
        c.line(placed(beam, x, y, angle), thick + 1, ink)
    steps = np.linspace(-0.5, 0.5, 13) * length
    for k, (a, b) in enumerate(pairwise(steps.tolist())):
        sides = (-half, half) if k % 2 else (half, -half)
        c.line(placed(np.array([[a, sides[0]], [b, sides[1]]]), x, y, angle), thick, ink)
    c.polygon(placed(box(-0.12 * length, 0, 0.1 * length, 3 * half), x, y, angle), ink)
