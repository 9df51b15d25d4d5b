"""What every metric is: a table of sufficient statistics, one row a unit, that merges."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from entityseg.data.threads import map_in_order
from entityseg.errors import Findings, input_error, usage_error
from entityseg.masks.runlengths import Int64Array

Row = TypeVar("Row")
# An image id, or a tuple such as (image id, expression id).
UnitId = Any
# Given how often each unit counts, int64 [b, units], returns each figure, float64 [b], NaN where undefined.
Figures = Callable[[Int64Array], Mapping[str, NDArray[np.float64]]]

# Resamples that one thread computes at once: few, since each takes 8 bytes a unit, and fewer of very many units.
_BATCH = 16
_BATCH_CELLS = 1 << 17
_TWICE = "the unit was added before", "Feed each unit once; merge shards that do not share any."
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
            raise input_error("unit.duplicate", *_TWICE, value=unit)
        self.units[unit] = row

    def merge(self, other: Self) -> Self:
        """Add all units of another table; return self.

        Raises:
            InputError: units are in both; all are named, and none is added.
            UsageError: the tables are of different metrics, or of one with different options.
        """
        if type(other) is not type(self) or other._options() != self._options():
            ours, theirs = (f"{type(one).__name__} {one._options()}" for one in (self, other))
            message = f"tables of {ours} and of {theirs} do not add up"
            raise usage_error("table.options", message, "Merge tables that were made alike.")
        findings = Findings()
        for unit in sorted_ids(self.units.keys() & other.units.keys()):
            findings.add("unit.duplicate", *_TWICE, value=unit)
        findings.raise_errors()
        self.units.update(other.units)
        return self

    def _options(self) -> dict[str, Any]:
        """Return what the table was made with, such as its mode."""
        return {name: value for name, value in vars(self).items() if name != "units"}

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
        return self._figures_by(lambda unit: unit)

    def per_cluster(self) -> dict[UnitId, dict[str, float | None]]:
        """Return all figures of each cluster (image) alone."""
        return self._figures_by(self.cluster)

    def _figures_by(self, key: Callable[[UnitId], UnitId]) -> dict[UnitId, dict[str, float | None]]:
        groups: dict[UnitId, dict[UnitId, Row]] = {}
        for unit, row in self.sorted_units().items():
            groups.setdefault(key(unit), {})[unit] = row
        result = {}
        for group, units in groups.items():
            values = self.figures(units)(np.ones((1, len(units)), np.int64))
            result[group] = {name: or_none(value[0]) for name, value in values.items()}
        return result

    def bootstrap(
        self, n: int = 1000, seed: int = 0, *, level: float = 0.95, threads: int | None = None
    ) -> dict[str, tuple[float, float] | None]:
        """Return the percentile interval of every figure under resampling of the clusters (images).

        Resamples in which a figure is undefined do not count for it.

        Raises:
            UsageError: the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            message = "the level of an interval lies between 0 and 1"
            raise usage_error("bootstrap.level", message, "Give 0.95 for 95 %.", value=level)
        samples = self.resample(n, seed, threads=threads)
        kept = _KEPT.get()
        if kept is not None:
            kept.update(samples)
        tail = 50 * (1 - level)
        return {name: interval(values, tail) for name, values in samples.items()}

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
        empty = figures(np.zeros((1, len(units)), np.int64))  # Also fills the caches that the threads share.
        parts: list[Mapping[str, NDArray[np.float64]]] = []
        if units:
            batches = _draws(np.random.default_rng(seed), n, len(number))

            def resampled(drawn: Int64Array) -> Mapping[str, NDArray[np.float64]]:
                return figures(drawn.take(cluster_of, axis=1))

            # Draws are large, so no more of them are made than there are threads.
            parts = list(map_in_order(resampled, batches, threads=threads, ahead=1))
        return {name: np.concatenate([np.empty(0), *(part[name] for part in parts)]) for name in empty}


def sorted_ids(ids: Iterable[UnitId]) -> list[UnitId]:
    """Return unit ids in one order: integers by value, then strings; tuples part by part."""
    return sorted(ids, key=_sort_key)


def interval(samples: NDArray[np.float64], tail: float = 2.5) -> tuple[float, float] | None:
    """Return the percentile interval of the samples that are defined (not NaN), None where none is.

    Args:
        samples: float64 [n].
        tail: percent of them that may lie below the interval, and as many above.

    >>> interval(np.array([3.0, np.nan, 1.0, 2.0]), 25)
    (1.5, 2.5)
    """
    defined = samples[~np.isnan(samples)]
    if len(defined) == 0:
        return None
    low, high = np.percentile(defined, [tail, 100 - tail]).tolist()
    return low, high


def or_none(value: float) -> float | None:
    """Return None for NaN, which stands for an undefined figure inside arrays only."""
    return None if math.isnan(value) else float(value)


def _sort_key(unit: UnitId) -> Any:
    if isinstance(unit, tuple):
        return tuple(map(_sort_key, unit))
    return isinstance(unit, str), unit


def _draws(generator: np.random.Generator, n: int, n_clusters: int) -> Iterator[Int64Array]:
    """Yield how often each cluster is drawn in n resamples of all clusters, int64 [up to 16, clusters] at a time.

    The draws do not depend on how many are taken at a time.
    """
    batch = min(_BATCH, max(_BATCH_CELLS // n_clusters, 1))
    for start in range(0, n, batch):
        size = min(batch, n - start)
        drawn = generator.integers(0, n_clusters, (size, n_clusters))
        drawn += np.arange(size)[:, None] * n_clusters
        yield np.bincount(drawn.ravel(), minlength=size * n_clusters).reshape(size, n_clusters)
