"""Result files: figures with their identity, so that a figure can be traced, compared, or refused."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from entityseg.data.json_file import parse_json_file
from entityseg.data.validated import validated
from entityseg.errors import Findings, input_error
from entityseg.files import write_bytes

NAME = "result.json"
_SAMPLES = ".samples.npz"
_EPS = 1e-9
# Of units, which every result has.
COUNTS = ("expected", "predicted", "missing", "empty")
# What may not be above what, wherever both are figures of a result. (Of two thresholds, greedy matching at the lower
# one takes every mask of the truth that it takes at the higher one, so AP50 >= AP; more detections may lower AP.)
_ORDER = (
    ("AP", "AP50"),
    ("AP75", "AP50"),
    ("AR@1", "AR@10"),
    ("AR@10", "AR@100"),
    ("AR@100", "AR@100@.5"),
    ("P@.6", "P@.5"),
    ("P@.7", "P@.6"),
    ("P@.8", "P@.7"),
    ("P@.9", "P@.8"),
    ("meanF", "maxF"),
    ("maxF", "maxF_by_image"),
    ("meanE", "maxE"),
)
# E-measure divides by one pixel less than there are, so a perfect map is a little above 1.
_ABOVE_ONE = ("meanE", "maxE", "adpE")
# A figure over all, and the two groups that it is a mean of.
_PARTS = (
    ("PQ", "PQ_things", "PQ_stuff"),
    ("AR", "AR_Th", "AR_St"),
    ("AR", "AR_Sing", "AR_Pl"),
    ("gIoU", "gIoU_short", "gIoU_long"),
)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Identity(_Record):
    """Digests (SHA-256) of what a result was made of.

    Attributes:
        predictions: bytes of the predictions.
        ground_truth: bytes of the ground truth's files.
        task: the task's record.
        evaluator: sources that score, metric family, mode and options.
        environment: Python, system, and versions of tools, in words.
    """

    predictions: str
    ground_truth: str
    task: str
    evaluator: str
    environment: dict[str, str]


class Bootstrap(_Record):
    """How intervals were made, and the digest of the resampled figures beside the result."""

    resamples: int = Field(ge=0)
    seed: int = Field(ge=0)
    samples: str | None = None


class Result(_Record):
    """A result file.

    Attributes:
        format: of this file.
        task: name of the task.
        model: what the manifest says of the model; empty for predictions of unknown origin.
        metric, mode, main: the metric, its mode, the figure that ranks.
        values, intervals: as fractions, null where undefined.
        bootstrap: how intervals were made.
        counts: units expected, predicted, missing, empty, and what else was counted.
        options: of the metric.
        identity: digests.
        warnings: what was found and did not refuse the data.
        per_image: figures of each image alone.
        per_category: figures of each category, if the metric has them.
        predictions: where the predictions lie, seen from the result file.
    """

    format: Literal["entityseg/result@1"] = "entityseg/result@1"
    task: str
    model: dict[str, Any] = {}
    metric: str
    mode: str
    main: str
    values: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None] = {}
    bootstrap: Bootstrap
    counts: dict[str, int]
    options: dict[str, Any] = {}
    identity: Identity
    warnings: list[str] = []
    per_image: list[dict[str, Any]] = []
    per_category: list[dict[str, Any]] = []
    predictions: str | None = None

    @field_validator("model")
    @classmethod
    def _is_model(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(value.get("model", ""), str) or not isinstance(
            value.get("model_options", {}), dict
        ):
            raise ValueError("`model` is a text, `model_options` an object")
        return value

    @field_validator("counts")
    @classmethod
    def _has_counts(cls, value: dict[str, int]) -> dict[str, int]:
        lacking = [name for name in COUNTS if name not in value]
        if lacking:
            raise ValueError(f"lacks {', '.join(lacking)}")
        return value

    @field_validator("per_image")
    @classmethod
    def _are_of_images(cls, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for one in value:
            figures = [figure for name, figure in one.items() if name != "image_id"]
            if not isinstance(one.get("image_id"), int | str):
                raise ValueError("an entry has no image_id")
            if not all(figure is None or isinstance(figure, int | float) for figure in figures):
                raise ValueError(f"a figure of image {one['image_id']} is no number")
        return value

    @property
    def name(self) -> str:
        """What to call the result in tables: its model with its options, else its predictions' digest."""
        if not self.model.get("model"):
            return f"predictions {self.identity.predictions[:8]}"
        options = ", ".join(f"{name}={value}" for name, value in self.model.get("model_options", {}).items())
        return f"{self.model['model']} ({options})" if options else str(self.model["model"])


def impossible(result: Result, plain: tuple[str, ...] = ()) -> Findings:
    """Return what cannot be: figures that contradict each other, or counts that do not add up.

    Args:
        result: the result.
        plain: figures that are no fractions.
    """
    findings = Findings()
    # A compat mode reproduces published code, quirks included; only what canonical promises is checked.
    for message in _contradictions(result.values, canonical=result.mode == "canonical", plain=plain):
        remedy = "No evaluator can give this: score the predictions again, and report it if it stays."
        findings.add("result.identity", message, remedy, record=result.task)
    for name, pair in result.intervals.items():
        if pair is not None and pair[0] > pair[1]:
            message, remedy = f"the interval of {name} is upside down", "Score the predictions again."
            findings.add("result.interval", message, remedy, record=result.task)
    counts = result.counts
    if counts["predicted"] + counts["missing"] != counts["expected"]:
        message = "predicted and missing units are not the expected ones"
        findings.add("result.counts", message, "Score the predictions again.", record=result.task)
    if not 0 <= counts["empty"] <= counts["predicted"]:
        message = "more units are empty than are predicted"
        findings.add("result.counts", message, "Score the predictions again.", record=result.task)
    return findings


def _contradictions(
    values: Mapping[str, float | None], *, canonical: bool, plain: tuple[str, ...]
) -> Iterator[str]:
    known = {name: value for name, value in values.items() if value is not None}
    for name, value in known.items():
        too_high = name not in (*plain, *_ABOVE_ONE) and value > 1 + _EPS
        if not math.isfinite(value) or value < 0 or too_high:
            yield f"{name} = {value} is no fraction"
    if not canonical:
        return
    for below, above in _ORDER:
        if below in known and above in known and known[below] > known[above] + _EPS:
            yield f"{below} = {known[below]:.6f} is above {above} = {known[above]:.6f}"
    for suffix in ("", "_things", "_stuff"):
        pq, sq, rq = (known.get(f"{name}{suffix}") for name in ("PQ", "SQ", "RQ"))
        if pq is None or sq is None or rq is None:
            continue
        if not sq + rq - 1 - _EPS <= pq <= min(sq, rq) + _EPS:
            yield f"PQ{suffix} = {pq:.6f} is outside SQ + RQ - 1 = {sq + rq - 1:.6f} to min(SQ, RQ) = {min(sq, rq):.6f}"
    for whole, one, other in _PARTS:
        if {whole, one, other} <= known.keys():
            low, high = sorted((known[one], known[other]))
            if not low - _EPS <= known[whole] <= high + _EPS:
                yield f"{whole} = {known[whole]:.6f} is not between {one} and {other}"


def write_result(
    path: str | Path, result: Result, samples: Mapping[str, NDArray[np.float64]] | None = None
) -> None:
    """Write a result, and beside it the resampled figures that `compare` needs; equal results give equal bytes."""
    path = Path(path)
    if samples:
        # The samples first: a result names their digest.
        write_bytes(samples_path(path), samples_bytes(samples))
    text = orjson.dumps(
        result.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    )
    write_bytes(path, text)


def samples_path(path: str | Path) -> Path:
    """Return where the resampled figures of a result file lie."""
    path = Path(path)
    return path.with_name(f"{path.stem}{_SAMPLES}")


def samples_bytes(samples: Mapping[str, NDArray[np.float64]]) -> bytes:
    """Return resampled figures as the bytes of an npz file."""
    out = io.BytesIO()
    np.savez_compressed(out, **{name: samples[name] for name in sorted(samples)})  # type: ignore[arg-type]
    return out.getvalue()


def result_path(path: str | Path) -> Path:
    """Return the result file of a path: itself, or the one in a run's folder."""
    path = Path(path)
    return path / NAME if path.is_dir() else path


def read_result(path: str | Path) -> Result:
    """Read a result file, or that of a run's folder, and check that it is possible.

    Raises:
        MissingFileError: there is none.
        InputError: it is no result, or its figures contradict each other; all problems are listed.
    """
    path = result_path(path)
    value = parse_json_file(path)
    findings = Findings(str(path))
    remedy = "Write it with `entityseg bench score` or `run`."
    result = validated(Result, value, findings, kind="result.field", remedy=remedy)
    findings.extend(impossible(result, _plain(result)))
    findings.raise_errors()
    return result


def read_samples(path: str | Path, result: Result) -> dict[str, NDArray[np.float64]]:
    """Return the resampled figures beside a result file.

    Raises:
        InputError: there are none, or they are not those that the result names.
    """
    from entityseg.benchmarks import identity

    beside = samples_path(result_path(path))
    remedy = "Score the predictions again with --bootstrap, and keep both files together."
    if result.bootstrap.samples is None or not beside.is_file():
        message = "the resampled figures that a comparison needs are not beside the result"
        raise input_error("result.samples", message, remedy, file=os.fspath(beside))
    data = beside.read_bytes()
    if identity.of_bytes(data) != result.bootstrap.samples:
        raise input_error(
            "result.samples",
            "the resampled figures are those of another result",
            remedy,
            file=os.fspath(beside),
        )
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _plain(result: Result) -> tuple[str, ...]:
    from entityseg.benchmarks.harness.families import FAMILIES
    from entityseg.benchmarks.tasks import tasks

    family = next((task.family for task in tasks() if task.name == result.task), None)
    return FAMILIES[family].plain if family is not None else ()
