"""What a dataset has that a format cannot hold, and the dataset without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from entityseg.data.formats.base import Holds
from entityseg.data.formats.coco_panoptic import bad_ids
from entityseg.data.records import Dataset
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.data.views import PaintedSource, paint_by_area, select
from entityseg.masks.runlengths import Int64Array, RunLengths


@dataclass(frozen=True, slots=True)
class Loss:
    """One kind of content that would be lost.

    Attributes:
        kind: name of what `Holds` lacks.
        count: how many there are.
        example: the first of them.
        message: what would be lost, with the count.
        done: what a lossy conversion does about it.
    """

    kind: str
    count: int
    example: str
    message: str
    done: str


@dataclass
class _Tally:
    count: int = 0
    example: str = ""

    def add(self, count: int, example: str) -> None:
        if count and not self.count:
            self.example = example
        self.count += count


# kind -> (what would be lost, what a lossy conversion does)
_WORDS = {
    "overlap": (
        "{} pairs of masks overlap",
        "larger masks are painted first, so that small ones stay visible",
    ),
    "empty_masks": ("{} masks have no pixel", "they are left out"),
    "holes": ("{} masks have holes, which polygons do not hold", "holes are filled"),
    "crowd": ("{} annotations are crowd regions", "they become ordinary regions"),
    "ids": ("{} annotation ids cannot be kept", "annotations are numbered anew"),
    "extras": ("{} annotations have other keys", "the other keys are left out"),
    "same_class_apart": ("{} annotations share a category with another of their image", "they are joined"),
    "empty_images": ("{} images have no annotation", "they are left out"),
    "categories": ("{} annotations have a category", "categories are left out"),
}


def examine(
    dataset: Dataset,
    holds: Holds,
    *,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> list[Loss]:
    """List what a format would lose of a dataset, in one pass over the masks where one is needed.

    Raises:
        InputError: a mask is malformed.
    """
    tallies = {kind: _Tally() for kind in _WORDS}
    _examine_columns(dataset, holds, tallies)
    counters = _mask_counters(holds)
    if counters or not holds.extras:

        def one_image(index: int) -> list[tuple[str, int, str]]:
            return list(_examine_image(dataset, index, counters, holds.extras))

        indices = progress(range(len(dataset)), len(dataset), "examining")
        for found in map_in_order(one_image, indices, threads=threads):
            for kind, count, example in found:
                tallies[kind].add(count, example)
    return [
        Loss(kind, tally.count, tally.example, _WORDS[kind][0].format(tally.count), _WORDS[kind][1])
        for kind, tally in tallies.items()
        if tally.count
    ]


def _examine_columns(dataset: Dataset, holds: Holds, tallies: dict[str, _Tally]) -> None:
    """Count what the columns tell, without a mask."""
    image_of = np.repeat(np.arange(len(dataset)), np.diff(dataset.offsets))

    def add(kind: str, rows: Int64Array) -> None:
        if len(rows):
            tallies[kind].add(len(rows), _place(dataset, int(image_of[rows[0]]), int(rows[0])))

    if not holds.crowd:
        add("crowd", np.flatnonzero(dataset.iscrowd))
    if not holds.categories:
        add("categories", np.arange(dataset.n_annotations))
    if holds.max_id is not None:
        add("ids", bad_ids(dataset))
    if not holds.ids:
        # Such a format numbers the annotations from 1, by image and then in the order of the categories.
        place = {category.id: k for k, category in enumerate(dataset.categories)}
        order = np.array([place.get(one, -1) for one in dataset.category_ids.tolist()], np.int64)
        again = dataset.ids[np.lexsort((order, image_of))]
        add("ids", np.flatnonzero(again != np.arange(1, len(again) + 1)))
    if not holds.same_class_apart:
        order = np.lexsort((dataset.category_ids, image_of))
        same = (np.diff(image_of[order]) == 0) & (np.diff(dataset.category_ids[order]) == 0)
        add("same_class_apart", np.sort(order[1:][same]))
    if not holds.empty_images:
        empty = np.flatnonzero(np.diff(dataset.offsets) == 0)
        tallies["empty_images"].add(len(empty), f"image {dataset.images[empty[0]].id}" if len(empty) else "")


def _place(dataset: Dataset, index: int, row: int) -> str:
    return f"image {dataset.images[index].id}, annotation {dataset.ids[row]}"


Counter = Callable[[RunLengths, NDArray[np.bool_]], tuple[int, list[int]]]


def _mask_counters(holds: Holds) -> dict[str, Counter]:
    """Return for each kind that masks tell a function: masks and crowd -> count, rows of the first."""
    counters: dict[str, Counter] = {}
    if not holds.overlap:
        counters["overlap"] = _count_overlaps
    if not holds.empty_masks:
        counters["empty_masks"] = lambda masks, crowd: _rows(masks.areas == 0)
    if not holds.holes:
        counters["holes"] = _count_holed
    return counters


def _rows(which: NDArray[np.bool_]) -> tuple[int, list[int]]:
    return int(which.sum()), np.flatnonzero(which)[:1].tolist()


def _count_overlaps(masks: RunLengths, crowd: NDArray[np.bool_]) -> tuple[int, list[int]]:
    from entityseg.masks import are_disjoint, overlaps

    if are_disjoint(masks):
        return 0, []
    pairs = overlaps(masks).pairs
    return len(pairs), pairs[0].tolist()


def _count_holed(masks: RunLengths, crowd: NDArray[np.bool_]) -> tuple[int, list[int]]:
    from entityseg.masks import count_holes

    # Crowds stay run-length encoded. Parts are 4-connected, so their background is 8-connected.
    return _rows((count_holes(masks, 8) > 0) & ~crowd)


def _examine_image(
    dataset: Dataset, index: int, counters: dict[str, Counter], holds_extras: bool
) -> list[tuple[str, int, str]]:
    found = []
    image, ids = dataset.images[index], dataset.ids[dataset.rows(index)]
    if counters:
        masks, crowd = dataset.masks(index), dataset.iscrowd[dataset.rows(index)]
        for kind, counter in counters.items():
            count, rows = counter(masks, crowd)
            found.append(
                (kind, count, f"image {image.id}, annotation {', '.join(str(ids[row]) for row in rows)}")
            )
    if not holds_extras:
        rows = [row for row, record in enumerate(dataset.source.extras(index)) if record]
        found.append(("extras", len(rows), f"image {image.id}, annotation {ids[rows[0]]}" if rows else ""))
    return found


def without(
    dataset: Dataset,
    holds: Holds,
    losses: list[Loss],
    *,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> Dataset:
    """Return the dataset as a lossy conversion writes it: painted, without empty masks. Writers do the rest.

    Masks are not kept in memory; painted ones are painted again when they are asked for.
    """
    kinds = {loss.kind for loss in losses}
    result = replace(dataset, source=PaintedSource(dataset.source)) if "overlap" in kinds else dataset
    if holds.empty_masks or not kinds & {"overlap", "empty_masks"}:
        return result

    def visible(index: int) -> NDArray[np.bool_]:
        masks = dataset.masks(index)
        areas = paint_by_area(masks).areas if "overlap" in kinds else masks.areas
        return np.asarray(areas > 0)

    indices = progress(range(len(dataset)), len(dataset), "painting")
    parts = list(map_in_order(visible, indices, threads=threads))
    return select(result, keep=np.concatenate([np.empty(0, bool), *parts]))
