"""What an image, a category, an annotated image and a dataset are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.sources import MaskSource, MemorySource
from entityseg.errors import Findings, input_error
from entityseg.masks.runlengths import Int64Array, RunLengths, Size

# ADE20K's panoptic files name their images by strings; all others by integers.
ImageId = int | str


@dataclass(frozen=True, slots=True)
class Category:
    """A class of entities. Names repeat in EntitySeg; only the id tells categories apart.

    Attributes:
        id: the file's own id.
        name: as the file spells it, leading spaces and typos included.
        isthing: thing (True), stuff (False), or not said (None).
        supercategory: the group that the class belongs to.
        extra: other keys of the record, kept for writing.
    """

    id: int
    name: str
    isthing: bool | None = None
    supercategory: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image of a dataset, without its pixels.

    Attributes:
        id: unique within its file only.
        file_name: as the file spells it, with or without a folder.
        height, width: pixels.
        extra: other keys of the record, kept for writing.
    """

    id: ImageId
    file_name: str
    height: int
    width: int
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> Size:
        """(height, width) in pixels."""
        return self.height, self.width


@dataclass(frozen=True)
class AnnotatedImage:
    """An image and its n annotations; row i of every column belongs to mask i.

    Attributes:
        image: the image.
        masks: n masks of the image's size.
        ids: int64 [n], annotation (or segment) ids, unique within the file.
        category_ids: int64 [n].
        iscrowd: bool [n], regions of many objects that were not told apart.
        extras: other keys of each record, kept for writing; empty where there are none at all.
    """

    image: ImageRecord
    masks: RunLengths
    ids: Int64Array
    category_ids: Int64Array
    iscrowd: NDArray[np.bool_]
    extras: Sequence[Mapping[str, Any]] = ()

    def __len__(self) -> int:
        return len(self.masks)

    def extra_of(self, row: int) -> Mapping[str, Any]:
        """Return the other keys of one annotation."""
        return self.extras[row] if self.extras else {}

    def select(self, rows: NDArray[np.bool_] | Int64Array) -> AnnotatedImage:
        """Return the image with some of its annotations, in the order asked for."""
        index = np.arange(len(self))[rows]
        return replace(
            self,
            masks=self.masks[index],
            ids=self.ids[index],
            category_ids=self.category_ids[index],
            iscrowd=self.iscrowd[index],
            extras=[self.extras[i] for i in index] if self.extras else (),
        )


@dataclass(frozen=True)
class Dataset:
    """Images, categories and the annotation columns of a dataset; masks are decoded image by image, when asked for.

    Rows are grouped by image: image i has the rows `offsets[i]` to `offsets[i + 1]` of every column, in the order
    of the file.

    Attributes:
        images: the images, those without annotations included.
        categories: the categories, in the order of the file.
        offsets: int64 [images + 1].
        ids, category_ids, iscrowd: one value a row, see `AnnotatedImage`.
        source: where masks (and other keys of the records) come from.
        file_areas: float64 [rows], `area` as the file states it, NaN where it does not; None if it never does.
        info: the file's other top-level keys (`info`, `licenses`, ...), kept for writing.
        path: the file or folder that was read.
        image_root: the folder that `file_name` starts from, if it is known.
        warnings: what the reader found that does not refuse the data.
    """

    images: tuple[ImageRecord, ...]
    categories: tuple[Category, ...]
    offsets: Int64Array
    ids: Int64Array
    category_ids: Int64Array
    iscrowd: NDArray[np.bool_]
    source: MaskSource
    file_areas: NDArray[np.float64] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    image_root: Path | None = None
    warnings: Findings = field(default_factory=Findings)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> AnnotatedImage:
        """Return image number `index` with its annotations.

        Raises:
            InputError: a mask of the image is malformed, or its file is missing.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        index %= len(self)
        rows = self.rows(index)
        return AnnotatedImage(
            self.images[index],
            self.masks(index),
            self.ids[rows],
            self.category_ids[rows],
            self.iscrowd[rows],
            self.source.extras(index),
        )

    def rows(self, index: int) -> slice:
        """Return the rows of image number `index` in the columns."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def masks(self, index: int) -> RunLengths:
        """Return the masks of image number `index`."""
        return self.source.masks(index)

    @property
    def n_annotations(self) -> int:
        """Number of annotations of all images."""
        return len(self.ids)

    @cached_property
    def index_of(self) -> dict[ImageId, int]:
        """Position of each image by its id."""
        return {image.id: index for index, image in enumerate(self.images)}

    @cached_property
    def category_of(self) -> dict[int, Category]:
        """Category by its id."""
        return {category.id: category for category in self.categories}

    def image(self, image_id: ImageId) -> AnnotatedImage:
        """Return an image by its id.

        Raises:
            InputError: no image has this id.
        """
        if image_id not in self.index_of:
            message = "no image of the dataset has this id"
            raise input_error("image.unknown", message, "Use an id of the dataset's images.", value=image_id)
        return self[self.index_of[image_id]]

    @classmethod
    def build(
        cls,
        annotated: Iterable[AnnotatedImage],
        categories: Iterable[Category],
        *,
        info: Mapping[str, Any] | None = None,
        path: Path | None = None,
        image_root: Path | None = None,
    ) -> Dataset:
        """Make a dataset in memory (masks are kept as compressed strings)."""
        images: list[ImageRecord] = []
        columns: list[tuple[Int64Array, Int64Array, NDArray[np.bool_]]] = []
        source = MemorySource()
        for one in annotated:
            images.append(one.image)
            columns.append((one.ids, one.category_ids, one.iscrowd))
            source.append(one.masks, one.extras)
        empty = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool)
        ids, category_ids, iscrowd = (np.concatenate(part) for part in zip(empty, *columns, strict=True))
        offsets = np.cumsum([0] + [len(column[0]) for column in columns], dtype=np.int64)
        return cls(
            tuple(images), tuple(categories), offsets, ids.astype(np.int64), category_ids.astype(np.int64),
            iscrowd.astype(bool), source, info=dict(info or {}), path=path, image_root=image_root,
        )  # fmt: skip

    def rebuild(
        self, annotated: Iterable[AnnotatedImage], categories: Iterable[Category] | None = None
    ) -> Dataset:
        """Make a dataset of changed images that keeps this one's info, path and image root."""
        return Dataset.build(
            annotated,
            self.categories if categories is None else categories,
            info=self.info,
            path=self.path,
            image_root=self.image_root,
        )
