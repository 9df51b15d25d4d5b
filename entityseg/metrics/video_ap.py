"""AP of tubes: COCO's AP over videos (YouTube-VIS 2019; UVO without classes), as a mergeable table.

The IoU of two tubes is the sum over frames of intersections over the sum of unions (Yang et al., Video Instance
Segmentation, ICCV 2019). Areas are means over the frames that show a tube: small up to 128^2, medium up to 256^2.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.data.video.tubes import Tubes
from entityseg.masks.order import by_score, by_size
from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.averages import mean_of_defined
from entityseg.metrics.class_curves import RankedClasses
from entityseg.metrics.inputs import as_categories, as_flags, as_scores
from entityseg.metrics.mask_matching import mask_iou
from entityseg.metrics.matching import IOU_THRESHOLDS, MAX_DETECTIONS, ClassMatches, match_ranked
from entityseg.metrics.table import Figures, Table, UnitId

AREA_RANGES = np.array([(0.0, 1e10), (0.0, 128.0**2), (128.0**2, 256.0**2), (256.0**2, 1e10)])
NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR@1", "AR@10", "AR@100")


class VideoAP(Table[ClassMatches]):
    """AP and AR of tubes over videos; means over the categories that have ground truth.

    >>> from entityseg.data.video.tubes import Tubes
    >>> from entityseg.masks import RunLengths
    >>> tube = Tubes(RunLengths((2, 4), [0, 2, 4, 5], [0, 4]), np.array([1.5]))
    >>> metric = VideoAP()
    >>> metric.update(1, tube, tube, [0.9], gt_categories=[1], pred_categories=[1])
    >>> metric.compute()["AP"]
    1.0
    """

    def update(
        self,
        video_id: UnitId,
        gt: Tubes,
        pred: Tubes,
        scores: ArrayLike,
        *,
        gt_categories: ArrayLike,
        pred_categories: ArrayLike,
        crowd: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add one video.

        Args:
            video_id: unique among the videos added.
            gt, pred: m and n tubes.
            scores: [n], finite.
            gt_categories, pred_categories: category ids; the same one everywhere for class-agnostic AP.
            crowd: bool [m], ground truth that counts neither way.

        Raises:
            InputError: the video was added before, the tubes are of videos of another size, or scores and categories
                do not fit.
        """
        self.add(video_id, match_tubes(gt, pred, scores, gt_categories, pred_categories, crowd=crowd))

    def figures(self, units: Mapping[UnitId, ClassMatches]) -> Figures:
        """Return the function that computes the means over categories."""
        ranked = RankedClasses(list(units.values()), "canonical")

        def means(weights: Int64Array) -> dict[str, NDArray[np.float64]]:
            found = ranked.figures(weights)
            return {name: mean_of_defined(found[name]) for name in NAMES}

        return means


def match_tubes(
    gt: Tubes,
    pred: Tubes,
    scores: ArrayLike,
    gt_categories: ArrayLike,
    pred_categories: ArrayLike,
    *,
    crowd: NDArray[np.bool_] | None = None,
) -> ClassMatches:
    """Match the tubes of one video within each category; arguments and errors are those of `VideoAP.update`."""
    values, flags = as_scores(scores, len(pred.masks)), as_flags(crowd, len(gt.masks))
    of_gt = as_categories(gt_categories, len(gt.masks))
    of_pred = as_categories(pred_categories, len(pred.masks))
    categories = np.union1d(of_gt, of_pred)
    rows = []
    ranked, sized = by_score(pred.masks, values), by_size(gt.masks)[::-1]
    for category in categories.tolist():
        best = ranked[of_pred[ranked] == category][:MAX_DETECTIONS]
        # The matcher lets the last of equal IoUs win: of two such tubes that shall be the larger one.
        order = sized[of_gt[sized] == category]
        iou = mask_iou(
            pred.masks[best], gt.masks[order], crowd=flags[order], least_iou=float(IOU_THRESHOLDS[0])
        )
        areas, gt_areas = pred.areas[best], gt.areas[order]
        rows.append(match_ranked(iou, values[best], areas, gt_areas, crowd=flags[order], ranges=AREA_RANGES))
    lengths = [len(row.scores) for row in rows]
    return ClassMatches(
        categories,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([row.n_gt for row in rows], np.int64).reshape(len(rows), len(AREA_RANGES)),
        np.concatenate([np.empty(0), *(row.scores for row in rows)]),
        np.concatenate([np.empty(0, np.uint64), *(row.hits for row in rows)]),
        np.concatenate([np.empty(0, np.uint64), *(row.ignored for row in rows)]),
    )
