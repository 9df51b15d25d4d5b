"""VPQ: panoptic quality of tubes in all windows of k frames, as a mergeable table.

Kim et al., Video Panoptic Segmentation, CVPR 2020; windows and rules are those of VIPSeg's script.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import Category
from entityseg.data.video.tubes import window_sums
from entityseg.data.video.vipseg import PanopticVideo
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.averages import mean_of_defined, mean_where
from entityseg.metrics.category_sums import CategorySums
from entityseg.metrics.panoptic import kinds_of, members_of, qualities
from entityseg.metrics.segments import KINDS, match_segments
from entityseg.metrics.table import Figures, Table, UnitId
from entityseg.metrics.video_pairs import VideoPairs, pairs_of

# Of VIPSeg's script; papers list 1, 2, 4, 6.
WINDOWS = (1, 2, 4, 6, 8)


@dataclass(frozen=True, slots=True)
class WindowMatches:
    """What one video adds.

    Attributes:
        categories: int64 [c], ascending.
        counts: int64 [windows, 5, c], as in `SegmentMatches`, summed over the windows of each length.
    """

    categories: Int64Array
    counts: Int64Array


class VideoPanopticQuality(Table[WindowMatches]):
    """VPQ^k, the mean over categories of PQ over all windows of k frames, and VPQ, the mean over k."""

    def __init__(
        self, isthing: Mapping[int, bool | None] | Iterable[Category], windows: Sequence[int] = WINDOWS
    ) -> None:
        """Make an empty table.

        Args:
            isthing: thing, stuff or not said by category id; or the categories.
            windows: numbers of frames; a video with fewer has no such window.
        """
        super().__init__()
        self.isthing = kinds_of(isthing)
        self.windows = tuple(windows)

    def update(self, video_id: UnitId, gt: PanopticVideo, pred: PanopticVideo) -> None:
        """Add one video.

        Raises:
            InputError: the video was added before, or frames do not fit.
        """
        self.add(video_id, match_windows(pairs_of(gt, pred), self.windows))

    def figures(self, units: Mapping[UnitId, WindowMatches]) -> Figures:
        """Return the function that computes VPQ of these videos."""
        kinds = len(self.windows) * KINDS
        sums = CategorySums(
            [(row.categories, row.counts.reshape(kinds, len(row.categories))) for row in units.values()],
            kinds,
        )
        groups = members_of(sums.categories, self.isthing)

        def figures(weights: Int64Array) -> dict[str, NDArray[np.float64]]:
            by_window = sums(weights).reshape(len(self.windows), KINDS, len(weights), -1)
            found = [qualities(*own) for own in by_window]
            result: dict[str, NDArray[np.float64]] = {}
            for suffix, members in groups.items():
                values = np.array([mean_where(quality["PQ"], there & members) for quality, there in found])
                # Without videos long enough for a window, its figure is left out of the mean.
                result["VPQ" + suffix] = mean_of_defined(values.T)
                result |= {f"VPQ^{k}{suffix}": own for k, own in zip(self.windows, values, strict=True)}
            return result

        return figures


def match_windows(pairs: VideoPairs, windows: Sequence[int]) -> WindowMatches:
    """Match the tubes of every window of a video by the rules of panoptic quality."""
    categories = np.union1d(pairs.gt_categories, pairs.pred_categories)
    counts = np.zeros((len(windows), KINDS, len(categories)), np.int64)
    for number, length in enumerate(windows):
        if len(pairs.common) < length:
            continue
        common = window_sums(pairs.common, length)
        gt_areas, pred_areas = window_sums(pairs.gt_areas, length), window_sums(pairs.pred_areas, length)
        for shared, truth, found in zip(common, gt_areas, pred_areas, strict=True):
            m, n = np.flatnonzero(truth), np.flatnonzero(found)
            matched = match_segments(
                _of_areas(truth[m]),
                pairs.gt_categories[m],
                _of_areas(found[n]),
                pairs.pred_categories[n],
                crowd=pairs.crowd[m],
                common=shared[np.ix_(n, m)],
            )
            counts[number][:, np.searchsorted(categories, matched.categories)] += matched.counts
    return WindowMatches(categories, counts)


def _of_areas(areas: Int64Array) -> RunLengths:
    """Return masks with these areas, which is all that matching needs where the shared pixels are known."""
    edges = np.stack([np.zeros_like(areas), areas], axis=1).ravel().astype(np.uint32)
    size = (1, max(int(areas.max(initial=1)), 1))
    return RunLengths(size, edges, np.arange(0, len(edges) + 1, 2, dtype=np.int64))
