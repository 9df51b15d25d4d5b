"""The loss of Mask2Former and of the models with several views (CropFormer, section 4.3; Mask2Former, section 3.3).

Every stage of every decoder is matched and supervised alike. The image-level decoder sees each view alone, and only
the entities that are in it; the batch-level decoder sees all views of an image at once and all its entities: the mask
of one that is absent from a view is empty there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from entityseg.baselines.training.matching import Match, Truth, Weights, match
from entityseg.baselines.training.sampling import (
    sample_maps,
    sample_masks,
    uncertain_points,
    with_border,
)
from entityseg.baselines.training.similarity import similarity_loss

if TYPE_CHECKING:
    from entityseg.baselines.models import Decoded, SegmenterOutput
    from entityseg.baselines.views import Target


@dataclass(frozen=True)
class Losses:
    """What a step costs.

    Attributes:
        total: the scalar to minimise.
        parts: detached scalars, weighted, summed over the stages; they add up to `total`. Names are
            `LEVEL.PART`, such as `batch.dice`.
    """

    total: Tensor
    parts: dict[str, Tensor]


@dataclass(frozen=True)
class Criterion:
    """Computes the loss of a model's output.

    Attributes:
        weights: of the parts, in the cost of a match too.
        no_object: weight of the class "no object" in the cross-entropy.
        image_level: factor of the image-level decoder's loss where there is a batch-level decoder too; 0.5 in the
            released code, 1 in the paper (equation 7).
        similarity: weight of the loss of identities (`similarity_loss`), for models that have some.
        joint_views: take the mask losses of an entity over all its views at once, as VITA's code does: the mean
            cross-entropy, and one dice. Else they are summed over the views, as CropFormer's code does.
        points: points a mask and view.
        oversample, importance: see `uncertain_points`.
    """

    weights: Weights = field(default_factory=Weights)
    no_object: float = 0.1
    image_level: float = 0.5
    similarity: float = 0.5
    joint_views: bool = False
    points: int = 12544
    oversample: float = 3.0
    importance: float = 0.75

    def __call__(
        self,
        output: SegmenterOutput,
        targets: Sequence[Target],
        size: tuple[int, int],
        generator: torch.Generator | None = None,
    ) -> Losses:
        """Return the loss of a batch.

        Args:
            output: of the model.
            targets: one an image.
            size: height and width of the padded views in pixels.
            generator: of the random points, on the device of the output.
        """
        last = (output.batch or output.image).logits[-1]  # type: ignore[union-attr]
        truths = [
            Truth(target.labels.to(last.device), with_border(target.dense(size, last.device)))
            for target in targets
        ]
        parts: dict[str, Tensor] = {}
        present: list[list[Tensor]] = []
        in_views: list[list[Match]] = []
        # Sums over tens of thousands of points do not fit into half precision.
        with torch.autocast(last.device.type, enabled=False):
            if output.image is not None:
                factor = 1.0 if output.batch is None else self.image_level
                present = [_present(truth) for truth in truths]
                views = [
                    Truth(truth.labels[entities], truth.masks[entities, view : view + 1])
                    for truth, by_view in zip(truths, present, strict=True)
                    for view, entities in enumerate(by_view)
                ]
                losses, in_views = self._level("image", output.image, views, factor, generator)
                parts.update(losses)
            if output.batch is not None:
                runs = output.batch.runs
                losses, in_images = self._level("batch", output.batch, truths, 1 / runs, generator)
                parts.update(losses)
                if output.identities is not None:
                    stages = len(in_images) // runs
                    # Each run began at one of the last image-level stages; what counts of it is its own last stage.
                    similarity = similarity_loss(
                        output.identities, present, in_views[-runs:], in_images[stages - 1 :: stages]
                    )
                    parts["batch.similarity"] = self.similarity * similarity
        total = torch.stack(list(parts.values())).sum()
        return Losses(total, {name: part.detach() for name, part in parts.items()})

    def _level(
        self,
        level: str,
        decoded: Decoded,
        truths: Sequence[Truth],
        factor: float,
        generator: torch.Generator | None,
    ) -> tuple[dict[str, Tensor], list[list[Match]]]:
        """Return the weighted losses of one decoder, summed over its stages, and the matches of each stage."""
        entities = _mean_over_processes(sum(map(len, truths)), decoded.logits[-1].device)
        sums: dict[str, Tensor] = {}
        matches: list[list[Match]] = []
        # The answer first, then the stages before it: the order in which the released code draws its points.
        stages = list(zip(decoded.logits, decoded.masks, strict=True))
        for logits, masks in [stages[-1], *stages[:-1]]:
            pairs = match(logits, masks, truths, self.weights, self.points, generator)
            matches.append(pairs)
            mask, dice = self._mask_losses(masks, truths, pairs, entities, generator)
            classes = self._class_loss(logits, truths, pairs)
            for name, loss in (("class", classes), ("mask", mask), ("dice", dice)):
                weight = factor * getattr(self.weights, "classes" if name == "class" else name)
                key = f"{level}.{name}"
                sums[key] = sums[key] + weight * loss if key in sums else weight * loss
        return sums, [*matches[1:], matches[0]]

    def _class_loss(self, logits: Tensor, truths: Sequence[Truth], pairs: Sequence[Match]) -> Tensor:
        logits = logits if logits.dtype == torch.float64 else logits.float()
        rows, queries, classes = logits.shape
        wanted = torch.full((rows, queries), classes - 1, dtype=torch.int64, device=logits.device)
        for row, (truth, pair) in enumerate(zip(truths, pairs, strict=True)):
            wanted[row, pair.queries] = truth.labels[pair.entities]
        weights = logits.new_ones(classes)
        weights[-1] = self.no_object
        return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), weights)

    def _mask_losses(
        self,
        masks: Tensor,
        truths: Sequence[Truth],
        pairs: Sequence[Match],
        entities: Tensor,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """Return cross-entropy and dice loss of the matched masks, summed over masks (and views), an entity."""
        if not any(len(pair.queries) for pair in pairs):
            # Still a function of the masks: with several processes every parameter needs its gradient, zero here.
            zero = masks.sum() * 0
            return zero, zero
        found = torch.cat([masks[row, pair.queries] for row, pair in enumerate(pairs)]).flatten(0, 1)
        wanted = torch.cat(
            [truth.masks[pair.entities] for truth, pair in zip(truths, pairs, strict=True)]
        ).flatten(0, 1)
        points = uncertain_points(found.detach(), self.points, self.oversample, self.importance, generator)
        logits = sample_maps(found[:, None], points)[:, 0]
        labels = sample_masks(wanted, points)
        if self.joint_views:
            width = masks.shape[2] * self.points
            logits, labels = logits.reshape(-1, width), labels.reshape(-1, width)
        mask = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(1).sum()
        shares = logits.sigmoid()
        overlap = 2 * (shares * labels).sum(1)
        dice = (1 - (overlap + 1) / (shares.sum(1) + labels.sum(1) + 1)).sum()
        return mask / entities, dice / entities


def _present(truth: Truth) -> list[Tensor]:
    """Return the indices of the entities that are in each view."""
    return [view.nonzero()[:, 0] for view in truth.masks.flatten(2).any(2).T]


def _mean_over_processes(count: int, device: torch.device) -> Tensor:
    """Return the mean number of entities that a process has in this step, at least 1."""
    mean = torch.tensor(float(count), device=device)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(mean)
        mean = mean / torch.distributed.get_world_size()
    return mean.clamp(min=1)
