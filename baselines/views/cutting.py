"""Cuts views out of an image at its own resolution, resizes them, and stacks them for the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from entityseg.baselines.views.regions import Region, padded_size
from entityseg.errors import input_error
from entityseg.masks.runlengths import Size

Pixels = NDArray[np.uint8]
# Of ImageNet, RGB, in pixel values: the released models'.
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class View:
    """A part of an image as the network sees it.

    Attributes:
        region: x0, y0, x1, y1 in pixels of the image.
        size: (height, width) of the view in the network, before padding.
    """

    region: Region
    size: Size


@dataclass(frozen=True)
class ImageViews:
    """The views of one image; view 0 is the whole image.

    Attributes:
        pixels: uint8 [height, width, 3] of each view, at its network size.
        views: where each one lies.
        image_size: (height, width) of the image in pixels.
    """

    pixels: tuple[Pixels, ...]
    views: tuple[View, ...]
    image_size: Size

    def __len__(self) -> int:
        return len(self.views)


def check_pixels(image: Pixels) -> Pixels:
    """Return the image after a look at it.

    Raises:
        InputError: it is not uint8 [height, width, 3], or has no pixel.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        kind = (
            f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        )
        message = f"an image is uint8 [height, width, 3], not {kind}"
        raise input_error("image.pixels", message, "Read it by `entityseg.data.pixels.read_rgb`.")
    if 0 in image.shape:
        raise input_error("image.empty", f"the image has no pixel: {image.shape}", "Leave it out.")
    return image


def cut(image: Pixels, regions: Sequence[Region], sizes: Sequence[Size]) -> ImageViews:
    """Cut regions out of an image and resize each to its network size.

    The resizing is Pillow's BILINEAR (with antialiasing when it shrinks), which is what detectron2 uses. Pixel
    centres lie at half-integers on both sides: the same rule by which masks follow (`entityseg.masks.resize`), so
    that image and masks stay aligned to within half a pixel of the result.

    Args:
        image: uint8 [height, width, 3].
        regions: the first is the whole image.
        sizes: (height, width) of each view.
    """
    pixels = tuple(
        _resized(image[y0:y1, x0:x1], size) for (x0, y0, x1, y1), size in zip(regions, sizes, strict=True)
    )
    views = tuple(View(region, size) for region, size in zip(regions, sizes, strict=True))
    return ImageViews(pixels, views, (image.shape[0], image.shape[1]))


def stack(
    images: Sequence[Sequence[Pixels]],
    *,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    divisor: int = 32,
    least: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Normalise the views of images and stack them, padded right and bottom with zeros.

    Args:
        images: uint8 [height, width, 3] of each view of each image; every image has as many views.
        mean, std: of the channels, in pixel values.
        divisor: height and width of the result are multiples of it.
        least: pixels that height and width of the result have at least.
        dtype: of the result.

    Returns:
        [images, views, 3, height, width].
    """
    sizes = [(view.shape[0], view.shape[1]) for views in images for view in views]
    height, width = padded_size([*sizes, (least, least)], divisor)
    out = torch.zeros((len(images), len(images[0]), 3, height, width), dtype=dtype)
    shift, scale = (torch.tensor(values, dtype=dtype)[:, None, None] for values in (mean, std))
    for row, views in enumerate(images):
        for column, view in enumerate(views):
            # A copy, because images decoded by others may be read-only, which torch warns of.
            channels = torch.from_numpy(np.ascontiguousarray(view.transpose(2, 0, 1)).copy()).to(dtype)
            out[row, column, :, : view.shape[0], : view.shape[1]] = (channels - shift) / scale
    return out


def _resized(part: Pixels, size: Size) -> Pixels:
    if part.shape[:2] == size:
        return np.ascontiguousarray(part)
    picture = Image.fromarray(part)
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))
