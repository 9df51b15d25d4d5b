"""The one table of metric families: who scores, and who turns a model's output into predictions."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entityseg.errors import UsageError, usage_error

if TYPE_CHECKING:
    from entityseg.benchmarks.harness.adapter import Adapter
    from entityseg.benchmarks.harness.opening import Truth
    from entityseg.benchmarks.tasks.record import Task

_HERE = "entityseg.benchmarks.harness"
_METRICS = "entityseg.metrics"


@dataclass(frozen=True)
class FamilyEntry:
    """Where the parts of a metric family are; imported when they are used.

    Attributes:
        scorer: `module:function` that scores a file of predictions.
        adapter: `module:class` of the harness's side; empty where there is none yet.
        plain: figures that are no fractions.
        less_is_better: figures where less is better.
        unit: what is counted as expected, predicted, missing.
    """

    scorer: str
    adapter: str = ""
    plain: tuple[str, ...] = ()
    less_is_better: tuple[str, ...] = ()
    unit: str = "image"


FAMILIES: dict[str, FamilyEntry] = {
    "entity": FamilyEntry(f"{_METRICS}.scoring:score", f"{_HERE}.images:ImagesAdapter"),
    "recall": FamilyEntry(f"{_METRICS}.scoring:score", f"{_HERE}.recall:RecallAdapter"),
    "boundary": FamilyEntry(f"{_METRICS}.scoring_boundary:score_boundary", f"{_HERE}.images:ImagesAdapter"),
    "instance": FamilyEntry(f"{_METRICS}.scoring_instance:score_instance", f"{_HERE}.images:InstanceAdapter"),
    "semantic": FamilyEntry(
        f"{_METRICS}.scoring_semantic:score_semantic", f"{_HERE}.images:PartitionAdapter"
    ),
    "panoptic": FamilyEntry(
        f"{_METRICS}.scoring_panoptic:score_panoptic", f"{_HERE}.images:PartitionAdapter"
    ),
    "referring": FamilyEntry(
        f"{_METRICS}.scoring_referring:score_referring",
        f"{_HERE}.referring:ReferringAdapter",
        unit="expression",
    ),
    "narrative": FamilyEntry(
        f"{_METRICS}.scoring_narrative:score_narrative", f"{_HERE}.narrative:NarrativeAdapter", unit="phrase"
    ),
    "reasoning": FamilyEntry(
        f"{_METRICS}.scoring_reasoning:score_reasoning", f"{_HERE}.reasoning:ReasoningAdapter", unit="text"
    ),
    "dichotomous": FamilyEntry(
        f"{_METRICS}.scoring_dichotomous:score_dichotomous",
        f"{_HERE}.grey:GreyAdapter",
        plain=("HCE",),
        less_is_better=("HCE", "MAE"),
    ),
    "sets": FamilyEntry(f"{_HERE}.sets:score_sets"),
    "video-instance": FamilyEntry(
        f"{_METRICS}.scoring_video:score_video", f"{_HERE}.videos:TubesAdapter", unit="video"
    ),
    "video-panoptic": FamilyEntry(
        f"{_METRICS}.scoring_video:score_video", f"{_HERE}.videos:PanopticVideosAdapter", unit="video"
    ),
}


def scorer(family: str) -> Callable[..., Any]:
    """Return the function that scores a file of predictions.

    Raises:
        ImportError: the metric is not there.
    """
    return _imported(FAMILIES[family].scorer)


def adapter(truth: Truth) -> Adapter:
    """Return the harness's side of a task's metric family.

    Raises:
        UsageError: the family cannot be run yet; says what is missing.
    """
    entry = FAMILIES[truth.task.family]
    if not entry.adapter or not is_ready(truth.task):
        raise not_ready(truth.task)
    made: Adapter = _imported(entry.adapter)(truth)
    return made


def is_ready(task: Task) -> bool:
    """Return whether a task can be run: its metric and its adapter are there."""
    entry = FAMILIES[task.family]
    if task.family != "sets" and not entry.adapter:
        return False
    return all(_exists(place) for place in (entry.scorer, entry.adapter) if place)


def not_ready(task: Task) -> UsageError:
    """Return the error for a task that cannot be run yet, naming what is missing."""
    entry = FAMILIES[task.family]
    lacking = [place for place in (entry.scorer, entry.adapter) if place and not _exists(place)]
    if not entry.adapter:
        lacking.append(f"an adapter of the family {task.family} in {_HERE}.families")
    message = f"{task.name} is listed but cannot be run or scored here"
    remedy = f"Missing: {', '.join(lacking) or 'nothing that an import shows'}."
    return usage_error("task.not_ready", message, remedy, field="task", value=task.name)


def _exists(place: str) -> bool:
    module, _, name = place.partition(":")
    try:
        return hasattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is not None and module.startswith(error.name):
            return False
        raise


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
