"""Checkpoints from which a training goes on bit for bit; written whole or not at all, the last ones and the best kept.

A checkpoint is a folder that `load_model` reads, with `state.pt` beside the weights (the optimizer, the scaler, the
position; read with `weights_only=True`) and, with an average, the folder `average`. Random numbers need no state: each
step draws them from its seed, its number and its process.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from entityseg.baselines.models import SegmenterModel
from entityseg.baselines.models.loading import save_model
from entityseg.baselines.views import ViewProcessor
from entityseg.errors import input_error
from entityseg.files import atomic_folder

STATE = "state.pt"
AVERAGE = "average"
_NAME = re.compile(r"step-(\d{8})")
_OS_ERROR = re.compile(r"os error (\d+)")


@dataclass
class Position:
    """Where a training is.

    Attributes:
        step: steps that are done.
        trajectory: digest of what decides the weights; a checkpoint of another training is refused.
        best_step: the step with the best figure, 0 before the first evaluation.
        best_figure: that figure.
        window: sums of figures since the last line of the log.
        window_steps: steps of that sum.
    """

    step: int
    trajectory: str
    best_step: int = 0
    best_figure: float = float("-inf")
    window: dict[str, float] = field(default_factory=dict)
    window_steps: int = 0

    def count(self, values: Mapping[str, float]) -> None:
        """Count a step that gave these figures."""
        for name, value in values.items():
            self.window[name] = self.window.get(name, 0.0) + value
        self.window_steps += 1
        self.step += 1


@dataclass(frozen=True)
class State:
    """What a checkpoint holds beside the weights: the position, and the states of optimizer and scaler."""

    position: Position
    optimizer: dict[str, Any]
    scaler: dict[str, Any]


def checkpoint_path(folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step is.

    >>> checkpoint_path(Path("out"), 5).as_posix()
    'out/step-00000005'
    """
    return folder / f"step-{step:08d}"


def find_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """Return the steps and folders of all whole checkpoints, earliest first."""
    found = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(match[1]), path) for match, path in found if match and (path / STATE).is_file())


def save_checkpoint(
    folder: Path,
    position: Position,
    model: SegmenterModel,
    average: SegmenterModel | None,
    processor: ViewProcessor,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> Path:
    """Write a checkpoint and return its folder; one of the same step is replaced.

    Raises:
        OSError: the folder is not writable or the disk is full; the other checkpoints stay as they are.
    """
    target = checkpoint_path(folder, position.step)
    if target.exists():
        # Of an earlier run of the same steps, so there is nothing in it that is not written again.
        shutil.rmtree(target)
    with _system_errors(target), atomic_folder(target) as temporary:
        save_model(model, temporary)
        processor.save_pretrained(temporary)
        if average is not None:
            save_model(average, temporary / AVERAGE)
        state = {
            "position": asdict(position),
            "optimizer": optimizer.state_dict(),
            "scaler": scaler.state_dict(),
        }
        torch.save(state, temporary / STATE)
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
    return target


def load_state(path: Path) -> State:
    """Return what `state.pt` of a checkpoint holds.

    Raises:
        InputError: the file is cut off, or holds anything but plain values and tensors.
    """
    file = path / STATE
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        return State(Position(**state["position"]), state["optimizer"], state["scaler"])
    except Exception as error:
        # Whatever is wrong with a foreign file, torch raises five kinds of errors for it.
        message = f"the checkpoint cannot be read: {str(error).splitlines()[0]}"
        remedy = "Remove this checkpoint's folder; the training goes on from the one before it."
        raise input_error("training.checkpoint", message, remedy, file=str(file)) from error


def prune(folder: Path, keep: int, best_step: int) -> None:
    """Remove all checkpoints but the last `keep` and the best one."""
    for step, path in find_checkpoints(folder)[:-keep]:
        if step != best_step:
            # The state goes first: without it, what is left of a killed removal is no checkpoint.
            (path / STATE).unlink()
            shutil.rmtree(path)


@contextmanager
def _system_errors(target: Path) -> Iterator[None]:
    """Turn what torch and safetensors raise when a file cannot be written into the system's own error."""
    try:
        yield
    except (SafetensorError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        match = _OS_ERROR.search(str(error))
        number = int(match[1]) if match else errno.EIO
        raise OSError(number, os.strerror(number), str(target)) from error
    except RuntimeError as error:
        if "file write failed" not in str(error) and "unexpected pos" not in str(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
