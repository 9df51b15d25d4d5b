"""Label maps of wiggly Voronoi cells: the scenes behind the benchmark's masks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba as nb
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]

# Wavelength of each octave of the warp as a fraction of the long side, and its strength as one of that.
OCTAVES = ((1 / 5, 0.21), (1 / 14, 0.21), (1 / 40, 0.21), (1 / 110, 0.21), (1 / 300, 0.21))
# Cells an entity has on average beyond its first: entities in several parts.
EXTRA_CELLS = 0.4


@dataclass(frozen=True)
class Warp:
    """Voronoi sites (float32 n x 2, as y and x), the entity of each, and the displacement of every pixel."""

    height: int
    width: int
    sites: Field
    owner: NDArray[np.uint8]
    dy: Field
    dx: Field

    @property
    def entities(self) -> int:
        """Number of entities; every one owns at least one site."""
        return int(self.owner.max()) + 1

    def labels(self) -> NDArray[np.uint8]:
        """Returns the label map, height x width: entity k has label k + 1, and no pixel is 0."""
        return _nearest_site(self.sites, self.owner, self.dy, self.dx)

    def nearest(self, entity: int, rank: int) -> int:
        """Returns the entity whose first site is `rank`-th nearest to this entity's first site."""
        firsts = self.sites[: self.entities]
        distance = ((firsts - firsts[entity]) ** 2).sum(axis=1)
        return int(np.argsort(distance, kind="stable")[min(rank, self.entities - 1)])


def make_warp(rng: np.random.Generator, height: int, width: int, entities: int) -> Warp:
    """Makes a scene of `entities` entities (at most 255) in several octaves of noise."""
    cells = entities + round(entities * EXTRA_CELLS)
    sites = (rng.random((cells, 2)) * (height, width)).astype(np.float32)
    extra = rng.integers(entities, size=cells - entities)
    owner = np.concatenate([np.arange(entities), extra]).astype(np.uint8)
    long = max(height, width)
    dy, dx = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for fraction, strength in OCTAVES:
        wavelength = max(fraction * long, 4.0)
        for field in (dy, dx):
            field += smooth_noise(rng, height, width, wavelength) * np.float32(strength * wavelength)
    return Warp(height, width, sites, owner, dy, dx)


def jittered(rng: np.random.Generator, warp: Warp, amount: float) -> Warp:
    """Returns the scene with its sites and outlines displaced by about `amount` pixels."""
    moved = warp.sites + rng.normal(0.0, amount, warp.sites.shape).astype(np.float32)
    fields = []
    for field in (warp.dy, warp.dx):
        coarse = smooth_noise(rng, warp.height, warp.width, 12.0 * amount + 8.0)
        fine = smooth_noise(rng, warp.height, warp.width, 7.0)
        fields.append(field + coarse * np.float32(amount) + fine * np.float32(0.9))
    return replace(warp, sites=moved, dy=fields[0], dx=fields[1])


def smooth_noise(rng: np.random.Generator, height: int, width: int, wavelength: float) -> Field:
    """Returns standard normal noise on a coarse grid, enlarged to height x width by bicubic interpolation."""
    rows, columns = (int(side / wavelength) + 3 for side in (height, width))
    grid = rng.standard_normal((rows, columns)).astype(np.float32)
    box = (1.0, 1.0, 1.0 + width / wavelength, 1.0 + height / wavelength)
    image = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(image, dtype=np.float32)


@nb.njit(nogil=True)
def _nearest_site(sites: Field, owner: NDArray[np.uint8], dy: Field, dx: Field) -> NDArray[np.uint8]:
    height, width = dy.shape
    labels = np.empty((height, width), np.uint8)
    for row in range(height):
        for column in range(width):
            y = np.float32(row) + dy[row, column]
            x = np.float32(column) + dx[row, column]
            best, least = 0, np.float32(np.inf)
            for k in range(sites.shape[0]):
                a, b = y - sites[k, 0], x - sites[k, 1]
                distance = a * a + b * b
                if distance < least:
                    least, best = distance, k
            labels[row, column] = owner[best] + 1
    return labels
