"""Families whose units are images of a `Dataset`: entities, instances, boundaries, recall, semantic and panoptic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from entityseg.benchmarks.harness.adapter import (
    Adapter,
    Pictured,
    mode_option,
    read_pixels,
    segmented,
    with_known,
)
from entityseg.data.images import find_image
from entityseg.data.records import Dataset
from entityseg.data.threads import Progress, map_in_order
from entityseg.errors import input_error
from entityseg.masks import RunLengths, are_disjoint, union
from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.result import Score
from entityseg.predictions.records import Predictions
from entityseg.protocols import Oracle, Segmentation, UsesCategories


class ImagesAdapter(Adapter):
    """Predicts image by image; `with_classes` families need a category for each mask."""

    file: ClassVar[str] = "predictions.jsonl"
    separator: ClassVar[bytes | None] = None
    format: ClassVar[Any] = "jsonl"
    with_classes: ClassVar[bool] = False

    @property
    def dataset(self) -> Dataset:
        """The ground truth."""
        dataset: Dataset = self.truth.value
        return dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def images(self) -> Iterator[tuple[str, Path | None]]:
        """Give the pictures, by file name."""
        return ((image.file_name, find_image(self.dataset, image)) for image in self.dataset.images)

    def prepare(self, model: Any) -> None:
        """Tell the model the categories, if they matter and it asks."""
        if self.with_classes and isinstance(model, UsesCategories):
            model.use_categories(self.dataset.categories)

    def predict(self, model: Any, units: Sequence[int], path: Path) -> None:
        """Write the predictions of some images."""
        from entityseg.predictions.write import write_predictions

        dataset = self.dataset
        pixels = map_in_order(self._pixels, units, threads=2)
        found = [self._one(model, index, image) for index, image in zip(units, pixels, strict=True)]
        built = Predictions.build(
            [dataset.images[index] for index in units],
            [(one.masks, one.scores) for one in found],
            listed=np.ones(len(units), bool),
        )
        labels = np.concatenate([np.empty(0, np.int64), *(one.labels for one in found)])
        write_predictions(
            replace(built, category_ids=labels), path, format=self.format, lossy=True, overwrite=True
        )

    def _pixels(self, index: int) -> Any:
        image = self.dataset.images[index]
        return read_pixels(find_image(self.dataset, image), image.size, image.file_name)

    def _one(self, model: Any, index: int, pixels: Any) -> Segmentation:
        image = self.dataset.images[index]
        if isinstance(model, Oracle):
            model.reveal(image.file_name, self.answer(index))
        found = segmented(lambda: model.segment(pixels), image.size, image.file_name)
        if not self.with_classes:
            return Segmentation(found.masks, found.scores)
        return with_known(found, list(self.dataset.category_of), image.file_name)

    def answer(self, index: int) -> Segmentation:
        """Return the truth of an image, as a model would have to find it; crowds need not be found."""
        one = self.dataset[index]
        kept = one.select(~one.iscrowd & (one.masks.areas > 0))
        return Segmentation(kept.masks, np.ones(len(kept)), kept.category_ids)

    def label(self, image_id: Any) -> str:
        """Return the file's name."""
        return Path(self.dataset.images[self.dataset.index_of[image_id]].file_name).name

    def pictures(self, path: Path, ids: Sequence[Any]) -> Iterator[Pictured]:
        """Give images with the masks of both sides."""
        predictions = self.read(path)
        for image_id in ids:
            index = self.dataset.index_of[image_id]
            image = self.dataset.images[index]
            masks, scores = predictions.masks(index), predictions.scores[predictions.rows(index)]
            kept = np.flatnonzero(masks.areas > 0)
            picture = find_image(self.dataset, image)
            truth = self.answer(index).masks
            yield Pictured(self.label(image_id), picture, image.size, truth, masks[kept], scores[kept])

    def read(self, path: Path) -> Predictions:
        """Read a file of predictions."""
        from entityseg.predictions import read_predictions

        return read_predictions(path, self.dataset)

    def score(
        self,
        path: Path,
        *,
        mode: str,
        options: Mapping[str, Any],
        bootstrap: int,
        seed: int,
        threads: int | None,
        progress: Progress | None,
    ) -> Score:
        """Score a file of predictions."""
        from entityseg.benchmarks.harness.families import scorer

        return scorer(self.truth.task.family)(
            self.dataset, path, bootstrap=bootstrap, seed=seed, per_image=True, threads=threads, progress=progress,
            **mode_option(mode), **options,
        )  # fmt: skip


class InstanceAdapter(ImagesAdapter):
    """Class-aware masks that may overlap."""

    with_classes: ClassVar[bool] = True


class PartitionAdapter(ImagesAdapter):
    """Class-aware masks of which a pixel belongs to one at most, written as a list of RLE masks.

    Masks of one stuff category (and, in semantic maps, of any one category) are one segment.
    """

    file: ClassVar[str] = "predictions.json"
    separator: ClassVar[bytes | None] = b",\n"
    format: ClassVar[Any] = "coco"
    with_classes: ClassVar[bool] = True

    def _one(self, model: Any, index: int, pixels: Any) -> Segmentation:
        found = super()._one(model, index, pixels)
        found = _select(found, np.flatnonzero(found.masks.areas > 0))
        if not are_disjoint(found.masks):
            message = "the model's masks share pixels, and this task gives each pixel to one at most"
            remedy = "Paint them (`entityseg.masks.paint`), the surest last."
            name = self.dataset.images[index].file_name
            raise input_error("model.overlap", message, remedy, record=name)
        return self._joined(found)

    def _joins(self, category_id: int) -> bool:
        if self.truth.task.family == "semantic":
            return True
        return self.dataset.category_of[category_id].isthing is False

    def _joined(self, found: Segmentation) -> Segmentation:
        """Join the masks of those categories that have one segment an image."""
        parts: list[RunLengths] = [RunLengths.empty(found.masks.size, 0)]
        labels: list[int] = []
        for row, category_id in enumerate(found.labels.tolist()):
            if not self._joins(category_id):
                parts.append(found.masks[np.array([row])])
                labels.append(category_id)
            elif category_id not in labels:
                parts.append(union(found.masks[np.flatnonzero(found.labels == category_id)]))
                labels.append(category_id)
        masks = RunLengths.concatenate(parts)
        return Segmentation(masks, np.ones(len(masks)), np.array(labels, np.int64))

    def read(self, path: Path) -> Predictions:
        """Read a file of predictions, panoptic or semantic."""
        if self.truth.task.family == "semantic":
            from entityseg.predictions.semantic import read_semantic_predictions

            return _as_predictions(read_semantic_predictions(path, self.dataset))
        from entityseg.predictions.panoptic import read_panoptic_predictions

        return read_panoptic_predictions(path, self.dataset)


def _select(found: Segmentation, rows: Int64Array) -> Segmentation:
    return Segmentation(found.masks[rows], found.scores[rows], found.labels[rows])


def _as_predictions(semantic: Any) -> Predictions:
    """Return the classes of semantic predictions as masks, for pictures."""
    from entityseg.errors import Findings

    findings = Findings()
    masks = [semantic.classes(index, findings)[1] for index in range(len(semantic.images))]
    findings.raise_errors()
    return Predictions.build(semantic.images, [(one, np.ones(len(one))) for one in masks])
