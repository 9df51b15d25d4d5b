"""Small things that lie about in any scene: rings, buttons, leaves, wires, the unknown and the blurred."""

import math

import numpy as np

from entityseg.data.mini.canvas import Canvas, Colour, shade, vary
from entityseg.data.mini.noise import arc, blob, placed, scatter, smooth, wander

CLOTH: tuple[tuple[Colour, Colour], ...] = (
    ((186, 74, 68), (228, 196, 172)),
    ((60, 96, 130), (190, 206, 214)),
    ((220, 178, 88), (178, 116, 52)),
    ((94, 124, 84), (206, 210, 172)),
    ((132, 92, 132), (216, 190, 210)),
    ((216, 206, 186), (150, 130, 108)),
    ((52, 60, 78), (120, 132, 146)),
    ((206, 128, 88), (120, 66, 52)),
)


def ring(
    c: Canvas, x: float, y: float, r: float, thickness: float, colour: Colour, parent: int | None
) -> None:
    """A metal ring: what lies under it shows through its hole."""
    ink = c.add(
        "ring",
        colour,
        "plain",
        shade(colour, 0.6),
        shape="ring",
        parent=parent,
        mottle=0.6,
        lift=(-0.25 * 60 / r, -0.35 * 60 / r),
        centre=(x, y),
    )
    around = arc(x, y, r, r * c.rng.uniform(0.75, 1.0), 0, 2 * math.pi, 64)
    c.shadow(np.concatenate([around + 0.08 * r, (around[::-1] - (x, y)) * 0.8 + (x, y) + 0.08 * r]), 40)
    c.line(placed(around - (x, y), x, y, c.rng.uniform(0, 3)), thickness, ink)


def button(c: Canvas, x: float, y: float, r: float, parent: int | None) -> None:
    """A button with four holes that show the ground."""
    rng = c.rng
    colour = CLOTH[int(rng.integers(len(CLOTH)))][0]
    ink = c.add("button", colour, shape="round", parent=parent, lift=(-14 / r, -20 / r), centre=(x, y))
    rim = c.also(ink, shade(colour, 0.8), outlined=False)
    outer = arc(x, y, r, r, 0, 2 * math.pi, 48)[:-1]
    c.shadow(outer + 0.12 * r, 70)
    # One closed outline with slits to the holes: the holes stay what they were.
    parts = [outer, outer[:1]]
    for k in range(4):
        a = math.pi / 4 + k * math.pi / 2
        hole = arc(
            x + 0.36 * r * math.cos(a), y + 0.36 * r * math.sin(a), 0.13 * r, 0.13 * r, 0, -2 * math.pi, 17
        )
        parts += [hole, outer[:1]]
    c.polygon(np.concatenate(parts), ink)
    c.line(arc(x, y, 0.84 * r, 0.84 * r, 0, 2 * math.pi, 48), 0.07 * r, rim)


def leaf(c: Canvas, x: float, y: float, r: float, parent: int | None) -> None:
    """A pointed leaf with a stalk and a lighter rib."""
    rng = c.rng
    colour = vary(rng, ((108, 128, 54), (178, 120, 48), (160, 70, 44), (74, 104, 60))[int(rng.integers(4))])
    ink = c.add("leaf", colour, "leafy", shape="pointed", parent=parent, vein=0.4)
    rib = c.also(ink, shade(colour, 1.35), outlined=False)
    t = np.linspace(0, math.pi, 26)
    half = np.stack([-np.cos(t), 0.42 * np.sin(t) ** 1.3 * (1 + 0.06 * np.sin(7 * t))], axis=1)
    angle = rng.uniform(0, 2 * math.pi)
    outline = placed(np.concatenate([half, half[::-1] * (1, -0.9)]) * r, x, y, angle)
    c.shadow(outline + 0.06 * r, 50)
    stalk = placed(np.array([[-0.9, 0], [0.2, 0.04], [1.0, 0], [1.4, 0.12]]) * r, x, y, angle)
    c.line(smooth(stalk[2:]), max(3, 0.04 * r), ink)
    c.polygon(outline, ink)
    c.line(smooth(stalk[:3]), max(2, 0.03 * r), rib)


def strand(c: Canvas, name: str, colour: Colour, width: float, shape: str = "long and thin") -> None:
    """A thread, wire or fibre, a few pixels wide, right across the picture."""
    rng, w, h = c.rng, c.width, c.height
    ink = c.add(name, vary(rng, colour, 10), shape=shape)
    ends = (
        ((0.0, rng.uniform(0, h)), (w, rng.uniform(0, h)))
        if rng.random() < 0.6
        else ((rng.uniform(0, w), 0.0), (rng.uniform(0, w), h))
    )
    c.line(wander(rng, ends[0], ends[1], 0.12 * h, 5), width, ink)


def odd_thing(c: Canvas, x: float, y: float, r: float, parent: int | None = None) -> None:
    """Something nobody can name: the "unknown" category."""
    rng = c.rng
    texture = str(rng.choice(["chequered", "chequered", "striped", "veined", "speckled"]))
    hue = ((150, 190, 60), (210, 90, 150), (90, 70, 160), (70, 160, 150))[int(rng.integers(4))]
    ink = c.add(
        "unknown",
        vary(rng, hue),
        texture,
        shade(hue, 0.45),
        shape="irregular",
        parent=parent,
        period=0.5 * r,
        warp=2.0,
        angle=float(rng.uniform(0, 3)),
    )
    outline = blob(rng, x, y, r, 0.7 * r, 0.4)
    c.shadow(outline + 0.1 * r, 55)
    c.polygon(outline, ink)
    c.line(smooth(np.array([[x, y], [x + r, y - r], [x + 1.6 * r, y - 0.4 * r]])), max(4, 0.12 * r), ink)


def blurred_corner(c: Canvas, colours: tuple[Colour, ...], reach: float = 0.3) -> None:
    """A corner of the picture out of focus: the "blur" category, with discs of light in it.

    Does nothing where the scene has a blurred area already: stuff is one entity a picture.
    """
    if any(sketch.category["name"] == "blur" for sketch in c.sketches):
        return
    rng, w, h = c.rng, c.width, c.height
    cx, cy = (0 if rng.random() < 0.5 else w), (0 if rng.random() < 0.5 else h)
    ink = c.add("blur", colours[0], "cloudy", shape="blurred area", relation="in front of")
    rx, ry = w * reach * rng.uniform(0.8, 1.3), h * reach * rng.uniform(0.8, 1.3)
    c.polygon(blob(rng, cx, cy, rx, ry, 0.12, 96), ink)
    region = c.ink_map() == ink
    discs = np.zeros_like(region, dtype=np.uint16)
    spots = [
        c.also(ink, shade(colour, factor), outlined=False) for colour in colours for factor in (0.7, 1.35)
    ]
    yy, xx = np.ogrid[: c.height, : c.width]
    for dx, dy in scatter(rng, 34, 2 * rx, 2 * ry).tolist():
        x, y = cx - rx + dx, cy - ry + dy
        r = rng.uniform(25, 70) * c.u
        x0, y0 = max(0, int(x - r)), max(0, int(y - r))
        part = np.s_[y0 : max(0, int(y + r)), x0 : max(0, int(x + r))]
        inside = (xx[:, part[1]] - x) ** 2 + (yy[part[0]] - y) ** 2 < r * r
        discs[part][inside] = spots[int(rng.integers(len(spots)))]
    c.lay(np.where(region, discs, 0))
