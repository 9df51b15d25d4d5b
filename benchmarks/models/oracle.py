"""The oracle: the ground truth, spoiled as much as is asked for; what a perfect model would score, and tests."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import Category
from entityseg.errors import usage_error
from entityseg.masks import RunLengths, from_dense, to_dense
from entityseg.protocols import GroundedPhrase, Pixels, Segmentation

# At full noise: the share that is missed or mislabelled, and how far everything is moved in shares of the image.
_MISSED, _MISLABELLED, _MOVED = 0.5, 0.3, 0.05


class Oracle:
    """Gives back what was revealed.

    What is done to an image depends on the seed and the image's name, not on what was asked before, so that runs in
    any order of shards are equal.

    Args:
        noise: 0 is perfect; at 1 half of the masks are missed, a third has a wrong category, all are moved by up to
            5 % of the image, and scores say nothing.
        seed: of the noise.
    """

    def __init__(self, noise: float = 0.0, seed: int = 0) -> None:
        if not 0 <= noise <= 1:
            raise usage_error("oracle.noise", "noise is from 0 to 1", "Give such a number.", value=noise)
        self.noise = float(noise)
        self.seed = int(seed)
        self._unit = ""
        self._truth: Segmentation | Sequence[GroundedPhrase] = ()
        self._categories: list[int] = []

    def use_categories(self, categories: Sequence[Category]) -> None:
        """Take note of the categories, to choose wrong ones from."""
        self._categories = [category.id for category in categories]

    def reveal(self, unit: str, truth: Segmentation | Sequence[GroundedPhrase]) -> None:
        """Take note of the truth of what is asked next."""
        self._unit, self._truth = unit, truth

    def segment(self, image: Pixels) -> Segmentation:
        """Return the revealed masks, spoiled."""
        truth = self._truth
        if not isinstance(truth, Segmentation):
            raise TypeError("the oracle was not told any masks")
        if not self.noise:
            return truth
        rng = self._rng()
        n = len(truth.masks)
        kept = np.flatnonzero(rng.random(n) >= self.noise * _MISSED)
        wrong = rng.random(n) < self.noise * _MISLABELLED
        others = rng.choice(self._categories, n) if self._categories else truth.labels
        scores = 1 - self.noise * rng.random(n)
        masks = self._moved(truth.masks[kept], rng)
        return Segmentation(masks, scores[kept], np.where(wrong, others, truth.labels)[kept])

    def ground(
        self, image: Pixels, text: str, phrases: Sequence[str] | None = None
    ) -> Sequence[GroundedPhrase]:
        """Return the revealed phrases, spoiled."""
        if isinstance(self._truth, Segmentation):
            raise TypeError("the oracle was not told any phrases")
        if not self.noise:
            return self._truth
        rng = self._rng()
        answers = []
        for one in self._truth:
            missed = rng.random() < self.noise * _MISSED
            mask = None if missed or one.mask is None else self._moved(one.mask, rng)
            answers.append(GroundedPhrase(one.text, mask, one.span))
        return answers

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(self._unit.encode())])

    def _moved(self, masks: RunLengths, rng: np.random.Generator) -> RunLengths:
        """Return all masks moved by the same way, so that they overlap no more than before."""
        reach = np.array(masks.size) * self.noise * _MOVED
        down, right = np.rint(rng.uniform(-reach, reach)).astype(int).tolist()
        parts = [RunLengths.empty(masks.size, 0)]
        for row in range(len(masks)):
            dense = to_dense(masks[np.array([row])])[0]
            parts.append(from_dense(_shifted(dense, down, right)[None]))
        return RunLengths.concatenate(parts)


def _shifted(mask: NDArray[np.bool_], down: int, right: int) -> NDArray[np.bool_]:
    height, width = mask.shape
    moved = np.zeros_like(mask)
    moved[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = mask[
        max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return moved
