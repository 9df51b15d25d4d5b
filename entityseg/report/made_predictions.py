"""Predictions made from the ground truth, a good and a poor set: something to score without a model.

What a model gets wrong is done to the ground truth's map on purpose: borders that waver, entities missed,
merged, split and moved, and scores that say little. A map holds one entity a pixel, so the masks stay
disjoint, as AP^e asks.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import Dataset
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.data.views import paint_by_area
from entityseg.masks.idmap import from_id_map, to_id_map
from entityseg.masks.pairwise import iou_matrix
from entityseg.masks.runlengths import RunLengths
from entityseg.predictions.records import Predictions

_ROWS_A_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Flaws:
    """How far made predictions are from the ground truth.

    Attributes:
        waver: how far borders move, as a share of the image's longer side.
        miss, merge, split, move: share of the entities that are missed, joined with a neighbour, cut in two,
            or moved; together at most 1.
        score_noise: spread of the noise in the scores; without noise a score is the IoU with the truth.
    """

    waver: float
    miss: float
    merge: float
    split: float
    move: float
    score_noise: float


GOOD = Flaws(waver=0.0012, miss=0.04, merge=0.03, split=0.03, move=0.0, score_noise=0.06)
POOR = Flaws(waver=0.006, miss=0.15, merge=0.2, split=0.2, move=0.1, score_noise=0.35)


def make_predictions(
    gt: Dataset, flaws: Flaws, *, seed: int = 0, threads: int | None = None, progress: Progress = no_progress
) -> Predictions:
    """Make predictions for all images of a ground truth; an image's own do not depend on the others.

    Crowd regions are not predicted, and of overlapping ground truth the smaller mask keeps the pixels.

    Raises:
        InputError: a mask of the ground truth is malformed.
    """

    def one_image(index: int) -> tuple[RunLengths, NDArray[np.float64]]:
        crowd = gt.iscrowd[gt.rows(index)]
        name = zlib.crc32(repr(gt.images[index].id).encode())
        return spoil(gt.masks(index)[~crowd], flaws, np.random.default_rng([seed, name]))

    indices = progress(range(len(gt)), len(gt), "making predictions")
    return Predictions.build(
        gt.images, map_in_order(one_image, indices, threads=threads), listed=np.ones(len(gt), bool)
    )


def spoil(
    masks: RunLengths, flaws: Flaws, rng: np.random.Generator
) -> tuple[RunLengths, NDArray[np.float64]]:
    """Return disjoint masks that are as wrong as `flaws` says, and their scores."""
    true = paint_by_area(masks)
    true = true[true.areas > 0]
    if not len(true):
        return true, np.empty(0)
    ids: NDArray[np.int32] = to_id_map(true, dtype=np.int32).astype(np.int32, copy=False)
    shares = [flaws.miss, flaws.merge, flaws.split, flaws.move]
    fates = rng.choice(5, len(true), p=[*shares, 1 - sum(shares)])
    missed, merged, split, moved = (np.flatnonzero(fates == fate) for fate in range(4))
    # Numbers are changed last: until then a number's pixels are the entity's own.
    new_number = np.arange(len(true) + len(split) + 1, dtype=np.int32)
    _merge(ids, true, merged, new_number)
    _split(ids, true, rng, split)
    _move(ids, true, rng, moved)
    new_number[missed + 1] = 0
    ids = _waver(new_number[ids], rng, flaws.waver)
    _, pred = from_id_map(ids)
    quality = iou_matrix(pred, true).max(axis=1, initial=0.0)
    scores = np.clip(quality + rng.normal(0, flaws.score_noise, len(pred)), 0.01, 1.0)
    return pred, np.round(scores, 4)


def _merge(
    ids: NDArray[np.int32], true: RunLengths, rows: NDArray[np.int64], new_number: NDArray[np.int32]
) -> None:
    """Give entities the number of what lies right of them or below them."""
    height, width = ids.shape
    targets: set[int] = set()
    for row in rows:
        if int(row) + 1 in targets:
            continue
        x, y, w, h = true.boxes[row].tolist()
        right, below = ids[y + h // 2, min(width - 1, x + w)], ids[min(height - 1, y + h), x + w // 2]
        for neighbour in (int(right), int(below)):
            # Nothing is merged with what was merged itself: two could swap their numbers.
            if neighbour not in (0, row + 1) and new_number[neighbour] == neighbour:
                new_number[row + 1] = neighbour
                targets.add(neighbour)
                break


def _split(
    ids: NDArray[np.int32], true: RunLengths, rng: np.random.Generator, rows: NDArray[np.int64]
) -> None:
    """Cut entities in two by a slanted line through the middle of their box."""
    for number, row in enumerate(rows):
        x, y, w, h = true.boxes[row].tolist()
        angle = rng.random() * np.pi
        across, down = np.arange(w)[None, :] - w / 2, np.arange(h)[:, None] - h / 2
        box = ids[y : y + h, x : x + w]
        box[(box == row + 1) & (np.cos(angle) * across + np.sin(angle) * down > 0)] = len(true) + 1 + number


def _move(
    ids: NDArray[np.int32], true: RunLengths, rng: np.random.Generator, rows: NDArray[np.int64]
) -> None:
    """Put entities down again a part of their size away, over what is there."""
    height, width = ids.shape
    for row in rows:
        x, y, w, h = true.boxes[row].tolist()
        shift_x, shift_y = rng.uniform(-0.3, 0.3, 2)
        dx, dy = round(w * shift_x), round(h * shift_y)
        left, top = max(0, x + dx), max(0, y + dy)
        right, bottom = min(width, x + w + dx), min(height, y + h + dy)
        shape = ids[top - dy : bottom - dy, left - dx : right - dx] == row + 1
        box = ids[y : y + h, x : x + w]
        box[box == row + 1] = 0
        ids[top:bottom, left:right][shape] = row + 1


def _waver(ids: NDArray[np.int32], rng: np.random.Generator, share: float) -> NDArray[np.int32]:
    """Let borders waver: rows slide along x and columns along y, each a little differently from the next."""
    height, width = ids.shape
    reach = share * max(height, width)
    sideways, downwards = _wave(height, rng, reach), _wave(width, rng, reach)
    out = np.empty_like(ids)
    # In blocks of rows, because the coordinates take four times as much memory as the map.
    for top in range(0, height, _ROWS_A_BLOCK):
        rows = np.arange(top, min(height, top + _ROWS_A_BLOCK))
        y = np.clip(rows[:, None] + downwards[None, :], 0, height - 1)
        x = np.clip(np.arange(width)[None, :] + sideways[rows][:, None], 0, width - 1)
        out[rows] = ids[y, x]
    return out


def _wave(length: int, rng: np.random.Generator, reach: float) -> NDArray[np.int64]:
    """Return a smooth random walk, int64 [length], with a spread of `reach` pixels."""
    knots = max(4, length // max(4, int(8 * reach) or 4))
    values = rng.normal(0, max(reach, 0.3), knots)
    return np.rint(np.interp(np.linspace(0, knots - 1, length), np.arange(knots), values)).astype(np.int64)
