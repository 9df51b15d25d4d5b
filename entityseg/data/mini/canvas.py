"""The canvas that scenes are drawn on: one map of inks, each ink a material of one entity.

Whatever is drawn last covers what lies under it, so that entities never overlap: the id map is the ink
map looked up in a table. The picture is shaded from the same map (see `shading`), so masks and picture agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from entityseg.data.mini.categories import Category, category
from entityseg.data.mini.noise import Points

Colour = tuple[int, int, int]
PointsLike = Points | Sequence[Sequence[float]]


@dataclass(frozen=True)
class Material:
    """How one ink looks: two colours, mixed by textures, then shaded.

    `mottle`, `fine`, `vein` and `stripe` say how much of the second colour the coarse noise, the fine
    noise, the vein noise and the stripes bring in (0 to 1); `warp` bends the stripes, `weave` crosses them.
    `period` is the stripes' in pixels; `lift` is a brightness slope (per pixel, x and y) around `centre`.
    """

    texture: str
    colour: Colour
    second: Colour
    grain: float = 5.0
    mottle: float = 0.0
    fine: float = 0.0
    vein: float = 0.0
    stripe: float = 0.0
    weave: float = 0.0
    warp: float = 0.0
    period: float = 20.0
    angle: float = 0.0
    lift: tuple[float, float] = (0.0, 0.0)
    centre: tuple[float, float] = (0.0, 0.0)


@dataclass
class Sketch:
    """An entity while it is being drawn; `parent` is the number (from 1) of the sketch it belongs to."""

    category: Category
    shape: str
    parent: int | None
    relation: str
    inks: list[int] = field(default_factory=list)


# Texture name -> material settings; `period` is in thousandths of the picture's long side.
TEXTURES: dict[str, dict[str, float]] = {
    "plain": {"grain": 2.5},
    "grainy": {"grain": 16, "fine": 0.25},
    "mottled": {"mottle": 0.9, "fine": 0.15},
    "cloudy": {"mottle": 0.6, "grain": 2},
    "speckled": {"fine": 1.3, "grain": 9},
    "veined": {"vein": 1.0, "mottle": 0.2, "grain": 3},
    "striped": {"stripe": 0.9, "period": 22, "grain": 4},
    "lined": {"stripe": 0.6, "period": 9, "fine": 0.15},
    "furrowed": {"stripe": 0.75, "period": 11, "warp": 0.5, "fine": 0.3, "mottle": 0.15},
    "wavy": {"stripe": 0.55, "period": 26, "warp": 4.0, "mottle": 0.25, "grain": 3},
    "woody": {"stripe": 0.7, "period": 15, "warp": 7.0, "fine": 0.25},
    "woven": {"stripe": 0.5, "weave": 0.5, "period": 9, "fine": 0.15},
    "chequered": {"stripe": 0.5, "weave": 0.5, "period": 45, "grain": 3},
    "rough": {"mottle": 0.5, "fine": 0.7, "grain": 10},
    "leafy": {"fine": 1.0, "mottle": 0.6, "grain": 10},
}


class Canvas:
    """A picture in the making.

    Args:
        width: Pixels across.
        height: Pixels down.
        rng: The scene's random source; layouts draw from it too.
    """

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.width, self.height, self.rng = width, height, rng
        # How much there is to see; layouts draw their counts by it (see `number`).
        self.crowd = str(rng.choice(["sparse", "usual", "crowded"], p=[0.34, 0.52, 0.14]))
        # A thousandth of the long side: what scales drawings, while thin things are given in pixels.
        self.u = max(width, height) / 1000
        self.sketches: list[Sketch] = []
        self.materials: list[Material] = [Material("plain", (90, 90, 90), (90, 90, 90))]
        self.owner: list[int] = [0]
        self.outline_key: list[int] = [0]
        self._inks = Image.new("I", (width, height))
        self._draw = ImageDraw.Draw(self._inks)
        self._shade = Image.new("L", (width // 2 + 1, height // 2 + 1), 128)
        self._shade_draw = ImageDraw.Draw(self._shade)
        self.shaded = False

    def add(
        self,
        name: str,
        colour: Colour,
        texture: str = "plain",
        second: Colour | None = None,
        *,
        shape: str = "",
        parent: int | None = None,
        relation: str = "on",
        **settings: object,
    ) -> int:
        """Begin an entity of category `name` and return its first ink.

        Args:
            name: Category name, or ``supercategory/name`` where names repeat.
            colour: First colour, RGB.
            texture: A name in `TEXTURES`.
            second: The colour the texture mixes in; a darker shade of the first where None.
            shape: Words for its form, kept in the description.
            parent: An ink of the entity it lies on or belongs to.
            relation: How it stands to its parent: "on", "in", "part of", "in front of".
            **settings: Fields of `Material` that replace the texture's own.
        """
        owner = None if parent is None else self.owner[parent]
        self.sketches.append(Sketch(category(name), shape, owner or None, relation))
        return self._ink(len(self.sketches), colour, texture, second, True, settings)

    def also(
        self,
        ink: int,
        colour: Colour,
        texture: str = "plain",
        second: Colour | None = None,
        *,
        outlined: bool = True,
        **settings: object,
    ) -> int:
        """Another ink of the same entity, for its details; not `outlined`: no line between the two inks."""
        made = self._ink(self.owner[ink], colour, texture, second, outlined, settings)
        if not outlined:
            self.outline_key[made] = self.outline_key[ink]
        return made

    def _ink(
        self,
        owner: int,
        colour: Colour,
        texture: str,
        second: Colour | None,
        outlined: bool,
        settings: dict[str, object],
    ) -> int:
        number = len(self.materials)
        material = Material(texture, colour, shade(colour, 0.78) if second is None else second)
        preset = dict(TEXTURES[texture])
        preset["period"] = preset.get("period", 20) * self.u
        self.materials.append(replace(material, **(preset | settings)))  # type: ignore[arg-type]
        self.owner.append(owner)
        self.outline_key.append(number)
        self.sketches[owner - 1].inks.append(number)
        return number

    def number(self, low: int, high: int, crowded: int) -> int:
        """How many of something to draw: near `low` where sparse, up to `high`, near `crowded` in crowds."""
        bounds = {
            "sparse": (low, low + (high - low) // 3),
            "usual": (low + (high - low) // 4, high),
            "crowded": (crowded - crowded // 5, crowded),
        }[self.crowd]
        return int(self.rng.integers(bounds[0], bounds[1] + 1))

    def polygon(self, points: PointsLike, ink: int) -> None:
        """Fill a closed polygon ``[n, 2]``."""
        points = np.asarray(points, dtype=np.float64)
        self._draw.polygon(points.ravel().tolist(), fill=ink)
        if self.shaded:
            self._shade_draw.polygon((points / 2).ravel().tolist(), fill=128)

    def ellipse(self, cx: float, cy: float, rx: float, ry: float, ink: int) -> None:
        """Fill an upright ellipse around (cx, cy)."""
        self._draw.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill=ink)
        if self.shaded:
            self._shade_draw.ellipse(((cx - rx) / 2, (cy - ry) / 2, (cx + rx) / 2, (cy + ry) / 2), fill=128)

    def line(self, points: PointsLike, width: float, ink: int) -> None:
        """Draw a polyline ``[n, 2]`` that is `width` pixels wide, with round joints where it is broad."""
        points = np.asarray(points, dtype=np.float64)
        broad = max(1, round(width))
        self._draw.line(points.ravel().tolist(), fill=ink, width=broad)
        if broad > 5:
            r = broad / 2 - 0.5
            for x, y in points.tolist():
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)
        if self.shaded:
            self._shade_draw.line((points / 2).ravel().tolist(), fill=128, width=max(1, broad // 2))

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, ink: int) -> None:
        """Fill an upright rectangle between two corners in any order."""
        self.polygon([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], ink)

    def lay(self, inks: NDArray[np.integer]) -> None:
        """Lay a whole map of inks ``[height, width]`` as the ground; 0 leaves what is there."""
        new = Image.fromarray(inks.astype(np.int32))
        mask = Image.fromarray(((inks > 0) * 255).astype(np.uint8))
        self._inks.paste(new, (0, 0), mask)

    def shadow(self, points: Points, strength: int = 60) -> None:
        """Darken (or, with a negative strength, lighten) what lies inside a polygon; ids stay as they are."""
        self.shaded = True
        self._shade_draw.polygon((points / 2).ravel().tolist(), fill=128 - strength)

    def ink_at(self, x: float, y: float) -> int:
        """The ink of one pixel; points outside count as the nearest pixel inside."""
        at = min(max(int(x), 0), self.width - 1), min(max(int(y), 0), self.height - 1)
        return int(self._inks.getpixel(at))  # type: ignore[arg-type]

    def name_at(self, x: float, y: float) -> str:
        """The category name of the entity at one pixel, "" where nothing was drawn."""
        owner = self.owner[self.ink_at(x, y)]
        return self.sketches[owner - 1].category["name"] if owner else ""

    def ink_map(self) -> NDArray[np.uint16]:
        """The ink of every pixel ``[height, width]``, 0 where nothing was drawn."""
        return np.asarray(self._inks).astype(np.uint16)

    def shade_map(self) -> Image.Image | None:
        """Shadows at half size, 128 where there are none; None for a scene without shadows."""
        return self._shade if self.shaded else None


def shade(colour: Colour, factor: float) -> Colour:
    """A colour made darker (factor below 1) or lighter (above 1).

    >>> shade((100, 200, 40), 0.5), shade((100, 200, 40), 1.5)
    ((50, 100, 20), (150, 255, 60))
    """
    r, g, b = (min(255, max(0, round(v * factor))) for v in colour)
    return r, g, b


def vary(rng: np.random.Generator, colour: Colour, amount: int = 14) -> Colour:
    """A colour near the given one: every channel and the brightness moved by up to `amount`."""
    moved = (
        np.asarray(colour)
        + rng.integers(-amount, amount + 1)
        + rng.integers(-amount // 2, amount // 2 + 1, 3)
    )
    r, g, b = (int(v) for v in moved.clip(0, 255))
    return r, g, b
