"""What readers of label pictures share: a PNG as numbers, and images whose masks are all of one category."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.errors import input_error
from entityseg.masks import RunLengths

ENTITY = Category(1, "entity")


def read_labels(path: Path) -> NDArray[np.int64]:
    """Return a PNG of labels, int64 [height, width]; of one in colour, whose channels are equal, the first.

    Raises:
        InputError: it cannot be read, or its channels differ.
    """
    from PIL import Image

    try:
        with Image.open(path) as file:
            values = np.asarray(file).astype(np.int64)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        message = f"the labels cannot be read: {error}"
        raise input_error("image.unreadable", message, "Get the file again.", file=str(path)) from error
    if values.ndim == 2:
        return values
    if (values[..., :3] != values[..., :1]).any():
        message, remedy = (
            "the channels differ, so these are no labels",
            "Give the label picture, not the image.",
        )
        raise input_error("labels.colour", message, remedy, file=str(path))
    first: NDArray[np.int64] = values[..., 0]
    return first


def dataset_of(root: Path, images: Iterable[tuple[ImageRecord, RunLengths]]) -> Dataset:
    """Return a dataset of class-agnostic masks, with ids from 1 that are unique in the set."""

    def annotated() -> Iterator[AnnotatedImage]:
        first = 1
        for image, masks in images:
            n = len(masks)
            ids = np.arange(first, first + n, dtype=np.int64)
            first += n
            yield AnnotatedImage(image, masks, ids, np.ones(n, np.int64), np.zeros(n, bool))

    return Dataset.build(annotated(), [ENTITY], path=root, image_root=root)


def require_any(found: bool, root: Path, what: str, remedy: str) -> None:
    """Raise if nothing was found.

    Raises:
        InputError: nothing was found.
    """
    if not found:
        raise input_error("set.empty", f"there are no {what}", remedy, file=str(root))
