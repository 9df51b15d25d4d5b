"""Narratives: a caption is asked with its phrases given, or end to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.benchmarks.harness.adapter import Pictured, read_pixels
from entityseg.benchmarks.harness.texts import TextsAdapter, ask, worst
from entityseg.data.grounding.png import NarrativeTruth, Phrase
from entityseg.data.images import finder_for
from entityseg.data.records import ImageId, ImageRecord
from entityseg.errors import Findings
from entityseg.masks import RunLengths, union
from entityseg.predictions.grounded import rows_or_empty
from entityseg.predictions.narrative import read_narrative, write_narrative
from entityseg.protocols import GroundedPhrase


class NarrativeAdapter(TextsAdapter):
    """Predicts image by image, all its narratives."""

    @property
    def gt(self) -> NarrativeTruth:
        """The ground truth."""
        truth: NarrativeTruth = self.truth.value
        return truth

    @property
    def given(self) -> bool:
        """Whether the phrases are given."""
        return self.truth.task.options["input_mode"] == "given-phrases"

    def __len__(self) -> int:
        return len(self.gt.image_ids)

    def images(self) -> Iterator[tuple[str, Path | None]]:
        """Give the pictures, by file name."""
        found = (self._image(group) for group in range(len(self)))
        return ((image.file_name, self._path(image)) for image in found)

    def predict(self, model: Any, units: Sequence[int], path: Path) -> None:
        """Write the phrases of all narratives of some images."""
        records = []
        for group in units:
            image = self._image(group)
            pixels = read_pixels(self._path(image), image.size, image.file_name)
            segments = self._segments(group)
            for index in self.gt.groups[group]:
                narrative = self.gt.narratives[index]
                nouns = narrative.nouns
                truth = [GroundedPhrase(one.text, self._answer(one, segments), one.span) for one in nouns]
                phrases = [one.text for one in nouns] if self.given else None
                unit = f"{image.file_name}/{index}"
                answers = ask(model, pixels, unit, narrative.caption, phrases, truth)
                written = []
                for k, answer in enumerate(answers):
                    one: dict[str, Any] = {"text": answer.text, "mask": answer.mask, "char_span": answer.span}
                    if self.given:
                        one["phrase_idx"] = nouns[k].index
                    if answer.score is not None:
                        one["score"] = answer.score
                    written.append(one)
                records.append((index, narrative.image_id, written))
        write_narrative(path, records)

    def label(self, image_id: ImageId) -> str:
        """Return the file's name."""
        return Path(self._image(self.gt.image_ids.index(image_id)).file_name).name

    def pictures(self, path: Path, ids: Sequence[Any]) -> Iterator[Pictured]:
        """Give the worst phrase of each image; with phrases given only, as others need not be paired."""
        if not self.given:
            return
        predictions = read_narrative(path, self.gt)
        for image_id in ids:
            group = self.gt.image_ids.index(image_id)
            image, segments = self._image(group), self._segments(group)
            masks = predictions.source.checked_masks(group, Findings())
            texts = []
            for index in self.gt.groups[group]:
                rows = {one.phrase_idx: one.row for one in predictions.phrases[index] or ()}
                for phrase in self.gt.narratives[index].nouns:
                    found = rows_or_empty(masks, [rows.get(phrase.index, -1)])
                    texts.append((phrase.text, self._answer(phrase, segments), found))
            if texts:
                yield worst(self.label(image_id), self._path(image), image.size, texts)

    def _image(self, group: int) -> ImageRecord:
        panoptic = self.gt.panoptic
        return panoptic.images[panoptic.index_of[self.gt.image_ids[group]]]

    def _segments(self, group: int) -> tuple[dict[int, int], RunLengths]:
        """Return the row of each segment id, and the masks of an image."""
        panoptic = self.gt.panoptic
        index = panoptic.index_of[self.gt.image_ids[group]]
        ids = panoptic.ids[panoptic.rows(index)].tolist()
        return {segment_id: row for row, segment_id in enumerate(ids)}, panoptic.masks(index)

    def _answer(self, phrase: Phrase, segments: tuple[dict[int, int], RunLengths]) -> RunLengths:
        rows, masks = segments
        return union(masks[np.array([rows[one] for one in phrase.segment_ids], np.int64)])

    def _path(self, image: ImageRecord) -> Path | None:
        return finder_for(self.truth.image_root.absolute()).find(image.file_name)
