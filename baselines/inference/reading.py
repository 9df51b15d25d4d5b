"""From class probabilities and fused masks to results: entities, instances, classes, panoptic segments.

The rules are those of the released Mask2Former and CropFormer; see `docs/inference.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.baselines.inference.fusion import RealArray, ViewLogits, linear
from entityseg.baselines.inference.options import InferenceOptions
from entityseg.baselines.views.cutting import View
from entityseg.data.threads import map_in_order
from entityseg.errors import input_error
from entityseg.masks import RunLengths, from_dense, from_id_map
from entityseg.masks.runlengths import Int64Array
from entityseg.protocols import Segmentation

# Keeps a mask without pixels from dividing by zero; the released code's.
_EPSILON = 1e-6
# Values of a band's class map that are in memory at once.
_MOST_VALUES = 1 << 24


@dataclass(frozen=True, eq=False)
class Found:
    """What a network found in an image.

    Attributes:
        classes: float64 [queries, C + 1], probabilities; the last class is "no object".
        logits: the queries' masks in the views.
        fused: whether queries see several views together (a batch-level decoder).

    Raises:
        InputError: a probability is not finite.
    """

    classes: NDArray[np.float64]
    logits: ViewLogits
    fused: bool

    def __post_init__(self) -> None:
        if not np.isfinite(self.classes).all():
            remedy = "The weights are damaged, or half precision overflowed (leave out `amp`)."
            raise input_error("model.finite", "the model's class scores are not finite", remedy)


def softmax(logits: RealArray) -> NDArray[np.float64]:
    """Return the softmax over the last axis.

    >>> softmax(np.zeros((1, 2))).tolist()
    [[0.5, 0.5]]
    """
    values = np.asarray(logits, np.float64)
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def disjoint_masks(found: Found, options: InferenceOptions) -> Segmentation:
    """Return masks of which each pixel has one at most: the highest class score wins it.

    Masks come in descending class score. Labels are class indices.
    """
    shares = found.classes[:, :-1]
    labels = shares.argmax(axis=1)
    best = shares[np.arange(len(shares)), labels]
    keep = options.detections or (len(best) if found.fused else 100)
    order = np.argsort(-best, kind="stable")[:keep]
    owner, sums = found.logits.paint(order, threads=options.threads)
    ids, painted = from_id_map(owner)
    factor = _factor(sums, "released" if options.rescore == "auto" else options.rescore)
    scores = best[order] * factor
    masks = _with_empty(painted, ids - 1, len(order))
    return _kept(masks, scores, labels[order], options)


def overlapping_masks(
    found: Found, options: InferenceOptions, things: Sequence[int] | None = None
) -> Segmentation:
    """Return masks that may share pixels, the best pairs of query and class (`instance_inference`).

    Args:
        found: what the network found.
        options: see `InferenceOptions`.
        things: classes that count; None: all.
    """
    shares = found.classes[:, :-1]
    count = shares.shape[1]
    best = np.argsort(-shares.ravel(), kind="stable")[: options.detections or 100]
    if things is not None:
        best = best[np.isin(best % count, list(things))]
    queries, inverse = np.unique(best // count, return_inverse=True)
    parts, factors = [], []
    for query in queries:
        owner, sums = found.logits.paint(np.array([query]), threads=options.threads)
        parts.append(from_dense((owner > 0)[None]))
        factors.append(_factor(sums, "plain" if options.rescore == "auto" else options.rescore)[0])
    masks = RunLengths.concatenate(parts) if parts else RunLengths.empty(found.logits.image_size)
    scores = shares.ravel()[best] * np.array(factors, np.float64)[inverse]
    return _kept(masks[inverse], scores, best % count, options)


def panoptic_segments(
    found: Found, options: InferenceOptions, things: Sequence[int] | None = None
) -> Segmentation:
    """Return disjoint segments of sure queries; those mostly hidden by others are dropped, stuff is one a class.

    A pixel goes to the query with the highest product of class score and probability (`panoptic_inference`), and
    stays void where that query's own probability is below 1/2.

    Args:
        found: what the network found.
        options: see `InferenceOptions`.
        things: classes that are things; None: all.
    """
    labels, best = found.classes.argmax(axis=1), found.classes.max(axis=1)
    none = found.classes.shape[1] - 1
    kept = np.flatnonzero((labels != none) & (best > options.object_threshold))
    if not len(kept):
        return Segmentation(RunLengths.empty(found.logits.image_size), np.empty(0))
    owner = np.zeros(found.logits.image_size, np.uint16)
    weights = best[kept].astype(found.logits.maps[0].dtype)[:, None, None]

    def band(top: int, shares: RealArray) -> tuple[Int64Array, Int64Array]:
        winner = (weights * shares).argmax(axis=0)
        inside = shares >= 0.5
        own = np.take_along_axis(inside, winner[None], axis=0)[0]
        owner[top : top + len(winner)] = np.where(own, winner + 1, 0)
        # Where no view looks nobody wins, though the first is as good as all others there.
        seen = winner[_covered(found.logits, top, top + len(winner))]
        return np.bincount(seen, minlength=len(kept)), inside.sum(axis=(1, 2))

    won, whole = np.zeros(len(kept), np.int64), np.zeros(len(kept), np.int64)
    for part_won, part_whole in found.logits.bands(kept, band, threads=options.threads):
        won += part_won
        whole += part_whole
    ids, masks = from_id_map(owner)
    rows = ids - 1
    visible = won[rows] / whole[rows] >= options.overlap_threshold
    merged = _merge_stuff(masks[visible], best[kept][rows[visible]], labels[kept][rows[visible]], things)
    return _kept(merged.masks, merged.scores, merged.labels, options)


def class_masks(found: Found, options: InferenceOptions) -> Segmentation:
    """Return one mask a class that has a pixel: where the sum over queries of class times mask is highest.

    Of the whole view alone, the sum is made at the network's size and resized (`semantic_inference`); of several
    views, it is made of the fused probabilities. Pixels that no view covers have no class. The scores are 1.
    """
    height, width = found.logits.image_size
    shares = found.classes[:, :-1]
    logits = found.logits
    resized = [view.region for view in logits.views] == [(0, 0, width, height)]
    if resized:
        kept = logits.views[0].size
        logits = ViewLogits(
            logits.maps, logits.padded, (View((0, 0, kept[1], kept[0]), kept),), kept, logits.query_of
        )
    queries = np.arange(logits.queries)
    by_class = np.ascontiguousarray(shares.T.astype(logits.maps[0].dtype))
    down, down_weight = linear(logits.image_size[0], height)
    along, along_weight = linear(logits.image_size[1], width)
    step = max(1, _MOST_VALUES // (max(len(by_class), len(queries)) * width))
    owner = np.zeros((height, width), np.uint16)

    def band(top: int) -> None:
        bottom = min(top + step, height)
        first, last = int(down[top]), min(int(down[bottom - 1]) + 2, logits.image_size[0])
        sums = np.tensordot(by_class, logits.rows(queries, first, last), axes=1)
        if resized:
            sums = _between(sums, down[top:bottom] - first, down_weight[top:bottom], axis=1)
            sums = _between(sums, along, along_weight, axis=2)
        best = sums[:, : bottom - top].argmax(axis=0) + 1
        owner[top:bottom] = np.where(_covered(found.logits, top, bottom), best, 0)

    for _ in map_in_order(band, range(0, height, step), threads=options.threads):
        pass
    ids, masks = from_id_map(owner)
    return Segmentation(masks, np.ones(len(masks)), ids - 1)


def _covered(logits: ViewLogits, top: int, bottom: int) -> NDArray[np.bool_]:
    """Return where in some rows of the image a view looks, bool [bottom - top, width]."""
    covered = np.zeros((bottom - top, logits.image_size[1]), np.bool_)
    for view in logits.views:
        x0, y0, x1, y1 = view.region
        covered[max(y0 - top, 0) : max(y1 - top, 0), x0:x1] = True
    return covered


def _between(values: RealArray, first: Int64Array, weight: NDArray[np.float64], axis: int) -> RealArray:
    """Return values between neighbours along an axis; see `linear`."""
    shape = [1, 1, 1]
    shape[axis] = len(first)
    share = weight.astype(values.dtype).reshape(shape)
    second = np.minimum(first + 1, values.shape[axis] - 1)
    mixed: RealArray = (1 - share) * values.take(first, axis=axis) + share * values.take(second, axis=axis)
    return mixed


def _factor(sums: NDArray[np.float64], rule: str) -> NDArray[np.float64]:
    """Return the factor of each mask from its pixels, sum of probabilities and sum of their sigmoids; 0 if empty."""
    pixels, plain, released = sums.T
    if rule == "none":
        return (pixels > 0).astype(np.float64)
    return (plain if rule == "plain" else released) / (pixels + _EPSILON)


def _with_empty(masks: RunLengths, rows: Int64Array, count: int) -> RunLengths:
    """Return `count` masks: the given ones at their rows, the others empty."""
    lengths = np.zeros(count, np.int64)
    lengths[rows] = np.diff(masks.offsets)
    return RunLengths(masks.size, masks.edges, np.concatenate([[0], np.cumsum(lengths)]))


def _kept(
    masks: RunLengths, scores: NDArray[np.float64], labels: Int64Array, options: InferenceOptions
) -> Segmentation:
    keep = scores >= options.threshold
    if not options.keep_empty:
        keep &= masks.areas > 0
    rows = np.flatnonzero(keep)
    return Segmentation(masks[rows], scores[rows], labels[rows].astype(np.int64))


def _merge_stuff(
    masks: RunLengths, scores: NDArray[np.float64], labels: Int64Array, things: Sequence[int] | None
) -> Segmentation:
    """Join segments of one stuff class; the score is the first one's."""
    from entityseg.masks import union

    if things is None:
        return Segmentation(masks, scores, labels)
    is_thing = np.isin(labels, list(things))
    groups = [np.array([row]) for row in np.flatnonzero(is_thing)]
    groups += [np.flatnonzero(~is_thing & (labels == label)) for label in np.unique(labels[~is_thing])]
    groups.sort(key=lambda rows: int(rows[0]))
    parts = [masks[rows] if len(rows) == 1 else union(masks[rows]) for rows in groups]
    firsts = np.array([rows[0] for rows in groups], np.int64)
    joined = RunLengths.concatenate(parts) if parts else RunLengths.empty(masks.size)
    return Segmentation(joined, scores[firsts], labels[firsts])
