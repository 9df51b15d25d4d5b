"""Noise fields, wiggly curves and scattered points: the raw shapes of the mini dataset's scenes.

Sizes are pixels, points are float arrays ``[n, 2]`` of (x, y). Sines of whole images come from a table
(`SINE`), so that pictures do not depend on the vector instructions of the machine's sine.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import Voronoi

Field = NDArray[np.float32]
Points = NDArray[np.float64]

SINE_STEPS = 1024
SINE: Field = np.array(
    [round(math.sin(2 * math.pi * k / SINE_STEPS), 6) for k in range(SINE_STEPS)], dtype=np.float32
)


def value_noise(rng: np.random.Generator, height: int, width: int, wavelength: float) -> Field:
    """Smooth noise ``[height, width]`` in about [-1, 1]: a random grid, interpolated by cubics.

    Args:
        rng: Source of the grid's values.
        height: Rows of the field.
        width: Columns of the field.
        wavelength: Distance of the grid's points in pixels.
    """
    across, down = width / wavelength, height / wavelength
    grid = rng.random((math.ceil(down) + 2, math.ceil(across) + 2), dtype=np.float32) * 2 - 1
    image = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC, box=(0, 0, across, down))
    return np.asarray(image)


def layered_noise(
    rng: np.random.Generator, height: int, width: int, wavelength: float, octaves: int, decay: float = 0.5
) -> Field:
    """Sum of `octaves` noises, each of half the wavelength and `decay` times the height of the one before.

    Made at a quarter of the size where the finest octave allows it, then enlarged; the result ``[height,
    width]`` is scaled to a standard deviation of 0.5.
    """
    step = 4 if wavelength / 2 ** (octaves - 1) >= 12 else 1
    small_h, small_w = -(-height // step), -(-width // step)
    total = np.zeros((small_h, small_w), dtype=np.float32)
    for octave in range(octaves):
        total += decay**octave * value_noise(rng, small_h, small_w, max(wavelength / 2**octave / step, 1.5))
    # Rounded, since a sum's last bits depend on the machine's vector width.
    total *= np.float32(0.5 / max(round(float(total.std(dtype=np.float64)), 4), 1e-4))
    if step == 1:
        return total
    return np.asarray(Image.fromarray(total).resize((width, height), Image.Resampling.BICUBIC))


def blob(
    rng: np.random.Generator, cx: float, cy: float, rx: float, ry: float, wobble: float = 0.15, n: int = 72
) -> Points:
    """Closed organic outline ``[n, 2]`` around (cx, cy): an ellipse whose radius is a sum of random waves.

    >>> outline = blob(np.random.default_rng(0), 10, 20, 5, 3, wobble=0.0)
    >>> outline.shape, [float(v) for v in outline[0]]
    ((72, 2), [15.0, 20.0])
    """
    angle = np.arange(n) * (2 * math.pi / n)
    radius = np.ones(n)
    for k in range(2, 9):
        radius += wobble * rng.uniform(0.3, 1.0) / k**0.8 * np.cos(k * angle + rng.uniform(0, 2 * math.pi))
    return np.stack([cx + rx * radius * np.cos(angle), cy + ry * radius * np.sin(angle)], axis=1)


def smooth(points: Points | Sequence[tuple[float, float]], closed: bool = False, rounds: int = 3) -> Points:
    """Round off a polyline by cutting its corners (Chaikin's scheme), each round doubling the points.

    >>> smooth(np.array([[0, 0], [4, 0], [4, 4]]), rounds=1).tolist()
    [[0.0, 0.0], [3.0, 0.0], [4.0, 1.0], [4.0, 4.0]]
    """
    points = np.asarray(points, dtype=np.float64)
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0)
        pairs = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1)
        if closed:
            points = pairs.reshape(-1, 2)
        else:
            points = np.concatenate([points[:1], pairs[:-1].reshape(-1, 2)[1:-1], points[-1:]])
    return points


def wander(
    rng: np.random.Generator,
    start: tuple[float, float],
    end: tuple[float, float],
    sway: float,
    knots: int = 6,
) -> Points:
    """Smooth path ``[n, 2]`` from `start` to `end` that strays sideways by up to about `sway` pixels."""
    t = np.linspace(0, 1, knots + 2)[:, None]
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    normal = np.array([-(b - a)[1], (b - a)[0]]) / max(float(np.hypot(*(b - a))), 1e-9)
    path = a + t * (b - a) + rng.uniform(-sway, sway, (knots + 2, 1)) * normal
    path[0], path[-1] = a, b
    return smooth(path)


def arc(cx: float, cy: float, rx: float, ry: float, start: float, stop: float, n: int = 24) -> Points:
    """Points ``[n, 2]`` on an ellipse from angle `start` to `stop` in radians (0 is right, pi/2 is down)."""
    angle = np.linspace(start, stop, n)
    return np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], axis=1)


def box(cx: float, cy: float, width: float, height: float, angle: float = 0.0) -> Points:
    """Corners ``[4, 2]`` of a rectangle around (cx, cy), turned by `angle` radians.

    >>> box(5, 5, 4, 2).tolist()
    [[3.0, 4.0], [7.0, 4.0], [7.0, 6.0], [3.0, 6.0]]
    """
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2)
    return placed(corners, cx, cy, angle)


def turn(points: Points, angle: float) -> Points:
    """Points ``[n, 2]`` turned around the origin by `angle` radians."""
    c, s = math.cos(angle), math.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def placed(points: Points, x: float, y: float, angle: float) -> Points:
    """A shape ``[n, 2]`` drawn around (0, 0), turned by `angle` radians and moved to (x, y)."""
    return turn(points, angle) + np.array([x, y])


def scatter(rng: np.random.Generator, n: int, width: float, height: float, margin: float = 0.0) -> Points:
    """`n` points ``[n, 2]`` in the rectangle that keep away from each other (best of ten candidates)."""
    low, span = np.array([margin, margin]), np.array([width - 2 * margin, height - 2 * margin])
    points = np.empty((n, 2))
    for k in range(n):
        candidates = low + rng.random((10, 2)) * span
        gap = ((candidates[:, None] - points[None, :k]) ** 2).sum(axis=2).min(axis=1, initial=np.inf)
        points[k] = candidates[int(gap.argmax())]
    return points


def voronoi_cells(points: Points, width: float, height: float) -> list[Points]:
    """The Voronoi cell of every point, cut at the rectangle's border, as polygons in the points' order."""
    size = np.array([width, height])
    mirrored = [
        points * (sx, sy) + 2 * size * (ax, ay)
        for sx, sy, ax, ay in ((1, 1, 0, 0), (-1, 1, 0, 0), (-1, 1, 1, 0), (1, -1, 0, 0), (1, -1, 0, 1))
    ]
    diagram = Voronoi(np.concatenate(mirrored))
    return [diagram.vertices[diagram.regions[diagram.point_region[k]]] for k in range(len(points))]
