"""The statistics of one image: a row for it, rows for its masks, and where they lie. A pure function."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.layout import SUBSET
from entityseg.data.records import AnnotatedImage, Category, ImageRecord
from entityseg.masks import are_disjoint, overlaps, union_area
from entityseg.masks.runlengths import Int64Array, RunLengths
from entityseg.stats.dataset.choices import DatasetChoices
from entityseg.stats.dataset.sources import source_of
from entityseg.stats.dataset.spatial import CELLS, Located, cell_pixels, locate, shares
from entityseg.stats.dataset.units import Units, units_of
from entityseg.stats.shape import shapes

# Shape figures that are averaged over entities and over image means.
AVERAGED = ("convexity", "simplicity", "compactness", "parts", "holes", "thinness", "curvature")


@dataclass(frozen=True)
class ImageStatistics:
    """What is known of one image.

    Attributes:
        image: the row of `images.parquet` by column, but for the perceptual hash; None where undefined.
        entities: the columns of `entities.parquet`, one row a mask.
        density: int64 [4, CELLS, CELLS]: entities' share of each cell in units of 1 / `spatial.UNIT`, entities that
            touch it, centroids in it, and 1 where the image has pixels.
        class_density: the first of these by category; empty unless asked for.
        digest: SHA-256 of the image's name, size, masks, categories and crowd flags.
    """

    image: dict[str, Any]
    entities: dict[str, NDArray[Any]]
    density: Int64Array
    class_density: dict[int, Int64Array]
    digest: bytes


def measure_image(
    one: AnnotatedImage,
    categories: Mapping[int, Category],
    choices: DatasetChoices | None = None,
    *,
    index: int = 0,
    by_class: bool = False,
) -> ImageStatistics:
    """Measure an image by its annotations alone; no mask is decoded to pixels.

    Args:
        one: the image.
        categories: by id, for things and stuff.
        choices: what counts as an entity, and how shapes are measured.
        index: position of the image in its dataset, which names it in the tables.
        by_class: whether to give the density of each category too.
    """
    choices = choices or DatasetChoices()
    units = units_of(one, categories, choices)
    counted = units.counted(choices)
    located = locate(units.masks)
    entities = _entity_columns(one.image, units, counted, located, choices, index)
    density, class_density = _density(units, counted, located, by_class)
    image = _image_row(one, units, counted, categories, choices, entities, index)
    return ImageStatistics(image, entities, density, class_density, _digest(one))


def _entity_columns(
    image: ImageRecord,
    units: Units,
    counted: NDArray[np.bool_],
    located: Located,
    choices: DatasetChoices,
    index: int,
) -> dict[str, NDArray[Any]]:
    n = len(units.masks)
    measured = shapes(units.masks, choices.shape)
    boxes = units.masks.boxes
    return {
        "image": np.full(n, index, np.int64),
        "file_name": np.full(n, image.file_name, object),
        "annotation_id": units.ids,
        "annotations": units.annotations,
        "category_id": units.category_ids,
        "iscrowd": units.iscrowd,
        "counted": counted,
        "area": units.masks.areas,
        "relative_area": units.masks.areas / (image.height * image.width),
        "bbox_x": boxes[:, 0],
        "bbox_y": boxes[:, 1],
        "bbox_width": boxes[:, 2],
        "bbox_height": boxes[:, 3],
        "centroid_x": located.centroids[:, 0],
        "centroid_y": located.centroids[:, 1],
        **{name: values for name, values in measured.items() if name != "area"},
    }


def _image_row(
    one: AnnotatedImage,
    units: Units,
    counted: NDArray[np.bool_],
    categories: Mapping[int, Category],
    choices: DatasetChoices,
    entities: Mapping[str, NDArray[Any]],
    index: int,
) -> dict[str, Any]:
    image, masks = one.image, units.masks
    kinds = [getattr(categories.get(id_), "isthing", None) for id_ in units.category_ids[counted].tolist()]
    covered, overlap, pairs = _cover(masks, counted, units.iscrowd, choices)
    row: dict[str, Any] = {
        "image": index,
        "image_id": json.dumps(image.id),
        "file_name": image.file_name,
        "width": image.width,
        "height": image.height,
        "source": source_of(image),
        "subset": subset_of(image),
        "annotations": len(one),
        "entities": int(counted.sum()),
        "things": kinds.count(True),
        "stuff": kinds.count(False),
        "crowd": int(units.iscrowd.sum()),
        "empty": int((masks.areas == 0).sum()),
        "covered": covered,
        "overlap": overlap,
        "overlapping_pairs": pairs,
    }
    for name in AVERAGED:
        values = entities[name][counted].astype(np.float64)
        defined = values[~np.isnan(values)]
        total = math.fsum(defined.tolist())
        row[f"{name}_sum"], row[f"{name}_count"] = total, len(defined)
        row[f"{name}_mean"] = total / len(defined) if len(defined) else None
    return row


def _cover(
    masks: RunLengths, counted: NDArray[np.bool_], iscrowd: NDArray[np.bool_], choices: DatasetChoices
) -> tuple[int, int, int]:
    """Return pixels covered, pixels by which the entities' areas exceed their union, and pairs that overlap."""
    chosen = masks if counted.all() else masks[counted]
    area = int(chosen.areas.sum())
    disjoint = are_disjoint(chosen)
    union = area if disjoint else union_area(chosen)
    pairs = 0 if disjoint else len(overlaps(chosen))
    if choices.crowd == "covers" and iscrowd.any():
        return union_area(masks), area - union, pairs
    return union, area - union, pairs


def _density(
    units: Units, counted: NDArray[np.bool_], located: Located, by_class: bool
) -> tuple[Int64Array, dict[int, Int64Array]]:
    size, counts = units.masks.size, located.counts[counted]
    found = np.zeros((4, CELLS, CELLS), np.int64)
    found[0] = shares(counts.sum(axis=0), size)
    found[1] = (counts > 0).sum(axis=0)
    if len(counts):
        place = located.centroids[counted] * CELLS // (size[1], size[0])
        column, row = np.minimum(place.astype(np.int64), CELLS - 1).T
        np.add.at(found[2], (row, column), 1)
    found[3] = cell_pixels(size) > 0
    if not by_class:
        return found, {}
    category_ids = units.category_ids[counted]
    wanted = np.unique(category_ids).tolist()
    return found, {one: shares(counts[category_ids == one].sum(axis=0), size) for one in wanted}


def subset_of(image: ImageRecord) -> str | None:
    """Return the folder that an image lies in, such as `entity_01_11580`; None for a bare name.

    >>> subset_of(ImageRecord(1, "entity_02_11598/a.jpg", 2, 2)), subset_of(ImageRecord(1, "a.jpg", 2, 2))
    ('entity_02_11598', None)
    """
    # A name from the root begins with nothing.
    folders = [folder for folder in re.split(r"[/\\]", image.file_name)[:-1] if folder]
    return next((folder for folder in folders if SUBSET.fullmatch(folder)), folders[0] if folders else None)


def _digest(one: AnnotatedImage) -> bytes:
    digest = hashlib.sha256(json.dumps([one.image.file_name, *one.image.size, len(one)]).encode())
    columns = (one.masks.offsets, one.masks.edges, one.category_ids, one.iscrowd)
    for column, dtype in zip(columns, ("<i8", "<u4", "<i8", "?"), strict=True):
        digest.update(np.ascontiguousarray(column, dtype).data)
    return digest.digest()
