"""Boolean pixel stacks to `RunLengths` and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import input_error
from entityseg.masks.runlengths import RunLengths, check_size


def from_dense(masks: NDArray[np.bool_]) -> RunLengths:
    """Encode boolean masks.

    Args:
        masks: bool [n, height, width].

    Raises:
        InputError: not a boolean array of three axes, or the image is empty or too large.

    >>> from_dense(np.array([[[False, True], [True, True]]])).edges.tolist()
    [1, 4]
    """
    from entityseg.masks import _maps

    given: NDArray[Any] = np.asarray(masks)
    if given.ndim != 3 or given.dtype != np.bool_:
        message = (
            f"masks must be a boolean array [n, height, width], not {given.dtype} of shape {given.shape}"
        )
        remedy = "Threshold first, such as `masks > 0`; one mask goes in as `mask[None]`."
        raise input_error("mask.dense", message, remedy)
    size = check_size(given.shape[1:])
    pixels = size[0] * size[1]
    edges, offsets = [], np.zeros(len(given) + 1, np.int64)
    for i, mask in enumerate(given):
        values, starts, labels = _maps.scan(np.ascontiguousarray(mask).view(np.uint8), 1)
        # Labels take turns, as there are only two; the runs are the segments of the label whose value is one.
        inside = values[labels] != 0
        stops = np.append(starts[1:], np.uint32(pixels))
        runs = np.stack([starts[inside], stops[inside]], axis=1).ravel()
        edges.append(runs)
        offsets[i + 1] = offsets[i] + len(runs)
    return RunLengths.trusted(size, np.concatenate([*edges, np.empty(0, np.uint32)]), offsets)


def to_dense(masks: RunLengths) -> NDArray[np.bool_]:
    """Return the masks as pixels, bool [n, height, width], row-major.

    >>> to_dense(RunLengths((2, 2), [1, 4], [0, 2])).tolist()
    [[[False, True], [True, True]]]
    """
    from entityseg.masks import _maps

    out = np.zeros((len(masks), *masks.size), np.bool_)
    yes, no = np.ones((1, 1), np.uint8), np.zeros(1, np.uint8)
    for i, box in enumerate(masks.boxes):
        edges = masks.edges_of(i)
        _maps.fill(edges, np.array([0, len(edges)]), masks.height, yes, no, box, out[i].view(np.uint8))
    return out
