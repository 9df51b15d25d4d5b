"""Augmentation of an image, its views and its masks together; every choice comes from one generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from entityseg.baselines.views.colour import Distortion
from entityseg.baselines.views.cutting import Pixels, cut
from entityseg.baselines.views.regions import (
    Region,
    Scheme,
    check_crops,
    count_crops,
    crop_regions,
    network_size,
)
from entityseg.errors import usage_error
from entityseg.masks import RunLengths, crop, flip, resize
from entityseg.masks.runlengths import Size


@dataclass(frozen=True)
class ViewAugmentation:
    """How views are made for training: one flip and one scale for all views of an image.

    The default is CropFormer's: the whole image and one of its four corner crops, each resized to one of six short
    sides. Large-scale jitter, which the released Mask2Former entity models were trained with, is
    `ViewAugmentation(crops="none", jitter=(0.1, 2.0), window=1024)`; the released semantic models' is
    `ViewAugmentation(crops="none", short_sides=[int(51.2 * n) for n in range(5, 21)], max_side=2048, window=512,
    colour=True)`.

    Attributes:
        short_sides: of which one is drawn, in network pixels.
        max_side: what the longer side never passes.
        flip: probability of mirroring left and right.
        crops: which crops there are to draw from (see `crop_regions`).
        crop_ratio: of a crop's sides to the image's.
        crop_count: crops that are drawn an image; views are one more, the whole image.
        jitter: least and largest scale, by which the image is fitted into `window` in place of `short_sides`.
        window: side of the square that is cut out of the resized image at random, in network pixels; views are
            padded to it. For models of one view.
        colour: whether colours are distorted, in all views alike.

    Raises:
        UsageError: values that make no sense, or a window together with crops.
    """

    short_sides: tuple[int, ...] = (640, 672, 704, 736, 768, 800)
    max_side: int = 1333
    flip: float = 0.5
    crops: Scheme = "fixed4"
    crop_ratio: float = 0.7
    crop_count: int = 1
    jitter: tuple[float, float] | None = None
    window: int | None = None
    colour: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "short_sides", tuple(self.short_sides))
        check_crops(self.crop_ratio, self.crops, self.crop_count)
        most = count_crops(self.crops, self.crop_count)
        problems = {
            "short_sides": not self.short_sides or min(self.short_sides, default=0) < 1,
            "max_side": self.max_side < 1,
            "flip": not 0 <= self.flip <= 1,
            "crop_count": self.crops != "none" and self.crop_count > most,
            "jitter": self.jitter is not None
            and (self.window is None or not 0 < self.jitter[0] <= self.jitter[1]),
            "window": self.window is not None and (self.window < 1 or self.crops != "none"),
        }
        for name, is_wrong in problems.items():
            if is_wrong:
                message = "the augmentation cannot be done with this value"
                remedy = "See `ViewAugmentation` for what it means; a window goes without crops, jitter with a window."
                raise usage_error("augment.value", message, remedy, field=name, value=getattr(self, name))

    @property
    def view_count(self) -> int:
        """Views of an image, the whole one included."""
        return 1 if self.crops == "none" else 1 + self.crop_count

    def __call__(
        self, image: Pixels, masks: RunLengths, generator: np.random.Generator
    ) -> tuple[tuple[Pixels, ...], tuple[RunLengths, ...]]:
        """Return the pixels and the masks of each view, at their network sizes.

        Args:
            image: uint8 [height, width, 3].
            masks: n masks of its size; each view gets n masks in the same order.
            generator: of all choices.
        """
        views, small = self._views(image, masks, generator)
        if self.colour:
            distortion = Distortion.draw(generator)
            views = tuple(distortion.apply(one) for one in views)
        return views, small

    def _views(
        self, image: Pixels, masks: RunLengths, generator: np.random.Generator
    ) -> tuple[tuple[Pixels, ...], tuple[RunLengths, ...]]:
        if generator.random() < self.flip:
            image, masks = image[:, ::-1], flip(masks, horizontal=True)
        if self.window is not None:
            pixels, small = self._window(image, masks, self.window, generator)
            return (pixels,), (small,)
        height, width = image.shape[:2]
        short_side = int(generator.choice(self.short_sides))
        regions = [(0, 0, width, height), *self._crops(height, width, generator)]
        sizes = [network_size(y1 - y0, x1 - x0, short_side, self.max_side) for x0, y0, x1, y1 in regions]
        views = cut(image, regions, sizes).pixels
        return views, tuple(_masks_of(masks, *pair) for pair in zip(regions, sizes, strict=True))

    def _crops(self, height: int, width: int, generator: np.random.Generator) -> list[Region]:
        regions = crop_regions(height, width, self.crop_ratio, self.crops, generator, count=self.crop_count)
        if self.crops in ("none", "random"):
            return regions
        drawn = generator.choice(len(regions), self.crop_count, replace=False)
        return [regions[index] for index in np.sort(drawn)]

    def _window(
        self, image: Pixels, masks: RunLengths, window: int, generator: np.random.Generator
    ) -> tuple[Pixels, RunLengths]:
        height, width = image.shape[:2]
        if self.jitter is None:
            size = network_size(height, width, int(generator.choice(self.short_sides)), self.max_side)
        else:
            scale = generator.uniform(*self.jitter) * window / max(height, width)
            size = max(round(height * scale), 1), max(round(width * scale), 1)
        resized = cut(image, [(0, 0, width, height)], [size]).pixels[0]
        shape = min(size[0], window), min(size[1], window)
        y, x = (round((side - part) * generator.random()) for side, part in zip(size, shape, strict=True))
        cut_out = crop(resize(masks, size), x, y, shape[1], shape[0])
        return np.ascontiguousarray(resized[y : y + shape[0], x : x + shape[1]]), cut_out


def _masks_of(masks: RunLengths, region: Region, size: Size) -> RunLengths:
    x0, y0, x1, y1 = region
    whole = (x0, y0, x1, y1) == (0, 0, masks.width, masks.height)
    return resize(masks if whole else crop(masks, x0, y0, x1 - x0, y1 - y0), size)
