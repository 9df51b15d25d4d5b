"""Means over several datasets, each with one weight: SGinW's mean AP, and mean recall in the wild."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from entityseg.errors import Findings, usage_error
from entityseg.metrics.table import Table, interval

# As the folders on disk spell them (Zou et al., Segmentation in the Wild, CVPR 2023 workshop).
SGINW_SETS = (
    "Airplane-Parts", "Bottles", "Brain-Tumor", "Chicken", "Cows", "Electric-Shaver", "Elephants", "Fruits",
    "Garbage", "Ginger-Garlic", "Hand", "Hand-Metal", "House-Parts", "HouseHold-Items", "Nutterfly-Squireel",
    "Phones", "Poles", "Puppies", "Rail", "Salmon-Fillet", "Strawberry", "Tablets", "Toolkits", "Trash",
    "Watermelon",
)  # fmt: skip
SGINW_FIGURE = "AP"
IN_THE_WILD_SETS = ("LVIS", "OCID", "CAMO++", "FSS-1000")
IN_THE_WILD_FIGURE = "AR@100@.5"


@dataclass(frozen=True)
class SetMeans:
    """One figure over several datasets.

    Attributes:
        mean, median: over all sets that are due; None if the figure is undefined on one of them.
        below_10: sets with a figure below 10 %.
        values: the figure of each set, a set without predictions with 0.
        missing: sets without predictions.
        intervals: 95 % intervals of mean and median, if asked for.
    """

    mean: float | None
    median: float | None
    below_10: int
    values: Mapping[str, float | None]
    missing: Sequence[str]
    intervals: Mapping[str, tuple[float, float] | None]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as one JSON object."""
        return {
            "mean": self.mean,
            "median": self.median,
            "below_10": self.below_10,
            "sets": dict(self.values),
            "missing": list(self.missing),
            "intervals": {name: list(pair) if pair else None for name, pair in self.intervals.items()},
        }


def set_means(values: Mapping[str, float | None], sets: Sequence[str]) -> SetMeans:
    """Return the unweighted mean and median of a figure over datasets; a set that has no value counts as 0.

    Args:
        values: the figure of each set that has predictions, as a fraction; None where it is undefined.
        sets: all sets that are due.

    Raises:
        InputError: a value is no fraction, or belongs to a set that is not due; all such are listed.
        UsageError: no set is due, or one stands twice.

    >>> found = set_means({"LVIS": 0.5, "OCID": 0.75, "CAMO++": 0.25}, IN_THE_WILD_SETS)
    >>> found.mean, found.median, found.missing
    (0.375, 0.375, ('FSS-1000',))
    """
    _check(values, sets)
    every = {name: values.get(name, 0.0) for name in sets}
    defined = [value for value in every.values() if value is not None]
    complete = len(defined) == len(every)
    return SetMeans(
        mean=math.fsum(defined) / len(every) if complete else None,
        median=float(np.median(defined)) if complete else None,
        below_10=sum(value < 0.1 for value in defined),
        values=every,
        missing=tuple(name for name in sets if name not in values),
        intervals={},
    )


def set_means_of(
    tables: Mapping[str, Table[Any]],
    sets: Sequence[str],
    figure: str,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    threads: int | None = None,
) -> SetMeans:
    """Return `set_means` of a figure of tables, with bootstrap intervals over the images of each set.

    Args:
        tables: the table of each set that has predictions, such as `InstanceAP`.
        sets: all sets that are due.
        figure: name of the figure, such as `AP`.
        bootstrap: resamples, 0 for no intervals. The sets are resampled independently of each other.
        seed: of the resampling.
        threads: worker threads, all cores if not given.

    Raises:
        InputError: as `set_means`.
        UsageError: as `set_means`.
    """
    means = set_means({name: table.compute()[figure] for name, table in tables.items()}, sets)
    if not bootstrap:
        return means
    samples = np.zeros((len(sets), bootstrap))
    for k, name in enumerate(sets):
        if name in tables:
            # Each set draws its own numbers, which do not depend on what other sets are there.
            own_seed = int(np.random.SeedSequence([seed, k]).generate_state(1)[0])
            samples[k] = tables[name].resample(bootstrap, own_seed, threads=threads)[figure]
    intervals = {"mean": interval(samples.mean(axis=0)), "median": interval(np.median(samples, axis=0))}
    return replace(means, intervals=intervals)


def _check(values: Mapping[str, float | None], sets: Sequence[str]) -> None:
    if not sets or len(set(sets)) < len(sets):
        message = f"{len(sets)} sets are due, {len(set(sets))} of them different"
        raise usage_error("sets.due", message, "Name each set once, and at least one.", value=list(sets))
    findings = Findings()
    for name, value in values.items():
        if name not in sets:
            remedy = f"Use one of {', '.join(sets)}."
            findings.add("set.unknown", "no such set is due", remedy, field="set", value=name)
        elif value is not None and not 0 <= value <= 1:
            remedy = "Give figures as fractions, and None where undefined."
            findings.add(
                "set.value", "the figure must be a fraction from 0 to 1", remedy, record=name, value=value
            )
    findings.raise_errors()
