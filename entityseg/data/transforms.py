"""Datasets from datasets: one class or the original ones, fewer classes or images, low resolution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from entityseg.data.coco_json import read_categories
from entityseg.data.coco_write import category_json
from entityseg.data.low_resolution import LowResolution, low_resolution_size, to_low_resolution
from entityseg.data.records import Category, Dataset, ImageId
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.data.views import select, with_extras
from entityseg.errors import Findings, input_error, usage_error
from entityseg.masks.runlengths import Int64Array

__all__ = [
    "LowResolution", "agnostic", "class_aware", "low_resolution_size", "subset", "to_low_resolution", "top",
]  # fmt: skip

# Where `agnostic` keeps what `class_aware` brings back: a key of each annotation, one of the category.
ORIGINAL_ID = "category_id_ori"
ORIGINAL_CATEGORIES = "categories_ori"


def agnostic(dataset: Dataset, name: str = "entity") -> Dataset:
    """Give all annotations one category with id 1; `class_aware` brings the original ones back.

    The original category of each annotation is kept as `category_id_ori`, as in the first release of
    EntitySeg, and their list as `categories_ori` of the one category. No mask is decoded. A dataset that was made so
    is returned as it is.
    """
    if len(dataset.categories) == 1 and ORIGINAL_CATEGORIES in dataset.categories[0].extra:
        return dataset

    def add(index: int, records: list[dict[str, Any]]) -> Sequence[Mapping[str, Any]]:
        ids = dataset.category_ids[dataset.rows(index)].tolist()
        return [{**record, ORIGINAL_ID: original} for record, original in zip(records, ids, strict=True)]

    originals = [category_json(category, "isthing") for category in dataset.categories]
    category = Category(1, name, extra={ORIGINAL_CATEGORIES: originals})
    ones = np.ones(dataset.n_annotations, np.int64)
    return with_extras(dataset, add, category_ids=ones, categories=(category,))


def class_aware(dataset: Dataset) -> Dataset:
    """Bring the original categories of an `agnostic` dataset back.

    Raises:
        InputError: the dataset does not keep them, or an annotation's is missing.
    """
    kept = [category.extra.get(ORIGINAL_CATEGORIES) for category in dataset.categories]
    remedy = "Only datasets made by `agnostic` (`--agnostic`) have them; use the original files."
    if len(kept) != 1 or kept[0] is None:
        raise input_error("agnostic.categories", "the dataset does not keep original categories", remedy)
    findings = Findings()
    categories = read_categories(kept[0], findings)
    originals = dataset.category_ids.copy()
    for index in range(len(dataset)):
        rows = dataset.rows(index)
        extras = dataset.source.extras(index) or [{}] * (rows.stop - rows.start)
        for row, record in zip(range(rows.start, rows.stop), extras, strict=True):
            value = record.get(ORIGINAL_ID)
            if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
                record_name = f"image {dataset.images[index].id}, annotation {dataset.ids[row]}"
                message = "the annotation does not keep its original category"
                where: dict[str, Any] = {"record": record_name, "field": ORIGINAL_ID, "value": value}
                findings.add("agnostic.category", message, remedy, **where)
            else:
                originals[row] = value
    findings.raise_errors()

    def drop(index: int, records: list[dict[str, Any]]) -> Sequence[Mapping[str, Any]]:
        return [{key: one for key, one in record.items() if key != ORIGINAL_ID} for record in records]

    return with_extras(dataset, drop, category_ids=originals, categories=tuple(categories))


def subset(
    dataset: Dataset,
    *,
    categories: Iterable[int] | None = None,
    thing: bool | None = None,
    images: Iterable[ImageId] | None = None,
    drop_empty: bool = False,
) -> Dataset:
    """Choose annotations by category and images by id; conditions that are not given choose all.

    No mask is decoded. Categories that are not chosen leave the list of categories too.

    Args:
        dataset: where to choose from.
        categories: ids of the categories to keep (names repeat in EntitySeg, so they choose nothing).
        thing: keep things (True) or stuff (False) only.
        images: ids of the images to keep.
        drop_empty: leave out images that have no annotation then.

    Raises:
        UsageError: there is no such category or image, or `thing` is asked of categories that do not say it.
    """
    chosen = list(dataset.categories)
    if categories is not None:
        wanted = set(categories)
        _require(
            wanted <= dataset.category_of.keys(), "category", sorted(wanted - dataset.category_of.keys())
        )
        chosen = [category for category in chosen if category.id in wanted]
    if thing is not None:
        unsaid = [category.id for category in chosen if category.isthing is None]
        if unsaid:
            message = f"{len(unsaid)} categories do not say whether they are things or stuff"
            remedy = "Give the ids of the categories instead, or add `isthing` or `type` to them."
            raise usage_error("subset.thing", message, remedy, field="categories", value=unsaid)
        chosen = [category for category in chosen if category.isthing == thing]
    kept_images = np.arange(len(dataset))
    if images is not None:
        asked = set(images)
        _require(
            asked <= dataset.index_of.keys(), "image", [str(one) for one in asked - dataset.index_of.keys()]
        )
        kept_images = np.array([i for i, image in enumerate(dataset.images) if image.id in asked], np.int64)
    keep = np.isin(dataset.category_ids, [category.id for category in chosen])
    if categories is None and thing is None:
        keep[:] = True
    if drop_empty:
        counts = np.add.reduceat(np.append(keep, False).astype(np.int64), dataset.offsets[:-1])
        counts[np.diff(dataset.offsets) == 0] = 0
        kept_images = kept_images[counts[kept_images] > 0]
    return replace(select(dataset, images=kept_images, keep=keep), categories=tuple(chosen))


def _require(found: bool, what: str, missing: Sequence[object]) -> None:
    if not found:
        message = f"the dataset has no {what} with these ids"
        raise usage_error(f"subset.{what}", message, f"Use ids of its {what} list.", value=list(missing))


def top(
    dataset: Dataset,
    count: int,
    *,
    by: Literal["entities", "pixels"] = "entities",
    thing: bool | None = None,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> list[int]:
    """Return the ids of the most frequent categories, the most frequent first, equals by id.

    EntitySeg's class-aware tasks were made so: things and panoptic classes by entities, semantic classes by
    pixels. Crowds do not count.

    Args:
        dataset: whose annotations are counted.
        count: how many categories; fewer are returned where the dataset uses fewer.
        by: count `entities`, or their `pixels` (which decodes all masks).
        thing: count things (True) or stuff (False) only.
        threads: images decoded side by side.
        progress: shows how far the images are.

    Raises:
        UsageError: `count` is below 1, or `by` is something else.
    """
    if count < 1 or by not in ("entities", "pixels"):
        message = "categories are counted by entities or pixels, and at least one is asked for"
        raise usage_error("top.count", message, "Give a positive count.", value=(count, by))
    weights = (
        np.ones(dataset.n_annotations, np.int64) if by == "entities" else _areas(dataset, threads, progress)
    )
    weights[dataset.iscrowd] = 0
    ids, place = np.unique(dataset.category_ids, return_inverse=True)
    sums = np.zeros(len(ids), np.int64)
    np.add.at(sums, place, weights)
    order = np.lexsort((ids, -sums))
    ranked = [int(ids[k]) for k in order if sums[k] > 0 and int(ids[k]) in dataset.category_of]
    if thing is not None:
        ranked = [one for one in ranked if dataset.category_of[one].isthing == thing]
    return ranked[:count]


def _areas(dataset: Dataset, threads: int | None, progress: Progress) -> Int64Array:
    indices = progress(range(len(dataset)), len(dataset), "counting pixels")
    parts = map_in_order(lambda index: dataset.masks(index).areas, indices, threads=threads)
    return np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)
