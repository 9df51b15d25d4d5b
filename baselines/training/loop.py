"""The training loop: one for all models, on one device or several, and the same bits however often it is stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object

from entityseg.baselines.models import load_model
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
from entityseg.baselines.training.determinism import deterministic
from entityseg.baselines.training.evaluation import MAIN, Evaluation
from entityseg.baselines.training.loading import load_batches
from entityseg.baselines.training.order import Batches, Order
from entityseg.baselines.training.outcome import CHECKPOINTS, Outcome
from entityseg.baselines.training.schedule import make_optimizer
from entityseg.baselines.training.step import Stepper
from entityseg.baselines.training.stopping import Stop
from entityseg.baselines.training.trackers import Trackers, make_trackers
from entityseg.baselines.views import Batch, ViewProcessor
from entityseg.errors import EntitySegError, usage_error
from entityseg.files import hold_folder


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
    with deterministic(accelerator.device), Stop() as stop, ExitStack() as held:
        data = building.open_data(config)
        trajectory = outcome.trajectory(config, data.digest(), accelerator.num_processes)
        finished = _claim(folder, config, trajectory, accelerator, held)
        if finished is not None:
            return finished
        try:
            training = _Training.begin(config, data, folder, accelerator, trajectory, live=live)
        except EntitySegError:
            if accelerator.is_main_process:
                outcome.leave(folder)
            raise
        return training.run(stop)


@dataclass
class _Training:
    """A training under way; `position.step` counts the steps that are done."""

    config: TrainingConfig
    folder: Path
    order: Order
    batches: Iterator[Batch]
    stepper: Stepper
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
        stepper = Stepper(
            config=config,
            accelerator=accelerator,
            model=model,
            wrapped=accelerator.prepare_model(model) if accelerator.num_processes > 1 else model,
            average=average,
            criterion=building.build_criterion(config),
            optimizer=optimizer,
            scaler=scaler,
            checkpoints=folder / CHECKPOINTS,
        )
        order = Order(len(data.train), run.batch, run.seed)
        share = Batches(
            order, position.step, config.schedule.steps, run.accumulate, accelerator.process_index,
            accelerator.num_processes,
        )  # fmt: skip
        tracker = Trackers([])
        if accelerator.is_main_process:
            tracker = make_trackers(config, folder, position.step, live=live)
            if start:
                tracker.log(0, {"start": start})
        return cls(
            config=config,
            folder=folder,
            order=order,
            batches=load_batches(building.build_views(config, data), share, config.data.workers),
            stepper=stepper,
            processor=building.build_processor(config),
            evaluation=building.build_evaluation(config, data),
            position=position,
            tracker=tracker,
        )

    def run(self, stop: Stop) -> Outcome:
        """Do all steps that are left."""
        steps, began = self.config.schedule.steps, time.monotonic()
        first, saved = self.position.step, self.position.step
        try:
            while self.position.step < steps:
                values, asked = self.stepper.step(
                    self.batches, self.position.step, stop=stop.signal is not None
                )
                self.position.count(values)
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

    def _log(self, began: float, steps: int) -> None:
        """Write the means since the last line, where one is due."""
        position, run = self.position, self.config.run
        if position.step % run.log_every and position.step != self.config.schedule.steps:
            return
        seconds = time.monotonic() - began
        means = {name: value / position.window_steps for name, value in position.window.items()}
        values: dict[str, Any] = {"epoch": self.order.epoch(position.step), **means}
        values["images_per_second"] = steps * run.batch / seconds
        device = self.stepper.accelerator.device
        if device.type == "cuda":
            values["peak_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
        position.window, position.window_steps = {}, 0
        self.tracker.log(position.step, values)

    def _evaluate(self) -> None:
        """Score the model as it is, and note whether it is the best so far."""
        if self.evaluation is None:
            return
        accelerator = self.stepper.accelerator
        table = self.evaluation.score(
            self.stepper.shown,
            self.processor,
            process=accelerator.process_index,
            processes=accelerator.num_processes,
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
        stepper = self.stepper
        if stepper.accelerator.is_main_process:
            average = None if stepper.average is None else stepper.average.model
            save_checkpoint(
                stepper.checkpoints, self.position, stepper.model, average, self.processor, stepper.optimizer,
                stepper.scaler,
            )  # fmt: skip
            prune(stepper.checkpoints, self.config.run.keep, self.position.best_step)
        stepper.accelerator.wait_for_everyone()

    def _finish(self) -> Outcome:
        accelerator = self.stepper.accelerator
        made = Outcome("finished", self.position.step, self.folder, self.figures)
        if accelerator.is_main_process:
            outcome.write_result(made, self.config, self.position, self.stepper.shown, self.processor)
        accelerator.wait_for_everyone()
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
