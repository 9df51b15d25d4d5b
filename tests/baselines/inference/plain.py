"""The released post-processing, dense, at full size, by torch: what chunked fusion is held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from entityseg.baselines.views import View


def probabilities(maps: np.ndarray, padded, views: Sequence[View], size) -> np.ndarray:
    """Mean over the covering views of the sigmoid of logits [Q, V, h, w] resized, cut and resized."""
    total = torch.zeros((len(maps), *size), dtype=torch.from_numpy(maps).dtype)
    count = torch.zeros(size, dtype=total.dtype)
    for column, view in enumerate(views):
        x0, y0, x1, y1 = view.region
        resized = _resized(torch.from_numpy(maps[:, column].copy())[None], padded)
        cut = resized[..., : view.size[0], : view.size[1]]
        total[:, y0:y1, x0:x1] += _resized(cut, (y1 - y0, x1 - x0))[0].sigmoid()
        count[y0:y1, x0:x1] += 1
    return (total / count.clamp(min=1)).numpy()


def painted(shares: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks in descending class score, each without what better ones have; final scores by the released rule."""
    order = np.argsort(-scores, kind="stable")
    ids = np.full(shares.shape[1:], -1)
    for query in order[::-1]:
        ids[shares[query] > 0.5] = query
    masks = np.stack([ids == query for query in order])
    finals = []
    for query, mask in zip(order, masks, strict=True):
        twice = 1 / (1 + np.exp(-shares[query].astype(np.float64)))
        finals.append(scores[query] * (twice * mask).sum() / (mask.sum() + 1e-6))
    return masks, np.array(finals)


def semantic(maps: np.ndarray, padded, view: View, size, classes: np.ndarray) -> np.ndarray:
    """`semantic_inference`: classes [Q, C + 1] times mask probabilities at the network's size, then resized."""
    shares = _resized(torch.from_numpy(maps)[None], padded)[0].sigmoid()
    sums = torch.einsum("qc,qhw->chw", torch.from_numpy(classes[:, :-1]).to(shares.dtype), shares)
    return _resized(sums[None, :, : view.size[0], : view.size[1]], size)[0].argmax(dim=0).numpy()


def panoptic(shares: np.ndarray, classes: np.ndarray, things: set[int], least=0.8, overlap=0.8):
    """`panoptic_inference`: the map of segment ids, and the class of each segment."""
    labels, scores = classes.argmax(1), classes.max(1)
    keep = [q for q in range(len(labels)) if labels[q] != classes.shape[1] - 1 and scores[q] > least]
    segments = np.zeros(shares.shape[1:], int)
    found: list[int] = []
    if not keep:
        return segments, found
    winner = (scores[keep][:, None, None] * shares[keep]).argmax(axis=0)
    stuff: dict[int, int] = {}
    for k, query in enumerate(keep):
        area, whole = (winner == k).sum(), (shares[query] >= 0.5).sum()
        mask = (winner == k) & (shares[query] >= 0.5)
        if not (area and whole and mask.sum()) or area / whole < overlap:
            continue
        label = int(labels[query])
        if label not in things:
            if label in stuff:
                segments[mask] = stuff[label]
                continue
            stuff[label] = len(found) + 1
        found.append(label)
        segments[mask] = len(found)
    return segments, found


def _resized(values: torch.Tensor, size) -> torch.Tensor:
    return functional.interpolate(values, size=size, mode="bilinear", align_corners=False)
