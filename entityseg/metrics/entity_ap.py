"""AP and AP^e: COCO's mask average precision, class-agnostic, as a mergeable table.

AP^e is AP of masks that do not overlap (Qi et al., High-Quality Entity Segmentation, ICCV 2023, section 5). The
definition of AP is pycocotools'; see `docs/metrics.md` for where `canonical` and `compat` differ.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entityseg.data.records import ImageId
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.metrics.matching import ImageMatches, Mode, match_image
from entityseg.metrics.precision import FIGURES, Ranked
from entityseg.metrics.table import Table, sorted_units

# Resamples that one thread computes at once.
_BATCH = 64


class EntityAP(Table[ImageMatches]):
    """AP, AP^e and AR over images: feed images in any order, merge parts, compute; for use in a training loop.

    Whether the figure is AP or AP^e is up to the masks: AP^e if no two predictions of an image share a pixel.

    >>> from entityseg.masks import RunLengths
    >>> metric = EntityAP()
    >>> square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    >>> metric.update(1, square, square, [0.9])
    >>> metric.compute()["AP"]
    1.0
    """

    def __init__(self, mode: Mode = "canonical") -> None:
        super().__init__()
        self.mode: Mode = mode

    def update(
        self,
        image_id: ImageId,
        gt: RunLengths | ArrayLike,
        pred: RunLengths | ArrayLike,
        scores: ArrayLike,
        *,
        crowd: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add one image.

        Args:
            image_id: unique among the images added.
            gt, pred: masks, run-length or dense (bool [n, height, width]; arrays and tensors on the CPU).
            scores: [n], finite.
            crowd: bool [m], ground truth that counts neither way.

        Raises:
            InputError: the image was added before, or the masks and scores do not fit.
        """
        gt, pred = _as_masks(gt), _as_masks(pred)
        matches = match_image(gt, pred, np.asarray(scores, np.float64), crowd=crowd, mode=self.mode)
        self.add(image_id, matches)

    def compute(self, weights: Mapping[ImageId, int] | None = None) -> dict[str, float | None]:
        """Return all figures as fractions, None where undefined (no ground truth in the range).

        Args:
            weights: how often each image counts; once where not given.
        """
        columns = Ranked(self.units, self.mode)
        given = None if weights is None else [weights.get(unit, 0) for unit in columns.units]
        counts = np.ones((1, len(columns.units)), np.int64) if given is None else np.array([given], np.int64)
        return {name: _or_none(values[0]) for name, values in columns.figures(counts).items()}

    def curves(self) -> NDArray[np.float64] | None:
        """Return precision at the 101 recalls for each IoU threshold, float64 [10, 101]; None without ground truth."""
        columns = Ranked(self.units, self.mode)
        curves = columns.curves(0, 100, np.ones((1, len(columns.units)), np.int64))[0]
        return None if np.isnan(curves).any() else curves

    def bootstrap(
        self, n: int = 1000, seed: int = 0, *, level: float = 0.95, threads: int | None = None
    ) -> dict[str, tuple[float, float] | None]:
        """Return the percentile interval of every figure under resampling of the images.

        Resamples in which a figure is undefined do not count for it.
        """
        columns = Ranked(self.units, self.mode)
        n_units = len(columns.units)
        if n_units == 0 or n == 0:
            return dict.fromkeys(FIGURES)
        generator = np.random.default_rng(seed)
        # Small batches keep the weights of a large dataset small; the draws do not depend on the batches.
        sizes = [min(_BATCH, n - start) for start in range(0, n, _BATCH)]
        drawn = [_drawn(generator, size, n_units) for size in sizes]
        columns.figures(drawn[0][:1])  # Fills the caches that the threads share.
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            samples = list(pool.map(columns.figures, drawn))
        tail = 50 * (1 - level)
        result: dict[str, tuple[float, float] | None] = {}
        for name in FIGURES:
            values = np.concatenate([sample[name] for sample in samples])
            values = values[~np.isnan(values)]
            low, high = np.percentile(values, [tail, 100 - tail]).tolist() if len(values) else (0.0, 0.0)
            result[name] = (low, high) if len(values) else None
        return result

    def per_image(self) -> dict[ImageId, dict[str, float | None]]:
        """Return AP, AP50, AP75 and AR@100 of each image alone."""
        names = ("AP", "AP50", "AP75", "AR@100")
        result = {}
        for unit in sorted_units(self.units):
            columns = Ranked({unit: self.units[unit]}, self.mode)
            values = columns.figures(np.ones((1, 1), np.int64), names)
            result[unit] = {name: _or_none(values[name][0]) for name in names}
        return result


def _as_masks(masks: RunLengths | ArrayLike) -> RunLengths:
    from entityseg.masks import from_dense

    return masks if isinstance(masks, RunLengths) else from_dense(np.asarray(masks))


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _drawn(generator: np.random.Generator, n: int, n_units: int) -> Int64Array:
    """Return how often each unit is drawn in n resamples of all units, int64 [n, units]."""
    drawn = generator.integers(0, n_units, (n, n_units)) + np.arange(n)[:, None] * n_units
    return np.bincount(drawn.ravel(), minlength=n * n_units).reshape(n, n_units).astype(np.int64)
