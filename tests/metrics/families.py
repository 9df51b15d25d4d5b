"""One made-up problem for every metric and every mode of it: tables that are fed unit by unit, in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.video.tubes import Tubes, mean_areas, stack_frames
from entityseg.data.video.vipseg import PanopticVideo
from entityseg.masks import from_dense
from entityseg.metrics import (
    boundary,
    dichotomous,
    matching,
    narrative,
    panoptic,
    referring,
    semantic,
    video_stq,
)
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.instance_ap import InstanceAP
from entityseg.metrics.phrases import PhraseRecall
from entityseg.metrics.reasoning import Reasoning
from entityseg.metrics.table import Table
from entityseg.metrics.video_ap import VideoAP
from entityseg.metrics.video_panoptic import VideoPanopticQuality
from tests.strategies import wiggly

SIZE = (38, 44)
UNITS = 7
IS_THING = {1: True, 2: True, 3: False, 4: False}
# How records are listed inside a unit: takes how many there are.
Order = Callable[[int], Sequence[int]]


def as_listed(n: int) -> Sequence[int]:
    return range(n)


@dataclass(frozen=True)
class Family:
    """A metric in one mode.

    Attributes:
        name: of the test.
        make: gives an empty table.
        feed: adds unit number k (table, k, order of the records in it, whether predictions are the truth).
        orderless: whether the order of records in a unit shall have no say.
        copies: whether a unit that counts twice shall be as two copies of it.
        main: figures that are 1 where predictions are the truth, if defined.
        counts: figures that are no fractions.
        above_one: figures that a published quirk lets exceed 1.
    """

    name: str
    make: Callable[[], Table[Any]]
    feed: Callable[[Any, int, Order, bool], None]
    main: tuple[str, ...]
    orderless: bool = True
    copies: bool = True
    counts: tuple[str, ...] = ()
    above_one: tuple[str, ...] = ()

    def table(
        self, units: Sequence[int] = range(UNITS), *, order: Order = as_listed, perfect: bool = False
    ) -> Table[Any]:
        """Return a table of these units."""
        table = self.make()
        for unit in units:
            self.feed(table, unit, order, perfect)
        return table


def scored(unit: int, perfect: bool) -> tuple[NDArray[np.bool_], ...]:
    """Masks, predictions, scores with ties, categories of both sides and crowd flags; unit 3 has no truth at all."""
    rng = np.random.default_rng([unit, 0])
    n = 0 if unit == 3 else 4
    gt = wiggly(rng, n, *SIZE)
    if unit == 5:
        gt[0] = False
        gt[0, 2, 3] = True  # Nothing but a small one.
    gt_categories = rng.integers(1, 4, n)
    if perfect:
        return gt, gt, np.round(rng.random(n), 1), gt_categories, gt_categories, np.zeros(n, bool)
    of = rng.integers(0, max(n, 1), 6)
    noise = rng.random((6, *SIZE)) < rng.choice([0.0, 0.02, 0.15], (6, 1, 1))
    pred = (gt[of] if n else wiggly(rng, 6, *SIZE)) ^ noise
    pred_categories = np.where(rng.random(6) < 0.8, gt_categories[of] if n else 1, rng.integers(1, 6, 6))
    return gt, pred, np.round(rng.random(6), 1), gt_categories, pred_categories, rng.random(n) < 0.2


def feed_entities(table: Any, unit: int, order: Order, perfect: bool) -> None:
    gt, pred, scores, *_, crowd = scored(unit, perfect)
    m, n = list(order(len(gt))), list(order(len(pred)))
    table.update(unit, gt[m], pred[n], scores[n], crowd=crowd[m])


def feed_instances(table: Any, unit: int, order: Order, perfect: bool) -> None:
    gt, pred, scores, of_gt, of_pred, crowd = scored(unit, perfect)
    m, n = list(order(len(gt))), list(order(len(pred)))
    table.update(
        unit, gt[m], pred[n], scores[n], gt_categories=of_gt[m], pred_categories=of_pred[n], crowd=crowd[m]
    )


def feed_tubes(table: Any, unit: int, order: Order, perfect: bool) -> None:
    gt, pred, scores, of_gt, of_pred, crowd = scored(unit, perfect)
    m, n = list(order(len(gt))), list(order(len(pred)))
    table.update(
        unit, tubes(gt[m]), tubes(pred[n]), scores[n],
        gt_categories=of_gt[m], pred_categories=of_pred[n], crowd=crowd[m],
    )  # fmt: skip


def tubes(dense: NDArray[np.bool_]) -> Tubes:
    """Cut masks in two and take the halves for frames."""
    half = dense.shape[2] // 2
    frames = np.stack([dense[:, :, :half], dense[:, :, half:]], axis=1).reshape(-1, dense.shape[1], half)
    masks = from_dense(frames)
    return Tubes(stack_frames(masks, 2), mean_areas(masks, 2))


def partitions(unit: int, perfect: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """True and predicted id maps, 0 is nothing; unit 3 has no truth, unit 5 no prediction."""
    rng = np.random.default_rng([unit, 1])
    gt = np.kron(rng.integers(0, 6, (4, 4)), np.ones((5, 6), np.int64)) * (unit != 3)
    pred = np.roll(gt, 2, 1) if unit != 3 else np.full_like(gt, 2)
    pred = np.where(rng.random(gt.shape) < 0.1, rng.integers(0, 6, gt.shape), pred) * (unit != 5)
    return gt, gt if perfect else pred


# Categories of segments 1 to 5.
_OF_SEGMENT = np.array([1, 1, 2, 3, 4])


def feed_segments(table: Any, unit: int, order: Order, perfect: bool, *, crowds: bool = True) -> None:
    gt, pred = partitions(unit, perfect)
    rng = np.random.default_rng([unit, 2])
    m, n = (np.array([k + 1 for k in order(5) if (side == k + 1).any()], int) for side in (gt, pred))
    options = {}
    if crowds:
        crowd = (rng.random(5) < 0.3) & (not perfect)
        options["crowd"] = crowd[m - 1]
    true, found = ((side == ids[:, None, None]) for side, ids in ((gt, m), (pred, n)))
    table.update(unit, true, _OF_SEGMENT[m - 1], found, _OF_SEGMENT[n - 1], **options)


def panoptic_video(maps: NDArray[np.int64], order: Order, crowd: int) -> PanopticVideo:
    ids = np.array([k + 1 for k in order(5)])
    masks = [from_dense(frame == ids[:, None, None]) for frame in maps]
    return PanopticVideo(ids, _OF_SEGMENT[ids - 1], ids == crowd, masks)


def feed_panoptic_video(table: Any, unit: int, order: Order, perfect: bool) -> None:
    frames = [partitions(unit, perfect), partitions(unit, perfect), partitions(unit + 1, perfect)]
    gt, pred = (np.stack(side) for side in zip(*frames[: 2 if unit == 6 else 3], strict=True))
    crowd = 0 if perfect else unit % 3
    table.update(unit, panoptic_video(gt, order, crowd), panoptic_video(pred, order, 0))


def texts(unit: int, perfect: bool) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_] | None]]:
    """Three pairs of masks; in unit 2 one has no truth, in unit 4 one no prediction, in unit 5 one neither."""
    rng = np.random.default_rng([unit, 3])
    gt = wiggly(rng, 3, *SIZE)
    gt[:, 0, 0] = True
    gt[1] &= unit not in (2, 5)
    pred = gt ^ (rng.random(gt.shape) < rng.choice([0.0, 0.1, 0.5], (3, 1, 1)))
    pred[1] &= unit not in (4, 5)
    if perfect:
        return [(one, one) for one in gt]
    return [(one, None if k == 1 and unit == 5 else pred[k]) for k, one in enumerate(gt)]


def feed_referring(table: Any, unit: int, order: Order, perfect: bool) -> None:
    pairs = texts(unit, perfect)
    for k in order(3):
        table.update(unit, k, *pairs[k], has_target=bool(pairs[k][0].any()))


def feed_reasoning(table: Any, unit: int, order: Order, perfect: bool) -> None:
    pairs = texts(unit, perfect)
    ignore = wiggly(np.random.default_rng([unit, 4]), 1, *SIZE)[0] & (unit % 2 == 0)
    ignore[0, 0] = False
    for k in order(3):
        table.update(unit, k, *pairs[k], ignore=ignore, is_long=unit % 2 == 1)


def feed_narrative(table: Any, unit: int, order: Order, perfect: bool) -> None:
    pairs = texts(unit, perfect)
    for k in order(3):
        truth = pairs[k][0] | (np.indices(SIZE).sum(axis=0) < 9)  # A phrase has a mask.
        guess = truth if perfect else pairs[k][1]
        kind: Any = "thing" if (unit + k) % 3 else "stuff"
        table.update(unit, unit // 2, k, truth, guess, kind=kind, plural=k == 0, mixed=k == 0 and unit == 1)


def feed_phrases(table: Any, unit: int, order: Order, perfect: bool) -> None:
    rng = np.random.default_rng([unit, 5])
    words = ["a red car", "the car", "sky", "two dogs", "grass"]
    true, found = ([words[i] for i in rng.integers(0, 5, n)] for n in (unit % 4, 3))
    # In narratives the order means something, so it is that of the units alone that may change.
    table.update(unit, 0, true, true if perfect else found)


def feed_grey(table: Any, unit: int, order: Order, perfect: bool) -> None:
    rng = np.random.default_rng([unit, 6])
    gt = wiggly(rng, 1, *SIZE)[0] & (unit != 3)
    pred = np.clip(gt * 150 + rng.normal(50, 40, SIZE), 0, 255).astype(np.uint8)
    if unit == 5:
        pred[:] = 77
    table.update(unit, gt, gt if perfect else pred)


def _each(
    name: str, make: Callable[[Any], Table[Any]], modes: Sequence[Any], feed: Any, **options: Any
) -> list[Family]:
    return [Family(f"{name}-{mode}", partial(make, mode), feed, **options) for mode in modes]


_AP = {"main": ("AP", "AP50", "APs", "AR@100", "AR@100@.5")}
_STRICT = {"orderless": False, "copies": False}  # pycocotools' order has a say.


def _ap(name: str, make: Callable[[Any], Table[Any]], feed: Any) -> list[Family]:
    return [
        *_each(name, make, ("canonical",), feed, **_AP),
        *_each(name, make, matching.MODES[1:], feed, **_AP, **_STRICT),
    ]


_GREY = {"counts": dichotomous.COUNTS, "above_one": ("meanE", "maxE", "adpE")}

FAMILIES = [
    *_ap("entity", EntityAP, feed_entities),
    *_ap("boundary", boundary.BoundaryAP, feed_entities),
    *_ap("instance", InstanceAP, feed_instances),
    *_ap("boundary-instance", boundary.BoundaryInstanceAP, feed_instances),
    *_each(
        "semantic", semantic.SemanticIoU, semantic.MODES, partial(feed_segments, crowds=False),
        main=("mIoU", "fwIoU", "mACC", "pACC"),
    ),
    Family(
        "panoptic-canonical", partial(panoptic.PanopticQuality, IS_THING), feed_segments,
        main=("PQ", "SQ", "RQ", "PQ_things", "PQ_stuff"),
    ),
    Family(
        "panoptic-panopticapi", partial(panoptic.PanopticQuality, IS_THING, "panopticapi"), feed_segments,
        main=("PQ", "SQ", "RQ", "PQ_things", "PQ_stuff"), orderless=False,
    ),
    *_each(
        "referring", referring.Referring, ("canonical",), feed_referring,
        main=("cIoU", "gIoU", "mIoU", "P@.5", "P@.9", "N_acc", "T_acc"),
    ),
    # LISA's mean is over n + 1e-5, and two copies are two units.
    *_each("referring", referring.Referring, ("lisa-poly",), feed_referring, main=("cIoU",)),
    *_each("referring", referring.Referring, ("lavt480",), feed_referring, main=("cIoU", "P@.9")),
    *_each("referring", referring.Referring, ("cris-mean",), feed_referring, main=("P@.9",)),
    Family(
        "reasoning", Reasoning, feed_reasoning,
        main=("gIoU", "cIoU", "gIoU_short", "cIoU_long", "gIoU_all_texts"),
    ),
    *_each(
        "narrative", narrative.Narrative, ("canonical",), feed_narrative,
        main=("AR", "AR_Th", "AR_St", "AR_Sing", "AR_Pl", "AR_mixed", "acc@.5"),
    ),
    # The best of these is below 1, for small masks far below.
    *_each("narrative", narrative.Narrative, narrative.MODES[1:], feed_narrative, main=()),
    Family(
        "phrases", PhraseRecall, feed_phrases,
        main=("phrase_recall_exact", "phrase_precision", "phrase_F1", "phrase_recall_ordered"),
    ),
    *_each("dichotomous", dichotomous.Dichotomous, dichotomous.MODES, feed_grey, main=("S",), **_GREY),
    Family("tubes", VideoAP, feed_tubes, main=("AP", "AP50", "APs", "AR@100")),
    Family(
        "vpq", partial(VideoPanopticQuality, IS_THING, (1, 2, 3, 9)), feed_panoptic_video,
        main=("VPQ", "VPQ^1", "VPQ^3", "VPQ_things"),
    ),
    Family(
        "stq-canonical", partial(video_stq.TrackingQuality, IS_THING), feed_panoptic_video,
        main=("STQ", "AQ", "SQ"),
    ),
    Family(
        "stq-vipseg-stq-raw", partial(video_stq.TrackingQuality, IS_THING, "vipseg-stq-raw"),
        feed_panoptic_video, main=("SQ",), orderless=False,
    ),
]  # fmt: skip
