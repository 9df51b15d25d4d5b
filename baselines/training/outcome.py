"""The folder of a training: whose it is, what came of it, and with what it was made."""

from __future__ import annotations

import hashlib
import platform
import shutil
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson
import torch

from entityseg.baselines.models.loading import WEIGHTS, save_model
from entityseg.baselines.training.checkpoints import find_checkpoints
from entityseg.baselines.training.reading import file_digest
from entityseg.baselines.training.starting import start_from
from entityseg.data.json_file import parse_json_file
from entityseg.errors import usage_error
from entityseg.files import atomic_folder, sync_folder, write_json

if TYPE_CHECKING:
    from entityseg.baselines.models import SegmenterModel
    from entityseg.baselines.training.checkpoints import Position
    from entityseg.baselines.training.config import TrainingConfig
    from entityseg.baselines.views import ViewProcessor

SETTINGS = "training_config.json"
RESULT = "training_result.json"
CHECKPOINTS = "checkpoints"
_PACKAGES = ("entityseg", "torch", "transformers", "accelerate", "safetensors", "numpy")
# Settings that do not decide the weights: where things lie, how often something is written, what is scored.
_FREE_RUN = ("checkpoint_every", "keep", "log_every", "trackers")
# Names of unmatched weights that are listed; a head has a few, another model hundreds.
_LISTED = 20


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes:
        status: `finished`, or `stopped` by a signal.
        step: steps that are done and saved.
        folder: where the result, or the checkpoints, are.
        figures: of the last evaluation, main figure first, as fractions; empty where nothing was scored.
        signal: the signal that stopped it.
    """

    status: Literal["finished", "stopped"]
    step: int
    folder: Path
    figures: dict[str, float | None] = field(default_factory=dict)
    signal: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as a JSON object."""
        return {"status": self.status, "step": self.step, "folder": str(self.folder), "figures": self.figures}


def trajectory(config: TrainingConfig, data: str, processes: int) -> str:
    """Return a digest of all that decides the weights: a training goes on only where it is the same.

    Args:
        config: the settings.
        data: digest of the training data.
        processes: how many there are; each draws its own random numbers.
    """
    settings = config.resolved()
    for name in ("name", "about", "data", "evaluation"):
        del settings[name]
    for name in _FREE_RUN:
        del settings["run"][name]
    for name in ("test_crops", "test_short_side", "test_max_side"):
        del settings["views"][name]
    weights = None if config.model.weights is None else config.model.weights / WEIGHTS
    settings["model"]["weights"] = file_digest(weights) if weights is not None and weights.is_file() else None
    everything = {"settings": settings, "data": data, "processes": processes}
    return hashlib.sha256(orjson.dumps(everything, option=orjson.OPT_SORT_KEYS)).hexdigest()


def claim(folder: Path, config: TrainingConfig, trajectory: str) -> Outcome | None:
    """Take a folder for a training, or return what came of it if it is finished.

    Raises:
        UsageError: the folder is a file, or holds another training or something else.
    """
    remedy = "Choose another folder, or remove it."
    if folder.exists() and not folder.is_dir():
        raise usage_error("training.out", "the result's folder is a file", remedy, file=str(folder))
    settings = folder / SETTINGS
    if settings.is_file():
        before = parse_json_file(settings)
        begun = (folder / RESULT).is_file() or find_checkpoints(folder / CHECKPOINTS)
        # What failed before its first checkpoint leaves nothing to lose.
        if begun and (not isinstance(before, dict) or before.get("trajectory") != trajectory):
            message = (
                "the folder holds a training with other settings, other data or another number of processes"
            )
            raise usage_error(
                "training.out", message, remedy, file=str(folder), value=_changed(before, config)
            )
        if (folder / RESULT).is_file():
            result = parse_json_file(folder / RESULT)
            return Outcome("finished", result["steps"], folder, result["figures"])
    elif folder.is_dir() and any(folder.iterdir()):
        message = "the folder is not empty, and holds no training"
        raise usage_error("training.out", message, "Choose another folder.", file=str(folder))
    value = {"sha256": config.digest(), "trajectory": trajectory, "config": config.resolved()}
    write_json(settings, {**value, "environment": environment()}, indent=True)
    return None


def leave(folder: Path) -> None:
    """Give back a folder in which nothing was begun."""
    if [path.name for path in folder.iterdir()] == [SETTINGS]:
        (folder / SETTINGS).unlink()
        folder.rmdir()


def _changed(before: Any, config: TrainingConfig) -> str | None:
    """Return the settings that differ, as text."""
    old = before.get("config") if isinstance(before, dict) else None
    if not isinstance(old, dict):
        return None
    mine, theirs = _flat(config.resolved()), _flat(old)
    names = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    return ", ".join(f"{name}: {theirs.get(name)} there, {mine.get(name)} here" for name in names) or None


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found.update(
            _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
        )
    return found


def describe_start(config: TrainingConfig, model: SegmenterModel) -> dict[str, Any]:
    """Load what the training starts from into the model, and return what is to be known of it.

    Raises:
        UsageError: the config says that it starts from trained weights, and does not say where they are.
        InputError: they are damaged or do not fit.
    """
    section = config.model
    if section.weights is None:
        if section.pretraining != "none":
            message = f"it starts from weights trained on {section.pretraining}, and none are given"
            remedy = "Give their folder (`model.weights=FOLDER`), or start from random ones (`model.pretraining=none`)."
            raise usage_error("training.weights", message, remedy, field="model.weights")
        return {"weights": None}
    start = start_from(model, section.weights)
    return {
        "weights": str(section.weights),
        "taken": start.taken,
        "fresh": len(start.fresh),
        "unused": len(start.unused),
        "fresh_names": list(start.fresh[:_LISTED]),
        "unused_names": list(start.unused[:_LISTED]),
    }


def write_result(
    made: Outcome,
    config: TrainingConfig,
    position: Position,
    model: SegmenterModel,
    processor: ViewProcessor,
) -> None:
    """Write the model and the result into the training's folder; the result comes last, and says that all is there."""
    finished = made.folder / "finished"
    # Of a run that died while it moved the files.
    shutil.rmtree(finished, ignore_errors=True)
    with atomic_folder(finished) as temporary:
        save_model(model, temporary)
        processor.save_pretrained(temporary)
    for path in sorted(finished.iterdir()):
        path.replace(made.folder / path.name)
    finished.rmdir()
    sync_folder(made.folder)
    result = {
        "name": config.name,
        "sha256": config.digest(),
        "trajectory": position.trajectory,
        "steps": made.step,
        "figures": made.figures,
        "best": {"step": position.best_step, "figure": position.best_figure} if position.best_step else None,
        "weights": {"file": WEIGHTS, "sha256": file_digest(made.folder / WEIGHTS)},
        "environment": environment(),
    }
    write_json(made.folder / RESULT, result, indent=True)


def environment() -> dict[str, Any]:
    """Return what may change the last digits: versions, threads, devices."""
    found: dict[str, Any] = {name: version(name) for name in _PACKAGES}
    found.update(
        python=platform.python_version(), machine=platform.machine(), threads=torch.get_num_threads()
    )
    if torch.cuda.is_available():
        found["device"] = torch.cuda.get_device_name()
    return found
