"""Making overlapping masks (SAM's, a detector's) disjoint by a named rule, with a report of what changed.

AP^e is defined for disjoint masks only, and how they get so moves the score; so the rule has a name, and is reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import ImageId
from entityseg.data.sources import MemorySource
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import usage_error
from entityseg.masks import RunLengths, paint
from entityseg.masks.order import by_score
from entityseg.masks.runlengths import Int64Array
from entityseg.predictions.records import Predictions

Rule = Literal["score", "area", "released"]
RULES: tuple[Rule, ...] = get_args(Rule)
# detectron2's TEST.DETECTIONS_PER_IMAGE, which the released models keep.
RELEASED_KEEP = 100
_SIGMOID_OF_ONE = 1 / (1 + math.exp(-1))
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class ImageChange:
    """What the rule did to one image.

    Attributes:
        image_id: the image.
        masks: how many there were.
        changed: masks that lost pixels, those that lost all included.
        emptied: masks that lost all their pixels.
        dropped: masks that are not in the result any more.
        pixels: pixels taken away from masks, a pixel counted once for each mask that lost it.
    """

    image_id: ImageId
    masks: int
    changed: int
    emptied: int
    dropped: int
    pixels: int


@dataclass(frozen=True)
class ResolveReport:
    """What a rule did to all images."""

    rule: Rule
    images: tuple[ImageChange, ...]

    def total(self, name: str) -> int:
        """Return the sum of a count (`masks`, `changed`, `emptied`, `dropped`, `pixels`) over the images."""
        return sum(getattr(image, name) for image in self.images)

    def to_json(self) -> dict[str, Any]:
        """Return the totals, and the counts of each image in which something changed."""
        names = ("masks", "changed", "emptied", "dropped", "pixels")
        touched = [image for image in self.images if image.changed or image.dropped]
        return {
            "rule": self.rule,
            "images": len(self.images),
            "images_changed": len(touched),
            **{name: self.total(name) for name in names},
            "per_image": [asdict(image) for image in touched],
        }


@dataclass(frozen=True, slots=True)
class _Resolved:
    masks: RunLengths
    rows: Int64Array
    scores: NDArray[np.float64]
    change: ImageChange


def resolve(
    predictions: Predictions,
    rule: Rule = "score",
    *,
    keep: int | None = RELEASED_KEEP,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> tuple[Predictions, ResolveReport]:
    """Make the masks of each image disjoint.

    Rules:
        `score`: where masks overlap, the one with the higher score keeps the pixels; equal scores go by larger area,
        then by the bytes of the RLE. It is what `--resolve-overlap` does when scoring. Emptied masks are dropped.

        `area`: the smaller mask keeps the pixels, so that nothing is hidden by what surrounds it; equal areas go by
        score. Emptied masks are dropped.

        `released`: the released models' non-overlap inference (Mask2Former and CropFormer of qqlu/Entity): keep the
        best `keep` masks by score (CropFormer's final stage keeps all: None), paint them by ascending score, keep
        every one of them in the list in descending order of score, and multiply each score by the mask's quality.
        That code takes the sigmoid of what is a probability already; for masks that are binary, as in a file, the
        probability is 1 inside, so the factor is sigmoid(1) = 0.731 for every mask, sigmoid(1) A / (A + 1e-6) to be
        exact, and an emptied mask (A = 0) has score 0.

    Args:
        predictions: what to resolve.
        rule: `score`, `area` or `released`.
        keep: for `released`, masks kept an image.
        threads: images resolved side by side.
        progress: shows how far the images are.

    Returns:
        Predictions in memory, and what was changed in which image.

    Raises:
        UsageError: there is no such rule.
        InputError: a mask is malformed.
    """
    if rule not in RULES:
        message = "there is no such rule"
        raise usage_error("resolve.rule", message, f"Use one of {', '.join(RULES)}.", value=rule)
    if keep is not None and keep < 1:
        raise usage_error("resolve.keep", "keep must be at least 1", "Leave it out to keep all.", value=keep)

    def one_image(index: int) -> _Resolved:
        rows = predictions.rows(index)
        masks, scores = predictions.masks(index), predictions.scores[rows]
        kept, painted, new_scores = _paint(masks, scores, rule, keep)
        before, after = masks.areas[kept], painted.areas
        emptied = (before > 0) & (after == 0)
        stays = np.ones(len(kept), np.bool_) if rule == "released" else ~emptied
        change = ImageChange(
            image_id=predictions.images[index].id,
            masks=len(masks),
            changed=int((before > after).sum()),
            emptied=int(emptied.sum()),
            dropped=len(masks) - int(stays.sum()),
            pixels=int((before - after).sum()),
        )
        return _Resolved(painted[stays], rows.start + kept[stays], new_scores[stays], change)

    source = MemorySource()
    done: list[_Resolved] = []
    indices = progress(range(len(predictions)), len(predictions), "resolving")
    for result in map_in_order(one_image, indices, threads=threads):
        source.append(result.masks)
        done.append(replace(result, masks=RunLengths.empty((1, 1))))
    rows = np.concatenate([np.empty(0, np.int64), *(result.rows for result in done)]).astype(np.int64)
    resolved = replace(
        predictions,
        offsets=np.cumsum([0] + [len(result.rows) for result in done], dtype=np.int64),
        scores=np.concatenate([np.empty(0), *(result.scores for result in done)]),
        category_ids=predictions.category_ids[rows],
        source=source,
        box_areas=None,
        path=None,
    )
    return resolved, ResolveReport(rule, tuple(result.change for result in done))


def _paint(
    masks: RunLengths, scores: NDArray[np.float64], rule: Rule, keep: int | None
) -> tuple[Int64Array, RunLengths, NDArray[np.float64]]:
    """Return which masks are kept, in their order in the result, how they look painted, and their scores."""
    best_first = by_score(masks, scores)
    if rule == "released":
        kept = best_first[:keep]
        painted = paint(masks[kept], np.arange(len(kept))[::-1])
        areas = painted.areas.astype(np.float64)
        return kept, painted, scores[kept] * (_SIGMOID_OF_ONE * areas / (areas + _EPSILON))
    order: Sequence[int] | Int64Array = best_first[::-1]
    if rule == "area":
        worst_first = best_first[::-1]
        order = worst_first[np.argsort(-masks.areas[worst_first], kind="stable")]
    return np.arange(len(masks)), paint(masks, order), scores


__all__ = ["RELEASED_KEEP", "RULES", "ImageChange", "ResolveReport", "Rule", "resolve"]
