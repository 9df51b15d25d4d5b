"""Datasets made from others without decoding a mask: some images and rows, other keys, painted masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import Dataset
from entityseg.data.sources import MaskSource
from entityseg.errors import Findings, InputError
from entityseg.masks.runlengths import Int64Array, RunLengths

Extras = Sequence[Mapping[str, Any]]


def checked_masks(source: MaskSource, index: int, findings: Findings) -> RunLengths | None:
    """Return the masks of an image; problems go to `findings`, and what cannot be read at all gives None."""
    check = getattr(source, "checked_masks", None)
    try:
        return check(index, findings) if check is not None else source.masks(index)
    except InputError as error:
        findings.extend(error.findings)
        return None


@dataclass(frozen=True)
class _View:
    base: MaskSource

    def masks(self, index: int) -> RunLengths:
        return self.base.masks(index)

    def extras(self, index: int) -> Extras:
        return self.base.extras(index)

    def checked_masks(self, index: int, findings: Findings) -> RunLengths | None:
        return checked_masks(self.base, index, findings)


@dataclass(frozen=True)
class SelectedSource(_View):
    """Some images of a source and some rows of each.

    Attributes:
        images: int64 [images], positions in the base.
        rows: for each image the rows to keep, None for all.
    """

    images: Int64Array
    rows: Sequence[Int64Array | None]

    def masks(self, index: int) -> RunLengths:
        """Return the kept masks of image number `index`."""
        return self._kept(index, self.base.masks(int(self.images[index])))

    def checked_masks(self, index: int, findings: Findings) -> RunLengths | None:
        """Return the kept masks; problems go to `findings`."""
        masks = checked_masks(self.base, int(self.images[index]), findings)
        return None if masks is None else self._kept(index, masks)

    def _kept(self, index: int, masks: RunLengths) -> RunLengths:
        rows = self.rows[index]
        return masks if rows is None else masks[rows]

    def extras(self, index: int) -> Extras:
        """Return the other keys of the kept rows."""
        extras = self.base.extras(int(self.images[index]))
        rows = self.rows[index]
        return extras if rows is None or not extras else [extras[i] for i in rows]


@dataclass(frozen=True)
class ExtrasSource(_View):
    """A source whose other keys are changed.

    Attributes:
        change: takes the position of an image and a list of a mapping for each row, and returns such a list.
        counts: rows of each image.
    """

    change: Callable[[int, list[dict[str, Any]]], Extras]
    counts: Int64Array

    def extras(self, index: int) -> Extras:
        """Return the changed keys of each row."""
        found = self.base.extras(index)
        records = [dict(one) for one in found] if found else [{} for _ in range(int(self.counts[index]))]
        changed = self.change(index, records)
        return changed if any(changed) else ()


@dataclass(frozen=True)
class PaintedSource(_View):
    """A source whose overlapping masks are painted, larger ones first, so that small ones stay visible."""

    def masks(self, index: int) -> RunLengths:
        """Return disjoint masks of image number `index`."""
        return paint_by_area(self.base.masks(index))

    def checked_masks(self, index: int, findings: Findings) -> RunLengths | None:
        """Return disjoint masks; problems go to `findings`."""
        masks = checked_masks(self.base, index, findings)
        return None if masks is None else paint_by_area(masks)


def paint_by_area(masks: RunLengths) -> RunLengths:
    """Return disjoint masks: each pixel belongs to the smallest mask that covers it (ties: higher run bytes).

    >>> from entityseg.masks.runlengths import RunLengths
    >>> paint_by_area(RunLengths((1, 9), [2, 4, 0, 9], [0, 2, 4])).areas.tolist()
    [2, 7]
    """
    from entityseg.masks import are_disjoint, paint
    from entityseg.masks.order import by_size

    return masks if are_disjoint(masks) else paint(masks, by_size(masks))


def select(
    dataset: Dataset,
    *,
    images: Int64Array | None = None,
    keep: NDArray[np.bool_] | None = None,
) -> Dataset:
    """Return a dataset with some of the images and some of the annotations, in the order of the file.

    Args:
        dataset: where to take them from.
        images: int64, positions of the images to keep; None keeps all.
        keep: bool [rows of `dataset`], the annotations to keep; None keeps all.
    """
    chosen = np.arange(len(dataset)) if images is None else np.asarray(images, np.int64)
    parts: list[Int64Array] = []
    rows: list[Int64Array | None] = []
    for index in chosen:
        start, stop = int(dataset.offsets[index]), int(dataset.offsets[index + 1])
        if keep is None or keep[start:stop].all():
            rows.append(None)
            parts.append(np.arange(start, stop))
        else:
            rows.append(np.flatnonzero(keep[start:stop]))
            parts.append(start + np.flatnonzero(keep[start:stop]))
    taken = np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)
    return replace(
        dataset,
        images=tuple(dataset.images[index] for index in chosen),
        offsets=np.cumsum([0] + [len(part) for part in parts], dtype=np.int64),
        ids=dataset.ids[taken],
        category_ids=dataset.category_ids[taken],
        iscrowd=dataset.iscrowd[taken],
        file_areas=None if dataset.file_areas is None else dataset.file_areas[taken],
        source=SelectedSource(dataset.source, chosen, rows),
    )


def with_extras(
    dataset: Dataset, change: Callable[[int, list[dict[str, Any]]], Extras], **columns: Any
) -> Dataset:
    """Return the dataset with changed other keys (see `ExtrasSource`) and, where given, changed columns."""
    return replace(dataset, source=ExtrasSource(dataset.source, change, np.diff(dataset.offsets)), **columns)
