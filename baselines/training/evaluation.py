"""Scoring a model while it is trained, by the project's own metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from entityseg.baselines.training.config import Task
from entityseg.data.images import find_image
from entityseg.data.pixels import read_rgb
from entityseg.data.records import AnnotatedImage, Category, Dataset
from entityseg.errors import input_error
from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.instance_ap import InstanceAP
from entityseg.metrics.panoptic import PanopticQuality
from entityseg.metrics.semantic import SemanticIoU
from entityseg.metrics.table import Table

if TYPE_CHECKING:
    from entityseg.baselines.models import SegmenterModel
    from entityseg.baselines.views import ViewProcessor
    from entityseg.protocols import Segmentation

# The figure that ranks checkpoints, and its name in the metric's table.
MAIN: dict[Task, tuple[str, str]] = {
    "entity": ("AP^e", "AP"),
    "instance": ("AP", "AP"),
    "semantic": ("mIoU", "mIoU"),
    "panoptic": ("PQ", "PQ"),
}


@dataclass(frozen=True)
class Evaluation:
    """What is scored.

    Attributes:
        task: what is segmented.
        dataset: ground truth; the images must be on disk.
        categories: what the classes of the head mean, in their order; empty for the task `entity`.
        images: positions of the images in the dataset.
        outputs: what a model of several views is read from; None: its own default.
        amp: run the network in half precision.
    """

    task: Task
    dataset: Dataset
    categories: tuple[Category, ...] = ()
    images: Sequence[int] | None = None
    outputs: str | None = None
    amp: bool = False

    def score(
        self, model: SegmenterModel, processor: ViewProcessor, *, process: int = 0, processes: int = 1
    ) -> Table[Any]:
        """Return the statistics of this process's share of the images; merge the tables of all.

        Raises:
            InputError: an image is missing or cannot be read, or the model's outputs are not finite.
        """
        from entityseg.baselines.inference.segment import segment

        options: dict[str, Any] = {"amp": self.amp}
        if self.outputs is not None:
            options["outputs"] = self.outputs
        table, update = self._table()
        indices = range(len(self.dataset)) if self.images is None else self.images
        for index in indices[process::processes]:
            one = self.dataset[index]
            path = find_image(self.dataset, one.image)
            if path is None:
                message, remedy = (
                    "the image was not found",
                    "Check data.validation.images, or fetch the images.",
                )
                raise input_error("image.missing", message, remedy, file=one.image.file_name)
            update(one, segment(model, processor, read_rgb(path, one.image.size), **options))
        return table

    def figures(self, table: Table[Any]) -> dict[str, float | None]:
        """Return the figures of a table, the main one first."""
        name, key = MAIN[self.task]
        found = table.compute()
        return {name: found[key], **{other: value for other, value in found.items() if other != key}}

    def _table(self) -> tuple[Table[Any], Callable[[AnnotatedImage, Segmentation], None]]:
        if self.task == "entity":
            entity = EntityAP()

            def add_entities(one: AnnotatedImage, found: Segmentation) -> None:
                entity.update(one.image.id, one.masks, found.masks, found.scores, crowd=one.iscrowd)

            return entity, add_entities
        if self.task == "instance":
            instance = InstanceAP()

            def add_instances(one: AnnotatedImage, found: Segmentation) -> None:
                instance.update(
                    one.image.id, one.masks, found.masks, found.scores, gt_categories=one.category_ids,
                    pred_categories=self._ids(found), crowd=one.iscrowd,
                )  # fmt: skip

            return instance, add_instances
        if self.task == "semantic":
            semantic = SemanticIoU()

            def add_classes(one: AnnotatedImage, found: Segmentation) -> None:
                semantic.update(one.image.id, one.masks, one.category_ids, found.masks, self._ids(found))

            return semantic, add_classes
        panoptic = PanopticQuality(self.categories)

        def add_segments(one: AnnotatedImage, found: Segmentation) -> None:
            panoptic.update(
                one.image.id, one.masks, one.category_ids, found.masks, self._ids(found), crowd=one.iscrowd
            )

        return panoptic, add_segments

    def _ids(self, found: Segmentation) -> Int64Array:
        """Return category ids for class indices."""
        return np.array([category.id for category in self.categories], np.int64)[found.labels]


def evenly(count: int, wanted: int | None) -> list[int]:
    """Return positions of at most `wanted` of `count` images, evenly spread.

    >>> evenly(10, 3), evenly(2, None)
    ([0, 4, 9], [0, 1])
    """
    if wanted is None or wanted >= count:
        return list(range(count))
    return [int(place) for place in np.linspace(0, count - 1, wanted).astype(int)]
