"""One step of a training: losses of its parts, gradients of all processes, and the weights moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from entityseg.baselines.models import SegmenterModel
from entityseg.baselines.training.average import Average
from entityseg.baselines.training.checkpoints import find_checkpoints
from entityseg.baselines.training.config import TrainingConfig
from entityseg.baselines.training.criterion import Criterion, Losses
from entityseg.baselines.training.schedule import lr_factor, set_lr
from entityseg.baselines.views import Batch
from entityseg.errors import input_error

_PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class Stepper:
    """What a step needs and changes.

    Attributes:
        config: of the training.
        accelerator: the processes and their devices.
        model: what is trained.
        wrapped: the model as the processes share it; the model itself where there is one.
        average: follows the model; None for none.
        criterion: the loss.
        optimizer, scaler: move the weights.
        checkpoints: folder of the states to go back to, which errors name.
    """

    config: TrainingConfig
    accelerator: Accelerator
    model: SegmenterModel
    wrapped: torch.nn.Module
    average: Average | None
    criterion: Criterion
    optimizer: torch.optim.AdamW
    scaler: torch.amp.GradScaler
    checkpoints: Path

    @property
    def shown(self) -> SegmenterModel:
        """The model that is scored and written: the average where there is one."""
        return self.model if self.average is None else self.average.model

    def step(self, batches: Iterator[Batch], step: int, *, stop: bool) -> tuple[dict[str, float], bool]:
        """Do one step.

        Args:
            batches: gives the parts of the step.
            step: how many were done before.
            stop: whether this process was told to stop.

        Returns:
            The losses, means over parts and processes, the norm of the gradients and the learning rate; and whether a
            process was told to stop.

        Raises:
            InputError: a loss or a gradient is not finite; the weights are those before the step.
        """
        run = self.config.run
        lr = set_lr(self.optimizer, self.config.optimizer.lr, lr_factor(self.config.schedule, step))
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        asked = False
        for part in range(run.accumulate):
            batch = next(batches).to(self.accelerator.device)
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
        return sums, asked

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
        found = find_checkpoints(self.checkpoints)
        kept = f"The last good state is {found[-1][1]}. " if found else ""
        names = "another process's images" if batch is None else ", ".join(batch.names)
        remedy = f"{kept}Look at these images and their masks; lower optimizer.lr, or train in float32."
        message = f"the {what} of step {step + 1} is not finite"
        return input_error("training.nan", message, remedy, record=names, field=what)
