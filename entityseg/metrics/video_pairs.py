"""What the segments of a panoptic video share, frame by frame: what VPQ and STQ are computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.data.video.vipseg import PanopticVideo
from entityseg.errors import input_error
from entityseg.masks import intersections
from entityseg.masks.runlengths import Int64Array


@dataclass(frozen=True, slots=True)
class VideoPairs:
    """Pixel counts of a video of f frames with m true and n predicted segments.

    Attributes:
        common: int64 [f, n, m], shared pixels.
        gt_areas, pred_areas: int64 [f, m], [f, n].
        gt_categories, pred_categories: int64 [m], [n].
        crowd: bool [m].
        pixels: of a frame.
    """

    common: Int64Array
    gt_areas: Int64Array
    pred_areas: Int64Array
    gt_categories: Int64Array
    pred_categories: Int64Array
    crowd: NDArray[np.bool_]
    pixels: int


def pairs_of(gt: PanopticVideo, pred: PanopticVideo) -> VideoPairs:
    """Count what the segments of a video share.

    Raises:
        InputError: the videos differ in frames or size.
    """
    if len(gt.masks) != len(pred.masks):
        message = f"ground truth and prediction have {len(gt.masks)} and {len(pred.masks)} frames"
        raise input_error("video.length", message, "Predict every frame.")
    frames = list(zip(gt.masks, pred.masks, strict=True))
    common = [intersections(found, truth) for truth, found in frames]
    return VideoPairs(
        np.array(common, np.int64).reshape(len(frames), len(pred.ids), len(gt.ids)),
        np.array([truth.areas for truth, _ in frames], np.int64).reshape(len(frames), len(gt.ids)),
        np.array([found.areas for _, found in frames], np.int64).reshape(len(frames), len(pred.ids)),
        gt.categories,
        pred.categories,
        gt.crowd,
        gt.masks[0].pixels if gt.masks else 0,
    )
