"""Agreement of two annotators as a mergeable table (Qi et al., ICCV 2023, Table 1, and more)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import AnnotatedImage, ImageId
from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.averages import total
from entityseg.metrics.matching import IOU_THRESHOLDS
from entityseg.metrics.panoptic import PanopticQuality
from entityseg.metrics.precision import Ranked
from entityseg.metrics.segments import SegmentMatches
from entityseg.metrics.table import Figures, Table, UnitId
from entityseg.stats.agreement.image import ImageAgreement, Pairs, compare_image

_Values = dict[str, NDArray[np.float64]]
_NAMES = {0: "50", 5: "75"}


@dataclass(frozen=True, slots=True)
class TiedAP:
    """COCO's AP of predictions without scores, which depends on the order of the ties.

    Attributes:
        mean, low, high: over the orders.
    """

    mean: float
    low: float
    high: float


class AnnotatorAgreement(Table[ImageAgreement]):
    """Agreement over images: feed images in any order, merge parts, compute.

    `AP` is the mean over COCO's ten thresholds of precision times recall at the one operating point that annotators,
    who give no scores, have; it is the same in both directions. See `docs/statistics/agreement.md`.
    """

    def __init__(self, pairs: Pairs = "iou", orders: int = 20, seed: int = 0) -> None:
        """Make an empty table; see `compare_image` for the arguments."""
        super().__init__()
        self.pairs: Pairs = pairs
        self.orders = orders
        self.seed = seed

    def update(self, image_id: ImageId, a: AnnotatedImage, b: AnnotatedImage) -> None:
        """Add one image in the words of both annotators.

        Raises:
            InputError: the image was added before, or its sizes differ.
        """
        self.add(image_id, self.compare(image_id, a, b))

    def compare(self, image_id: ImageId, a: AnnotatedImage, b: AnnotatedImage) -> ImageAgreement:
        """Return what `update` adds; for threads, which must not add by themselves."""
        # Of its own for each image: with one seed for all, the order of ties would repeat from image to image.
        seed = [self.seed, crc32(repr(image_id).encode())]
        return compare_image(a, b, pairs=self.pairs, orders=self.orders, seed=seed)

    def figures(self, units: Mapping[UnitId, ImageAgreement]) -> Figures:
        """Return the function that computes all figures of these images but `tied`."""
        rows = list(units.values())
        masks, pairs, classes = _masks(rows), _pairs(rows), _classes(rows)
        both_ways = _panoptic(rows)
        bits = _information(rows)

        def figures(weights: Int64Array) -> _Values:
            return {
                **masks(weights),
                **pairs(weights),
                **classes(weights),
                **both_ways(weights),
                **bits(weights),
            }

        return figures

    def tied(self) -> dict[str, TiedAP | None]:
        """Return COCO's AP (100 masks an image) with all scores equal, over random orders of the ties.

        `AP_of_b` takes A as the truth, `AP_of_a` takes B. None where the truth has no mask.
        """
        result = {}
        once = np.ones((1, len(self)), np.int64)
        for direction, name in enumerate(("AP_of_b", "AP_of_a")):
            by_order = zip(*(row.tied[direction] for row in self.sorted_units().values()), strict=True)
            found = [Ranked(list(order), "canonical").figures(once, ("AP",))["AP"][0] for order in by_order]
            defined = bool(found) and not np.isnan(found).any()
            spread = TiedAP(float(np.mean(found)), float(min(found)), float(max(found))) if defined else None
            result[name] = spread
        return result


def _masks(rows: list[ImageAgreement]) -> Figures:
    """Precision times recall, and F1, at one operating point."""
    n_a = np.array([row.n_a for row in rows], np.int64)
    n_b = np.array([row.n_b for row in rows], np.int64)
    matched = np.array([row.matched for row in rows], np.int64).reshape(len(rows), len(IOU_THRESHOLDS))

    def figures(weights: Int64Array) -> _Values:
        of_a, of_b, both = (weights @ one for one in (n_a, n_b, matched))
        product = _divided(both.astype(np.float64) ** 2, (of_a * of_b)[:, None])
        f1 = _divided(2.0 * both, (of_a + of_b)[:, None])
        values = {"AP": product.mean(axis=1), "F1": f1.mean(axis=1)}
        for index, name in _NAMES.items():
            values |= {f"AP{name}": product[:, index], f"F1@{name}": f1[:, index]}
        return values

    return figures


def _pairs(rows: list[ImageAgreement]) -> Figures:
    """Mean IoU and mean boundary IoU of the matched pairs."""
    count = np.array([len(row.iou) for row in rows], np.int64)
    sums = {
        "IoU": np.array([row.iou.sum() for row in rows], np.float64),
        "boundary_IoU": np.array([row.boundary_iou.sum() for row in rows], np.float64),
    }

    def figures(weights: Int64Array) -> _Values:
        return {name: _divided(total(weights, column), weights @ count) for name, column in sums.items()}

    return figures


def _classes(rows: list[ImageAgreement]) -> Figures:
    """Accuracy and Cohen's kappa of the classes of the compared pairs."""
    pairs = np.concatenate([np.empty((0, 2), np.int64), *(row.classes for row in rows)])
    categories, index = np.unique(pairs, return_inverse=True)
    index = index.reshape(-1, 2)
    unit = np.repeat(np.arange(len(rows)), [len(row.classes) for row in rows])
    shape = (len(rows), len(categories))
    by_a, by_b = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    np.add.at(by_a, (unit, index[:, 0]), 1)
    np.add.at(by_b, (unit, index[:, 1]), 1)
    equal = np.bincount(unit, weights=pairs[:, 0] == pairs[:, 1], minlength=len(rows)).astype(np.int64)
    pairs_of = by_a.sum(axis=1)

    def figures(weights: Int64Array) -> _Values:
        n = weights @ pairs_of
        accuracy = _divided(weights @ equal, n)
        chance = _divided(((weights @ by_a) * (weights @ by_b)).sum(axis=1), n**2)
        # Where both always say the same one class, chance explains all: kappa is undefined.
        return {"accuracy": accuracy, "kappa": _divided(accuracy - chance, 1.0 - chance)}

    return figures


def _panoptic(rows: list[ImageAgreement]) -> Figures:
    """PQ without and with classes, the mean of both directions; over the images without overlaps."""
    there = [index for index, row in enumerate(rows) if row.disjoint is not None]

    def of(kind: str, direction: int) -> Figures:
        table = PanopticQuality({})
        found: dict[UnitId, SegmentMatches] = {
            index: getattr(rows[index].disjoint, kind)[direction] for index in there
        }
        return table.figures(found)

    tables = {kind: (of(kind, 0), of(kind, 1)) for kind in ("agnostic", "aware")}

    def figures(weights: Int64Array) -> _Values:
        kept = np.ascontiguousarray(weights[:, there])
        values: _Values = {}
        for kind, suffix in (("agnostic", ""), ("aware", "_classes")):
            ways = [table(kept) for table in tables[kind]]
            values |= {name + suffix: (ways[0][name] + ways[1][name]) / 2 for name in ("PQ", "SQ", "RQ")}
        return values

    return figures


def _information(rows: list[ImageAgreement]) -> Figures:
    """Mean variation of information over the images without overlaps, bits."""
    there = np.array([row.disjoint is not None for row in rows], np.int64)
    found = [row.disjoint.information if row.disjoint else None for row in rows]
    columns = {
        "VI": np.array([one.variation if one else 0.0 for one in found], np.float64),
        "VI_a_given_b": np.array([one.a_given_b if one else 0.0 for one in found], np.float64),
        "VI_b_given_a": np.array([one.b_given_a if one else 0.0 for one in found], np.float64),
    }

    def figures(weights: Int64Array) -> _Values:
        n = weights @ there
        return {name: _divided(total(weights, column), n) for name, column in columns.items()}

    return figures


def _divided(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Return the quotient, NaN where the divisor is 0."""
    nothing = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return np.divide(part, whole, out=nothing, where=np.broadcast_to(whole > 0, nothing.shape))
