"""Whether two datasets say the same: every mask pixel for pixel, ids, categories, crowd, other keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Findings

_REMEDY = "Look for the step between the two that changed it."
# Two spellings of what `Category.isthing` says.
_THING_KEYS = frozenset({"isthing", "type"})


def compare(
    a: Dataset,
    b: Dataset,
    *,
    ids: bool = True,
    extras: bool = True,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> Findings:
    """List where dataset `b` differs from dataset `a`; no findings mean that nothing was lost or changed.

    Images are matched by id, annotations of an image by id (by place where ids repeat in an image, or `ids`
    is False). Compared are the images' name and size, all categories, and for each annotation the pixels,
    category, crowd and other keys. Not compared: `area` and `bbox`, which follow from the pixels; the order
    of images and annotations; a category's `isthing` where `a` does not say it.

    Args:
        a: what was there.
        b: what it became.
        ids: whether annotation ids must be the same.
        extras: whether the other keys of images, categories, annotations and of the file must be the same.
        threads: images compared side by side.
        progress: shows how far the images are.

    Raises:
        InputError: a mask of one of the two is malformed.
    """
    findings = Findings()
    _compare_categories(a, b, findings, extras)
    if extras and dict(a.info) != dict(b.info):
        keys = sorted(key for key in {*a.info, *b.info} if a.info.get(key) != b.info.get(key))
        findings.add("info.differs", f"top-level keys differ: {', '.join(keys)}", _REMEDY, field=keys[0])
    for image in a.images:
        if image.id not in b.index_of:
            findings.add("image.lost", "the image is missing", _REMEDY, record=f"image {image.id}")
    for image in b.images:
        if image.id not in a.index_of:
            findings.add("image.added", "the image is new", _REMEDY, record=f"image {image.id}")

    def one_image(index: int) -> Findings:
        found = Findings()
        image = a.images[index]
        if image.id in b.index_of:
            _compare_images(a[index], b[b.index_of[image.id]], found, ids, extras)
        return found

    indices = progress(range(len(a)), len(a), "comparing")
    for found in map_in_order(one_image, indices, threads=threads):
        findings.extend(found)
    return findings


def _compare_categories(a: Dataset, b: Dataset, findings: Findings, extras: bool) -> None:
    for category in a.categories:
        other = b.category_of.get(category.id)
        where = f"category {category.id}"
        if other is None:
            findings.add(
                "category.lost", "the category is missing", _REMEDY, record=where, value=category.name
            )
        elif _plain(category, other, extras) != _plain(other, category, extras):
            findings.add("category.differs", "the category differs", _REMEDY, record=where, value=other)
    for category in b.categories:
        if category.id not in a.category_of:
            where = f"category {category.id}"
            findings.add("category.added", "the category is new", _REMEDY, record=where, value=category.name)


def _plain(category: Category, other: Category, extras: bool) -> tuple[Any, ...]:
    """Return what must be equal of a category, against the other one."""
    said = None if category.isthing is None or other.isthing is None else category.isthing
    extra = {key: value for key, value in category.extra.items() if key not in _THING_KEYS}
    return category.name, said, category.supercategory, extra if extras else None


def _compare_images(
    a: AnnotatedImage, b: AnnotatedImage, findings: Findings, ids: bool, extras: bool
) -> None:
    where = f"image {a.image.id}"
    if _record(a.image, extras) != _record(b.image, extras):
        findings.add("image.differs", "name, size or other keys differ", _REMEDY, record=where, value=b.image)
        if a.image.size != b.image.size:
            return
    for row, other in _matched(a, b, findings, where, ids):
        place = f"{where}, annotation {a.ids[row]}"
        if not np.array_equal(a.masks.edges_of(row), b.masks.edges_of(other)):
            from entityseg.masks import iou_matrix

            iou = float(iou_matrix(a.masks[row], b.masks[other])[0, 0])
            findings.add("mask.differs", f"the mask differs, IoU {iou:.6f}", _REMEDY, record=place)
        if a.category_ids[row] != b.category_ids[other]:
            value = int(b.category_ids[other])
            message = f"category_id was {a.category_ids[row]}"
            findings.add(
                "annotation.category", message, _REMEDY, record=place, field="category_id", value=value
            )
        if a.iscrowd[row] != b.iscrowd[other]:
            value = int(b.iscrowd[other])
            findings.add(
                "annotation.crowd", "iscrowd differs", _REMEDY, record=place, field="iscrowd", value=value
            )
        before, after = dict(a.extra_of(row)), dict(b.extra_of(other))
        if extras and before != after:
            keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
            message = f"other keys differ: {', '.join(keys)}"
            findings.add("annotation.extras", message, _REMEDY, record=place, field=keys[0] if keys else None)


def _record(image: ImageRecord, extras: bool) -> tuple[str, tuple[int, int], Mapping[str, Any] | None]:
    return image.file_name, image.size, dict(image.extra) if extras else None


def _matched(
    a: AnnotatedImage, b: AnnotatedImage, findings: Findings, where: str, ids: bool
) -> list[tuple[int, int]]:
    """Return the rows that belong together; what has no counterpart is a finding."""
    rows_b = {int(annotation_id): row for row, annotation_id in enumerate(b.ids)}
    rows_a = {int(annotation_id): row for row, annotation_id in enumerate(a.ids)}
    if not ids or len(rows_a) < len(a) or len(rows_b) < len(b):
        if len(a) != len(b):
            message = f"{len(b)} annotations instead of {len(a)}"
            findings.add("annotation.count", message, _REMEDY, record=where)
        elif ids and not np.array_equal(a.ids, b.ids):
            findings.add("annotation.ids", "annotation ids differ", _REMEDY, record=where)
        return [(row, row) for row in range(min(len(a), len(b)))]
    for annotation_id in rows_a:
        if annotation_id not in rows_b:
            place = f"{where}, annotation {annotation_id}"
            findings.add("annotation.lost", "the annotation is missing", _REMEDY, record=place)
    for annotation_id in rows_b:
        if annotation_id not in rows_a:
            place = f"{where}, annotation {annotation_id}"
            findings.add("annotation.added", "the annotation is new", _REMEDY, record=place)
    return [(row, rows_b[annotation_id]) for annotation_id, row in rows_a.items() if annotation_id in rows_b]
