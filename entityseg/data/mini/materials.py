"""The materials of the texture scenes: colours and textures of every stuff category they use."""

import math
from typing import Any

from entityseg.data.mini.canvas import Canvas, Colour, vary

# Category -> colour pairs it may have, and its texture.
STUFF: dict[str, tuple[tuple[tuple[Colour, Colour], ...], str]] = {
    "marble": (
        (
            ((226, 222, 214), (120, 112, 108)),
            ((74, 84, 92), (206, 208, 204)),
            ((206, 188, 170), (128, 84, 66)),
        ),
        "veined",
    ),
    "wood": (
        (((176, 128, 82), (118, 78, 46)), ((206, 166, 116), (160, 112, 66)), ((108, 74, 54), (74, 48, 36))),
        "woody",
    ),
    "moss": ((((84, 110, 50), (142, 160, 74)), ((58, 84, 56), (98, 124, 70))), "leafy"),
    "rust": ((((146, 78, 44), (86, 62, 56)), ((176, 104, 52), (110, 60, 44))), "rough"),
    "felt": (
        (
            ((158, 60, 66), (132, 46, 58)),
            ((64, 92, 136), (50, 74, 116)),
            ((196, 152, 64), (172, 128, 50)),
            ((110, 84, 128), (92, 68, 110)),
        ),
        "grainy",
    ),
    "ice": ((((196, 218, 228), (140, 178, 202)), ((170, 200, 216), (222, 234, 238))), "cloudy"),
    "sand": ((((214, 192, 150), (184, 156, 112)), ((196, 172, 140), (166, 138, 106))), "speckled"),
    "soil": ((((92, 70, 54), (60, 46, 38)), ((120, 90, 66), (82, 60, 46))), "rough"),
    "water": ((((62, 112, 134), (108, 160, 174)), ((48, 84, 120), (86, 132, 160))), "wavy"),
    "material_ot": ((((132, 136, 138), (104, 108, 112)), ((168, 164, 156), (140, 134, 128))), "mottled"),
}
STONES: tuple[Colour, ...] = (
    (150, 146, 140),
    (118, 114, 112),
    (180, 168, 150),
    (138, 116, 100),
    (104, 112, 120),
    (198, 190, 178),
    (166, 130, 108),
    (92, 88, 90),
    (148, 152, 142),
)


def material(c: Canvas, name: str, **settings: Any) -> int:
    """An ink for a stuff entity of one of the categories in `STUFF`."""
    pairs, texture = STUFF[name]
    colour, second = pairs[int(c.rng.integers(len(pairs)))]
    settings.setdefault("angle", float(c.rng.uniform(0, math.pi)))
    return c.add(name, vary(c.rng, colour, 8), texture, vary(c.rng, second, 8), shape="wide area", **settings)
