"""Drawn scenes indoors: a room with a window, shelves, a table, pictures and who is in it."""

import math

import numpy as np

from entityseg.data.mini import creatures
from entityseg.data.mini import figures as f
from entityseg.data.mini.canvas import Canvas, shade, vary
from entityseg.data.mini.clutter import odd_thing
from entityseg.data.mini.noise import arc
from entityseg.data.mini.shading import Style

STYLES = {"room": Style(wobble=2.4, wave=40, edge=0.45, edge_width=1.8, light=10, noise=5)}


def room(c: Canvas) -> str:
    """A room: a window onto a blurred garden, shelves with books, a table, pictures, a lamp and a ladder."""
    rng, w, h, u = c.rng, c.width, c.height, c.u
    floor_y = h * float(rng.uniform(0.68, 0.78))
    paint = f.pick(c, ((222, 206, 180), (178, 196, 190), (206, 172, 160), (190, 190, 210)))
    wall = c.add(
        "wall",
        paint,
        str(rng.choice(["plain", "lined", "chequered", "cloudy"])),
        shade(paint, 0.92),
        shape="wide area",
        lift=(-20 / w, 0),
        centre=(w / 2, 0),
    )
    c.rectangle(-1, -1, w + 1, h + 1, wall)
    floor = c.add("floor", (164, 118, 80), "woody", shape="wide area", angle=math.pi / 2, warp=1.5)
    c.rectangle(-1, floor_y, w + 1, h + 1, floor)
    left = w * float(rng.uniform(0.05, 0.12))
    ww, wh = 0.3 * w, min(0.42 * h, 0.4 * w)
    _garden_window(c, left, 0.1 * h, ww, wh, wall)
    for k in range(c.number(0, 4, 4)):
        size = rng.uniform(0.06, 0.1) * w
        _framed_picture(
            c, left + ww + (0.09 + 0.125 * k) * w, 0.17 * h + rng.uniform(-0.03, 0.06) * h, size, wall
        )
    _shelves(c, w * float(rng.uniform(0.56, 0.62)), 0.34 * h, 0.34 * w, floor_y + 0.02 * h, wall)
    lamp_x = w * float(rng.uniform(0.4, 0.55))
    cord = c.add("wire", (60, 56, 58), shape="long and thin", parent=wall, relation="in front of")
    c.line([[lamp_x, 0], [lamp_x, 0.2 * h]], max(2, 2.4 * u), cord)
    lamp = c.add("lamp", (240, 196, 96), shape="cone-shaped", parent=cord)
    c.polygon(
        [
            [lamp_x - 0.02 * w, 0.19 * h],
            [lamp_x + 0.02 * w, 0.19 * h],
            [lamp_x + 0.06 * w, 0.27 * h],
            [lamp_x - 0.06 * w, 0.27 * h],
        ],
        lamp,
    )
    _ladder(c, rng.uniform(0.44, 0.6) * w, floor_y + 0.06 * h, 0.5 * h)
    top, tx = floor_y - 0.02 * h, 0.26 * w
    table = c.add(
        "table",
        f.pick(c, ((140, 92, 60), (190, 150, 110))),
        "woody",
        shape="flat, on legs",
        parent=floor,
        angle=math.pi / 2,
    )
    for x in (tx - 0.17 * w, tx + 0.17 * w):
        c.rectangle(x - 6 * u, top, x + 6 * u, top + 0.2 * h, table)
    c.rectangle(tx - 0.21 * w, top - 0.012 * h, tx + 0.21 * w, top + 0.02 * h, table)
    for x in np.linspace(tx - 0.16 * w, tx + 0.16 * w, int(rng.integers(2, 5))).tolist():
        _vase(c, x, top - 0.01 * h, rng.uniform(0.07, 0.12) * h, table)
    creatures.person(c, rng.uniform(0.42, 0.6) * w, floor_y + 0.2 * h, 0.42 * h)
    creatures.beast(c, rng.uniform(0.68, 0.88) * w, floor_y + 0.17 * h, 0.13 * h, "animal_ot")
    if rng.random() < 0.7:
        odd_thing(c, 0.12 * w, 0.93 * h, 34 * u, floor)
    return "a room with a view"


def _garden_window(c: Canvas, left: float, top: float, w: float, h: float, wall: int) -> None:
    """A window frame with panes as holes; behind it the garden, out of focus."""
    rng = c.rng
    garden = c.add("blur", (150, 186, 214), "cloudy", (226, 232, 226), shape="blurred area", parent=wall)
    c.rectangle(left, top, left + w, top + h, garden)
    for _ in range(14):
        green = c.also(garden, vary(rng, (96, 146, 78), 40), outlined=False)
        x, y, r = (
            left + rng.uniform(0.1, 0.9) * w,
            top + rng.uniform(0.5, 0.85) * h,
            rng.uniform(0.06, 0.12) * h,
        )
        c.ellipse(x, y, r, r, green)
    frame = c.add("window", (240, 238, 232), shape="square, with panes", parent=wall, relation="part of")
    b = 0.045 * w
    for x in (left, left + w / 2, left + w):
        c.rectangle(x - b / 2, top - b / 2, x + b / 2, top + h + b / 2, frame)
    for y in (top, top + 0.4 * h, top + h):
        c.rectangle(left - b / 2, y - b / 2, left + w + b / 2, y + b / 2, frame)


def _framed_picture(c: Canvas, x: float, y: float, size: float, wall: int) -> None:
    rng = c.rng
    tall = size * float(rng.uniform(0.8, 1.3))
    frame = c.add(
        "picture", f.pick(c, ((120, 80, 50), (40, 40, 44), (200, 166, 90))), shape="rectangular", parent=wall
    )
    c.rectangle(x - size / 2, y - tall / 2, x + size / 2, y + tall / 2, frame)
    view = c.also(
        frame,
        f.pick(c, f.CLOTHES),
        str(rng.choice(["wavy", "mottled", "chequered", "veined"])),
        f.pick(c, f.WALLS),
    )
    c.rectangle(x - 0.4 * size, y - tall / 2 + 0.1 * size, x + 0.4 * size, y + tall / 2 - 0.1 * size, view)


def _shelves(c: Canvas, left: float, top: float, w: float, bottom: float, wall: int) -> None:
    """A rack of boards with gaps, full of books."""
    rng, u = c.rng, c.u
    rack = c.add(
        "shelf", (126, 88, 58), "woody", shape="rack, with gaps", parent=wall, relation="in front of"
    )
    b, levels = max(5.0, 7 * u), c.number(2, 3, 5)
    broad = 2.4 if c.crowd == "sparse" else 1.4 if c.crowd == "usual" else 1.0
    for x in (left, left + w - b):
        c.rectangle(x, top, x + b, bottom, rack)
    step = (bottom - top) / levels
    for k in range(levels + 1):
        y = top + k * step
        c.rectangle(left, y - b, left + w, y, rack)
        x = left + b
        while k and x < left + w - 2 * b:
            thick = float(rng.uniform(0.03, 0.075)) * broad * w
            if rng.random() < 0.8 and x + thick < left + w - b:
                colour = f.pick(c, f.CLOTHES, 16)
                book = c.add("book", colour, shape="upright", parent=rack)
                high = step * float(rng.uniform(0.55, 0.82))
                c.rectangle(x, y - b - high, x + thick, y - b, book)
                c.rectangle(
                    x,
                    y - b - 0.8 * high,
                    x + thick,
                    y - b - 0.72 * high,
                    c.also(book, shade(colour, 1.4), outlined=False),
                )
            x += thick + float(rng.choice([0, 0, 0.01, 0.04])) * w


def _ladder(c: Canvas, x: float, base: float, h: float) -> None:
    ink = c.add("ladder", (196, 160, 104), shape="long, with gaps")
    wide, lean = 0.2 * h, 0.14 * h
    for k in (0.0, wide):
        c.line([[x + k, base], [x + k + lean, base - h]], max(4, 6 * c.u), ink)
    for t in np.linspace(0.1, 0.92, 8).tolist():
        c.line([[x + t * lean, base - t * h], [x + wide + t * lean, base - t * h]], max(3, 4 * c.u), ink)


def _vase(c: Canvas, x: float, base: float, h: float, table: int) -> None:
    colour = f.pick(c, f.CLOTHES)
    for dx in (-0.25, 0.05, 0.3):
        if c.rng.random() < 0.6:
            creatures.flower(c, x + dx * 0.5 * h, base - 0.8 * h, h * float(c.rng.uniform(0.8, 1.3)))
    ink = c.add("vase", colour, "cloudy", shape="bellied", parent=table, lift=(-30 / h, 0), centre=(x, 0))
    c.polygon(
        np.concatenate(
            [
                arc(x, base - 0.35 * h, 0.3 * h, 0.35 * h, -0.25 * math.pi, 1.25 * math.pi),
                [[x - 0.14 * h, base - h], [x + 0.14 * h, base - h]],
            ]
        ),
        ink,
    )
