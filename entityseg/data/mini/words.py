"""Words for what was drawn: colours, sizes, places and relations, for captions and referring expressions."""

import colorsys
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.mini.canvas import Canvas, Colour, Material

# Upper hue bound in degrees -> name of a clear colour of that hue.
_HUES = (
    (14, "red"),
    (42, "orange"),
    (57, "yellow"),
    (165, "green"),
    (196, "turquoise"),
    (256, "blue"),
    (295, "purple"),
    (344, "pink"),
    (361, "red"),
)
# Upper bound of the share of the picture -> size class.
_SIZES = ((0.0005, "tiny"), (0.005, "small"), (0.03, "medium"), (0.15, "large"), (1.01, "huge"))
_ACROSS, _DOWN = ("left", "", "right"), ("top", "", "bottom")


def colour_name(colour: Colour) -> str:
    """The everyday name of an RGB colour.

    >>> colour_name((200, 30, 30)), colour_name((110, 70, 45)), colour_name((245, 244, 240))
    ('red', 'brown', 'white')
    """
    hue, saturation, value = colorsys.rgb_to_hsv(*(v / 255 for v in colour))
    degrees = hue * 360
    if value < 0.2:
        return "black"
    if saturation < 0.13:
        return "white" if value > 0.86 else "grey"
    if 14 <= degrees < 57 and saturation < 0.38:
        return "beige" if value > 0.6 else "brown"
    if degrees < 42 and value < 0.72:
        return "brown"
    if 42 <= degrees < 57 and value < 0.6:
        return "olive"
    if degrees > 295 and value < 0.62 and degrees < 344:
        return "purple"
    return next(name for bound, name in _HUES if degrees < bound)


def place(x: float, y: float) -> str:
    """Where a point lies, given as shares of the width and height.

    >>> place(0.1, 0.9), place(0.5, 0.5), place(0.5, 0.1)
    ('in the bottom left', 'in the middle', 'at the top')
    """
    down, across = _DOWN[min(int(y * 3), 2)], _ACROSS[min(int(x * 3), 2)]
    if down and across:
        return f"in the {down} {across}"
    if down:
        return f"at the {down}"
    return f"on the {across}" if across else "in the middle"


def size_class(share: float) -> str:
    """Size class of an entity that covers this share of the picture.

    >>> size_class(0.001), size_class(0.5)
    ('small', 'huge')
    """
    return next(name for bound, name in _SIZES if share < bound)


def describe(
    canvas: Canvas, inks: NDArray[np.uint16], owners: NDArray[np.uint16], number: dict[int, int]
) -> list[dict[str, Any]]:
    """One description for each kept entity, in the order of its id.

    Args:
        canvas: The drawn canvas.
        inks: Ink map ``[H, W]``.
        owners: Id map ``[H, W]`` with the final ids.
        number: Sketch number -> final id.

    Returns:
        Dicts with `colour` (and `colours`, most first), `shape`, `texture`, `position`, `size`, `centre`
        (x and y as shares), `parent` (id or None), `relation`, `same_name` (how many share the name) and
        `from_left` (1 for the leftmost of them).
    """
    height, width = owners.shape
    used = np.bincount(inks.ravel(), minlength=len(canvas.materials))
    centres = _centres(owners, len(number))
    out: list[dict[str, Any]] = []
    for sketch_number, entity in number.items():
        sketch = canvas.sketches[sketch_number - 1]
        ranked = sorted(sketch.inks, key=lambda ink: (-int(used[ink]), ink))
        area = int(sum(used[ink] for ink in ranked))
        names = list(
            dict.fromkeys(
                colour_name(_mean_colour(canvas.materials[ink])) for ink in ranked if used[ink] > 0.15 * area
            )
        )
        x, y = centres[entity] / (width, height)
        parent = number.get(sketch.parent or 0)
        share = area / (height * width)
        out.append(
            {
                "colour": names[0],
                "colours": names,
                "shape": sketch.shape,
                "texture": canvas.materials[ranked[0]].texture,
                "position": "all over the picture" if share > 0.4 else place(x, y),
                "size": size_class(share),
                "centre": [round(float(x), 3), round(float(y), 3)],
                "parent": parent,
                "relation": sketch.relation if parent else None,
            }
        )
    _rank_by_name(out, [canvas.sketches[k - 1].category["name"] for k in number])
    return out


def _centres(owners: NDArray[np.uint16], n: int) -> NDArray[np.float64]:
    """Mean (x, y) of the pixels of ids 0 to `n`, summed over the rows' runs of equal ids."""
    height, width = owners.shape
    begins = np.ones((height, width), dtype=bool)
    np.not_equal(owners[:, 1:], owners[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=owners.size)
    ids = owners.ravel()[starts]
    area = np.maximum(np.bincount(ids, lengths, n + 1), 1)
    x = np.bincount(ids, lengths * (starts % width + (lengths - 1) / 2), n + 1)
    y = np.bincount(ids, lengths * (starts // width), n + 1)
    return np.stack([x, y], axis=1) / area[:, None]


def _mean_colour(material: Material) -> Colour:
    # The textures mix in about 0.3 of the second colour (see shading).
    r, g, b = (round(0.7 * a + 0.3 * b) for a, b in zip(material.colour, material.second, strict=True))
    return r, g, b


def _rank_by_name(descriptions: list[dict[str, Any]], names: list[str]) -> None:
    total = Counter(names)
    order = sorted(range(len(names)), key=lambda k: (descriptions[k]["centre"][0], k))
    seen: Counter[str] = Counter()
    for k in order:
        seen[names[k]] += 1
        descriptions[k] |= {"same_name": total[names[k]], "from_left": seen[names[k]]}


def relations(descriptions: list[dict[str, Any]], things: list[int], most: int = 40) -> list[list[Any]]:
    """Relations as ``[subject id, words, object id]``: to parents, then between things near each other.

    Args:
        descriptions: From `describe`; entity k + 1 is described at k.
        things: Ids of the entities that may be compared by place.
        most: How many relations to list at most.
    """
    found: list[list[Any]] = [
        [k, d["relation"], d["parent"]] for k, d in enumerate(descriptions, start=1) if d["parent"]
    ][: most // 2]
    centres = {k: np.array(descriptions[k - 1]["centre"]) for k in things}
    for k in things:
        others = [(float(np.hypot(*(centres[j] - centres[k]))), j) for j in things if j != k]
        if not others or len(found) >= most:
            break
        near = min(others)[1]
        dx, dy = centres[k] - centres[near]
        words = (
            ("left of" if dx < 0 else "right of") if abs(dx) > abs(dy) else ("above" if dy < 0 else "below")
        )
        found.append([k, words, near])
    return found
