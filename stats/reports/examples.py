"""The most and the least complex entities of a measured set, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from entityseg.data.images import find_image
from entityseg.data.pixels import read_rgb
from entityseg.data.records import Dataset
from entityseg.errors import EntitySegError, InputError, input_error
from entityseg.masks import RunLengths
from entityseg.masks.dense import to_dense
from entityseg.masks.geometry import crop
from entityseg.masks.morphology import dilate
from entityseg.report.overlay import draw
from entityseg.stats.dataset.choices import DatasetChoices
from entityseg.stats.dataset.compute import open_dataset
from entityseg.stats.dataset.schema import ENTITIES, Identity
from entityseg.stats.dataset.store import read_batches
from entityseg.stats.dataset.units import units_of

# Smaller ones are blots whose shape is that of their pixels.
LEAST_SIDE = 32
_COLOUR = np.array([[255, 140, 0]], np.uint8)
_MARGIN = 0.12
_SIDE = 420


@dataclass(frozen=True)
class Example:
    """An entity to show.

    Attributes:
        row: of `entities.parquet`.
        image: index of its image in the dataset.
        position: among the image's masks as they were measured.
        annotation_id: of its (first) annotation.
        file_name: of the image.
        convexity, simplicity: its shape.
        area: pixels.
    """

    row: int
    image: int
    position: int
    annotation_id: int
    file_name: str
    convexity: float
    simplicity: float
    area: int


def choose_examples(folder: str | Path, count: int = 6) -> tuple[list[Example], list[Example]]:
    """Return the entities with the lowest convexity (most complex first), and those with the highest.

    Of entities with sides of at least 32 pixels; one an image, unless there are too few images. Equals are taken in
    the order of the table.

    Raises:
        InputError: the table is missing or damaged.
    """
    names = (
        "image", "file_name", "annotation_id", "counted", "bbox_width", "bbox_height", "convexity", "simplicity",
        "area",
    )  # fmt: skip
    most: list[Example] = []
    least: list[Example] = []
    start = 0
    for columns in read_batches(Path(folder) / ENTITIES, names):
        # What is chosen of all is chosen of any part that has it, so the others of a part need not be kept.
        ranked = sorted([*most, *least, *_candidates(columns, start)], key=_rank)
        most = _one_an_image(ranked, count)
        shown = set(most)
        least = _one_an_image([one for one in reversed(ranked) if one not in shown], count)
        start += len(columns["image"])
    return most, least


def _candidates(columns: Mapping[str, NDArray[Any]], start: int) -> list[Example]:
    """Return the entities of a part of the table that may be shown; the part begins at row `start` with an image."""
    large = np.minimum(columns["bbox_width"], columns["bbox_height"]) >= LEAST_SIDE
    known = ~np.isnan(columns["convexity"]) & ~np.isnan(columns["simplicity"])
    rows = np.flatnonzero(columns["counted"].astype(bool) & large & known)
    positions = rows - np.searchsorted(columns["image"], columns["image"][rows])
    names = "image", "annotation_id", "file_name", "convexity", "simplicity", "area"
    image, *rest = (columns[name][rows].tolist() for name in names)
    return [
        Example(*one) for one in zip((rows + start).tolist(), image, positions.tolist(), *rest, strict=True)
    ]


def _rank(example: Example) -> tuple[float, float, int]:
    return example.convexity, example.simplicity, example.row


def draw_examples(
    dataset: Dataset, examples: Sequence[Example], choices: DatasetChoices | None = None
) -> list[Image.Image]:
    """Return a picture of each entity with what is around it; on grey where the image is not there.

    Args:
        dataset: that was measured.
        examples: entities of it.
        choices: that it was measured with; they say what of stuff is one entity.

    Raises:
        InputError: a mask is malformed, or the dataset does not have the entity.
    """
    return [_picture(dataset, example, choices or DatasetChoices()) for example in examples]


def choices_of(identity: Identity) -> DatasetChoices:
    """Return the choices that say which entities were measured; those of their shape are left out.

    Raises:
        UsageError: they are none.
    """
    stuff, crowd = (identity.choices.get(name) for name in ("stuff", "crowd"))
    # The class looks whether they are any.
    return DatasetChoices(stuff, crowd)  # type: ignore[arg-type]


def open_measured(identity: Identity) -> Dataset | None:
    """Return the dataset that was measured, if it still lies where it was."""
    try:
        opened = open_dataset(
            identity.path, format=identity.format, split=identity.split, image_root=identity.image_root
        )
    except (EntitySegError, OSError):
        return None
    same = (len(opened.dataset), opened.dataset.n_annotations) == (identity.images, identity.annotations)
    return opened.dataset if same else None


def _one_an_image(ranked: Sequence[Example], count: int) -> list[Example]:
    """Return the first `count` in their order, of images that differ as far as there are enough of them."""
    first: list[Example] = []
    rest: list[Example] = []
    seen: set[int] = set()
    for one in ranked:
        (rest if one.image in seen else first).append(one)
        seen.add(one.image)
        if len(first) >= count:
            break
    chosen = set((first + rest)[:count])
    return [one for one in ranked if one in chosen]


def _picture(dataset: Dataset, example: Example, choices: DatasetChoices) -> Image.Image:
    one = dataset[example.image]
    units = units_of(one, dataset.category_of, choices)
    entities = list(zip(units.ids.tolist(), units.masks.areas.tolist(), strict=True))
    if entities[example.position : example.position + 1] != [(example.annotation_id, example.area)]:
        message = "the dataset does not have the entity that was measured"
        remedy = "Run `entityseg stats compute` again."
        record = f"image {one.image.file_name}, annotation {example.annotation_id}"
        raise input_error("statistics.stale", message, remedy, record=record)
    mask = units.masks[example.position]
    window = _window(mask)
    # So that a wire is still there when the picture has become small.
    cut = dilate(crop(mask, *window), max(window[2:]) // (2 * _SIDE))
    pixels = _pixels(dataset, example.image)
    if pixels is None:
        return draw(None, cut, colours=_COLOUR, max_side=_SIDE)
    left, top, width, height = window
    faded = _faded(pixels[top : top + height, left : left + width], to_dense(cut)[0])
    return draw(Image.fromarray(faded), cut, colours=_COLOUR, max_side=_SIDE, opacity=0.35)


def _window(mask: RunLengths) -> tuple[int, int, int, int]:
    """Return x, y, width and height of a square around the mask, as far as the image has room for it."""
    x, y, width, height = (int(side) for side in mask.boxes[0])
    side = round((1 + 2 * _MARGIN) * max(width, height)) + 2

    def place(start: int, length: int, room: int) -> tuple[int, int]:
        taken = min(side, room)
        return min(max(0, start + length // 2 - taken // 2), room - taken), taken

    (left, across), (top, down) = place(x, width, mask.width), place(y, height, mask.height)
    return left, top, across, down


def _faded(pixels: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the pixels with what is around the entity in pale grey, so that even a wire is seen."""
    grey = 150 + 0.35 * (pixels.mean(axis=2, keepdims=True) - 128)
    found: NDArray[np.uint8] = np.where(inside[..., None], pixels, grey).round().astype(np.uint8)
    return found


def _pixels(dataset: Dataset, index: int) -> NDArray[np.uint8] | None:
    image = dataset.images[index]
    path = find_image(dataset, image)
    if path is None:
        return None
    try:
        return read_rgb(path, image.size, record=image.file_name)
    except InputError:
        return None
