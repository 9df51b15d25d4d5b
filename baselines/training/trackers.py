"""Where the figures of a training go: a JSONL log always; TensorBoard, Weights & Biases and the terminal as asked."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from entityseg.errors import usage_error
from entityseg.files import write_bytes

if TYPE_CHECKING:
    from entityseg.baselines.training.config import TrainingConfig

LOG = "log.jsonl"


class Tracker(Protocol):
    """Takes the figures of steps."""

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Take figures; `step` counts the steps that are done."""
        ...

    def close(self) -> None:
        """Write out what is left."""
        ...


class JsonlTracker:
    """One JSON object a line; lines of steps that a resumed training does again are taken out.

    Args:
        path: the file, which is continued.
        done: steps that are done.
    """

    def __init__(self, path: Path, done: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if done and _step_of(line) <= done]
            if len(kept) < len(lines):
                write_bytes(path, b"".join(kept))
        self._file = open(path, "ab")  # noqa: SIM115 - open as long as the training

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Append a line, at once."""
        self._file.write(orjson.dumps({"step": step, **values}, option=orjson.OPT_APPEND_NEWLINE))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a log; one that a killed training did not finish is left out."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [orjson.loads(line) for line in lines if _step_of(line) != float("inf")]


def _step_of(line: bytes) -> float:
    try:
        return float(orjson.loads(line)["step"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        # A line that was being written when the process died.
        return float("inf")


class TensorBoardTracker:
    """TensorBoard's event files."""

    def __init__(self, folder: Path, done: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise _missing("tensorboard", error) from error
        # Later steps of an earlier run are hidden by `purge_step`.
        self._writer: Any = SummaryWriter(str(folder), purge_step=done + 1)

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Add every number as a scalar."""
        for name, value in _numbers(values).items():
            self._writer.add_scalar(name.replace(".", "/"), value, step)

    def close(self) -> None:
        """Write out what is left."""
        self._writer.close()


class WandbTracker:
    """Weights & Biases; where and as whom it logs is up to its own settings (`WANDB_MODE`, `WANDB_PROJECT`, ...)."""

    def __init__(self, folder: Path, name: str, config: Mapping[str, Any]) -> None:
        try:
            import wandb
        except ImportError as error:
            raise _missing("wandb", error) from error
        folder.mkdir(parents=True, exist_ok=True)
        self._run: Any = wandb.init(
            dir=str(folder), name=name, id=_run_id(folder), resume="allow", config=dict(config)
        )

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Log every number."""
        self._run.log(_numbers(values), step=step)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


class Terminal:
    """A line on stderr: rewritten in place where somebody is watching, else one from time to time.

    Args:
        total: steps of the training.
        done: steps that are done.
    """

    def __init__(self, total: int, done: int) -> None:
        self.total, self._first, self._begin = total, done, time.monotonic()
        self._live = sys.stderr.isatty()
        self._width = 0

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Show the state of the training."""
        pace = (time.monotonic() - self._begin) / max(step - self._first, 1)
        left = int(pace * (self.total - step))
        shown = [f"step {step:,}/{self.total:,}"]
        if "loss" in values:
            shown += [f"loss {values['loss']:.4g}", f"lr {values['lr']:.3g}", f"{pace:.3g} s/step"]
            shown.append(f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left")
        else:
            shown += [
                f"{name} {100 * value:.2f}" for name, value in _numbers(values).items() if "." not in name
            ]
        line = "  ".join(shown)
        self._width = max(self._width, len(line))
        sys.stderr.write(f"\r{line:<{self._width}}" if self._live else f"{line}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """End the line."""
        if self._live and self._width:
            sys.stderr.write("\n")
            sys.stderr.flush()


class Trackers:
    """Several trackers as one."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._all = list(trackers)

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Hand figures to all."""
        for tracker in self._all:
            tracker.log(step, values)

    def close(self) -> None:
        """Close all."""
        for tracker in self._all:
            tracker.close()


def make_trackers(config: TrainingConfig, folder: Path, done: int, *, live: bool) -> Trackers:
    """Return the trackers of a training.

    Args:
        config: of the training.
        folder: where the training is.
        done: steps that are done.
        live: show the progress on stderr.

    Raises:
        UsageError: a tracker is not installed.
    """
    made: list[Tracker] = [JsonlTracker(folder / LOG, done)]
    for name in config.run.trackers:
        if name == "tensorboard":
            made.append(TensorBoardTracker(folder / name, done))
        else:
            made.append(WandbTracker(folder / name, config.name, config.resolved()))
    if live:
        made.append(Terminal(config.schedule.steps, done))
    return Trackers(made)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _run_id(folder: Path) -> str:
    """Return the id under which this folder's training is known, so that it is one run however often it stops."""
    import hashlib

    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]


def _missing(name: str, error: ImportError) -> Exception:
    message = f"the tracker {name} cannot be imported: {error}"
    remedy = f"Install it (`pip install 'entityseg[{name}]'`), or take it out."
    return usage_error("training.tracker", message, remedy, field="run.trackers", value=name)
