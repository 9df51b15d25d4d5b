"""Which images a step takes: an endless shuffled stream, of which every step, part and process has its own piece.

What is taken depends on the seed and the step alone, so that a training goes on anywhere as if it had never stopped,
and any number of workers or processes sees the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from entityseg.masks.runlengths import Int64Array

# Position of an image in the dataset, and the number of the pass over it.
Item = tuple[int, int]


@dataclass(frozen=True)
class Order:
    """The images of each step.

    Attributes:
        images: how many there are to take from.
        batch: images a step, over all processes.
        seed: of the shuffling.
    """

    images: int
    batch: int
    seed: int

    def items(self, step: int) -> list[Item]:
        """Return the images of a step; a batch may end one pass and begin the next.

        >>> sorted(Order(images=3, batch=3, seed=0).items(1))
        [(0, 1), (1, 1), (2, 1)]
        """
        first = step * self.batch
        return [self._item(first + place) for place in range(self.batch)]

    def epoch(self, step: int) -> float:
        """Return how many passes are done when a step begins."""
        return step * self.batch / self.images

    def _item(self, place: int) -> Item:
        epoch, position = divmod(place, self.images)
        return int(_shuffled(self.seed, epoch, self.images)[position]), epoch


# A batch asks for the same pass again and again, and may lie across two.
@lru_cache(maxsize=2)
def _shuffled(seed: int, epoch: int, images: int) -> Int64Array:
    return np.random.default_rng([seed, epoch, images]).permutation(images)


@dataclass(frozen=True)
class Batches:
    """What one process takes, part by part; a torch loader's `batch_sampler`.

    Attributes:
        order: of all processes.
        start, stop: the first step, and the one behind the last.
        parts: into which the share of a step is cut.
        process, processes: which one this is, of how many.
    """

    order: Order
    start: int
    stop: int
    parts: int = 1
    process: int = 0
    processes: int = 1

    def __len__(self) -> int:
        return (self.stop - self.start) * self.parts

    def __iter__(self) -> Iterator[list[Item]]:
        size = self.order.batch // (self.parts * self.processes)
        for step in range(self.start, self.stop):
            items = self.order.items(step)
            for part in range(self.parts):
                first = (part * self.processes + self.process) * size
                yield items[first : first + size]
