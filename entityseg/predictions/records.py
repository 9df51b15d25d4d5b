"""Predictions for the images of a dataset, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import ImageRecord
from entityseg.data.sources import MaskSource, MemorySource
from entityseg.errors import Findings
from entityseg.masks.runlengths import Int64Array, RunLengths


@dataclass(frozen=True)
class Predictions:
    """Masks with scores for the images of a ground truth, in the order of its images.

    Image i has the rows `offsets[i]` to `offsets[i + 1]` of every column, in the order of the file.

    Attributes:
        images: the images of the ground truth.
        offsets: int64 [images + 1].
        scores: float64 [rows], finite.
        category_ids: int64 [rows], -1 where a file has none (class-agnostic scoring ignores them).
        source: the masks, by the image's position.
        listed: bool [images], whether the file has a word on the image, be it "nothing found".
        box_areas: float64 [rows], width times height of the file's `bbox`, NaN where absent; for `compat` only.
        path: the file or folder that was read.
        warnings: what the reader found that does not refuse the predictions.
    """

    images: tuple[ImageRecord, ...]
    offsets: Int64Array
    scores: NDArray[np.float64]
    category_ids: Int64Array
    source: MaskSource
    listed: NDArray[np.bool_]
    box_areas: NDArray[np.float64] | None = None
    path: Path | None = None
    warnings: Findings = field(default_factory=Findings)

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, index: int) -> slice:
        """Return the rows of image number `index`."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def masks(self, index: int) -> RunLengths:
        """Return the masks of image number `index`; raises `InputError` where one is malformed."""
        return self.source.masks(index)

    @classmethod
    def build(
        cls,
        images: Sequence[ImageRecord],
        predicted: Iterable[tuple[RunLengths, Sequence[float] | NDArray[np.float64]]],
        *,
        listed: NDArray[np.bool_] | None = None,
        path: Path | None = None,
    ) -> Predictions:
        """Make predictions in memory from (masks, scores) of each image, in the order of `images`."""
        source = MemorySource()
        scores = []
        for masks, values in predicted:
            source.append(masks)
            scores.append(np.asarray(values, np.float64))
        offsets = np.cumsum([0] + [len(values) for values in scores], dtype=np.int64)
        return cls(
            images=tuple(images),
            offsets=offsets,
            scores=np.concatenate([np.empty(0), *scores]),
            category_ids=np.full(offsets[-1], -1, np.int64),
            source=source,
            listed=np.diff(offsets) > 0 if listed is None else listed,
            path=path,
        )
