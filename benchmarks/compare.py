"""The difference between two results, with its paired bootstrap interval; what may not be compared is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.benchmarks.results import Result, read_result, read_samples
from entityseg.errors import Findings, UsageError


@dataclass(frozen=True)
class Difference:
    """How far a figure of B is above that of A.

    Attributes:
        a, b: the figures, None where undefined.
        difference: b - a.
        interval: 95 % percentile interval of the difference over resampled images, both on the same images.
        p: two-sided bootstrap p-value of no difference, never below one resample.
    """

    a: float | None
    b: float | None
    difference: float | None
    interval: tuple[float, float] | None
    p: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval excludes no difference."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


@dataclass(frozen=True)
class Comparison:
    """Two results and the differences of their figures, by name."""

    a: Result
    b: Result
    differences: dict[str, Difference]
    warnings: Findings

    def to_json(self) -> dict[str, Any]:
        """Return one JSON object."""
        return {
            "task": self.a.task,
            "a": self.a.name,
            "b": self.b.name,
            "resamples": self.a.bootstrap.resamples,
            "seed": self.a.bootstrap.seed,
            "differences": {
                name: {
                    "a": one.a,
                    "b": one.b,
                    "difference": one.difference,
                    "interval": list(one.interval) if one.interval else None,
                    "p": one.p,
                    "clear": one.clear,
                }
                for name, one in self.differences.items()
            },
            "warnings": self.warnings.to_json(),
        }


def compare(a: str | Path, b: str | Path) -> Comparison:
    """Compare two result files.

    Raises:
        UsageError: they differ in ground truth, task, evaluator or resampling; every difference is named.
        InputError: one cannot be read, or its resampled figures are missing.
    """
    first, second = read_result(a), read_result(b)
    findings = comparable(first, second)
    if findings.errors:
        raise UsageError(findings)
    samples, others = read_samples(a, first), read_samples(b, second)
    differences = {}
    for name in first.values:
        if name not in second.values:
            continue
        x, y = first.values[name], second.values[name]
        gap = None if x is None or y is None else y - x
        drawn = others.get(name, np.empty(0)) - samples.get(name, np.empty(0))
        drawn = drawn[~np.isnan(drawn)]
        interval = p = None
        if len(drawn) and gap is not None:
            low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
            interval = (low, high)
            # One more on both sides: a resampling of n cannot tell anything below 1 / n.
            least = 1 + min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
            p = min(1.0, 2 * least / (len(drawn) + 1))
        differences[name] = Difference(x, y, gap, interval, p)
    return Comparison(first, second, differences, findings)


def comparable(a: Result, b: Result) -> Findings:
    """Return why two results may not be compared (errors), and what else differs (warnings)."""
    findings = Findings()

    def refuse(kind: str, message: str, remedy: str) -> None:
        findings.add(f"compare.{kind}", message, remedy)

    again = "Score both predictions again with this version of entityseg."
    if a.task != b.task:
        refuse("task", f"the tasks differ: {a.task} and {b.task}", "Compare results of one task.")
    elif a.identity.task != b.identity.task:
        refuse("task", f"the record of {a.task} is not the same in both results", again)
    if a.identity.ground_truth != b.identity.ground_truth:
        remedy = "Score both predictions on the same copy of the data."
        refuse("ground_truth", "the ground truths differ", remedy)
    if (a.mode, a.options) != (b.mode, b.options):
        said = [f"{one.mode} {dict(one.options) or ''}".strip() for one in (a, b)]
        refuse("mode", f"modes or options differ: {said[0]} and {said[1]}", "Score both in the same way.")
    elif a.identity.evaluator != b.identity.evaluator:
        refuse("evaluator", "the evaluators differ: the code that scores is not the same", again)
    pairs = [(one.bootstrap.resamples, one.bootstrap.seed) for one in (a, b)]
    if pairs[0] != pairs[1] or not pairs[0][0]:
        message = f"the resamples differ or are missing: (number, seed) is {pairs[0]} and {pairs[1]}"
        refuse("bootstrap", message, "Score both with the same --bootstrap (above 0) and --seed.")
    mine, theirs = a.identity.environment, b.identity.environment
    differing = sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))
    for key in differing:
        message = f"the environments differ: {key} is {mine.get(key)} and {theirs.get(key)}"
        remedy = "Figures should not depend on it; score both on one machine to be sure."
        findings.add("compare.environment", message, remedy, severity="warning")
    return findings
