"""The same entities at several scales, found by Hungarian matching at test time (ESG, table VI, row 5).

A query of a network of one view means another entity at each scale; averaging needs to know which. The papers say
no more than that Hungarian matching associates them; here queries are matched by how alike their masks are, and a
pair below 1/2 is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from entityseg.baselines.inference.fusion import ViewLogits
from entityseg.baselines.inference.reading import Found
from entityseg.baselines.views.cutting import View

LEAST_ALIKE = 0.5
# Shorter side at which masks are compared.
_SIDE = 96


def join_scales(found: Sequence[Found]) -> Found:
    """Return the entities of the first scale, their masks and classes averaged with those matched at the others.

    Args:
        found: what a network of one view found at each scale; all of one image.
    """
    first = found[0]
    compared = [_small(one) for one in found]
    classes = first.classes.copy()
    counts = np.ones(len(classes))
    query_of = [first.logits.query_of[0]]
    for one, shares in zip(found[1:], compared[1:], strict=True):
        partner = match(compared[0], shares)
        has = partner >= 0
        classes[has] += one.classes[partner[has]]
        counts[has] += 1
        query_of.append(np.where(has, one.logits.query_of[0][partner], -1))
    logits = [one.logits for one in found]
    joined = replace(
        first.logits,
        maps=tuple(one.maps[0] for one in logits),
        padded=tuple(one.padded[0] for one in logits),
        views=tuple(one.views[0] for one in logits),
        query_of=np.stack(query_of),
    )
    return Found(classes / counts[:, None], joined, first.fused)


def match(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], least: float = LEAST_ALIKE
) -> NDArray[np.int64]:
    """Return which of the other masks each mask is, int64 [n], -1 for none.

    Args:
        ours, theirs: float [n, pixels], [m, pixels], probabilities on one grid.
        least: how alike a pair must be: the sum of the pixels' minima over that of their maxima, which is the IoU
            where probabilities are 0 or 1.

    >>> match(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.1, 0.9]])).tolist()
    [-1, 0]
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    # max(a, b) + min(a, b) = a + b, and their difference is |a - b|.
    total = ours.sum(axis=1)[:, None] + theirs.sum(axis=1)
    apart = cdist(ours, theirs, "cityblock")
    alike = (total - apart) / np.maximum(total + apart, 1e-12)
    rows, columns = linear_sum_assignment(alike, maximize=True)
    partner = np.full(len(ours), -1, np.int64)
    good = alike[rows, columns] >= least
    partner[rows[good]] = columns[good]
    return partner


def _small(found: Found) -> NDArray[np.float64]:
    """Return the probabilities of all queries on a small grid, float64 [queries, pixels]."""
    logits = found.logits
    height, width = logits.image_size
    scale = min(1.0, _SIDE / min(height, width))
    size = max(round(height * scale), 1), max(round(width * scale), 1)
    views = (View((0, 0, size[1], size[0]), logits.views[0].size),)
    small = ViewLogits(logits.maps, logits.padded, views, size, logits.query_of)
    return small.rows(np.arange(small.queries), 0, size[0]).reshape(small.queries, -1).astype(np.float64)
