"""What two annotations of one image have in common: masks matched one to one, classes, boundaries, information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import AnnotatedImage
from entityseg.masks import RunLengths
from entityseg.masks.algebra import are_disjoint
from entityseg.masks.morphology import boundary_band
from entityseg.masks.order import by_size
from entityseg.masks.pairwise import intersections, iou_of_pairs
from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.boundary import boundary_radius
from entityseg.metrics.matching import IOU_THRESHOLDS, ImageMatches, match_ranked
from entityseg.metrics.segments import SegmentMatches, match_segments
from entityseg.stats.agreement.information import Information, information

# Which masks are the same entity: those alike by IoU, or those with one annotation id.
Pairs = Literal["iou", "ids"]
_NO_CLASS = 1


@dataclass(frozen=True, slots=True, eq=False)
class Disjoint:
    """What needs masks that share no pixel: panoptic quality both ways, and information.

    Attributes:
        agnostic, aware: `SegmentMatches` with A as the truth, and with B as the truth.
        information: in bits.
    """

    agnostic: tuple[SegmentMatches, SegmentMatches]
    aware: tuple[SegmentMatches, SegmentMatches]
    information: Information


@dataclass(frozen=True, slots=True, eq=False)
class ImageAgreement:
    """What one image adds.

    Attributes:
        n_a, n_b: masks of each annotator that are no crowd and have a pixel.
        matched: int64 [10], pairs whose IoU reaches each threshold.
        iou, boundary_iou: float64 [k], of the pairs whose IoU reaches .5.
        classes: int64 [p, 2], category ids by A and by B of the pairs whose classes are compared.
        disjoint: None where masks of an annotator overlap.
        tied: COCO's matches under several orders of the predictions, B against the truth A, then A against B.
    """

    n_a: int
    n_b: int
    matched: Int64Array
    iou: NDArray[np.float64]
    boundary_iou: NDArray[np.float64]
    classes: Int64Array
    disjoint: Disjoint | None
    tied: tuple[tuple[ImageMatches, ...], tuple[ImageMatches, ...]]


def compare_image(
    a: AnnotatedImage,
    b: AnnotatedImage,
    *,
    pairs: Pairs = "iou",
    orders: int = 20,
    seed: int | Sequence[int] = 0,
) -> ImageAgreement:
    """Compare two annotations of one image.

    Masks are matched one to one, the pair with the highest IoU first; so the matches at a threshold are the same in
    both directions, and those of COCO wherever masks do not overlap. Crowds and masks without a pixel are left out.

    Args:
        a, b: the annotations, of one size.
        pairs: whose classes are compared: masks whose IoU reaches .5, or those with one annotation id.
        orders: how many orders of the (scoreless) predictions COCO's AP is computed under.
        seed: of these orders, for this image.

    Raises:
        InputError: the images differ in size.
    """
    a, b = _entities(a), _entities(b)
    common = intersections(a.masks, b.masks)
    union = a.masks.areas[:, None] + b.masks.areas[None, :] - common
    iou = common / np.maximum(union, 1)
    of_a, of_b = _match(iou, a.masks, b.masks)
    matched = iou[of_a, of_b]
    band_a, band_b = (_bands(one.masks, rows) for one, rows in ((a, of_a), (b, of_b)))
    each = np.arange(len(of_a))
    if pairs == "ids":
        _, of_a, of_b = np.intersect1d(a.ids, b.ids, return_indices=True)
    generator = np.random.default_rng(seed)
    return ImageAgreement(
        n_a=len(a),
        n_b=len(b),
        matched=(matched[:, None] >= IOU_THRESHOLDS).sum(axis=0),
        iou=matched,
        boundary_iou=iou_of_pairs(band_a, band_b, each, each),
        classes=np.stack([a.category_ids[of_a], b.category_ids[of_b]], axis=1),
        disjoint=_disjoint(a, b, common),
        tied=(
            _tied(iou.T, b.masks, a.masks, orders, generator),
            _tied(iou, a.masks, b.masks, orders, generator),
        ),
    )


def _entities(one: AnnotatedImage) -> AnnotatedImage:
    """Return the annotations that count, in an order that does not depend on how they were listed."""
    kept = one.select(~one.iscrowd & (one.masks.areas > 0))
    return kept.select(by_size(kept.masks))


def _match(iou: NDArray[np.float64], a: RunLengths, b: RunLengths) -> tuple[Int64Array, Int64Array]:
    """Return the rows and columns of the pairs, the highest IoU first; of equal IoUs, the larger two masks first."""
    rows, columns = np.nonzero(iou >= IOU_THRESHOLDS[0])
    size = a.areas[rows] + b.areas[columns]
    order = np.lexsort((rows + columns, -size, -iou[rows, columns]))
    free_a, free_b = np.ones(len(a), bool), np.ones(len(b), bool)
    kept = []
    for k in order:
        if free_a[rows[k]] and free_b[columns[k]]:
            free_a[rows[k]] = free_b[columns[k]] = False
            kept.append(k)
    chosen = np.array(kept, np.int64)
    return rows[chosen], columns[chosen]


def _bands(masks: RunLengths, rows: Int64Array) -> RunLengths:
    return boundary_band(masks[rows], boundary_radius(masks.size))


def _disjoint(a: AnnotatedImage, b: AnnotatedImage, common: Int64Array) -> Disjoint | None:
    if not (are_disjoint(a.masks) and are_disjoint(b.masks)):
        return None

    def both(classes_a: Int64Array, classes_b: Int64Array) -> tuple[SegmentMatches, SegmentMatches]:
        return (
            match_segments(a.masks, classes_a, b.masks, classes_b, common=np.ascontiguousarray(common.T)),
            match_segments(b.masks, classes_b, a.masks, classes_a, common=common),
        )

    height, width = a.masks.size
    return Disjoint(
        both(np.full(len(a), _NO_CLASS), np.full(len(b), _NO_CLASS)),
        both(a.category_ids, b.category_ids),
        information(a.masks.areas, b.masks.areas, common, height * width),
    )


def _tied(
    iou: NDArray[np.float64], pred: RunLengths, gt: RunLengths, orders: int, generator: np.random.Generator
) -> tuple[ImageMatches, ...]:
    """Match as COCO does under random orders of the predictions; the scores say the order within the dataset."""
    areas, gt_areas = pred.areas.astype(np.float64), gt.areas.astype(np.float64)
    found = []
    for _ in range(orders):
        order = generator.permutation(len(pred))
        scores = np.sort(generator.random(len(pred)))[::-1].copy()
        crowd = np.zeros(len(gt), bool)
        found.append(match_ranked(iou[order], scores, areas[order], gt_areas, crowd=crowd))
    return tuple(found)
