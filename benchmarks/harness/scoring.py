"""Scores predictions under a task and returns a result with its identity."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from entityseg.benchmarks import identity
from entityseg.benchmarks.harness.families import FAMILIES, adapter
from entityseg.benchmarks.harness.opening import Truth, open_truth
from entityseg.benchmarks.results import (
    Bootstrap,
    Identity,
    Result,
    impossible,
    samples_bytes,
    write_result,
)
from entityseg.benchmarks.tasks.record import Task
from entityseg.data.json_file import parse_json_file, require_there
from entityseg.data.peek import peek
from entityseg.data.targets import require_own_file
from entityseg.data.threads import Progress
from entityseg.errors import usage_error
from entityseg.metrics.result import Score
from entityseg.metrics.scoring import Overlap
from entityseg.metrics.table import kept_samples
from entityseg.predictions.manifest import NAME, Manifest, check_manifest, read_manifest
from entityseg.predictions.narrative import InputMode

# Options of a task's family that a caller may choose; they are part of the evaluator's identity.
CHOICES = {"entity": {"overlap": get_args(Overlap)}}
Samples = dict[str, NDArray[np.float64]]


def score(
    task: Task,
    pred: str | Path,
    *,
    data: str | Path | None = None,
    mode: str = "canonical",
    options: Mapping[str, Any] | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    manifest: str | Path | Manifest | None = None,
    name: str | None = None,
    out: str | Path | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Score predictions under a task.

    Args:
        task: the task.
        pred: the predictions, in the task's format.
        data: the dataset's folder, see `open_truth`.
        mode: `canonical` ranks; or one of the task's compat modes.
        options: choices that the family allows, such as `overlap` of entities.
        bootstrap: resamples of the images for the intervals, 0 for none.
        seed: of the resampling.
        manifest: what goes with the predictions; by default `manifest.json` beside them, if there is one.
        name: what to call the model in tables, if not as the manifest does.
        out: where to write the result file; not written where not given.
        threads: worker threads.
        progress: wraps the images as (iterable, total, label).

    Raises:
        UsageError: the task cannot be scored here, has no such mode or option, or `out` is no result.
        InputError: something is wrong with the data, the predictions or their manifest; all problems are listed.
    """
    check_choices(task, mode, options)
    if out is not None:
        require_own_file(out, "result", lambda begin: b"entityseg/result@" in begin)
    model, warnings = said_of(task, Path(pred), manifest)
    if name:
        model["model"] = name
    if task.family == "sets":
        from entityseg.benchmarks.harness.sets import score_sets

        result, samples = score_sets(
            task, pred, data=data, mode=mode, options=options, bootstrap=bootstrap, seed=seed,
            write_parts=out is not None, threads=threads, progress=progress,
        )  # fmt: skip
    else:
        result, samples = score_one(
            task, pred, data=data, mode=mode, options=options, bootstrap=bootstrap, seed=seed, threads=threads,
            progress=progress,
        )  # fmt: skip
    result = result.model_copy(update={"model": model, "warnings": [*warnings, *result.warnings]})
    return result if out is None else written(out, result, samples, Path(pred))


def written(out: str | Path, result: Result, samples: Samples, pred: Path) -> Result:
    """Write a result file, and return the result as it says where the predictions lie."""
    lies = Path(os.path.relpath(pred, Path(out).parent)).as_posix()
    result = result.model_copy(update={"predictions": lies})
    write_result(out, result, samples)
    return result


def said_of(
    task: Task, pred: Path, given: str | Path | Manifest | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Return what the manifest of predictions says of the model, and its warnings.

    Raises:
        InputError: it is malformed, or is that of other predictions.
    """
    require_there(pred)
    # A folder with one prediction a set has it inside: it lies beside the predictions either way.
    beside = (pred if task.family == "sets" else pred.absolute().parent) / NAME
    file = Path(given) if isinstance(given, str | Path) else beside
    if given is None and not beside.is_file():
        return {}, []
    manifest = given if isinstance(given, Manifest) else read_manifest(file)
    findings = check_manifest(
        manifest, task=task.name, split=task.data.split, sha256=predictions_digest(task, pred),
        input_mode=input_mode(task), file=str(file),
    )  # fmt: skip
    findings.raise_errors()
    return manifest.of_model(), [_without_root(str(finding), file.parent) for finding in findings]


def predictions_digest(task: Task, pred: Path) -> str:
    """Return the digest of predictions as results and manifests have it."""
    if task.family != "sets":
        return identity.of_paths(_files(task, pred))
    from entityseg.benchmarks.harness.sets import all_predictions

    found = all_predictions(task, pred)
    return identity.of_json({name: identity.of_paths([path]) for name, path in found.items() if path})


def _files(task: Task, pred: Path) -> list[Path]:
    """Return the paths whose bytes are the predictions: with a JSON file, also the PNGs beside it that it speaks of."""
    if task.family == "video-panoptic" and pred.is_file():
        from entityseg.data.video.vipseg import PRED_FOLDERS

        folders = (pred.parent / name for name in (*PRED_FOLDERS, pred.stem))
        return [pred, *[folder for folder in folders if folder.is_dir()][:1]]
    if task.family != "panoptic" or not pred.is_file() or peek(pred) in ("list", "instances"):
        return [pred]
    from entityseg.data.formats._png_files import find_png, find_root
    from entityseg.data.formats.coco_panoptic import png_folders

    top = parse_json_file(pred)
    records = top.get("annotations") if isinstance(top, dict) else None
    records = [one for one in records if isinstance(one, dict)] if isinstance(records, list) else []
    names = [one["file_name"] for one in records if isinstance(one.get("file_name"), str)]
    root = find_root(png_folders(pred), names)
    found = [] if root is None else [find_png(root, name) for name in names]
    return [pred, *dict.fromkeys(file for file in found if file is not None)]


def input_mode(task: Task) -> InputMode | None:
    """Return what a model is given, for tasks that have several such modes."""
    return cast(InputMode | None, task.options.get("input_mode"))


def score_one(
    task: Task,
    pred: str | Path,
    *,
    data: str | Path | None,
    mode: str,
    options: Mapping[str, Any] | None,
    bootstrap: int,
    seed: int,
    threads: int | None,
    progress: Progress | None,
) -> tuple[Result, Samples]:
    """Return the result of a task of one set, and its resampled figures; arguments are those of `score`."""
    given = check_choices(task, mode, options)
    truth = open_truth(task, data)
    require_there(Path(pred))
    with kept_samples() as samples:
        scored = adapter(truth).score(
            Path(pred), mode=mode, options={**task.options, **given}, bootstrap=bootstrap, seed=seed,
            threads=threads, progress=progress,
        )  # fmt: skip
    return result_of(truth, scored, samples, pred, mode, given, bootstrap, seed), samples


def check_choices(task: Task, mode: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options after a look at them and the mode.

    Raises:
        UsageError: the task has no such mode, or its family no such option or value.
    """
    if mode not in task.modes:
        message, remedy = f"{task.name} has no such mode", f"Its modes are {', '.join(task.modes)}."
        raise usage_error("task.mode", message, remedy, field="mode", value=mode)
    given = {name: value for name, value in (options or {}).items() if value is not None}
    allowed = CHOICES.get(task.family, {})
    for name, value in given.items():
        if name not in allowed:
            message = f"the metric family {task.family} has no such option"
            remedy = f"It has {', '.join(allowed) or 'none'}."
            raise usage_error("task.option", message, remedy, field=name, value=value)
        if value not in allowed[name]:
            message, remedy = "the option has no such value", f"Choose one of {', '.join(allowed[name])}."
            raise usage_error("task.option", message, remedy, field=name, value=value)
    return given


def result_of(
    truth: Truth,
    scored: Score,
    samples: Samples,
    pred: str | Path,
    mode: str,
    options: Mapping[str, Any],
    bootstrap: int,
    seed: int,
) -> Result:
    """Return the result of a score; arguments are those of `score`.

    Raises:
        InputError: its figures contradict each other.
    """
    task = truth.task
    warnings = [str(finding) for finding in (*truth.warnings, *scored.warnings)]
    warnings += [f"... and {n} more of kind [{kind}]" for kind, n in scored.warnings.more().items()]
    result = Result(
        task=task.name,
        metric=scored.metric,
        mode=scored.mode,
        main=task.main,
        values=dict(scored.values),
        intervals=dict(scored.intervals),
        bootstrap=Bootstrap(
            resamples=bootstrap,
            seed=seed,
            samples=identity.of_bytes(samples_bytes(samples)) if samples else None,
        ),
        counts=scored.counts.to_json(),
        options=dict(scored.options),
        identity=Identity(
            predictions=predictions_digest(task, Path(pred)),
            ground_truth=identity.of_paths(truth.files),
            task=task.digest(),
            evaluator=identity.evaluator(task.family, mode, {**task.options, **options}),
            environment=identity.environment(),
        ),
        warnings=[_without_root(line, truth.root) for line in warnings],
        per_image=[{"image_id": unit, **figures} for unit, figures in (scored.per_image or {}).items()],
        per_category=[dict(one) for one in getattr(scored, "per_category", ())],
    )
    impossible(result, FAMILIES[task.family].plain).raise_errors()
    return result


def _without_root(line: str, root: Path) -> str:
    """Return a message that does not say where the data lies, so that results are equal wherever it does."""
    return line.replace(f"{root}{os.sep}", "")
