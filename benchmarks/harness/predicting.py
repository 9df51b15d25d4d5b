"""Predicts a task's units shard by shard in a folder: killed, it goes on; in shares, several processes work at once."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from entityseg import registry
from entityseg.benchmarks import identity
from entityseg.benchmarks.harness.adapter import Adapter
from entityseg.benchmarks.harness.families import adapter
from entityseg.benchmarks.harness.opening import Truth, open_truth
from entityseg.benchmarks.harness.shares import LOCKS, WHOLE, Share, taken
from entityseg.benchmarks.results import NAME, samples_path
from entityseg.benchmarks.tasks.record import Task
from entityseg.data.json_file import parse_json_file
from entityseg.data.shards import Shard, cut
from entityseg.data.threads import Progress
from entityseg.errors import usage_error
from entityseg.files import write_json
from entityseg.predictions import manifest
from entityseg.protocols import Fingerprinted, Oracle

RUN, SHARDS = "run.json", "shards"
# What the file or folder of all predictions is called, whatever the family.
PREDICTIONS = ("predictions.jsonl", "predictions.json", "predictions")
SHARD_SIZE = 32


@dataclass(frozen=True)
class Model:
    """A loaded model, and how it was named.

    Attributes:
        name: of the registry, or `module:attr`.
        options: its keyword arguments.
        made: the model itself.
    """

    name: str
    options: Mapping[str, Any]
    made: Any

    @classmethod
    def load(cls, name: str, options: Mapping[str, Any] | None) -> Model:
        """Load a model; errors are those of `registry.load`."""
        return cls(name, dict(options or {}), registry.load(name, options))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the model is made of, as far as it can be seen: its source file, and its fingerprint."""
        kind = self.made if inspect.ismodule(self.made) else type(self.made)
        try:
            source = inspect.getsourcefile(kind)
        except TypeError:  # Made at a prompt, or not in Python.
            source = None
        there = source is not None and Path(source).is_file()
        return identity.of_json(
            [
                identity.of_file(source) if source is not None and there else None,
                self.made.fingerprint() if isinstance(self.made, Fingerprinted) else None,
            ]
        )

    @property
    def is_oracle(self) -> bool:
        """Whether it is told the truth."""
        return isinstance(self.made, Oracle)


@dataclass(frozen=True)
class Predicted:
    """What a process did for a run.

    Attributes:
        folder: the run's folder.
        predicted: units (images) predicted now.
        reused: units of the same share whose predictions were there already.
        due: units of other shares that are not there yet.
    """

    folder: Path
    predicted: int
    reused: int
    due: int

    def __add__(self, other: Predicted) -> Predicted:
        return Predicted(
            self.folder, self.predicted + other.predicted, self.reused + other.reused, self.due + other.due
        )


@dataclass(frozen=True)
class Job:
    """The predictions of a model for a task, in a folder.

    Attributes:
        task: the task.
        model: the model.
        folder: the run's folder.
        data: the dataset's folder, see `open_truth`.
        shard_size: units (images) a shard.
        overwrite: throw away another run in the folder.

    Raises:
        UsageError: the task cannot be run here, the model does not fit it, or the folder holds another run.
    """

    task: Task
    model: Model
    folder: Path
    data: str | Path | None = None
    shard_size: int = SHARD_SIZE
    overwrite: bool = False

    @cached_property
    def truth(self) -> Truth | None:
        """The ground truth; None for a task over several sets, which have their own jobs."""
        return None if self.task.family == "sets" else open_truth(self.task, self.data)

    @cached_property
    def side(self) -> Adapter:
        """The harness's side of the task's family, for this model."""
        if self.truth is None:
            raise TypeError("a task over several sets has no adapter")
        side = adapter(self.truth)
        if not hasattr(self.model.made, side.method):
            message = f"the model has no method `{side.method}`, which {self.task.name} needs"
            remedy = "See `entityseg.protocols`."
            raise usage_error("model.protocol", message, remedy, field="model", value=self.model.name)
        return side

    @cached_property
    def shards(self) -> list[Shard]:
        """All shards."""
        return cut(len(self.side), self.shard_size, self.folder / SHARDS, Path(self.side.file).suffix)

    @contextmanager
    def taken(self, share: Share = WHOLE) -> Iterator[None]:
        """Hold the folder, or a share of its shards, while the block runs.

        Raises:
            UsageError: the folder holds something else, or another process works on what is asked for.
        """
        own = self._identity()
        _refuse_foreign(self.folder)
        with taken(self.folder, share, lambda holders: self._claim(own, holders)):
            yield

    def predict(self, share: Share, progress: Progress) -> Predicted:
        """Predict what is missing of a share; call it inside `taken`."""
        self.side.prepare(self.model.made)
        mine = share.of_all(self.shards)
        todo = [shard for shard in mine if not shard.is_whole()]
        units = _units(todo)
        for _ in progress(self._predicted(todo), units, "predicting"):
            pass
        numbers = {shard.number for shard in mine}
        due = [shard for shard in self.shards if shard.number not in numbers and not shard.is_whole()]
        return Predicted(self.folder, units, _units(mine) - units, _units(due))

    @property
    def predictions(self) -> Path:
        """The file (or folder) of all predictions."""
        return self.folder / self.side.file

    def join(self) -> None:
        """Write the file of all predictions; all shards must be whole."""
        self.side.join([shard.path for shard in self.shards], self.predictions)

    def _predicted(self, shards: Sequence[Shard]) -> Iterator[int]:
        """Predict shard by shard; yields once a unit, so that a bar moves as far as the work is."""
        for shard in shards:
            units = shard.units
            shard.write(lambda path, units=units: self.side.predict(self.model.made, units, path))  # type: ignore[misc]
            yield from units

    def _identity(self) -> dict[str, Any]:
        # Before anything is written: whether the model fits, and all images are there.
        images = None if self.truth is None else self.side.images_digest()
        return {
            "format": "entityseg/run@1",
            "task": self.task.name,
            "task_sha256": self.task.digest(),
            # Runs over several sets have one in each set's own folder.
            "ground_truth_sha256": None if self.truth is None else identity.of_paths(self.truth.files),
            "images_sha256": images,
            "model": self.model.name,
            "model_options": dict(self.model.options),
            "model_sha256": self.model.digest,
            "shard_size": self.shard_size,
        }

    def _claim(self, own: dict[str, Any], holders: Sequence[str]) -> None:
        """Make the folder that of this run.

        Raises:
            UsageError: it holds another run.
        """
        path = self.folder / RUN
        if path.is_file():
            there = parse_json_file(path)
            differing = [key for key in own if not isinstance(there, dict) or there.get(key) != own[key]]
            if not differing:
                return
            message = f"the folder holds another run; different are: {', '.join(differing)}"
            if not self.overwrite:
                remedy = "Choose another folder (--out), or throw that run away (--overwrite)."
                raise usage_error("run.other", message, remedy, file=str(self.folder))
            if holders:
                remedy = f"It is at work ({', '.join(holders)}): choose another folder (--out)."
                raise usage_error("run.in_use", message, remedy, file=str(self.folder))
            for name in (NAME, samples_path(NAME).name, manifest.NAME, *PREDICTIONS):
                if (self.folder / name).is_file():
                    (self.folder / name).unlink()
            for name in (SHARDS, *PREDICTIONS):
                shutil.rmtree(self.folder / name, ignore_errors=True)
        write_json(path, own, indent=True)


def _units(shards: Sequence[Shard]) -> int:
    return sum(len(shard.units) for shard in shards)


def _refuse_foreign(folder: Path) -> None:
    """Raise if a folder holds something that is no run.

    Raises:
        UsageError: it does.
    """
    if folder.is_dir() and not (folder / RUN).is_file():
        ours = (LOCKS, ".part-")
        if any(not one.name.startswith(ours) for one in folder.iterdir()):
            message, remedy = "the folder is not empty and holds no run", "Choose another folder (--out)."
            raise usage_error("run.folder", message, remedy, file=str(folder))
