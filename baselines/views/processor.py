"""The image processor: an image to the views that a network takes, as transformers' processors save and load."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
import torch
from torch import Tensor
from transformers import BatchFeature, ImageProcessingMixin

from entityseg.baselines.views.cutting import MEAN, STD, ImageViews, Pixels, check_pixels, cut, stack
from entityseg.baselines.views.regions import Scheme, check_crops, count_crops, crop_regions, network_size
from entityseg.data.json_file import parse_json_file, require_type
from entityseg.errors import Finding, InputError, MissingFileError, UsageError, input_error, usage_error

FILE = "preprocessor_config.json"
# Far above what any network takes; a damaged file must not ask for all memory.
_MOST = 2**16
_MOST_CROPS = 100


class ViewOptions(TypedDict, total=False):
    """Options of a processor; `ViewProcessor.from_pretrained` takes them in place of the file's."""

    short_side: int
    max_side: int
    crops: Scheme
    crop_ratio: float
    crop_count: int
    image_mean: Sequence[float]
    image_std: Sequence[float]
    size_divisor: int
    seed: int


class ViewProcessor(ImageProcessingMixin):  # type: ignore[misc]
    """Makes the views of an image: the whole, and its crops at the original resolution, each resized.

    Args:
        short_side: of each view in the network, in pixels.
        max_side: what the longer side never passes.
        crops: where crops lie (see `crop_regions`); `none` for models of one view.
        crop_ratio: of a crop's sides to the image's.
        crop_count: of random crops.
        image_mean, image_std: of the channels R, G, B in pixel values (0 to 255).
        size_divisor: height and width of the padded views are multiples of it.
        seed: of random crops; every image gets the same ones, in shares of its sides.

    Raises:
        UsageError: a value that makes no sense, or an option that there is not.
    """

    model_input_names = ("pixel_values",)
    valid_kwargs = ViewOptions

    def __init__(
        self,
        short_side: int = 800,
        max_side: int = 1333,
        crops: Scheme = "none",
        crop_ratio: float = 0.7,
        crop_count: int = 4,
        image_mean: Sequence[float] = MEAN,
        image_std: Sequence[float] = STD,
        size_divisor: int = 32,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        unknown = set(kwargs) - {"image_processor_type"}
        if unknown:
            remedy = f"Take it out of {FILE}."
            raise usage_error(
                "processor.option", "the processor has no such option", remedy, field=min(unknown)
            )
        whole = {
            "short_side": (short_side, 1, _MOST), "max_side": (max_side, 1, _MOST), "seed": (seed, 0, 2**63),
            "crop_count": (crop_count, 1, _MOST_CROPS), "size_divisor": (size_divisor, 1, _MOST),
        }  # fmt: skip
        for name, (value, least, most) in whole.items():
            if not _is_number(value, Integral) or not least <= value <= most:
                remedy = f"Give a whole number from {least} to {most:,}."
                raise usage_error(
                    "processor.value", "this is no such number", remedy, field=name, value=value
                )
        if not _is_number(crop_ratio, Real):
            message, remedy = "this is no number", "Give a share of the side, such as 0.7."
            raise usage_error("processor.value", message, remedy, field="crop_ratio", value=crop_ratio)
        check_crops(crop_ratio, crops, crop_count)
        if short_side > max_side:
            message, remedy = "the shorter side is above the longer one", "Give sides such as 800 and 1333."
            raise usage_error("processor.side", message, remedy, value=(short_side, max_side))
        for name, values in (("image_mean", image_mean), ("image_std", image_std)):
            if not _are_three(values) or (name == "image_std" and min(values) <= 0):
                message = "mean and standard deviation are three numbers, the latter above 0"
                raise usage_error("processor.mean", message, "Give such numbers.", field=name, value=values)
        super().__init__()
        self.short_side, self.max_side = int(short_side), int(max_side)
        self.crops, self.crop_ratio, self.crop_count = crops, float(crop_ratio), int(crop_count)
        self.image_mean, self.image_std = [float(v) for v in image_mean], [float(v) for v in image_std]
        self.size_divisor, self.seed = int(size_divisor), int(seed)

    @property
    def view_count(self) -> int:
        """Views of an image, the whole one included."""
        return 1 + count_crops(self.crops, self.crop_count)

    def cut(self, image: Pixels) -> ImageViews:
        """Return the views of an image, uint8 [height, width, 3], at their network sizes.

        Raises:
            InputError: the image is of another kind, or has no pixel.
        """
        height, width = check_pixels(image).shape[:2]
        generator = np.random.default_rng(self.seed)
        crops = crop_regions(height, width, self.crop_ratio, self.crops, generator, count=self.crop_count)
        regions = [(0, 0, width, height), *crops]
        sizes = [network_size(y1 - y0, x1 - x0, self.short_side, self.max_side) for x0, y0, x1, y1 in regions]
        return cut(image, regions, sizes)

    def stack(self, images: Sequence[ImageViews], dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the views of images as the network takes them, [images, views, 3, height, width]."""
        return stack(
            [one.pixels for one in images], mean=self.image_mean, std=self.image_std, divisor=self.size_divisor,
            dtype=dtype,
        )  # fmt: skip

    def __call__(self, images: Pixels | Sequence[Pixels], return_tensors: Literal["pt"] | None = None) -> Any:
        """Return `pixel_values` [images, views, 3, height, width], and under `views` where each one lies.

        Args:
            images: one, uint8 [height, width, 3], or a list of such.
            return_tensors: as the library's processors have it; there are torch's tensors alone.

        Raises:
            InputError: there is no image, or one is of another kind, or has no pixel.
            UsageError: other tensors are asked for.
        """
        if return_tensors not in (None, "pt"):
            message, remedy = "the processor makes torch's tensors", "Give `pt`, or leave it out."
            raise usage_error(
                "processor.tensors", message, remedy, field="return_tensors", value=return_tensors
            )
        given: list[Any] = list(images) if isinstance(images, list | tuple) else [images]
        if not given:
            raise input_error("image.empty", "there is no image", "Give one or more.")
        made = [self.cut(image) for image in given]
        return BatchFeature({"pixel_values": self.stack(made), "views": [one.views for one in made]})

    preprocess = __call__


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)  # type: ignore[arg-type]


def _are_three(values: object) -> bool:
    is_list = isinstance(values, Sequence) and not isinstance(values, str) and len(values) == 3
    return is_list and all(_is_number(value, Real) for value in values)  # type: ignore[attr-defined]


def load_processor(folder: str | Path) -> ViewProcessor:
    """Return the processor that was saved with a model; nothing is fetched from anywhere.

    Raises:
        MissingFileError: the folder has no `preprocessor_config.json`.
        InputError: the file is damaged, or says something that makes no sense.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        remedy = "Name a folder that `entityseg train` or `entityseg models convert` wrote."
        raise MissingFileError(Finding("processor.missing", "there is no such file", remedy, file=str(path)))
    described = require_type(parse_json_file(path), dict, "the processor", str(path))
    try:
        return ViewProcessor(**described)
    except UsageError as error:
        raise InputError(replace(finding, file=str(path)) for finding in error.findings) from None
    except (TypeError, ValueError) as error:
        remedy = "Write it again (`ViewProcessor(...).save_pretrained(folder)`)."
        message = f"a value is of the wrong kind: {error}"
        raise input_error("processor.value", message, remedy, file=str(path)) from None
