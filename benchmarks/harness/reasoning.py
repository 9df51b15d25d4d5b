"""Reasoning questions: each text of an image is asked by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from entityseg.benchmarks.harness.adapter import Pictured, read_pixels
from entityseg.benchmarks.harness.texts import TextsAdapter, ask, worst
from entityseg.data.grounding.reasonseg import IMAGE_SUFFIXES, ReasoningTruth
from entityseg.errors import Findings
from entityseg.masks import RunLengths
from entityseg.predictions.grounded import rows_or_empty
from entityseg.predictions.reasoning import read_reasoning, write_reasoning
from entityseg.protocols import GroundedPhrase


class ReasoningAdapter(TextsAdapter):
    """Predicts image by image, all its texts."""

    @property
    def gt(self) -> ReasoningTruth:
        """The ground truth."""
        truth: ReasoningTruth = self.truth.value
        return truth

    def __len__(self) -> int:
        return len(self.gt.images)

    def images(self) -> Iterator[tuple[str, Path | None]]:
        """Give the pictures, by name."""
        return ((image.name, self._path(image.name)) for image in self.gt.images)

    def predict(self, model: Any, units: Sequence[int], path: Path) -> None:
        """Write one mask, or none, for each text of some images."""
        records: list[tuple[str, int, RunLengths | None]] = []
        for index in units:
            image = self.gt.images[index]
            pixels = read_pixels(self._path(image.name), image.size, image.name)
            target, _ = image.masks()
            for text_idx, text in enumerate(image.texts):
                truth = [GroundedPhrase(text, target)]
                answer = ask(model, pixels, f"{image.name}/{text_idx}", text, [text], truth)
                records.append((image.name, text_idx, answer[0].mask))
        write_reasoning(path, records)

    def pictures(self, path: Path, ids: Sequence[Any]) -> Iterator[Pictured]:
        """Give the worst text of each image."""
        predictions = read_reasoning(path, self.gt)
        index_of = {image.name: i for i, image in enumerate(self.gt.images)}
        for name in ids:
            index = index_of[name]
            image = self.gt.images[index]
            target, _ = image.masks()
            masks = rows_or_empty(
                predictions.source.checked_masks(index, Findings()), predictions.rows[index]
            )
            texts = [(text, target, masks[[k]]) for k, text in enumerate(image.texts)]
            yield worst(name, self._path(name), image.size, texts)

    def _path(self, name: str) -> Path | None:
        folder = self.truth.root / self.truth.task.data.split
        paths = (folder / f"{name}{suffix}" for suffix in IMAGE_SUFFIXES)
        return next((path for path in paths if path.exists()), None)
