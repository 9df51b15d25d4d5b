"""Records of COCO JSON (annotations or results) as columns: a fast reader for what is as it should be.

`coco_scan.py` finds the fields in the mapped file; what it does not understand goes to `coco_slow.py`, which parses the
file into objects and names every problem. Both make the same `Records`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data import _scan
from entityseg.data.coco_scan import Scanned, Wanted
from entityseg.data.records import ImageId, ImageRecord
from entityseg.data.sources import EncodedSource
from entityseg.masks.runlengths import Int64Array


@dataclass(frozen=True)
class Records:
    """Columns of n records, grouped by image.

    Attributes:
        offsets: int64 [images + 1], rows of each image.
        positions: index of each of the n rows' records in the file's list.
        ids, category_ids: int64 [n]; -1 where absent.
        iscrowd: bool [n].
        scores: float64 [n], None if not asked for.
        areas: float64 [n], as the file states them, NaN where absent.
        box_areas: float64 [n], width times height of `bbox`, NaN where absent; None if not asked for.
        source: the masks.
    """

    offsets: Int64Array
    positions: Sequence[int] | Int64Array
    ids: Int64Array
    category_ids: Int64Array
    iscrowd: NDArray[np.bool_]
    scores: NDArray[np.float64] | None
    areas: NDArray[np.float64]
    box_areas: NDArray[np.float64] | None
    source: EncodedSource


def join(
    scanned: Scanned,
    text: NDArray[np.uint8],
    images: Sequence[ImageRecord],
    index_of: Mapping[ImageId, int],
    wanted: Wanted,
    file: str,
) -> Records | None:
    """Check a list scanned for `wanted` and group it by image; None if something is not as it should be."""
    found = scanned.columns
    needed = _scan.SEEN_IMAGE | _scan.SEEN_SIZE
    if wanted.ids:
        needed |= _scan.SEEN_ID | _scan.SEEN_CATEGORY
    if ((found.seen & needed) != needed).any() or (found.starts < 0).any() or (found.crowd > 1).any():
        return None
    if wanted.ids and not _are_unlike(found.ids):
        return None
    if wanted.scores and (found.scores is None or not np.isfinite(found.scores).all()):
        return None
    index = _image_index(found.image_ids, index_of)
    if index is None:
        return None
    sizes = [image.size for image in images]
    if not np.array_equal(found.sizes, np.array(sizes, np.int64).reshape(-1, 2)[index]):
        return None

    n = len(index)
    # Most files stand image by image, and then no column is copied.
    in_order = bool((index[1:] >= index[:-1]).all())
    order = None if in_order else np.argsort(index, kind="stable")

    def grouped(column: NDArray[Any] | None) -> Any:
        return column if column is None or order is None else column[order]

    offsets = np.searchsorted(grouped(index), np.arange(len(images) + 1)).astype(np.int64)
    positions = range(n) if order is None else order

    source = EncodedSource(
        text=text,
        starts=grouped(found.starts),
        stops=grouped(found.stops),
        offsets=offsets,
        sizes=sizes,
        escaped=True,
        positions=positions,
        list_name=wanted.list_name,
        file=file,
        spans=grouped(found.spans),
        known=wanted.known,
    )
    return Records(
        offsets=offsets,
        positions=positions,
        ids=grouped(found.ids),
        category_ids=grouped(found.category_ids),
        iscrowd=grouped(found.crowd == 1),
        scores=grouped(found.scores),
        areas=np.full(n, np.nan) if found.areas is None else grouped(found.areas),
        box_areas=grouped(found.box_areas),
        source=source,
    )


def _are_unlike(ids: Int64Array) -> bool:
    return bool((ids[1:] > ids[:-1]).all()) or len(np.unique(ids)) == len(ids)


def _image_index(image_ids: Int64Array, index_of: Mapping[ImageId, int]) -> Int64Array | None:
    """Return the position of each image id; None if one is unknown or the ids are not all integers."""
    if not all(isinstance(image_id, int) for image_id in index_of):
        return None
    try:
        known = np.fromiter(index_of.keys(), np.int64, len(index_of))
    except OverflowError:
        return None
    order = np.argsort(known)
    if len(known) == 0:
        return np.empty(0, np.int64) if len(image_ids) == 0 else None
    at = np.minimum(np.searchsorted(known, image_ids, sorter=order), len(known) - 1)
    if not np.array_equal(known[order[at]], image_ids):
        return None
    return np.fromiter(index_of.values(), np.int64, len(index_of))[order[at]]
