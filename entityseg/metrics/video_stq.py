"""STQ: segmentation and tracking quality of panoptic videos, as a mergeable table.

Weber et al., STEP: Segmenting and Tracking Every Pixel, 2021. STQ is the geometric mean of AQ, how well thing tubes
keep their pixels together, and SQ, the mean IoU of the classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import Category
from entityseg.data.video.vipseg import PanopticVideo
from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.averages import ratio, total
from entityseg.metrics.category_sums import CategorySums
from entityseg.metrics.modes import checked_mode
from entityseg.metrics.panoptic import kinds_of
from entityseg.metrics.table import Figures, Table, UnitId
from entityseg.metrics.video_pairs import VideoPairs, pairs_of

StqMode = Literal["canonical", "vipseg-stq-raw"]
MODES: tuple[StqMode, ...] = ("canonical", "vipseg-stq-raw")


@dataclass(frozen=True, slots=True)
class TrackingRow:
    """What one video adds.

    Attributes:
        categories: int64 [c], ascending.
        common, union: int64 [c], pixels of the class in both, in either; void of the ground truth left out.
        association: sum over its thing tubes of their association quality.
        tubes: number of those.
        unlabelled: pixels of the ground truth's segments that were predicted as nothing.
    """

    categories: Int64Array
    common: Int64Array
    union: Int64Array
    association: float
    tubes: int
    unlabelled: int


class TrackingQuality(Table[TrackingRow]):
    """STQ, AQ and SQ over videos."""

    def __init__(
        self, isthing: Mapping[int, bool | None] | Iterable[Category], mode: StqMode = "canonical"
    ) -> None:
        """Make an empty table.

        Args:
            isthing: thing (True) or not by category id; or the categories.
            mode: `vipseg-stq-raw` takes the segment that a video names first for a crowd, as VIPSeg's script does,
                does not look at `iscrowd`, and counts pixels predicted as nothing as one more class of IoU 0.

        Raises:
            UsageError: there is no such mode.
        """
        super().__init__()
        self.isthing = kinds_of(isthing)
        self.mode: StqMode = checked_mode(mode, MODES)

    def update(self, video_id: UnitId, gt: PanopticVideo, pred: PanopticVideo) -> None:
        """Add one video.

        Raises:
            InputError: the video was added before, or frames do not fit.
        """
        self.add(video_id, self.row(pairs_of(gt, pred)))

    def row(self, pairs: VideoPairs) -> TrackingRow:
        """Return what a video adds."""
        common = pairs.common.sum(axis=0)
        gt_areas, found = pairs.gt_areas.sum(axis=0), common.sum(axis=1)
        categories = np.union1d(pairs.gt_categories, pairs.pred_categories)
        at_gt = np.searchsorted(categories, pairs.gt_categories)
        at_pred = np.searchsorted(categories, pairs.pred_categories)
        same = np.where(pairs.pred_categories[:, None] == pairs.gt_categories, common, 0).sum(axis=0)
        both, either = np.zeros(len(categories), np.int64), np.zeros(len(categories), np.int64)
        np.add.at(both, at_gt, same)
        np.add.at(either, at_gt, gt_areas)
        np.add.at(either, at_pred, found)
        association, tubes = self._association(pairs, common, gt_areas)
        unlabelled = int(gt_areas.sum() - common.sum())
        return TrackingRow(categories, both, either - both, association, tubes, unlabelled)

    def _association(self, pairs: VideoPairs, common: Int64Array, gt_areas: Int64Array) -> tuple[float, int]:
        """Return the sum over thing tubes of sum_p TPA IoU_id / size, and their number."""
        things = np.array([self.isthing.get(c) is True for c in pairs.gt_categories.tolist()], bool)
        found = np.array([self.isthing.get(c) is True for c in pairs.pred_categories.tolist()], bool)
        crowd = pairs.crowd
        if self.mode == "vipseg-stq-raw":
            # The script numbers the segments of a video from 0, and 0 is crowd.
            crowd = np.arange(len(crowd)) == 0
        tubes = things & ~crowd & (gt_areas > 0)
        sizes = pairs.pred_areas.sum(axis=0) - common[:, things & crowd].sum(axis=1)
        shared = common[np.ix_(found, tubes)].astype(np.float64)
        union = sizes[found][:, None] + gt_areas[tubes] - shared
        terms = (
            shared * np.divide(shared, union, out=np.zeros_like(shared), where=union > 0) / gt_areas[tubes]
        )
        return math.fsum(terms.ravel()), int(tubes.sum())

    def figures(self, units: Mapping[UnitId, TrackingRow]) -> Figures:
        """Return the function that computes STQ, AQ and SQ of these videos."""
        rows = list(units.values())
        sums = CategorySums([(row.categories, np.stack([row.common, row.union])) for row in rows], 2)
        association = np.array([row.association for row in rows], np.float64)
        tubes = np.array([row.tubes for row in rows], np.int64)
        unlabelled = np.array([row.unlabelled for row in rows], np.int64)
        raw = self.mode == "vipseg-stq-raw"

        def figures(weights: Int64Array) -> dict[str, NDArray[np.float64]]:
            common, either = sums(weights)
            iou = np.where(either > 0, common / np.where(either > 0, either, 1), 0.0)
            classes = (either > 0).sum(axis=1) + (raw & (total(weights, unlabelled) > 0))
            sq = ratio(iou.sum(axis=1), classes)
            number = total(weights, tubes)
            aq = ratio(total(weights, association), number)
            if raw:
                aq = np.where(number > 0, aq, np.where(classes > 0, 0.0, np.nan))
            return {"STQ": np.sqrt(aq * sq), "AQ": aq, "SQ": sq}

        return figures
