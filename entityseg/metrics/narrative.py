"""Panoptic narrative grounding: average recall of phrases (Gonzalez et al., ICCV 2021), over all, thing, stuff, ...

Recall at t is the share of phrases whose IoU is at least t, and average recall its integral over t from 0 to 1, which
is the mean IoU. The unit is the phrase. `docs/metrics/narrative.md` says where the compat modes differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.masks import to_dense
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.averages import mean
from entityseg.metrics.inputs import as_one_mask
from entityseg.metrics.modes import checked_mode
from entityseg.metrics.resampled import quarter_iou, soft_iou_256
from entityseg.metrics.rows import row_intersections
from entityseg.metrics.table import Figures, Table, UnitId

Mode = Literal["canonical", "png2021", "ppmn-quarter", "fmm-plural"]
MODES: tuple[Mode, ...] = ("canonical", "png2021", "ppmn-quarter", "fmm-plural")
Kind = Literal["thing", "stuff"]
_STEPS = 99_999


@dataclass(frozen=True, slots=True)
class PhraseOverlap:
    """What one phrase adds.

    Attributes:
        intersection, union: pixels; no whole numbers where masks are resampled.
        thing, plural, mixed: which averages the phrase belongs to.
    """

    intersection: float
    union: float
    thing: bool
    plural: bool
    mixed: bool


class Narrative(Table[PhraseOverlap]):
    """Average recall of phrases; units are (image, narrative, phrase).

    >>> metric = Narrative()
    >>> truth, guess = np.array([[1, 1, 0, 0]], bool), np.array([[1, 0, 0, 0]], bool)
    >>> metric.update(7, 0, 3, truth, guess, kind="thing", plural=False)
    >>> metric.update(7, 0, 5, truth, None, kind="stuff", plural=False)
    >>> values = metric.compute()
    >>> values["AR"], values["AR_Th"], values["AR_St"], values["AR_Pl"]
    (0.25, 0.5, 0.0, None)
    """

    def __init__(self, mode: Mode = "canonical") -> None:
        super().__init__()
        self.mode: Mode = checked_mode(mode, MODES)

    def cluster(self, unit: UnitId) -> UnitId:
        """Return the image of a phrase."""
        return unit[0]

    def update(
        self,
        image_id: UnitId,
        narrative: int,
        phrase: int,
        gt: RunLengths | ArrayLike,
        pred: RunLengths | ArrayLike | None,
        *,
        kind: Kind,
        plural: bool,
        mixed: bool = False,
    ) -> None:
        """Add one phrase.

        Args:
            image_id: its image; intervals are over images.
            narrative: index of the narrative.
            phrase: index of the phrase in its narrative.
            gt: the true mask, run-length or dense (bool [height, width]); of several their union.
            pred: the predicted mask; None where there is none, which is an empty one.
            kind: thing or stuff; for a phrase with segments of both, the one with more pixels.
            plural: whether the phrase has more than one segment.
            mixed: whether it has segments of things and of stuff.

        Raises:
            InputError: the phrase was added before, or the masks differ in size.
        """
        truth = as_one_mask(gt)
        guess = RunLengths.empty(truth.size, 1) if pred is None else as_one_mask(pred)
        common = row_intersections(truth, guess)
        above: float = int(common[0])
        below: float = int(truth.areas[0] + guess.areas[0]) - above
        if self.mode in ("png2021", "ppmn-quarter"):
            resampled = soft_iou_256 if self.mode == "png2021" else quarter_iou
            above, below = resampled(to_dense(truth)[0], to_dense(guess)[0])
        self.add((image_id, narrative, phrase), PhraseOverlap(above, below, kind == "thing", plural, mixed))

    def figures(self, units: Mapping[UnitId, PhraseOverlap]) -> Figures:
        """Return the function that computes the figures of these phrases."""
        rows = list(units.values())
        above = np.array([row.intersection for row in rows], np.float64)
        below = np.array([row.union for row in rows], np.float64)
        thing = np.array([row.thing for row in rows], np.bool_)
        plural = np.array([row.plural for row in rows], np.bool_)
        mixed = np.array([row.mixed for row in rows], np.bool_)
        if self.mode == "fmm-plural":
            iou = above / (below + 1e-12)
        else:
            # Two empty masks: resampling can lose a tiny one. Upstream's NaN counts 0.
            iou = np.where(below > 0, above / np.where(below > 0, below, 1.0), 0.0)
        part = iou if self.mode == "canonical" else riemann(iou)
        groups = {"AR": thing | True, "AR_Th": thing, "AR_St": ~thing, "AR_Sing": ~plural, "AR_Pl": plural}
        if self.mode == "canonical":
            groups["AR_mixed"] = mixed

        def compute(weights: Int64Array) -> dict[str, NDArray[np.float64]]:
            values = {name: mean(weights, part, group) for name, group in groups.items()}
            values["acc@.5"] = mean(weights, iou > 0.5)
            return values

        return compute


def riemann(iou: ArrayLike) -> NDArray[np.float64]:
    """Return what each IoU adds to the published average recall: a left Riemann sum over 99,999 thresholds.

    The sum over t = 0, 1e-5, ..., .99998 of 1e-5 [IoU >= t] is 1e-5 times the number of thresholds not above IoU; it
    differs from IoU by 1e-5 at the most, and a perfect mask gets .99999.

    >>> riemann([0.0, 0.5, 1.0]).round(5).tolist()
    [1e-05, 0.50001, 0.99999]
    """
    steps = np.searchsorted(_thresholds(), np.asarray(iou, np.float64), side="right")
    return steps.astype(np.float64) * 1e-5


@cache
def _thresholds() -> NDArray[np.float64]:
    # The published code's own floats.
    return np.arange(0, 1, 0.00001)[:_STEPS]
