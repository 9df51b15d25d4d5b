"""Tasks over several sets: each set is its own task, and the figure is the unweighted mean over all that are due."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.benchmarks import identity
from entityseg.benchmarks.harness.families import adapter
from entityseg.benchmarks.harness.opening import open_truth
from entityseg.benchmarks.harness.predicting import PREDICTIONS
from entityseg.benchmarks.harness.scoring import Samples, check_choices, said_of, score_one, written
from entityseg.benchmarks.results import COUNTS, NAME, Bootstrap, Identity, Result, samples_bytes
from entityseg.benchmarks.tasks import get
from entityseg.benchmarks.tasks.record import Task
from entityseg.data.json_file import require_there
from entityseg.data.threads import Progress
from entityseg.errors import Findings, InputError, usage_error
from entityseg.metrics.set_means import set_means


def set_name(member: Task) -> str:
    """Return what a set is called in files and tables.

    >>> set_name(get("sginw-hand-metal")), set_name(get("lvis-wild")), set_name(get("dis5k-te1"))
    ('Hand-Metal', 'lvis', 'DIS-TE1')
    """
    if "sginw" in member.name:
        return member.data.images.partition("/")[0]
    if member.data.reader == "dis":
        return member.data.split
    return member.name.removeprefix("mini-").partition("-")[0]


def folder_of(member: Task) -> str:
    """Return the name of a set's own run inside a run over all sets."""
    return member.name.replace("@", "-")


def set_files(task: Task) -> list[str]:
    """Return what the predictions of each set are called on the task's board.

    >>> set_files(get("sginw"))[:2]
    ['seginw_Airplane-Parts_val.json', 'seginw_Bottles_val.json']
    """
    return [str(task.options["file"]).format(set=set_name(get(member))) for member in task.members]


def find_predictions(task: Task, member: Task, folder: Path) -> Path | None:
    """Return a set's predictions: those of its own run, or the file that the task's board names."""
    own = folder / folder_of(member)
    board = folder / str(task.options["file"]).format(set=set_name(member))
    return next((path for path in (*(own / name for name in PREDICTIONS), board) if path.exists()), None)


def all_predictions(task: Task, folder: Path) -> dict[str, Path | None]:
    """Return the predictions of each set, by its name; None where there are none."""
    members = map(get, task.members)
    return {set_name(member): find_predictions(task, member, folder) for member in members}


def score_sets(
    task: Task,
    pred: str | Path,
    *,
    data: str | Path | None,
    mode: str,
    options: Mapping[str, Any] | None,
    bootstrap: int,
    seed: int,
    write_parts: bool,
    threads: int | None,
    progress: Progress | None,
) -> tuple[Result, Samples]:
    """Score a folder with one prediction a set; a set without predictions counts 0.

    Arguments are those of `score`; the sets are resampled independently of each other. With `write_parts`, sets that
    have a run of their own get their own result there.

    Raises:
        UsageError: no set has predictions.
        InputError: something is wrong with some sets; the problems of all are listed.
    """
    check_choices(task, mode, options)
    folder = Path(pred)
    require_there(folder)
    figure = str(task.options["figure"])
    members = {set_name(member): member for member in map(get, task.members)}
    found = all_predictions(task, folder)
    if not any(found.values()):
        message, names = "the folder has predictions of no set", ", ".join(set_files(task)[:3])
        raise usage_error("sets.none", message, f"Name them {names}, ...", file=str(folder))
    scored: dict[str, Result] = {}
    drawn = np.zeros((len(members), bootstrap))
    counts = dict.fromkeys(COUNTS, 0)
    truths: dict[str, str] = {}
    warnings: list[str] = []
    findings = Findings()
    for k, (name, member) in enumerate(members.items()):
        path = found[name]
        if path is None:
            truth = open_truth(member, data)
            units = len(adapter(truth))
            counts["expected"] += units
            counts["missing"] += units
            truths[name] = identity.of_paths(truth.files)
            warnings.append(f"set {name} has no predictions and counts 0")
            continue
        # Each set draws its own numbers, which do not depend on what other sets are there.
        own_seed = int(np.random.SeedSequence([seed, k]).generate_state(1)[0])
        try:
            one, samples = score_one(
                member, path, data=data, mode=mode, options=None, bootstrap=bootstrap, seed=own_seed,
                threads=threads, progress=progress,
            )  # fmt: skip
        except InputError as error:
            findings.extend(error.findings)
            continue
        if write_parts and path.parent.name == folder_of(member):
            model, said = said_of(member, path)
            own_result = one.model_copy(update={"model": model, "warnings": [*said, *one.warnings]})
            written(path.parent / NAME, own_result, samples, path)
        scored[name] = one
        if bootstrap:
            drawn[k] = samples[figure]
        for key in COUNTS:
            counts[key] += one.counts[key]
        truths[name] = one.identity.ground_truth
        warnings += [f"set {name}: {line}" for line in one.warnings]
    findings.raise_errors()
    means = set_means({name: one.values[figure] for name, one in scored.items()}, list(members))
    values = {"mean": means.mean, "median": means.median, **means.values}
    own = {name: drawn[k] for k, name in enumerate(members)}
    samples = {"mean": drawn.mean(axis=0), "median": np.median(drawn, axis=0), **own} if bootstrap else {}
    return (
        Result(
            task=task.name,
            metric=f"{figure} of sets",
            mode=mode,
            main=task.main,
            values=values,
            intervals={name: _interval(one) for name, one in samples.items()},
            bootstrap=Bootstrap(
                resamples=bootstrap,
                seed=seed,
                samples=identity.of_bytes(samples_bytes(samples)) if samples else None,
            ),
            counts={
                **counts,
                "sets": len(members),
                "sets_missing": len(means.missing),
                "sets_below_10": means.below_10,
            },
            identity=Identity(
                predictions=identity.of_json(
                    {name: one.identity.predictions for name, one in scored.items()}
                ),
                ground_truth=identity.of_json(truths),
                task=identity.of_json([task.digest(), *(member.digest() for member in members.values())]),
                evaluator=identity.evaluator("sets", mode, {**task.options, "members": list(members)}),
                environment=identity.environment(),
            ),
            warnings=warnings,
        ),
        samples,
    )


def _interval(samples: Any) -> tuple[float, float] | None:
    defined = samples[~np.isnan(samples)]
    if not len(defined):
        return None
    low, high = np.percentile(defined, [2.5, 97.5]).tolist()
    return low, high
