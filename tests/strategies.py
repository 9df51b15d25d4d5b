"""Made-up masks for tests: hypothesis strategies, random blobs, and references that share no code."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from scipy import ndimage

from entityseg.masks import RunLengths

Dense = NDArray[np.bool_]


@st.composite
def dense_stacks(draw: st.DrawFn, least: int = 0, most: int = 4, max_side: int = 9) -> Dense:
    """Draw bool [n, height, width], small and adversarial: empty, full, lines, single pixels, noise."""
    n = draw(st.integers(least, most))
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    masks = np.zeros((n, height, width), bool)
    for mask in masks:
        kind = draw(st.sampled_from(["empty", "full", "box", "pixel", "noise", "noise"]))
        if kind == "full":
            mask[:] = True
        elif kind == "box":
            rows = sorted(draw(st.tuples(st.integers(0, height), st.integers(0, height))))
            columns = sorted(draw(st.tuples(st.integers(0, width), st.integers(0, width))))
            mask[rows[0] : rows[1], columns[0] : columns[1]] = True
        elif kind == "pixel":
            mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
        elif kind == "noise":
            bits = draw(st.integers(0, 2 ** (height * width) - 1))
            flat = [bits >> k & 1 for k in range(height * width)]
            mask[:] = np.array(flat, bool).reshape(height, width)
    return masks


def wiggly(rng: np.random.Generator, n: int, height: int, width: int) -> Dense:
    """Return random blobs with holes and several parts, bool [n, height, width]; they overlap."""
    masks = np.empty((n, height, width), bool)
    for mask in masks:
        field = ndimage.gaussian_filter(rng.standard_normal((height, width)), rng.uniform(0.3, 4))
        mask[:] = field > np.quantile(field, rng.random())
    return masks


def partition(rng: np.random.Generator, n: int, height: int, width: int) -> NDArray[np.int64]:
    """Return an id map with ids 1 to n, wiggly cells that cover everything, int64 [height, width]."""
    fields = [ndimage.gaussian_filter(rng.standard_normal((height, width)), 5) for _ in range(n)]
    return np.argmax(fields, axis=0).astype(np.int64) + 1


def pixels_of(masks: RunLengths) -> Dense:
    """Return the masks as bool [n, height, width], by the definition of an edge and nothing else."""
    flat = np.zeros((len(masks), masks.pixels), bool)
    for i in range(len(masks)):
        edges = masks.edges[masks.offsets[i] : masks.offsets[i + 1]].tolist()
        for start, stop in zip(edges[0::2], edges[1::2], strict=True):
            flat[i, start:stop] = True
    return flat.reshape(len(masks), masks.width, masks.height).transpose(0, 2, 1)


def far_corner(dense: Dense, side: int = 65535) -> RunLengths:
    """Return small masks in the bottom right corner of the largest square image, at positions near 2^32."""
    n, height, width = dense.shape
    # Changes down each column; a column's last pixel is the image's last row, so that its run ends with it.
    padded = np.zeros((n, width, height + 2), np.int8)
    padded[:, :, 1:-1] = dense.transpose(0, 2, 1)
    mask, column, row = np.nonzero(np.diff(padded, axis=2))
    edges = (side - width + column) * side + (side - height + row)
    offsets = np.searchsorted(mask, np.arange(n + 1))
    return RunLengths((side, side), edges.astype(np.uint32), offsets)


def checked(masks: RunLengths) -> RunLengths:
    """Return the masks after the constructor has looked at their arrays, which trusted code skips."""
    return RunLengths(masks.size, masks.edges.copy(), masks.offsets.copy())


def coco_rles(dense: Dense) -> list[dict[str, Any]]:
    """Return each mask as pycocotools encodes it."""
    return [coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in dense]
