"""Short clips: a window pans and zooms over a scene while one or two of its things move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.data.mini.task_scenes import TaskScene
from entityseg.masks import to_id_map

LONG = 480
# Things that a moving thing may be: not what fills the picture, and large enough to be followed.
_SHARES = (0.0015, 0.12)


@dataclass(frozen=True)
class Frame:
    """One frame: its picture ``[H, W, 3]`` and the numbers of the entities in it ``[H, W]``, 0 where none."""

    picture: NDArray[np.uint8]
    numbers: NDArray[np.uint16]


@dataclass(frozen=True)
class Clip:
    """A clip.

    Attributes:
        scene: Where it was filmed.
        moving: Numbers of the entities that move by themselves, with what belongs to them.
        frames: Six to ten of them; an entity keeps its number through all.
    """

    scene: TaskScene
    moving: tuple[int, ...]
    frames: tuple[Frame, ...]


def film(scene: TaskScene, rng: np.random.Generator) -> Clip:
    """Make a clip of a scene.

    Args:
        scene: The scene; its low resolution is what the window moves over.
        rng: Chooses the window's way, what moves, where to, and how many frames there are.
    """
    picture = scene.picture()
    numbers = to_id_map(scene.large, scene.numbers, np.uint16).astype(np.uint16)
    count = int(rng.integers(6, 11))
    family = _movers(scene, rng)
    movers = [np.nonzero(np.isin(numbers, members)) for members in family]
    moves = [rng.uniform(-1, 1, 2) * (0.035 * max(numbers.shape)) for _ in family]
    ground, below = picture.copy(), numbers.copy()
    if family:
        _uncover(ground, below, np.isin(numbers, [n for members in family for n in members]))
    boxes = _way(numbers.shape, count, rng)
    size = _frame_size(boxes[0])
    frames = []
    for t, box in enumerate(boxes):
        shown, ids = ground.copy(), below.copy()
        for (y, x), (dx, dy) in zip(movers, moves, strict=True):
            right, down = x + round(t * dx), y + round(t * dy)
            # What leaves the scene is lost.
            kept = (down >= 0) & (down < ids.shape[0]) & (right >= 0) & (right < ids.shape[1])
            shown[down[kept], right[kept]] = picture[y[kept], x[kept]]
            ids[down[kept], right[kept]] = numbers[y[kept], x[kept]]
        frames.append(_look(shown, ids, box, size))
    return Clip(scene, tuple(sorted(n for members in family for n in members)), tuple(frames))


def _movers(scene: TaskScene, rng: np.random.Generator) -> list[list[int]]:
    """One or two things, each with all that belongs to it."""
    children: dict[int, list[int]] = {}
    for item in scene.every:
        children.setdefault(item.parent, []).append(item.number)
    total = scene.masks.pixels
    low, high = _SHARES
    fit = [i.number for i in scene.every if i.isthing and low < i.area / total < high]
    families: list[list[int]] = []
    taken: set[int] = set()
    for k in rng.permutation(len(fit)).tolist():
        members, queue = [], [fit[k]]
        while queue:
            members.append(queue.pop())
            queue += children.get(members[-1], [])
        if not taken & set(members):
            families.append(members)
            taken |= set(members)
        if len(families) == int(1 + (scene.index % 2)):
            break
    return families


def _uncover(picture: NDArray[np.uint8], numbers: NDArray[np.uint16], gone: NDArray[np.bool_]) -> None:
    """Fill the place of what moves, in place, with what is nearest around it."""
    from scipy.ndimage import distance_transform_edt

    nearest = tuple(distance_transform_edt(gone, return_distances=False, return_indices=True)[:, gone])
    picture[gone], numbers[gone] = picture[nearest], numbers[nearest]


def _way(
    shape: tuple[int, ...], count: int, rng: np.random.Generator
) -> list[tuple[float, float, float, float]]:
    """The window of each frame as (left, top, right, bottom): from one place and size steadily to another."""
    height, width = shape
    first, last = rng.uniform(0.55, 0.75), rng.uniform(0.5, 0.8)
    start, stop = rng.random(2), rng.random(2)
    # At least a third of the way in one direction, so that some things leave and others come.
    axis = int(rng.integers(2))
    if abs(stop[axis] - start[axis]) < 0.5:
        stop[axis] = (
            start[axis] + 0.6 if start[axis] < 0.4 else start[axis] - 0.6 if start[axis] > 0.6 else 1.0
        )
    stop = stop.clip(0, 1)
    boxes = []
    for t in np.linspace(0, 1, count).tolist():
        scale = first + (last - first) * t
        x, y = (start + (stop - start) * t) * (width * (1 - scale), height * (1 - scale))
        boxes.append((float(x), float(y), float(x + scale * width), float(y + scale * height)))
    return boxes


def _frame_size(box: tuple[float, float, float, float]) -> tuple[int, int]:
    """Width and height of the frames: even, the long side `LONG`."""
    width, height = box[2] - box[0], box[3] - box[1]
    scale = LONG / max(width, height)
    return 2 * round(width * scale / 2), 2 * round(height * scale / 2)


def _look(
    picture: NDArray[np.uint8],
    numbers: NDArray[np.uint16],
    box: tuple[float, float, float, float],
    size: tuple[int, int],
) -> Frame:
    from PIL import Image

    seen = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, box=box)
    ids = Image.fromarray(numbers.astype(np.int32)).resize(size, Image.Resampling.NEAREST, box=box)
    return Frame(np.asarray(seen), np.asarray(ids).astype(np.uint16))
