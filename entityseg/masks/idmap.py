"""Maps that give each pixel the id of its mask, to `RunLengths` and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from entityseg.errors import input_error, usage_error
from entityseg.masks.algebra import are_disjoint, overlap_error, paint
from entityseg.masks.runlengths import Int64Array, RunLengths, Size, check_size

IdArray = Sequence[int] | NDArray[np.integer[Any]]


def from_id_map(
    ids: NDArray[np.integer[Any]], *, background: int | None = 0
) -> tuple[Int64Array, RunLengths]:
    """Split an id map into one mask for each id.

    Args:
        ids: integers [height, width] of any integer type, any number of different ids.
        background: the id that is no mask; None keeps every id.

    Returns:
        The ids that occur, int64 [n], ascending, and their masks.

    Raises:
        InputError: not two axes of integers, or an id above 2^63 - 1.

    >>> ids, masks = from_id_map(np.array([[0, 7], [7, 300]]))
    >>> ids.tolist(), masks.areas.tolist()
    ([7, 300], [2, 1])
    """
    given = np.asarray(ids)
    if given.ndim != 2 or given.dtype.kind not in "iub":
        message = f"an id map must be integers [height, width], not {given.dtype} of shape {given.shape}"
        raise input_error("idmap.type", message, "Give one integer a pixel.")
    size = check_size(given.shape)
    rows = np.ascontiguousarray(given, given.dtype.newbyteorder("<"))
    found, masks = from_bytes(rows.view(np.uint8), given.itemsize, size, background, given.dtype)
    return found, masks


def from_bytes(
    rows: NDArray[np.uint8], step: int, size: Size, background: int | None, dtype: DTypeLike = np.int64
) -> tuple[Int64Array, RunLengths]:
    """Split a map whose ids are written as `step` bytes a pixel, lowest first.

    Args:
        rows: uint8 [height, width * step].
        step: bytes a pixel.
        size: (height, width).
        background: the id that is no mask; None keeps every id.
        dtype: what the bytes are; signed types give negative ids where the highest bit is set.

    Raises:
        InputError: an id is above 2^63 - 1.
    """
    from entityseg.masks import _maps

    values, starts, labels = _maps.scan(rows, step)
    dtype = np.dtype(dtype)
    if dtype.kind == "i" and dtype.itemsize == step:
        ids = values.astype(f"u{step}").view(f"i{step}").astype(np.int64)
    elif len(values) and int(values.max()) >= 2**63:
        message = f"the id {int(values.max())} is above 2^63 - 1"
        raise input_error("idmap.id", message, "Number the masks anew, with smaller ids.")
    else:
        ids = values.astype(np.int64)
    order = np.argsort(ids)
    if background is not None:
        order = order[ids[order] != background]
    rank = np.full(len(ids), -1, np.int64)
    rank[order] = np.arange(len(order))
    edges = np.empty(2 * len(starts), np.uint32)
    offsets = np.zeros(len(order) + 1, np.int64)
    _maps.collect(starts, labels, rank, size[0] * size[1], edges, offsets)
    return ids[order], RunLengths.trusted(size, edges[: offsets[-1]].copy(), offsets)


def to_id_map(
    masks: RunLengths,
    ids: IdArray | None = None,
    dtype: DTypeLike = np.uint32,
    *,
    background: int = 0,
    overlap: Literal["refuse", "later"] = "refuse",
) -> NDArray[np.integer[Any]]:
    """Return the map [height, width] that gives each pixel the id of its mask.

    Args:
        masks: n masks.
        ids: the id of each mask; 1 to n where not given. Equal ids join masks, as in a map of categories.
        dtype: integer type of the map.
        background: the id of pixels in no mask.
        overlap: what to do where masks overlap: "refuse", or "later", which lets the later mask win.

    Raises:
        InputError: masks overlap; or an id is the background's, or does not fit the type.

    >>> to_id_map(RunLengths((2, 2), [1, 3], [0, 2]), [9]).tolist()
    [[0, 9], [9, 0]]
    """
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        raise usage_error(
            "idmap.type", f"{kind} is no integer type", "Give an integer type, such as numpy.uint32."
        )
    values = check_ids(masks, ids, int(np.iinfo(kind).min), int(np.iinfo(kind).max), background)
    masks = without_overlap(masks, overlap)
    # Little-endian is every platform's order that numba compiles for; the view as bytes needs it.
    out = np.full(masks.size, background, kind.newbyteorder("<"))
    write_bytes(masks, values, out.view(np.uint8), kind.itemsize, background)
    return out


def check_ids(masks: RunLengths, ids: IdArray | None, least: int, most: int, background: int) -> Int64Array:
    """Return the id of each mask, int64 [n].

    Raises:
        InputError: wrong number of ids, an id outside least..most, or the background's id.
    """
    if ids is None:
        ids = np.arange(1, len(masks) + 1)
    given = np.asarray(ids)
    if given.shape != (len(masks),) or (given.size and given.dtype.kind not in "iu"):
        message = f"{len(masks)} masks need as many integer ids, not {given.dtype} of shape {given.shape}"
        raise input_error("idmap.ids", message, "Give one id for each mask.")
    remedy = (
        f"Give ids from {least} to {most}, other than {background}, or choose another type or background."
    )
    outside = [int(i) for i in given if not least <= int(i) <= most]
    if outside or not least <= background <= most:
        message = f"ids must lie within {least} and {most}"
        raise input_error("idmap.id", message, remedy, value=outside[0] if outside else background)
    if (given == background).any():
        raise input_error("idmap.id", "a mask has the id of the background", remedy, value=background)
    return given.astype(np.int64)


def without_overlap(masks: RunLengths, overlap: Literal["refuse", "later"]) -> RunLengths:
    """Return the masks if they are disjoint, else what `overlap` says.

    Raises:
        InputError: they overlap and `overlap` is "refuse".
    """
    if overlap not in ("refuse", "later"):
        raise usage_error("idmap.overlap", f"overlap is {overlap!r}", "Give 'refuse' or 'later'.")
    if are_disjoint(masks):
        return masks
    if overlap == "refuse":
        raise overlap_error(
            masks, "A map holds one id a pixel: resolve the overlap first, or pass overlap='later'."
        )
    return paint(masks, np.arange(len(masks)))


def write_bytes(
    masks: RunLengths, ids: Int64Array, out: NDArray[np.uint8], step: int, background: int = 0
) -> NDArray[np.uint8]:
    """Write disjoint masks into rows that are all background (see `from_bytes`); return them."""
    from entityseg.masks import _maps

    boxes = masks.boxes[masks.areas > 0]
    box = np.zeros(4, np.int64)
    if len(boxes):
        box[:2] = boxes[:, :2].min(axis=0)
        box[2:] = (boxes[:, :2] + boxes[:, 2:]).max(axis=0) - box[:2]
    values = np.concatenate([ids, [background]]).astype("<i8").view(np.uint8).reshape(-1, 8)[:, :step].copy()
    _maps.fill(masks.edges, masks.offsets, masks.height, values, values[-1].copy(), box, out)
    return out
