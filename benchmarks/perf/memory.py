"""Memory of every metric: what its table holds a unit, and what computing 1,000 resamples takes beside it.

Two processes feed a table with few and with many units; the difference of their resident memory, divided by that of
the units, leaves out what a process costs by itself. Rows are made by the metrics' own `update`, on small images with
as many masks as a real one.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from entityseg.benchmarks.perf.child import forget_peak, status
from entityseg.benchmarks.perf.timing import markdown

UNITS = (2000, 8000)
DETECTIONS = 100
ENTITIES = 18
# What a unit may take: so many bytes a detection and an image.
A_DETECTION, AN_IMAGE = 100, 8192
_SIZE = (64, 96)
_CATEGORIES = 350
_FRAMES = 3


@dataclass(frozen=True)
class Family:
    """A metric: an empty table, what feeds it (table, number of the unit, generator), and what a unit has."""

    table: Callable[[], Any]
    feed: Callable[[Any, int, np.random.Generator], None]
    detections: int = 0
    images: int = 1

    @property
    def limit(self) -> int:
        """Bytes that a unit may take."""
        return A_DETECTION * self.detections + AN_IMAGE * self.images


def compare(
    names: Sequence[str] = (), units: tuple[int, int] = UNITS, resamples: int = 1000
) -> dict[str, Any]:
    """Measures the families (all if none is named), each in processes of its own, on one thread.

    Args:
        names: Of the families.
        units: The smaller and the larger number of units.
        resamples: Of the bootstrap.

    Returns:
        For each family the bytes a unit that are `held` by the table and at most needed (`peak`) while it is fed,
        computed and resampled, its `limit` and `detections`; and the `units` and `resamples`.

    Raises:
        ValueError: If there is no such family.
        RuntimeError: If a family takes more than its limit.
    """
    report: dict[str, Any] = {"units": list(units), "resamples": resamples, "families": {}}
    unknown = [name for name in names if name not in families()]
    if unknown:
        raise ValueError(f"unknown family {unknown[0]!r}; there are {', '.join(families())}")
    for name in names or list(families()):
        few, many = (_measured(name, n, resamples) for n in units)
        held, peak = ((b - a) / (units[1] - units[0]) for a, b in zip(few, many, strict=True))
        limit = families()[name].limit
        if peak > limit:
            raise RuntimeError(f"{name} takes {peak:.0f} bytes a unit, more than {limit}")
        row: dict[str, float] = {
            "held": held,
            "peak": peak,
            "limit": limit,
            "detections": families()[name].detections,
        }
        report["families"][name] = row
    return report


def table(report: dict[str, Any]) -> str:
    """Returns the report as Markdown, in bytes a unit."""
    few, many = report["units"]
    header = [f"bytes a unit ({many} less {few} units)", "detections", "held", "peak", "limit"]
    rows = [
        [name, str(row["detections"]), *(f"{row[key]:.0f}" for key in ("held", "peak", "limit"))]
        for name, row in report["families"].items()
    ]
    return markdown(header, rows)


def _measured(family: str, units: int, resamples: int) -> tuple[float, float]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_child, family, units, resamples).result()


def _child(name: str, units: int, resamples: int) -> tuple[float, float]:
    """Bytes above the start: those that the table holds, and the most there were."""
    family = families()[name]
    warm = family.table()
    for unit in range(4):
        family.feed(warm, unit, np.random.default_rng(unit))
    warm.bootstrap(20, threads=1)
    base = status("VmRSS")
    forget_peak()
    filled = family.table()
    rng = np.random.default_rng(0)
    for unit in range(units):
        family.feed(filled, unit, rng)
    held = status("VmRSS")
    filled.compute()
    filled.bootstrap(resamples, threads=1)
    return (held - base) * 2**20, (status("VmHWM") - base) * 2**20


def _label_map(rng: np.random.Generator, n: int, block: int = 8) -> Any:
    """A map of up to n cells, numbered from 1."""
    height, width = _SIZE[0] // block, _SIZE[1] // block
    return np.kron(rng.integers(1, n + 1, (height, width)), np.ones((block, block), np.int64))


def _masks(rng: np.random.Generator, n: int) -> Any:
    return _made(int(rng.integers(16)), n)


@cache
def _made(seed: int, n: int) -> Any:
    from entityseg.masks import from_dense

    rng = np.random.default_rng(seed)
    return from_dense(_label_map(rng, ENTITIES) == rng.integers(1, ENTITIES + 1, n)[:, None, None])


def _entities(metric: Any, unit: int, rng: np.random.Generator) -> None:
    metric.update(unit, _masks(rng, ENTITIES), _masks(rng, DETECTIONS), rng.random(DETECTIONS))


def _instances(metric: Any, unit: int, rng: np.random.Generator) -> None:
    kinds = rng.integers(0, _CATEGORIES, 10)
    metric.update(
        unit, _masks(rng, ENTITIES), _masks(rng, DETECTIONS), rng.random(DETECTIONS),
        gt_categories=rng.choice(kinds, ENTITIES), pred_categories=rng.choice(kinds, DETECTIONS),
    )  # fmt: skip


def _tubes(metric: Any, unit: int, rng: np.random.Generator) -> None:
    from entityseg.data.video.tubes import Tubes

    sides = [_masks(rng, n) for n in (ENTITIES, DETECTIONS)]
    gt, pred = (Tubes(masks, masks.areas.astype(np.float64)) for masks in sides)
    kinds = rng.integers(0, 40, 10)
    metric.update(
        unit, gt, pred, rng.random(DETECTIONS),
        gt_categories=rng.choice(kinds, ENTITIES), pred_categories=rng.choice(kinds, DETECTIONS),
    )  # fmt: skip


def _maps(metric: Any, unit: int, rng: np.random.Generator) -> None:
    labels = rng.integers(0, _CATEGORIES, ENTITIES + 1)
    metric.update_maps(unit, labels[_label_map(rng, ENTITIES)], labels[_label_map(rng, ENTITIES)], ignore=())


def _segments(metric: Any, unit: int, rng: np.random.Generator) -> None:
    from entityseg.masks import from_id_map

    sides = []
    for _ in range(2):
        ids, masks = from_id_map(_label_map(rng, ENTITIES))
        sides += [masks, (ids * 17 + unit) % _CATEGORIES]
    metric.update(unit, *sides)


def _videos(metric: Any, unit: int, rng: np.random.Generator) -> None:
    from entityseg.data.video.vipseg import PanopticVideo
    from entityseg.masks import from_dense

    ids = np.arange(1, ENTITIES + 1)
    sides = []
    for _ in range(2):
        masks = [from_dense(_label_map(rng, ENTITIES) == ids[:, None, None]) for _ in range(_FRAMES)]
        sides.append(PanopticVideo(ids, (ids * 17 + unit) % 124, np.zeros(len(ids), bool), masks))
    metric.update(unit, *sides)


def _expression(metric: Any, unit: int, rng: np.random.Generator) -> None:
    metric.update(unit // 10, unit, _masks(rng, 1), _masks(rng, 1))


def _question(metric: Any, unit: int, rng: np.random.Generator) -> None:
    metric.update(f"{unit // 2:06d}", unit % 2, _masks(rng, 1), _masks(rng, 1), is_long=unit % 4 < 2)


def _phrase(metric: Any, unit: int, rng: np.random.Generator) -> None:
    metric.update(unit // 12, 0, unit, _masks(rng, 1), _masks(rng, 1), kind="thing", plural=unit % 9 == 0)


def _narrative(metric: Any, unit: int, rng: np.random.Generator) -> None:
    metric.update(unit, 0, ["a dog", "the sky", "two cars"], ["dog", "car"])


def _grey(metric: Any, unit: int, rng: np.random.Generator) -> None:
    metric.update(f"{unit:06d}", _label_map(rng, 2) == 1, rng.integers(0, 256, _SIZE).astype(np.uint8))


@cache
def families() -> dict[str, Family]:
    """Returns every metric by name, with what feeds it."""
    from entityseg.metrics.boundary import BoundaryAP
    from entityseg.metrics.dichotomous import Dichotomous
    from entityseg.metrics.entity_ap import EntityAP
    from entityseg.metrics.instance_ap import InstanceAP
    from entityseg.metrics.narrative import Narrative
    from entityseg.metrics.panoptic import PanopticQuality
    from entityseg.metrics.phrases import PhraseRecall
    from entityseg.metrics.reasoning import Reasoning
    from entityseg.metrics.referring import Referring
    from entityseg.metrics.semantic import SemanticIoU
    from entityseg.metrics.video_ap import VideoAP
    from entityseg.metrics.video_panoptic import VideoPanopticQuality
    from entityseg.metrics.video_stq import TrackingQuality

    isthing = {k: k % 2 == 0 for k in range(_CATEGORIES)}
    return {
        "entity AP": Family(EntityAP, _entities, DETECTIONS),
        "boundary AP": Family(BoundaryAP, _entities, DETECTIONS),
        "instance AP": Family(InstanceAP, _instances, DETECTIONS),
        "tube AP": Family(VideoAP, _tubes, DETECTIONS),
        "semantic": Family(SemanticIoU, _maps),
        "panoptic": Family(lambda: PanopticQuality(isthing), _segments),
        "VPQ": Family(lambda: VideoPanopticQuality(isthing), _videos, images=_FRAMES),
        "STQ": Family(lambda: TrackingQuality(isthing), _videos, images=_FRAMES),
        "referring": Family(Referring, _expression),
        "reasoning": Family(Reasoning, _question),
        "narrative": Family(Narrative, _phrase),
        "phrases": Family(PhraseRecall, _narrative),
        "dichotomous": Family(Dichotomous, _grey),
    }
