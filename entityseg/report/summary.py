"""What a dataset is, in figures: counts, sizes, coverage, classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import Dataset
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.masks.algebra import are_disjoint, union_area


@dataclass(frozen=True)
class Summary:
    """Figures of a dataset.

    Attributes:
        counts: int64 [images], annotations of each image, crowd left out.
        areas: int64 [annotations], pixels, crowd left out.
        shares: float64 [annotations], area as a fraction of the image.
        coverage: float64 [images], share of the image's pixels in at least one mask.
        overlapping: images in which masks share pixels.
        crowd: crowd annotations.
        widths, heights: int64 [images], pixels.
        categories_used: annotations of each category by its id.
        things, stuff: annotations of categories that say so.
        license: what the file says about its licence, None if it says nothing.
    """

    counts: NDArray[np.int64]
    areas: NDArray[np.int64]
    shares: NDArray[np.float64]
    coverage: NDArray[np.float64]
    overlapping: int
    crowd: int
    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    categories_used: dict[int, int]
    things: int
    stuff: int
    license: str | None

    def by_name(self, dataset: Dataset) -> dict[str, int]:
        """Return annotations by the category's name; equal names are told apart by the id behind them."""
        names = Counter(category.name for category in dataset.categories)
        result = {}
        for category_id, count in self.categories_used.items():
            category = dataset.category_of.get(category_id)
            name = category.name.strip() if category else "no such category"
            plain = category is not None and names[category.name] == 1
            result[name if plain else f"{name} ({category_id})"] = count
        return result

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object; what is undefined is None."""
        return {
            "images": len(self.counts),
            "annotations": len(self.areas) + self.crowd,
            "crowd": self.crowd,
            "things": self.things,
            "stuff": self.stuff,
            "categories_used": len(self.categories_used),
            "empty_images": int((self.counts == 0).sum()),
            "masks_per_image": _spread(self.counts),
            "mask_area": _spread(self.areas),
            "coverage": _spread(self.coverage),
            "overlapping_images": self.overlapping,
            "width": _spread(self.widths),
            "height": _spread(self.heights),
            "license": self.license,
        }


def summarise(dataset: Dataset, *, threads: int | None = None, progress: Progress = no_progress) -> Summary:
    """Count and measure a dataset; every mask is decoded once.

    Raises:
        InputError: a mask is malformed.
    """

    def one_image(index: int) -> tuple[NDArray[np.int64], int, bool]:
        masks = dataset.masks(index)
        return masks.areas, union_area(masks), not are_disjoint(masks)

    indices = progress(range(len(dataset)), len(dataset), "measuring")
    measured = list(map_in_order(one_image, indices, threads=threads))
    empty = np.empty(0, np.int64)
    heights = np.array([image.height for image in dataset.images], np.int64)
    widths = np.array([image.width for image in dataset.images], np.int64)
    pixels = heights * widths
    counted = ~dataset.iscrowd
    areas = np.concatenate([empty, *(areas for areas, _, _ in measured)])
    image_of_row = np.repeat(np.arange(len(dataset)), np.diff(dataset.offsets))
    ids, used = np.unique(dataset.category_ids[counted], return_counts=True)
    categories_used = dict(zip(ids.tolist(), used.tolist(), strict=True))
    kinds = {category.id: category.isthing for category in dataset.categories}
    return Summary(
        counts=np.bincount(image_of_row[counted], minlength=len(dataset)).astype(np.int64),
        areas=areas[counted],
        shares=areas[counted] / pixels[image_of_row[counted]],
        coverage=np.array([area for _, area, _ in measured], np.float64) / np.maximum(pixels, 1),
        overlapping=sum(overlaps for _, _, overlaps in measured),
        crowd=int(dataset.iscrowd.sum()),
        widths=widths,
        heights=heights,
        categories_used=categories_used,
        things=sum(count for one, count in categories_used.items() if kinds.get(one) is True),
        stuff=sum(count for one, count in categories_used.items() if kinds.get(one) is False),
        license=license_of(dataset),
    )


def license_of(dataset: Dataset) -> str | None:
    """Return what a file says about its licence: COCO's `licenses` list, or `license` of its `info`."""
    listed = dataset.info.get("licenses")
    if isinstance(listed, list):
        names = [str(one.get("name")) for one in listed if isinstance(one, dict) and one.get("name")]
        if names:
            return "; ".join(dict.fromkeys(names))
    info = dataset.info.get("info")
    said = info.get("license") if isinstance(info, dict) else dataset.info.get("license")
    return str(said) if said else None


def _spread(values: NDArray[Any]) -> dict[str, float] | None:
    """Return least, mean, median and most of some values; None without any."""
    if not len(values):
        return None
    return {
        "min": values.min().item(),
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "max": values.max().item(),
    }
