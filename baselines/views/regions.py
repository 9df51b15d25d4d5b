"""Where views lie in an image, and how large the network sees them (CropFormer, section 4.1 and table 9)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from entityseg.errors import usage_error
from entityseg.masks.runlengths import Size

# x0, y0, x1, y1 in pixels; the last column and row are not part of it.
Region = tuple[int, int, int, int]
Scheme = Literal["none", "fixed4", "fixed8", "random"]
SCHEMES: tuple[Scheme, ...] = ("none", "fixed4", "fixed8", "random")


def crop_regions(
    height: int,
    width: int,
    ratio: float = 0.7,
    scheme: Scheme = "fixed4",
    generator: np.random.Generator | None = None,
    *,
    count: int = 4,
) -> list[Region]:
    """Return where the crops of an image lie.

    A crop has `int(ratio * side)` pixels a side, at least one. `fixed4` are the corners upper-left, upper-right,
    bottom-left, bottom-right, which is what the released grid (stride 0.6 of the side, moved back into the image)
    comes to. `fixed8` adds the middles of the upper, left, right and lower border: the papers name "8 fixed corner
    crops" and do not say where they lie. `random` crops lie anywhere, evenly.

    Args:
        height, width: of the image in pixels.
        ratio: of the crop's sides to the image's, in (0, 1]; the papers' delta.
        scheme: where crops lie; `none` gives no crop.
        generator: of random crops, which need one.
        count: of random crops.

    Raises:
        UsageError: the ratio is out of range, the scheme is unknown, or random crops have no generator.

    >>> crop_regions(300, 420)[1:3]
    [(126, 0, 420, 210), (0, 90, 294, 300)]
    """
    check_crops(ratio, scheme, count)
    if scheme == "none":
        return []
    crop_h, crop_w = max(int(ratio * height), 1), max(int(ratio * width), 1)
    free_h, free_w = height - crop_h, width - crop_w
    if scheme == "random":
        if generator is None:
            raise usage_error("views.generator", "random crops need a generator", "Give `generator`.")
        # Row by row, so that more crops do not move the first ones.
        starts = [
            (int(generator.integers(free_h + 1)), int(generator.integers(free_w + 1))) for _ in range(count)
        ]
    else:
        starts = [(0, 0), (0, free_w), (free_h, 0), (free_h, free_w)]
        if scheme == "fixed8":
            starts += [(0, free_w // 2), (free_h // 2, 0), (free_h // 2, free_w), (free_h, free_w // 2)]
    return [(x, y, x + crop_w, y + crop_h) for y, x in starts]


def check_crops(ratio: float, scheme: str, count: int) -> None:
    """Refuse crops that cannot be cut.

    Raises:
        UsageError: the ratio is not in (0, 1], the scheme is unknown, or the count is below 1.
    """
    if not 0 < ratio <= 1:
        remedy = "Give a share of the side, such as 0.7."
        raise usage_error("views.ratio", "the crop ratio is not in (0, 1]", remedy, value=ratio)
    if scheme not in SCHEMES:
        remedy = f"There are: {', '.join(SCHEMES)}."
        raise usage_error("views.scheme", "no crops have this scheme", remedy, value=scheme)
    if count < 1:
        raise usage_error("views.count", "the number of crops is below 1", "Give 1 or more.", value=count)


def count_crops(scheme: Scheme, count: int = 4) -> int:
    """Return how many crops a scheme makes.

    >>> count_crops("fixed8"), count_crops("none")
    (8, 0)
    """
    return {"none": 0, "fixed4": 4, "fixed8": 8, "random": count}[scheme]


def network_size(height: int, width: int, short_side: int, max_side: int) -> Size:
    """Return the size (height, width) to which a view is resized, its proportions kept.

    The shorter side becomes `short_side`, unless the longer one would then pass `max_side`; rounded half up, as
    detectron2's `ResizeShortestEdge`, and at least 1.

    >>> network_size(2700, 4500, 800, 1333), network_size(3, 5000, 800, 1333)
    ((800, 1333), (1, 1333))
    """
    scale = short_side / min(height, width)
    new_h, new_w = (short_side, scale * width) if height < width else (scale * height, short_side)
    if max(new_h, new_w) > max_side:
        scale = max_side / max(new_h, new_w)
        new_h, new_w = new_h * scale, new_w * scale
    return max(int(new_h + 0.5), 1), max(int(new_w + 0.5), 1)


def padded_size(sizes: list[Size], divisor: int = 32) -> Size:
    """Return the size that all views of a batch are padded to, right and bottom.

    >>> padded_size([(96, 134), (80, 140)])
    (96, 160)
    """
    height, width = (max(side) for side in zip(*sizes, strict=True))
    return -(-height // divisor) * divisor, -(-width // divisor) * divisor
