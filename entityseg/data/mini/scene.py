"""One scene of the mini dataset: its picture, its id map and what is in it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.mini import drawings, interiors, textures, topviews, towns
from entityseg.data.mini.canvas import Canvas
from entityseg.data.mini.shading import Style, render
from entityseg.data.mini.words import describe, relations

N_SCENES = 64

# Entities that keep fewer visible pixels than this are dropped; their pixels become unlabelled.
SMALLEST = 24

# Look -> the layouts that have it.
LOOKS: dict[str, tuple[Callable[[Canvas], str], ...]] = {
    "textures": (textures.patchwork, textures.pebbles, textures.strata, textures.microscope),
    "drawings": (drawings.village, drawings.harbour, drawings.meadow, interiors.room),
    "topviews": (topviews.farmland, towns.town, topviews.port),
}
_STYLES: dict[str, Style] = (
    textures.STYLES | drawings.STYLES | interiors.STYLES | topviews.STYLES | towns.STYLES
)
_SHAPES = (4 / 3, 3 / 2, 16 / 9, 1.0, 3 / 2, 4 / 3, 3 / 4, 2 / 3, 9 / 16, 3 / 4)


@dataclass(frozen=True)
class SceneEntity:
    """One entity of a scene.

    Attributes:
        id: Its value in the id map, 1 to n.
        category_id: Key into `CATEGORIES`.
        name: The category's name.
        isthing: Thing or stuff.
        description: Words for it (see `words.describe`), JSON-able.
    """

    id: int
    category_id: int
    name: str
    isthing: bool
    description: dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """A picture with its entities, which cover at least 99.5 % of it and never overlap.

    Attributes:
        name: Unique within the set, fit for a file name.
        look: "textures", "drawings" or "topviews".
        image: RGB ``[H, W, 3]``.
        id_map: Entity id of every pixel ``[H, W]``, 0 where unlabelled.
        entities: In the order of their ids.
        description: JSON-able words: look, layout, title, crowd ("sparse", "usual", "crowded"), palette,
            counts by name, where the stuff is (`layout_words`), relations as [id, words, id].
    """

    name: str
    look: str
    image: NDArray[np.uint8]
    id_map: NDArray[np.uint16]
    entities: tuple[SceneEntity, ...]
    description: dict[str, Any]


def scene_size(index: int, seed: int = 0) -> tuple[int, int]:
    """Width and height of a scene in pixels, without making it.

    The long sides of neighbouring indices spread over 1,000 to 4,000 px, about 2,000 px on average.

    >>> scene_size(0), scene_size(1)
    ((723, 1286), (2013, 3578))
    """
    quantile = ((index + 0.5) * 0.6180339887498949 + seed * 0.7548776662466927) % 1
    long = 1000 + round(3000 * quantile**2)
    ratio = _SHAPES[int(np.random.default_rng([seed, index, 1]).integers(len(_SHAPES)))]
    if long > 2600:
        # Keeps the largest pictures near 8 megapixels, and the set quick to make.
        ratio = 16 / 9 if ratio >= 1 else 9 / 16
    short = round(long * min(ratio, 1 / ratio))
    return (long, short) if ratio >= 1 else (short, long)


def make_scene(index: int, seed: int = 0) -> Scene:
    """Make one scene; the same (index, seed) gives the same bytes, whatever else was made before.

    Args:
        index: Number of the scene, from 0; the set has `N_SCENES`.
        seed: Of the whole set.
    """
    look = tuple(LOOKS)[index % len(LOOKS)]
    layouts = LOOKS[look]
    layout = layouts[(index // len(LOOKS) + seed) % len(layouts)]
    canvas = Canvas(*scene_size(index, seed), np.random.default_rng([seed, index, 2]))
    title = layout(canvas)
    _specks(canvas)
    image, inks = render(canvas, _STYLES[layout.__name__])

    drawn = np.array(canvas.owner, dtype=np.uint16)
    visible = np.bincount(drawn, np.bincount(inks.ravel(), minlength=len(drawn)), len(canvas.sketches) + 1)
    number = {int(k): n for n, k in enumerate(np.flatnonzero(visible[1:] >= SMALLEST) + 1, start=1)}
    final = np.zeros(len(canvas.sketches) + 1, dtype=np.uint16)
    final[list(number)] = list(number.values())
    id_map = final[drawn][inks]

    words = describe(canvas, inks, id_map, number)
    entities = tuple(
        SceneEntity(n, c["id"], c["name"], c["type"] == "thing", words[n - 1])
        for k, n in number.items()
        for c in (canvas.sketches[k - 1].category,)
    )
    return Scene(
        name=f"{index:03d}_{layout.__name__}",
        look=look,
        image=image,
        id_map=id_map,
        entities=entities,
        description={"look": look, "layout": layout.__name__, "title": title, "crowd": canvas.crowd}
        | _about(entities, visible[list(number)].astype(np.float64)),
    )


def _specks(canvas: Canvas) -> None:
    """In one scene of three, specks of dust that belong to no entity: annotators leave such gaps too."""
    rng = canvas.rng
    if rng.random() < 0.33:
        for x, y in (rng.random((int(rng.integers(4, 14)), 2)) * (canvas.width, canvas.height)).tolist():
            canvas.ellipse(x, y, 2.2 * canvas.u, 1.6 * canvas.u, 0)


def _about(entities: tuple[SceneEntity, ...], areas: NDArray[np.float64]) -> dict[str, Any]:
    words = [e.description for e in entities]
    palette: Counter[str] = Counter()
    for d, area in zip(words, areas.tolist(), strict=True):
        palette[d["colour"]] += int(area)
    things = sorted((e.id for e in entities if e.isthing), key=lambda k: (-areas[k - 1], k))[:14]
    stuff = [e for e in entities if not e.isthing]
    return {
        "palette": [name for name, _ in palette.most_common(5)],
        "counts": dict(sorted(Counter(e.name for e in entities).items())),
        "layout_words": [f"{e.name} {e.description['position']}" for e in stuff],
        "relations": relations(words, things),
    }
