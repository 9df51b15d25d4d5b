"""The training loop: one for all models, on one device or several, and the same bits however often it is stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object

from entityseg.baselines.models import SegmenterModel, load_model
from entityseg.baselines.training import building, outcome
from entityseg.baselines.training.average import Average
from entityseg.baselines.training.checkpoints import (
    AVERAGE,
    Position,
    find_checkpoints,
    load_state,
    prune,
    save_checkpoint,
)
from entityseg.baselines.training.config import TrainingConfig
from entityseg.baselines.training.criterion import Criterion, Losses
from entityseg.baselines.training.evaluation import MAIN, Evaluation, evenly
from entityseg.baselines.training.loading import load_batches
from entityseg.baselines.training.order import Batches, Order
from entityseg.baselines.training.outcome import CHECKPOINTS, Outcome
from entityseg.baselines.training.schedule import lr_factor, make_optimizer, set_lr
from entityseg.baselines.training.stopping import Stop
from entityseg.baselines.training.trackers import (
    JsonlTracker,
    TensorBoardTracker,
    Terminal,
    Tracker,
    Trackers,
    WandbTracker,
)
from entityseg.baselines.views import Batch, ViewProcessor
from entityseg.errors import EntitySegError, input_error, usage_error
from entityseg.files import hold_folder

LOG = "log.jsonl"
_PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def train(config: TrainingConfig, out: str | Path, *, live: bool = False) -> Outcome:
    """Train a model, or go on with a training that was stopped.

    `out` gets the resolved settings, a log, checkpoints and, at the end, the model, which `load_model` reads. Run
    again with the same settings, it goes on from the last checkpoint, and ends with the same bits as if it had never
    stopped.

    Args:
        config: what to do.
        out: folder of the result.
        live: show the progress on stderr.

    Returns:
        What came of it; `stopped` if SIGTERM or SIGINT came: then the state is saved.

    Raises:
        UsageError: the settings do not fit the data, the devices, or what the folder holds.
        InputError: an image or its masks cannot be read; or the loss is not finite: the error names the batch, and
            the checkpoints before it stay.
        OSError: a file could not be written, such as on a full disk; the checkpoints before it stay.
    """
    accelerator = Accelerator()
    folder = Path(out)
    with _deterministic(accelerator.device), Stop() as stop, ExitStack() as held:
        data = building.open_data(config)
        trajectory = outcome.trajectory(config, data.digest(), accelerator.num_processes)
        finished = _claim(folder, config, trajectory, accelerator, held)
        if finished is not None:
            return finished
        return _Training.begin(config, data, folder, accelerator, trajectory, live=live).run(stop)


@dataclass
class _Training:
    """A training under way; `position.step` counts the steps that are done."""

    config: TrainingConfig
    folder: Path
    accelerator: Accelerator
    order: Order
    batches: Iterator[Batch]
    model: SegmenterModel
    wrapped: torch.nn.Module
    average: Average | None
    criterion: Criterion
    optimizer: torch.optim.AdamW
    scaler: torch.amp.GradScaler
    processor: ViewProcessor
    evaluation: Evaluation | None
    position: Position
    tracker: Trackers
    figures: dict[str, float | None] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        config: TrainingConfig,
        data: building.TrainingData,
        folder: Path,
        accelerator: Accelerator,
        trajectory: str,
        *,
        live: bool,
    ) -> _Training:
        """Make everything, in the state of the last checkpoint if there is one."""
        run, device = config.run, accelerator.device
        pieces = accelerator.num_processes * run.accumulate
        if run.batch % pieces:
            message = (
                f"a batch of {run.batch} cannot be cut into {pieces} equal parts, one a process and part"
            )
            raise usage_error(
                "training.batch", message, "Change run.batch or run.accumulate.", value=run.batch
            )
        found = find_checkpoints(folder / CHECKPOINTS)
        last = found[-1][1] if found else None
        state = None if last is None else load_state(last)
        position = Position(0, trajectory) if state is None else state.position
        start: dict[str, Any] = {}
        model = building.build_model(config, building.model_config(config, data.categories))
        if last is None:
            start = outcome.describe_start(config, model)
        else:
            # Copied, because tensors of a mapped file are not aligned, and sums over those end in other last bits.
            model.load_state_dict(load_model(last).state_dict())
        model = model.train().to(device)
        average = None if run.ema is None else Average(model, run.ema)
        if average is not None and last is not None:
            average.model.load_state_dict(load_model(last / AVERAGE).state_dict())
        optimizer = make_optimizer(model, config.optimizer)
        scaler = torch.amp.GradScaler(device.type, enabled=run.precision == "float16")
        if state is not None:
            optimizer.load_state_dict(state.optimizer)
            scaler.load_state_dict(state.scaler)
        order = Order(len(data.train), run.batch, run.seed)
        share = Batches(
            order, position.step, config.schedule.steps, run.accumulate, accelerator.process_index,
            accelerator.num_processes,
        )  # fmt: skip
        tracker = Trackers([])
        if accelerator.is_main_process:
            tracker = _trackers(config, folder, position.step, live=live)
            if start:
                tracker.log(0, {"start": start})
        return cls(
            config=config,
            folder=folder,
            accelerator=accelerator,
            order=order,
            batches=load_batches(building.build_views(config, data), share, config.data.workers),
            model=model,
            wrapped=accelerator.prepare_model(model) if accelerator.num_processes > 1 else model,
            average=average,
            criterion=building.build_criterion(config),
            optimizer=optimizer,
            scaler=scaler,
            processor=building.build_processor(config),
            evaluation=_evaluation(config, data),
            position=position,
            tracker=tracker,
        )

    def run(self, stop: Stop) -> Outcome:
        """Do all steps that are left."""
        steps, began = self.config.schedule.steps, time.monotonic()
        first, saved = self.position.step, self.position.step
        try:
            while self.position.step < steps:
                asked = self._step(stop.signal is not None)
                done = self.position.step
                self._log(began, done - first)
                every = self.config.evaluation.every
                scored = done == steps or (every is not None and done % every == 0)
                if scored:
                    self._evaluate()
                if scored or asked or done % self.config.run.checkpoint_every == 0:
                    self._save()
                    saved = done
                if asked and done < steps:
                    return Outcome("stopped", saved, self.folder, self.figures, stop.signal)
            if not self.figures:
                # It was stopped between the last checkpoint and the result.
                self._evaluate()
            return self._finish()
        finally:
            self.tracker.close()

    def _step(self, stop: bool) -> bool:
        """Do one step; return whether a process was told to stop."""
        run, step = self.config.run, self.position.step
        lr = set_lr(self.optimizer, self.config.optimizer.lr, lr_factor(self.config.schedule, step))
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        asked = False
        for part in range(run.accumulate):
            batch = next(self.batches).to(self.accelerator.device)
            # Behind the loader, which draws a number of its own when it starts.
            generator = self._seed(step, part)
            last = part == run.accumulate - 1
            # Gradients of several processes are joined once a step.
            with nullcontext() if last else self.accelerator.no_sync(self.wrapped):
                losses = self._losses(batch, generator)
                values, asked = self._shared(losses, batch, step, stop)
                share: Any = self.scaler.scale(losses.total / run.accumulate)
                share.backward()
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value / run.accumulate
        sums["grad_norm"] = self._apply(batch, step)
        sums["lr"] = lr
        if self.average is not None:
            self.average.update(self.model)
        window = self.position.window
        for name, value in sums.items():
            window[name] = window.get(name, 0.0) + value
        self.position.window_steps += 1
        self.position.step = step + 1
        return asked

    def _seed(self, step: int, part: int) -> torch.Generator:
        """Seed all random numbers of a part of a step; return the generator of the loss's points."""
        words = np.random.SeedSequence([self.config.run.seed, step, part, self.accelerator.process_index])
        model_seed, point_seed = (int(word) for word in words.generate_state(2))
        torch.manual_seed(model_seed)
        return torch.Generator(self.accelerator.device).manual_seed(point_seed)

    def _losses(self, batch: Batch, generator: torch.Generator) -> Losses:
        kind = _PRECISIONS.get(self.config.run.precision)
        with torch.autocast(self.accelerator.device.type, kind, enabled=kind is not None):
            output = self.wrapped(batch.pixel_values)
        return self.criterion(output, batch.targets, batch.size, generator)

    def _shared(self, losses: Losses, batch: Batch, step: int, stop: bool) -> tuple[dict[str, float], bool]:
        """Return the mean losses of all processes, and whether one of them was told to stop.

        Raises:
            InputError: a loss is not finite, in this process or another, so that all of them end.
        """
        flag = losses.total.new_tensor(float(stop))
        values = torch.stack([losses.total.detach(), *losses.parts.values(), flag])
        own_is_finite = True
        if self.accelerator.num_processes > 1:
            own_is_finite = bool(torch.isfinite(values).all())
            values = self.accelerator.reduce(values, "mean")
        total, *parts, asked = values.tolist()
        if not all(map(np.isfinite, (total, *parts))):
            raise self._not_finite("loss", batch if own_is_finite is False or self._alone else None, step)
        return {
            "loss": total,
            **dict(zip((f"loss.{name}" for name in losses.parts), parts, strict=True)),
        }, asked > 0

    @property
    def _alone(self) -> bool:
        return self.accelerator.num_processes == 1

    def _apply(self, batch: Batch, step: int) -> float:
        """Clip the gradients, move the weights, and return the norm that the gradients had."""
        self.scaler.unscale_(self.optimizer)
        largest = self.config.optimizer.clip
        norm = torch.nn.utils.clip_grad_norm_(
            self.model.parameters(), float("inf") if largest is None else largest
        )
        value = float(norm)
        # In half precision, gradients that overflow are expected: the scaler leaves the step out.
        if not np.isfinite(value) and not self.scaler.is_enabled():
            raise self._not_finite("gradient", batch, step)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return value if np.isfinite(value) else 0.0

    def _not_finite(self, what: str, batch: Batch | None, step: int) -> Exception:
        found = find_checkpoints(self.folder / CHECKPOINTS)
        kept = f"The last good state is {found[-1][1]}. " if found else ""
        names = "another process's images" if batch is None else ", ".join(batch.names)
        remedy = f"{kept}Look at these images and their masks; lower optimizer.lr, or train in float32."
        message = f"the {what} of step {step + 1} is not finite"
        return input_error("training.nan", message, remedy, record=names, field=what)

    def _log(self, began: float, steps: int) -> None:
        """Write the means since the last line, where one is due."""
        position, run = self.position, self.config.run
        if position.step % run.log_every and position.step != self.config.schedule.steps:
            return
        seconds = time.monotonic() - began
        means = {name: value / position.window_steps for name, value in position.window.items()}
        values: dict[str, Any] = {"epoch": self.order.epoch(position.step), **means}
        values["images_per_second"] = steps * run.batch / seconds
        if self.accelerator.device.type == "cuda":
            values["peak_gib"] = torch.cuda.max_memory_allocated(self.accelerator.device) / 2**30
        position.window, position.window_steps = {}, 0
        self.tracker.log(position.step, values)

    def _evaluate(self) -> None:
        """Score the model as it is, and note whether it is the best so far."""
        if self.evaluation is None:
            return
        accelerator = self.accelerator
        shown = self.model if self.average is None else self.average.model
        table = self.evaluation.score(
            shown, self.processor, process=accelerator.process_index, processes=accelerator.num_processes
        )
        if accelerator.num_processes > 1:
            first, *rest = gather_object([table])
            for other in rest:
                first.merge(other)
            table = first
        self.figures = self.evaluation.figures(table)
        figure = self.figures[MAIN[self.config.task][0]]
        if figure is not None and figure > self.position.best_figure:
            self.position.best_step, self.position.best_figure = self.position.step, figure
        self.tracker.log(self.position.step, self.figures)

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            checkpoints = self.folder / CHECKPOINTS
            average = None if self.average is None else self.average.model
            save_checkpoint(
                checkpoints, self.position, self.model, average, self.processor, self.optimizer, self.scaler
            )
            prune(checkpoints, self.config.run.keep, self.position.best_step)
        self.accelerator.wait_for_everyone()

    def _finish(self) -> Outcome:
        shown = self.model if self.average is None else self.average.model
        made = Outcome("finished", self.position.step, self.folder, self.figures)
        if self.accelerator.is_main_process:
            outcome.write_result(made, self.config, self.position, shown, self.processor)
        self.accelerator.wait_for_everyone()
        return made


def _claim(
    folder: Path, config: TrainingConfig, trajectory: str, accelerator: Accelerator, held: ExitStack
) -> Outcome | None:
    """Let the first process take the folder until `held` ends, and tell all what came of it; see `outcome.claim`."""
    answer: list[Outcome | EntitySegError | None] = [None]
    if accelerator.is_main_process:
        try:
            answer = [outcome.claim(folder, config, trajectory)]
            if answer[0] is None and not held.enter_context(hold_folder(folder)):
                message, remedy = "another process trains in the folder", "Wait, or name another folder."
                raise usage_error("training.busy", message, remedy, file=str(folder))
        except EntitySegError as error:
            answer = [error]
    if accelerator.num_processes > 1:
        broadcast_object_list(answer)
    if isinstance(answer[0], EntitySegError):
        raise answer[0]
    return answer[0]


def _evaluation(config: TrainingConfig, data: building.TrainingData) -> Evaluation | None:
    if data.validation is None:
        return None
    return Evaluation(
        config.task,
        data.validation,
        data.categories,
        evenly(len(data.validation), config.evaluation.images),
        config.evaluation.outputs,
        amp=config.run.precision != "float32",
    )


def _trackers(config: TrainingConfig, folder: Path, done: int, *, live: bool) -> Trackers:
    made: list[Tracker] = [JsonlTracker(folder / LOG, done)]
    for name in config.run.trackers:
        if name == "tensorboard":
            made.append(TensorBoardTracker(folder / name, done))
        else:
            made.append(WandbTracker(folder / name, config.name, config.resolved()))
    if live:
        made.append(Terminal(config.schedule.steps, done))
    return Trackers(made)


@contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """Use algorithms that give the same bits each time, and leave the caller's random numbers alone."""
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    cuda = device.type == "cuda"
    if cuda:
        # cuBLAS reads it when it starts; without it, its workspaces depend on the streams.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Some backward passes (grid_sample) have no deterministic form on CUDA.
    torch.use_deterministic_algorithms(True, warn_only=cuda)
    try:
        with torch.random.fork_rng(devices=[device] if cuda else []):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
