"""Annotated images as views for training: a torch `Dataset` whose items depend on seed, epoch and index alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from entityseg.baselines.views.augment import ViewAugmentation
from entityseg.baselines.views.cutting import MEAN, STD, Pixels, stack
from entityseg.baselines.views.targets import Batch, Target
from entityseg.data.images import locate_image
from entityseg.data.pixels import read_rgb
from entityseg.data.records import Dataset
from entityseg.errors import input_error, usage_error


@dataclass(frozen=True)
class Sample:
    """One image as it leaves a worker: pixels as bytes, masks as runs.

    Attributes:
        pixels: uint8 [height, width, 3] of each view, at its network size.
        target: its entities.
        name: its file name.
    """

    pixels: tuple[Pixels, ...]
    target: Target
    name: str


class EntityViews(TorchDataset[Sample]):
    """The images of a dataset as views, for a loader with any number of workers.

    An item is asked for by `(index, epoch)`, or by `index` for epoch 0; the same question has the same answer, in
    whichever worker and order. Masks are decoded, cropped and resized as runs: no stack of full-resolution masks is
    ever made. Crowd regions, and entities that no view has a pixel of, are left out; an image may have no entity.

    Args:
        dataset: the annotated images; they must be on disk.
        augment: how views are made.
        seed: of all choices.
        category_ids: the categories that are learnt; a label is the position in this list, and annotations of other
            categories are left out. None: no classes, all labels are 0.
        mean, std: of the channels, in pixel values.
        divisor: height and width of a batch are multiples of it.

    Raises:
        UsageError: the dataset has no image, or a category is not one of its own.
    """

    def __init__(
        self,
        dataset: Dataset,
        augment: ViewAugmentation | None = None,
        seed: int = 0,
        *,
        category_ids: Sequence[int] | None = None,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        divisor: int = 32,
    ) -> None:
        if not len(dataset):
            raise usage_error(
                "views.dataset", "the dataset has no image", "Give one with images to train on."
            )
        self.dataset = dataset
        self.augment = ViewAugmentation() if augment is None else augment
        self.seed = int(seed)
        self.mean, self.std, self.divisor = tuple(mean), tuple(std), int(divisor)
        self._label_of = None if category_ids is None else {one: i for i, one in enumerate(category_ids)}
        if self._label_of is not None:
            unknown = sorted(set(self._label_of) - {category.id for category in dataset.categories})
            if unknown:
                message, remedy = "the dataset has no such category", "Name ids of its own categories."
                raise usage_error("views.category", message, remedy, value=unknown[0])

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: int | tuple[int, int]) -> Sample:
        """Return the views of image number `index` in an epoch.

        Raises:
            InputError: the image is missing or cannot be read, or one of its masks is malformed.
        """
        index, epoch = item if isinstance(item, tuple) else (item, 0)
        one = self.dataset[index]
        kept = ~one.iscrowd
        if self._label_of is not None:
            kept &= np.isin(one.category_ids, list(self._label_of))
        one = one.select(kept)
        generator = np.random.default_rng([self.seed, epoch, index])
        pixels, masks = self.augment(self._pixels(index), one.masks, generator)
        seen = np.flatnonzero(np.any([view.areas > 0 for view in masks], axis=0))
        labels = [0 if self._label_of is None else self._label_of[c] for c in one.category_ids[seen].tolist()]
        target = Target(torch.tensor(labels, dtype=torch.int64), tuple(view[seen] for view in masks))
        return Sample(pixels, target, one.image.file_name)

    def _pixels(self, index: int) -> Pixels:
        image = self.dataset.images[index]
        found = locate_image(self.dataset, image)
        if found.path is None:
            message = "the image was not found" if found.how != "ambiguous" else "several files have its name"
            remedy = "Fetch the images, or say where they are (`data.images`, in Python `image_root`)."
            raise input_error(
                "image.missing", message, remedy, file=image.file_name, record=f"image {image.id}"
            )
        return read_rgb(found.path, image.size, record=f"image {image.id}")

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Return samples as one batch, padded to the largest view; give it to the loader as `collate_fn`."""
        pixels = stack(
            [sample.pixels for sample in samples], mean=self.mean, std=self.std, divisor=self.divisor,
            least=self.augment.window or 0,
        )  # fmt: skip
        return Batch(pixels, tuple(one.target for one in samples), tuple(one.name for one in samples))
