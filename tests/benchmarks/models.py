"""Models for tests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.benchmarks.models.superpixels import Superpixels
from entityseg.data.digests import of_file
from entityseg.masks import RunLengths
from entityseg.protocols import GroundedPhrase, Pixels, Segmentation


class Dying(Superpixels):
    """Superpixels that kill the process, as the kernel would, when they were asked so often."""

    def __init__(self, counter: str, die_at: int) -> None:
        super().__init__(regions=30)
        self.counter, self.die_at = Path(counter), die_at

    def segment(self, image: Pixels) -> Segmentation:
        asked = int(self.counter.read_text()) + 1 if self.counter.exists() else 1
        self.counter.write_text(str(asked))
        if asked == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().segment(image)


class Waiting(Superpixels):
    """Superpixels that wait at every image until a file is there, and say in another one that they wait."""

    def __init__(self, until: str, says: str) -> None:
        super().__init__(regions=30)
        self.until, self.says = Path(until), Path(says)

    def segment(self, image: Pixels) -> Segmentation:
        self.says.touch()
        while not self.until.exists():
            time.sleep(0.01)
        return super().segment(image)


class Weighty(Superpixels):
    """Superpixels whose number is in a file, as weights are."""

    def __init__(self, weights: str) -> None:
        self.weights = Path(weights)
        super().__init__(regions=int(self.weights.read_text()))

    def fingerprint(self) -> str:
        return of_file(self.weights)


class Raising:
    """Breaks at an image."""

    def segment(self, image: Pixels) -> Segmentation:
        raise RuntimeError("no more memory of kittens")


class Broken:
    def __init__(self) -> None:
        raise KeyError("depth")


class Odd:
    """Gives back what it is told to, whatever that is."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def segment(self, image: Pixels) -> Any:
        return None if self.kind == "none" else (RunLengths.empty(image.shape[:2], 0), [])

    def ground(self, image: Pixels, text: str, phrases: Sequence[str] | None = None) -> Any:
        found = [GroundedPhrase(one, None) for one in phrases or ()]
        if self.kind == "span":
            return [GroundedPhrase(one, None, (0, len(text) + 1)) for one in phrases or ()]
        return (one for one in found) if self.kind == "generator" else [(one, None) for one in phrases or ()]


class WrongSize:
    def segment(self, image: Pixels) -> Segmentation:
        return Segmentation(RunLengths.empty((3, 4), 1), np.ones(1))


class Whole:
    def segment(self, image: Pixels) -> Segmentation:
        return Segmentation(RunLengths(image.shape[:2], [0, image.shape[0]], [0, 2]), np.ones(1))


class Overlapping:
    def use_categories(self, categories: Any) -> None:
        self.category = categories[0].id

    def segment(self, image: Pixels) -> Segmentation:
        whole = RunLengths(image.shape[:2], [0, image.shape[0]], [0, 2])
        both = RunLengths.concatenate([whole, whole])
        return Segmentation(both, np.array([0.5, 0.25]), np.full(2, getattr(self, "category", -1)))


class Nothing:
    """Finds nothing, anywhere."""

    def segment(self, image: Pixels) -> Segmentation:
        return Segmentation(RunLengths.empty(image.shape[:2], 0), np.empty(0))


no_model = object()
