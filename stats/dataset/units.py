"""What counts as one entity: stuff as annotated, joined by category, or cut into its parts; crowds aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import AnnotatedImage, Category
from entityseg.masks import components, union
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.stats.dataset.choices import DatasetChoices


@dataclass(frozen=True)
class Units:
    """The candidates for entities of an image; row i of every column belongs to mask i.

    Attributes:
        masks: n masks.
        ids: int64 [n], annotation id; of joined annotations the first one's.
        category_ids: int64 [n].
        iscrowd: bool [n].
        annotations: int64 [n], how many annotations were joined in the mask.
    """

    masks: RunLengths
    ids: Int64Array
    category_ids: Int64Array
    iscrowd: NDArray[np.bool_]
    annotations: Int64Array

    def counted(self, choices: DatasetChoices) -> NDArray[np.bool_]:
        """Return which rows are entities: not empty, and no crowd unless the choices say so, bool [n]."""
        return (self.masks.areas > 0) & (~self.iscrowd | (choices.crowd == "entity"))


def units_of(one: AnnotatedImage, categories: Mapping[int, Category], choices: DatasetChoices) -> Units:
    """Return the candidates for entities of an image, in the order of the annotations.

    Categories of which nobody says whether they are stuff are taken as things. Crowds are never joined or cut.
    """
    units = Units(one.masks, one.ids, one.category_ids, one.iscrowd, np.ones(len(one), np.int64))
    if choices.stuff == "annotated" or not len(one):
        return units
    kinds = [categories.get(category) for category in one.category_ids.tolist()]
    stuff = np.array([kind is not None and kind.isthing is False for kind in kinds]) & ~one.iscrowd
    return (_joined if choices.stuff == "joined" else _cut)(units, stuff)


def _joined(units: Units, stuff: NDArray[np.bool_]) -> Units:
    """Join the stuff of each category; it stands where the first of it stood."""
    rows_of: dict[int, list[int]] = {}
    for row in np.flatnonzero(stuff).tolist():
        rows_of.setdefault(int(units.category_ids[row]), []).append(row)
    several = {rows[0]: rows for rows in rows_of.values() if len(rows) > 1}
    if not several:
        return units
    gone = {row for rows in several.values() for row in rows[1:]}
    kept = np.array([row for row in range(len(units.ids)) if row not in gone])
    masks = [
        union(units.masks[several[row]]) if row in several else units.masks[row] for row in kept.tolist()
    ]
    annotations = np.array([len(several.get(row, (row,))) for row in kept.tolist()], np.int64)
    return _rows(units, RunLengths.concatenate(masks), kept, annotations)


def _cut(units: Units, stuff: NDArray[np.bool_]) -> Units:
    """Cut stuff into its 8-connected parts; an empty mask stays one row."""
    parts = dict(
        zip(np.flatnonzero(stuff).tolist(), components(units.masks[np.flatnonzero(stuff)]), strict=True)
    )
    several = {row: cut for row, cut in parts.items() if len(cut) > 1}
    if not several:
        return units
    masks = [several.get(row, units.masks[row]) for row in range(len(units.ids))]
    rows = np.repeat(np.arange(len(units.ids)), [len(mask) for mask in masks])
    return _rows(units, RunLengths.concatenate(masks), rows, units.annotations[rows])


def _rows(units: Units, masks: RunLengths, rows: Int64Array, annotations: Int64Array) -> Units:
    return Units(masks, units.ids[rows], units.category_ids[rows], units.iscrowd[rows], annotations)
