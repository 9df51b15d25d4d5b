"""Runs a model on a task: shard by shard, then one file of predictions, then a result. Run again, it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from entityseg.benchmarks.harness.predicting import SHARD_SIZE, Job, Model, Predicted
from entityseg.benchmarks.harness.scoring import check_choices, input_mode, predictions_digest, score
from entityseg.benchmarks.harness.sets import folder_of
from entityseg.benchmarks.harness.shares import WHOLE, Share
from entityseg.benchmarks.results import NAME, Result
from entityseg.benchmarks.tasks import get
from entityseg.benchmarks.tasks.record import Task
from entityseg.data.threads import Progress, no_progress
from entityseg.predictions import manifest
from entityseg.predictions.manifest import Manifest, Statements, tool_versions, write_manifest


@dataclass(frozen=True)
class Run:
    """What a run gave.

    Attributes:
        result: the result.
        folder: where everything lies.
        reused: units whose predictions were there already.
        predicted: units predicted now.
    """

    result: Result
    folder: Path
    reused: int
    predicted: int


def run(
    task: Task,
    model_name: str,
    out: str | Path,
    *,
    data: str | Path | None = None,
    model_options: Mapping[str, Any] | None = None,
    shard_size: int = SHARD_SIZE,
    mode: str = "canonical",
    options: Mapping[str, Any] | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    statements: Statements | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> Run:
    """Run a model on a task and score it.

    Args:
        task: the task.
        model_name: of the registry, or `module:attr`.
        out: folder of the run; one of the same run goes on where it was.
        data: the dataset's folder, see `open_truth`.
        model_options: keyword arguments of the model.
        shard_size: units (images) a shard.
        mode, options, bootstrap, seed, threads: of the scoring, see `score`.
        statements: what else is known of the model, for the manifest.
        overwrite: throw away another run in the folder.
        progress: wraps the units as (iterable, total, label).

    Raises:
        UsageError: the task cannot be run here, the model does not fit it, the folder holds another run, or another
            process is at work in it.
        InputError: something is wrong with the data, or the model broke its word.
    """
    check_choices(task, mode, options)
    job = Job(task, Model.load(model_name, model_options), Path(out), data, shard_size, overwrite)
    with job.taken():
        if task.family == "sets":
            done = _each(job, WHOLE, lambda part: _predict_all(part, statements, progress))
            predictions = job.folder
            _write_manifest(job, predictions, statements)
        else:
            done = _predict_all(job, statements, progress)
            predictions = job.predictions
        result = score(
            task, predictions, data=data, mode=mode, options=options, bootstrap=bootstrap, seed=seed,
            out=job.folder / NAME, threads=threads, progress=progress,
        )  # fmt: skip
    return Run(result, job.folder, done.reused, done.predicted)


def predict(
    task: Task,
    model_name: str,
    out: str | Path,
    share: Share,
    *,
    data: str | Path | None = None,
    model_options: Mapping[str, Any] | None = None,
    shard_size: int = SHARD_SIZE,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Predicted:
    """Predict a share of a run's shards and score nothing; `run` goes on from there.

    Processes with other shares may work in the same folder at the same time, on one machine or on several that see it.
    Arguments and errors are those of `run`.
    """
    job = Job(task, Model.load(model_name, model_options), Path(out), data, shard_size, overwrite)
    with job.taken(share):
        if task.family == "sets":
            return _each(job, share, lambda part: part.predict(share, progress))
        return job.predict(share, progress)


def _each(job: Job, share: Share, do: Callable[[Job], Predicted]) -> Predicted:
    """Do something with the job of each set of a task over several sets; return the sum."""
    total = Predicted(job.folder, 0, 0, 0)
    for member in map(get, job.task.members):
        part = replace(job, task=member, folder=job.folder / folder_of(member))
        with part.taken(share):
            total += do(part)
    return total


def _predict_all(job: Job, statements: Statements | None, progress: Progress) -> Predicted:
    """Predict what is missing of a task with one set, and write the file of all predictions with its manifest."""
    done = job.predict(WHOLE, progress)
    job.join()
    _write_manifest(job, job.predictions, statements)
    return done


def _write_manifest(job: Job, predictions: Path, statements: Statements | None) -> None:
    """Write what goes with predictions, wherever they go."""
    task, said = job.task, (statements or Statements()).model_dump()
    write_manifest(
        job.folder / manifest.NAME,
        Manifest(
            **said,
            task=task.name,
            split=task.data.split,
            protocol_version=task.version,
            model=job.model.name,
            model_options=dict(job.model.options),
            oracle=job.model.is_oracle,
            input_mode=input_mode(task),
            excluded=() if job.truth is None else job.truth.excluded,
            sha256=predictions_digest(task, predictions),
            tools=tool_versions(),
        ),
    )
