"""Metrics that count pixels, against plain loops over pixels: mIoU, referring cIoU, tube AP and STQ.

The plain loops are what published evaluators do: a confusion matrix by `bincount`, masks decoded and compared, tubes
compared pair by pair, pairs of ids of each frame by `unique`. Both sides start from the same arrays or strings in
memory and end with the figure; the figures are checked to agree.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.benchmarks.perf.scenes import jittered, make_warp
from entityseg.benchmarks.perf.timing import alternated, markdown, ratio

PLAIN, OURS = "plain loop", "ours"
CLASSES, THINGS = 30, 15
_FRAMES = 12
_TOLERANCE = 1e-12

Labels = NDArray[np.uint8]
Rles = list[dict[str, Any]]


@dataclass(frozen=True)
class Problem:
    """A comparison: what it is, and the call of each side, which returns the figure."""

    name: str
    calls: dict[str, Callable[[], float]]


def compare(
    names: Sequence[str] = (), repeat: int = 5, seed: int = 0, size: tuple[int, int] = (1500, 2000)
) -> dict[str, Any]:
    """Times both sides of every problem (or those named), in turn, on one thread.

    Args:
        names: Of the problems.
        repeat: Measurements, of which the median.
        seed: Of the scenes.
        size: (height, width) of the images; frames of videos have a third of each.

    Returns:
        For each problem the seconds of each side and the figure.

    Raises:
        ValueError: If there is no such problem.
        RuntimeError: If the two sides have different figures.
    """
    found = {problem.name: problem for problem in problems(seed, size)}
    unknown = [name for name in names if name not in found]
    if unknown:
        raise ValueError(f"unknown problem {unknown[0]!r}; there are {', '.join(found)}")
    report: dict[str, Any] = {}
    for name in names or list(found):
        calls = found[name].calls
        plain, ours = (calls[side]() for side in (PLAIN, OURS))
        if not math.isclose(plain, ours, abs_tol=_TOLERANCE):
            raise RuntimeError(f"{name}: ours is {ours}, the plain loop has {plain}")
        report[name] = {"seconds": alternated(calls, repeat), "figure": ours}
    return report


def table(report: dict[str, Any]) -> str:
    """Returns the report as Markdown, in milliseconds."""
    rows = []
    for name, one in report.items():
        plain, ours = one["seconds"][PLAIN], one["seconds"][OURS]
        cells = [f"{1000 * plain:.1f}", f"{1000 * ours:.1f}", ratio(plain, ours), f"{one['figure']:.6f}"]
        rows.append([name, *cells])
    return markdown(["ms", "plain loop", "ours", "ours is faster by", "figure"], rows)


def problems(seed: int, size: tuple[int, int]) -> list[Problem]:
    """Returns the problems; their scenes are made here, and not counted."""
    from entityseg.masks import from_id_map, to_coco

    rng = np.random.default_rng(seed)
    warp = make_warp(rng, *size, 40)
    gt, pred = warp.labels(), jittered(rng, warp, 0.006 * max(size)).labels()
    true, guessed = gt % CLASSES, pred % CLASSES
    noisy = np.where(rng.random(size) < 0.2, rng.integers(0, CLASSES, size), guessed).astype(np.uint8)
    sides = [to_coco(from_id_map(one)[1]) for one in (gt, pred)]
    frames = _video(rng, (size[0] // 3, size[1] // 3))
    return [
        Problem(
            "mIoU, smooth maps",
            {PLAIN: partial(_plain_miou, true, guessed), OURS: partial(_miou, true, guessed)},
        ),
        Problem(
            "mIoU, noisy maps", {PLAIN: partial(_plain_miou, true, noisy), OURS: partial(_miou, true, noisy)}
        ),
        Problem("mIoU, RLE", {PLAIN: partial(_plain_miou_rle, *sides), OURS: partial(_miou_rle, *sides)}),
        Problem("referring cIoU, RLE", {PLAIN: partial(_plain_ciou, *sides), OURS: partial(_ciou, *sides)}),
        Problem(
            "tube AP, RLE",
            {PLAIN: partial(_plain_tubes, *_tube_rles(frames)), OURS: partial(_tubes, *_tube_rles(frames))},
        ),
        Problem("STQ, id maps", {PLAIN: partial(_plain_stq, *frames), OURS: partial(_stq, *frames)}),
    ]


def _video(rng: np.random.Generator, size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """True and predicted id maps of a video, uint8 [frames, height, width]; ids are tubes."""
    warp = make_warp(rng, *size, 25)
    gt, pred = [], []
    for _ in range(_FRAMES):
        gt.append(warp.labels())
        pred.append(jittered(rng, warp, 0.006 * max(size)).labels())
        warp = jittered(rng, warp, 0.002 * max(size))
    return np.stack(gt), np.stack(pred)


# Semantic.


def _plain_miou(gt: Labels, pred: Labels) -> float:
    return _of_matrix(_matrix(gt, pred))


def _matrix(gt: Labels, pred: Labels) -> NDArray[np.int64]:
    pairs = CLASSES * gt.astype(np.int64).ravel() + pred.ravel()
    return np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def _of_matrix(matrix: NDArray[np.int64]) -> float:
    gt, tp = matrix.sum(axis=1), np.diag(matrix)
    return float((tp / np.maximum(gt + matrix.sum(axis=0) - tp, 1))[gt > 0].mean())


def _miou(gt: Labels, pred: Labels) -> float:
    from entityseg.metrics.semantic import SemanticIoU

    metric = SemanticIoU()
    metric.update_maps(0, gt, pred)
    return metric.compute()["mIoU"] or 0.0


def _plain_miou_rle(gt: Rles, pred: Rles) -> float:
    maps = []
    for rles in (gt, pred):
        painted = np.zeros(rles[0]["size"], np.uint8)
        for k, mask in enumerate(_decoded(rles)):
            painted[mask] = k % CLASSES
        maps.append(painted)
    return _plain_miou(*maps)


def _miou_rle(gt: Rles, pred: Rles) -> float:
    from entityseg.masks import from_coco
    from entityseg.metrics.semantic import SemanticIoU

    metric = SemanticIoU()
    metric.update(
        0, from_coco(gt), np.arange(len(gt)) % CLASSES, from_coco(pred), np.arange(len(pred)) % CLASSES
    )
    return metric.compute()["mIoU"] or 0.0


def _decoded(rles: Rles) -> list[NDArray[np.bool_]]:
    from pycocotools import mask as coco_mask

    return [coco_mask.decode(rle).astype(bool) for rle in rles]


# Referring: the i-th mask of one side is the answer to the i-th expression.


def _plain_ciou(gt: Rles, pred: Rles) -> float:
    common = union = 0
    for true, found in zip(_decoded(gt), _decoded(pred), strict=False):
        common += int((true & found).sum())
        union += int((true | found).sum())
    return common / union


def _ciou(gt: Rles, pred: Rles) -> float:
    from entityseg.masks import from_coco
    from entityseg.metrics.referring import Referring

    n = min(len(gt), len(pred))
    metric = Referring()
    metric.update_rows(0, range(n), from_coco(gt[:n]), from_coco(pred[:n]), np.ones(n, bool))
    return metric.compute()["cIoU"] or 0.0


# Videos.


def _tube_rles(frames: Sequence[NDArray[np.uint8]]) -> tuple[list[Rles], list[Rles]]:
    """One tube an id on each side, as one RLE a frame."""
    from entityseg.masks import from_dense, to_coco

    gt, pred = ([to_coco(from_dense(side == i)) for i in np.unique(side)] for side in frames)
    return gt, pred


def _plain_tubes(gt: list[Rles], pred: list[Rles]) -> float:
    """AP of tubes whose scores fall with their number: each true one is there once, so precision is of prefixes."""
    sides = [np.array([_decoded(tube) for tube in side]) for side in (gt, pred)]
    iou = np.empty((len(pred), len(gt)))
    for i, found in enumerate(sides[1]):
        for j, true in enumerate(sides[0]):
            union = (found | true).sum()
            iou[i, j] = (found & true).sum() / union if union else 0.0
    values = []
    for threshold in np.linspace(0.5, 0.95, 10):
        free, hits = set(range(len(gt))), []
        for row in iou:
            best = max(free, key=row.__getitem__, default=None)
            hits.append(best is not None and bool(row[best] >= threshold))
            if best is not None and hits[-1]:
                free.remove(best)
        found_so_far = np.cumsum(hits)
        precision = np.maximum.accumulate((found_so_far / np.arange(1, len(hits) + 1))[::-1])[::-1]
        recall = found_so_far / len(gt)
        for least in np.linspace(0, 1, 101):
            at = int(np.searchsorted(recall, least))
            values.append(float(precision[at]) if at < len(hits) else 0.0)
    return float(np.mean(values))


def _tubes(gt: list[Rles], pred: list[Rles]) -> float:
    from entityseg.data.video.tubes import Tubes, mean_areas, stack_frames
    from entityseg.masks import from_coco
    from entityseg.metrics.video_ap import VideoAP

    sides = []
    for listed in (gt, pred):
        masks = from_coco([rle for tube in listed for rle in tube])
        sides.append(Tubes(stack_frames(masks, _FRAMES), mean_areas(masks, _FRAMES)))
    metric = VideoAP()
    scores = np.linspace(1, 0, len(pred))
    kinds = [np.ones(len(one), np.int64) for one in (gt, pred)]
    metric.update(0, sides[0], sides[1], scores, gt_categories=kinds[0], pred_categories=kinds[1])
    return metric.compute()["AP"] or 0.0


def _plain_stq(gt: NDArray[np.uint8], pred: NDArray[np.uint8]) -> float:
    """STQ from the pairs of ids of each frame, counted by `unique` as published scripts do."""
    common: Counter[tuple[int, int]] = Counter()
    matrix = np.zeros((CLASSES, CLASSES), np.int64)
    for true, found in zip(gt, pred, strict=True):
        pairs, counts = np.unique(true.astype(np.int64) * 256 + found, return_counts=True)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            common[divmod(pair, 256)] += count
        matrix += _matrix(true % CLASSES, found % CLASSES)
    areas: list[Counter[int]] = [Counter(), Counter()]
    for pair, count in common.items():
        for side, one in zip(areas, pair, strict=True):
            side[one] += count
    tubes = {g for g in areas[0] if g % CLASSES < THINGS}
    total = 0.0
    for (g, p), count in common.items():
        if g in tubes and p % CLASSES < THINGS:
            total += count / areas[0][g] * count / (areas[0][g] + areas[1][p] - count)
    occurs = (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0
    tp = np.diag(matrix)
    sq = (tp / np.maximum(matrix.sum(axis=0) + matrix.sum(axis=1) - tp, 1))[occurs].mean()
    return float(np.sqrt(total / len(tubes) * sq))


def _stq(gt: NDArray[np.uint8], pred: NDArray[np.uint8]) -> float:
    from entityseg.data.video.vipseg import PanopticVideo
    from entityseg.masks import RunLengths, from_id_map
    from entityseg.metrics.video_stq import TrackingQuality

    sides = []
    for maps in (gt, pred):
        frames = [from_id_map(one) for one in maps]
        ids = np.unique(np.concatenate([found for found, _ in frames]))
        masks = []
        for found, own in frames:
            # Ids that a frame does not show have an empty mask there.
            missing = RunLengths.empty(own.size, 1)
            row_of = np.searchsorted(found, ids)
            shown = np.isin(ids, found)
            every = RunLengths.concatenate([own, missing])
            masks.append(every[np.where(shown, row_of, len(own))])
        sides.append(PanopticVideo(ids, ids % CLASSES, np.zeros(len(ids), bool), masks))
    metric = TrackingQuality({k: k < THINGS for k in range(CLASSES)})
    metric.update(0, *sides)
    return metric.compute()["STQ"] or 0.0
