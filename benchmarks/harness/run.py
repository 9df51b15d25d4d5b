"""Runs a model on a task: shard by shard, then one file of predictions, then a result. Run again, it goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entityseg import registry
from entityseg.benchmarks import identity
from entityseg.benchmarks.harness.adapter import Adapter
from entityseg.benchmarks.harness.families import adapter
from entityseg.benchmarks.harness.opening import Truth, open_truth
from entityseg.benchmarks.harness.scoring import check_choices, score
from entityseg.benchmarks.harness.shards import Shard, cut
from entityseg.benchmarks.results import NAME, Result
from entityseg.benchmarks.tasks import get
from entityseg.benchmarks.tasks.record import Task
from entityseg.data.json_file import parse_json_file
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import usage_error
from entityseg.files import write_json
from entityseg.protocols import Oracle

RUN, MANIFEST, SHARDS = "run.json", "manifest.json", "shards"
SHARD_SIZE = 32


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
    manifest: Mapping[str, Any] | None = None,
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
        manifest: what else is known of the model: checkpoint, training_data, uses_split_in_training, ...
        overwrite: throw away another run in the folder.
        progress: wraps the units as (iterable, total, label).

    Raises:
        UsageError: the task cannot be run here, the model does not fit it, or the folder holds another run.
        InputError: something is wrong with the data, or the model broke its word.
    """
    check_choices(task, mode, options)
    model = registry.load(model_name, model_options)
    folder = Path(out)
    if task.family == "sets":
        from entityseg.benchmarks.harness.sets import folder_of

        _claim(folder, _identity(task, None, model_name, model_options, shard_size), overwrite=overwrite)
        parts = [
            run(
                member, model_name, folder / folder_of(member), data=data, model_options=model_options,
                shard_size=shard_size, mode=mode, bootstrap=0, manifest=manifest, overwrite=overwrite,
                threads=threads, progress=progress,
            )
            for member in map(get, task.members)
        ]  # fmt: skip
        said = _manifest(task, model_name, model, model_options, manifest, None)
        write_json(folder / MANIFEST, said, indent=True)
        result = score(
            task, folder, data=data, mode=mode, bootstrap=bootstrap, seed=seed, model=said, out=folder / NAME,
            threads=threads, progress=progress,
        )  # fmt: skip
        return Run(result, folder, sum(one.reused for one in parts), sum(one.predicted for one in parts))
    truth = open_truth(task, data)
    side = adapter(truth)
    if not hasattr(model, side.method):
        message = f"the model has no method `{side.method}`, which {task.name} needs"
        raise usage_error(
            "model.protocol", message, "See `entityseg.protocols`.", field="model", value=model_name
        )
    _claim(folder, _identity(task, truth, model_name, model_options, shard_size), overwrite=overwrite)
    side.prepare(model)
    suffix = Path(side.file).suffix
    shards = cut(len(side), shard_size, folder / SHARDS, suffix)
    todo = [shard for shard in shards if not shard.is_whole()]
    units = sum(len(shard.units) for shard in todo)
    for _ in progress(_predicted(side, model, todo), units, "predicting"):
        pass
    predictions = folder / side.file
    side.join([shard.path for shard in shards], predictions)
    said = _manifest(task, model_name, model, model_options, manifest, predictions)
    write_json(folder / MANIFEST, said, indent=True)
    result = score(
        task, predictions, data=data, mode=mode, options=options, bootstrap=bootstrap, seed=seed, model=said,
        out=folder / NAME, threads=threads, progress=progress,
    )  # fmt: skip
    return Run(result, folder, len(side) - units, units)


def _predicted(side: Adapter, model: Any, shards: list[Shard]) -> Iterator[int]:
    """Predict shard by shard; yields once a unit, so that a bar moves as far as the work is."""
    for shard in shards:
        shard.write(lambda path, units=shard.units: side.predict(model, units, path))  # type: ignore[misc]
        yield from shard.units


def _identity(
    task: Task, truth: Truth | None, model_name: str, model_options: Mapping[str, Any] | None, shard_size: int
) -> dict[str, Any]:
    return {
        "format": "entityseg/run@1",
        "task": task.name,
        "task_sha256": task.digest(),
        # Runs over several sets have one in each set's own folder.
        "ground_truth_sha256": None if truth is None else identity.of_paths(truth.files),
        "model": model_name,
        "model_options": dict(model_options or {}),
        "shard_size": shard_size,
    }


def _claim(folder: Path, own: dict[str, Any], *, overwrite: bool) -> None:
    """Make the folder that of this run.

    Raises:
        UsageError: it holds another run, or something else.
    """
    path = folder / RUN
    if path.is_file():
        there = parse_json_file(path)
        differing = [key for key in own if not isinstance(there, dict) or there.get(key) != own[key]]
        if not differing:
            return
        if not overwrite:
            message = f"the folder holds another run; different are: {', '.join(differing)}"
            remedy = "Choose another folder (--out), or throw that run away (--overwrite)."
            raise usage_error("run.other", message, remedy, file=str(folder))
        for name in (NAME, MANIFEST):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / SHARDS, ignore_errors=True)
    elif folder.is_dir() and any(one for one in folder.iterdir() if not one.name.startswith(".part-")):
        message, remedy = "the folder is not empty and holds no run", "Choose another folder (--out)."
        raise usage_error("run.folder", message, remedy, file=str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, own, indent=True)


def _manifest(
    task: Task,
    model_name: str,
    model: Any,
    model_options: Mapping[str, Any] | None,
    extra: Mapping[str, Any] | None,
    predictions: Path | None,
) -> dict[str, Any]:
    """Return what goes with the predictions, wherever they go."""
    return {
        "task": task.name,
        "split": task.data.split,
        "model": model_name,
        "model_options": dict(model_options or {}),
        "oracle": isinstance(model, Oracle),
        **dict(extra or {}),
        **({} if predictions is None else {"predictions_sha256": identity.of_paths([predictions])}),
        "tools": identity.environment(),
    }
