"""The canonical definition of AP and AR, plainly: pixels and Python loops, and no code or constant of the metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from scipy import ndimage

Dense = NDArray[np.bool_]
IoU = Callable[[Dense, Dense], float]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
COCO_AREAS = {"": (0, 1e10), "s": (0, 32**2), "m": (32**2, 96**2), "l": (96**2, 1e10)}
TUBE_AREAS = {"": (0, 1e10), "s": (0, 128**2), "m": (128**2, 256**2), "l": (256**2, 1e10)}


@dataclass
class Item:
    """A true or predicted mask, or a tube with its frames side by side (what area it has, decides its range)."""

    mask: Dense
    category: int = 1
    score: float = 0.0
    crowd: bool = False
    area: float | None = None

    def __post_init__(self) -> None:
        self.text = bytes(coco_mask.encode(np.asfortranarray(self.mask.astype(np.uint8)))["counts"])
        self.range_area = float(self.mask.sum()) if self.area is None else self.area
        # Larger first, then lower bytes.
        self.rank = (-int(self.mask.sum()), self.text)


@dataclass
class Image:
    """Both sides of an image, or of a video."""

    gt: list[Item] = field(default_factory=list)
    pred: list[Item] = field(default_factory=list)


def mask_iou(pred: Dense, gt: Dense) -> float:
    union = (pred | gt).sum()
    return float((pred & gt).sum() / union) if union else 0.0


def boundary_iou(pred: Dense, gt: Dense) -> float:
    """The smaller one of mask IoU and the IoU of the bands, which iterated erosion leaves."""
    bands = []
    for mask in (pred, gt):
        radius = max(1, int(np.round(0.02 * np.hypot(*mask.shape))))
        inner = ndimage.binary_erosion(np.pad(mask, 1), np.ones((3, 3)), iterations=radius)
        bands.append(mask & ~inner[1:-1, 1:-1])
    return min(mask_iou(pred, gt), mask_iou(*bands))


def figures(
    images: Sequence[Image],
    *,
    iou: IoU = mask_iou,
    areas: Mapping[str, tuple[float, float]] = COCO_AREAS,
    by_class: bool = False,
) -> dict[str, float | None]:
    """Every figure; with `by_class` the mean over the categories that have ground truth."""
    categories = sorted({item.category for image in images for item in image.gt}) if by_class else [None]
    tables = [_of_category(images, category, iou, areas) for category in categories]
    result: dict[str, float | None] = {}
    for name in tables[0] if tables else []:
        defined = [table[name] for table in tables if table[name] is not None]
        result[name] = float(np.mean(defined)) if defined else None
    return result


def _of_category(
    images: Sequence[Image], category: int | None, iou: IoU, areas: Mapping[str, tuple[float, float]]
) -> dict[str, float | None]:
    sides = []
    for image in images:
        gt, pred = ([i for i in side if category in (None, i.category)] for side in (image.gt, image.pred))
        pred = sorted(pred, key=lambda item: (-item.score, item.rank))[:300]
        table = {}
        for i, one in enumerate(pred):
            for j, other in enumerate(gt):
                if other.crowd:
                    area = one.mask.sum()
                    table[i, j] = float((one.mask & other.mask).sum() / area) if area else 0.0
                else:
                    table[i, j] = iou(one.mask, other.mask)
        sides.append((gt, pred, table))
    result: dict[str, float | None] = {}
    for name, limits in areas.items():
        for most in (1, 10, 100, 300):
            pairs = [_of_threshold(sides, t, limits, most) for t in THRESHOLDS]
            ap, ar = ([pair[k] for pair in pairs] for k in (0, 1))
            found: dict[str, Any] = {}
            if most == 100:
                found |= {f"AP{name}": ap, f"AR{name}" if name else "AR@100": ar}
            if not name:
                found |= {f"AR@{most}": ar} if most < 100 else {}
                found |= {"AP50": ap[:1], "AP75": ap[5:6], "AR@100@.5": ar[:1]} if most == 100 else {}
                found |= {"AP@300": ap} if most == 300 else {}
            for figure, values in found.items():
                result[figure] = None if None in values else float(np.mean(values))
    return result


def _of_threshold(
    sides: Sequence[tuple[list[Item], list[Item], dict[tuple[int, int], float]]],
    threshold: float,
    limits: tuple[float, float],
    most: int,
) -> tuple[float | None, float | None]:
    """Average precision and recall of all images at one threshold."""
    low, high = limits
    events: list[tuple[float, bool]] = []
    n_gt = 0
    for gt, pred, iou in sides:
        counts = [not item.crowd and low <= item.range_area <= high for item in gt]
        n_gt += sum(counts)
        taken: set[int] = set()
        for i, one in enumerate(pred[:most]):
            # Those that count first, then the best IoU, then the larger, then the lower bytes.
            free = [
                (not counts[j], -iou[i, j], other.rank, j)
                for j, other in enumerate(gt)
                if iou[i, j] >= threshold and (other.crowd or j not in taken)
            ]
            if free:
                j = min(free)[-1]
                taken.add(j)
                if counts[j]:
                    events.append((one.score, True))
            elif low <= one.range_area <= high:
                events.append((one.score, False))
    if n_gt == 0:
        return None, None
    curve = []
    # Equal scores are one point.
    for score in {score for score, _ in events}:
        seen = [hit for other, hit in events if other >= score]
        curve.append((sum(seen) / n_gt, sum(seen) / len(seen)))
    precision = [max((p for r, p in curve if r >= recall), default=0.0) for recall in RECALLS]
    return float(np.mean(precision)), sum(hit for _, hit in events) / n_gt
