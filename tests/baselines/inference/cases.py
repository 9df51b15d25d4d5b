"""Made outputs of networks: smooth logits of some queries in several views of an image."""

from __future__ import annotations

import numpy as np

from entityseg.baselines.inference.fusion import ViewLogits
from entityseg.baselines.views import View, crop_regions, network_size
from entityseg.baselines.views.regions import padded_size


def views_of(size, scheme="fixed4", short=40, ratio=0.7) -> list[View]:
    height, width = size
    regions = [(0, 0, width, height), *crop_regions(height, width, ratio, scheme, np.random.default_rng(1))]
    return [View(r, network_size(r[3] - r[1], r[2] - r[0], short, 2 * short)) for r in regions]


def random_case(
    seed: int, size, scheme="fixed4", queries=7, short=40, dtype=np.float64, ratio=0.7
) -> ViewLogits:
    """Logits of blobs and noise, so that queries overlap, some are empty, and some lie in one view only."""
    rng = np.random.default_rng(seed)
    views = views_of(size, scheme, short, ratio)
    padded = padded_size([view.size for view in views])
    h, w = padded[0] // 4, padded[1] // 4
    y, x = np.mgrid[:h, :w]
    maps = rng.normal(0, 0.5, (queries, len(views), h, w))
    for query in range(queries):
        for view in range(len(views)):
            distance = np.hypot(y - rng.uniform(0, h), x - rng.uniform(0, w))
            maps[query, view] += rng.uniform(1, h) - distance
    maps[-1] = -3
    return ViewLogits.build(maps.astype(dtype), padded, views, size)


def random_classes(seed: int, queries: int, classes: int, sharpness: float = 4.0) -> np.ndarray:
    powers = np.exp(sharpness * np.random.default_rng(seed).normal(size=(queries, classes + 1)))
    return powers / powers.sum(axis=1, keepdims=True)
