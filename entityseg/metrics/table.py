"""What every metric is: a table of sufficient statistics, one row a unit, that merges."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import input_error
from entityseg.masks.runlengths import Int64Array

Row = TypeVar("Row")
# An image id, or a tuple such as (image id, expression id).
UnitId = Any
# Given how often each unit counts, int64 [b, units], returns each figure, float64 [b], NaN where undefined.
Figures = Callable[[Int64Array], Mapping[str, NDArray[np.float64]]]

# Resamples that one thread computes at once.
_BATCH = 64
_KEPT: ContextVar[dict[str, NDArray[np.float64]] | None] = ContextVar("kept", default=None)


@contextmanager
def kept_samples() -> Iterator[dict[str, NDArray[np.float64]]]:
    """Give a mapping that keeps what `bootstrap` draws inside: float64 [n] by figure; of tables in turn, all figures.

    Intervals of a *difference* need the resampled figures themselves, whoever called `bootstrap`.
    """
    kept: dict[str, NDArray[np.float64]] = {}
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)


class Table(ABC, Generic[Row]):
    """Statistics by unit (an image, an expression, a narrative); the answer does not depend on how work was cut."""

    def __init__(self) -> None:
        self.units: dict[UnitId, Row] = {}

    @abstractmethod
    def figures(self, units: Mapping[UnitId, Row]) -> Figures:
        """Return the function that computes the figures of these units, given in the order of their weights."""

    def cluster(self, unit: UnitId) -> UnitId:
        """Return what is resampled as a whole by the bootstrap; the unit itself unless a metric says otherwise."""
        return unit

    def add(self, unit: UnitId, row: Row) -> None:
        """Add the statistics of one unit.

        Raises:
            InputError: the unit is there already.
        """
        if unit in self.units:
            message, remedy = (
                "the unit was added before",
                "Feed each unit once; merge shards that do not share any.",
            )
            raise input_error("unit.duplicate", message, remedy, value=unit)
        self.units[unit] = row

    def merge(self, other: Self) -> Self:
        """Add all units of another table; return self.

        Raises:
            InputError: a unit is in both.
        """
        for unit, row in other.units.items():
            self.add(unit, row)
        return self

    def __len__(self) -> int:
        return len(self.units)

    def sorted_units(self) -> dict[UnitId, Row]:
        """Return the units in one order, whatever the order in which they came."""
        return {unit: self.units[unit] for unit in sorted(self.units, key=_sort_key)}

    def compute(self, weights: Mapping[UnitId, int] | None = None) -> dict[str, float | None]:
        """Return all figures as fractions, None where undefined.

        Args:
            weights: how often each unit counts (0 if not named); once each where not given.
        """
        units = self.sorted_units()
        given = [1 if weights is None else weights.get(unit, 0) for unit in units]
        values = self.figures(units)(np.array([given], np.int64).reshape(1, len(units)))
        return {name: or_none(value[0]) for name, value in values.items()}

    def per_unit(self) -> dict[UnitId, dict[str, float | None]]:
        """Return all figures of each unit alone."""
        once = np.ones((1, 1), np.int64)
        result = {}
        for unit, row in self.sorted_units().items():
            values = self.figures({unit: row})(once)
            result[unit] = {name: or_none(value[0]) for name, value in values.items()}
        return result

    def bootstrap(
        self, n: int = 1000, seed: int = 0, *, level: float = 0.95, threads: int | None = None
    ) -> dict[str, tuple[float, float] | None]:
        """Return the percentile interval of every figure under resampling of the clusters (images).

        Resamples in which a figure is undefined do not count for it.
        """
        samples = self.resample(n, seed, threads=threads)
        kept = _KEPT.get()
        if kept is not None:
            kept.update(samples)
        tail = 50 * (1 - level)
        result: dict[str, tuple[float, float] | None] = {}
        for name, values in samples.items():
            defined = values[~np.isnan(values)]
            low, high = np.percentile(defined, [tail, 100 - tail]).tolist() if len(defined) else (0.0, 0.0)
            result[name] = (low, high) if len(defined) else None
        return result

    def resample(
        self, n: int, seed: int = 0, *, threads: int | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Return every figure in n resamples of the clusters, float64 [n], NaN where undefined.

        Two tables over the same units see the same resamples, which makes differences between them paired.
        """
        units = self.sorted_units()
        figures = self.figures(units)
        clusters = [self.cluster(unit) for unit in units]
        number = {cluster: i for i, cluster in enumerate(dict.fromkeys(clusters))}
        cluster_of = np.array([number[cluster] for cluster in clusters], np.int64)
        generator = np.random.default_rng(seed)
        # Small batches keep the weights of a large dataset small; the draws do not depend on the batches.
        sizes = [min(_BATCH, n - start) for start in range(0, n, _BATCH)]
        drawn = [_drawn(generator, size, len(number)) for size in sizes]
        empty = figures(np.zeros((1, len(units)), np.int64))  # Also fills the caches that the threads share.
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            spread = [np.ascontiguousarray(weights[:, cluster_of]) for weights in drawn] if units else []
            parts = list(pool.map(figures, spread))
        return {name: np.concatenate([np.empty(0), *(part[name] for part in parts)]) for name in empty}


def sorted_ids(ids: Iterable[UnitId]) -> list[UnitId]:
    """Return unit ids in one order: integers by value, then strings; tuples part by part."""
    return sorted(ids, key=_sort_key)


def or_none(value: float) -> float | None:
    """Return None for NaN, which stands for an undefined figure inside arrays only."""
    return None if math.isnan(value) else float(value)


def _sort_key(unit: UnitId) -> Any:
    if isinstance(unit, tuple):
        return tuple(map(_sort_key, unit))
    return isinstance(unit, str), unit


def _drawn(generator: np.random.Generator, n: int, n_clusters: int) -> Int64Array:
    """Return how often each cluster is drawn in n resamples of all clusters, int64 [n, clusters]."""
    if n_clusters == 0:
        return np.zeros((n, 0), np.int64)
    drawn = generator.integers(0, n_clusters, (n, n_clusters)) + np.arange(n)[:, None] * n_clusters
    return np.bincount(drawn.ravel(), minlength=n * n_clusters).reshape(n, n_clusters).astype(np.int64)
