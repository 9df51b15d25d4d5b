"""How often each category occurs, alone and with each other one, added up image by image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array


@dataclass(frozen=True)
class Occurrences:
    """How often the c categories that occur do so; its size does not depend on the number of images.

    Attributes:
        ids: int64 [c], the categories, ascending.
        entities, pixels, images: int64 [c], entities of each, their pixels, and images with at least one.
        together: sparse int64 [c, c], images with both categories.
        n_images: images with any entity.
    """

    ids: Int64Array
    entities: Int64Array
    pixels: Int64Array
    images: Int64Array
    together: Any
    n_images: int


def occurrences(batches: Iterable[Mapping[str, NDArray[Any]]]) -> Occurrences:
    """Add up the occurrences of categories.

    Args:
        batches: columns image, category_id and area of the rows that count as entities; no image is in two batches.

    >>> rows = {"image": np.array([0, 0, 0]), "category_id": np.array([7, 2, 7]), "area": np.array([1, 2, 4])}
    >>> found = occurrences([rows])
    >>> found.ids.tolist(), found.entities.tolist(), found.pixels.tolist(), found.together.toarray().tolist()
    ([2, 7], [1, 2], [2, 5], [[1, 1], [1, 1]])
    """
    from scipy.sparse import csr_array

    place_of: dict[int, int] = {}
    entities, pixels, images = (np.zeros(0, np.int64) for _ in range(3))
    together = csr_array((1, 1), dtype=np.int64)
    n_images = 0
    for rows in batches:
        if len(rows["image"]) == 0:
            continue
        place = np.array([place_of.setdefault(one, len(place_of)) for one in rows["category_id"].tolist()])
        known, row = np.unique(rows["image"], return_inverse=True)
        c = len(place_of)
        occurs = csr_array((np.ones(len(row), np.int64), (row, place)), shape=(len(known), c))
        occurs.sum_duplicates()
        occurs.data[:] = 1
        together.resize((c, c))
        together = together + occurs.T @ occurs
        entities = _added(entities, np.bincount(place, minlength=c))
        images = _added(images, np.bincount(occurs.indices, minlength=c))
        area = np.zeros(c, np.int64)
        np.add.at(area, place, rows["area"])
        pixels = _added(pixels, area)
        n_images += len(known)
    ids = np.array(list(place_of), np.int64)
    order = np.argsort(ids)
    together = together[order][:, order]
    return Occurrences(ids[order], entities[order], pixels[order], images[order], together, n_images)


def _added(total: Int64Array, more: Int64Array) -> Int64Array:
    """Return the sum of two columns, of which the first may lack the last categories."""
    more = more.astype(np.int64)
    more[: len(total)] += total
    return more
