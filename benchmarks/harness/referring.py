"""Referring expressions: each sentence of an image is asked by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from entityseg.benchmarks.harness.adapter import Pictured, read_pixels
from entityseg.benchmarks.harness.texts import TextsAdapter, ask, worst
from entityseg.data.grounding.expressions import ReferringTruth
from entityseg.data.images import finder_for
from entityseg.data.records import ImageId
from entityseg.errors import Findings
from entityseg.masks import RunLengths, resize, union
from entityseg.metrics.referring import LAVT_SIZE
from entityseg.predictions.grounded import rows_or_empty
from entityseg.predictions.referring import read_referring, write_referring
from entityseg.protocols import GroundedPhrase


class ReferringAdapter(TextsAdapter):
    """Predicts image by image, all its sentences."""

    @property
    def gt(self) -> ReferringTruth:
        """The ground truth."""
        truth: ReferringTruth = self.truth.value
        return truth

    def __len__(self) -> int:
        return len(self.gt.image_ids)

    def images(self) -> Iterator[tuple[str, Path | None]]:
        """Give the pictures, by file name."""
        return ((self.label(image_id), self._path(image_id)) for image_id in self.gt.image_ids)

    def predict(self, model: Any, units: Sequence[int], path: Path) -> None:
        """Write one mask, or none, for each sentence of some images."""
        records: list[tuple[int, ImageId, RunLengths | None]] = []
        for group in units:
            image_id, size = self.gt.image_ids[group], self.gt.sizes[group]
            pixels = read_pixels(self._path(image_id), size, str(image_id))
            for index in self.gt.groups[group]:
                one = self.gt.expressions[index]
                truth = [GroundedPhrase(one.text, self.answer(one.ann_ids, group))]
                answer = ask(model, pixels, f"{image_id}/{one.expr_id}", one.text, [one.text], truth)
                records.append((one.expr_id, image_id, answer[0].mask))
        write_referring(path, records)

    def answer(self, ann_ids: tuple[int, ...], group: int) -> RunLengths | None:
        """Return the union of what a sentence means; None if it means nothing."""
        if not ann_ids:
            return None
        findings = Findings()
        parts = [self.gt.instances.parts(ann_id, findings) for ann_id in ann_ids]
        findings.raise_errors()
        return union(RunLengths.concatenate([RunLengths.empty(self.gt.sizes[group], 1), *parts]))

    def label(self, image_id: ImageId) -> str:
        """Return the file's name."""
        return self._names.get(image_id, str(image_id))

    def pictures(self, path: Path, ids: Sequence[Any]) -> Iterator[Pictured]:
        """Give the worst sentence of each image."""
        predictions = read_referring(path, self.gt, frame=LAVT_SIZE)
        for image_id in ids:
            group = self.gt.image_ids.index(image_id)
            size, nothing = self.gt.sizes[group], RunLengths.empty(self.gt.sizes[group], 1)
            masks = predictions.source.checked_masks(group, Findings())
            if masks.size != size:
                masks = resize(masks, size)
            texts = []
            for index in self.gt.groups[group]:
                one = self.gt.expressions[index]
                row = -1 if predictions.no_target[index] else int(predictions.rows[index])
                texts.append(
                    (one.text, self.answer(one.ann_ids, group) or nothing, rows_or_empty(masks, [row]))
                )
            yield worst(self.label(image_id), self._path(image_id), size, texts)

    def _path(self, image_id: ImageId) -> Path | None:
        return finder_for(self.truth.image_root.absolute()).find(self._names.get(image_id, ""))

    @cached_property
    def _names(self) -> dict[ImageId, str]:
        """File names by image; refs have some, but those lack or repeat endings."""
        from entityseg.data.coco_json import read_images
        from entityseg.data.json_file import parse_json_file

        findings = Findings()
        images = read_images(parse_json_file(self.gt.instances.file).get("images"), findings)
        findings.raise_errors()
        return {image.id: image.file_name for image in images}
