"""What a network should say of the views of an image, and batches of it; masks stay runs until the last moment."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from entityseg.masks import to_dense
from entityseg.masks.runlengths import RunLengths, Size


@dataclass(frozen=True)
class Target:
    """The entities of one image in its views; row i is the same entity in all of them.

    Attributes:
        labels: int64 [n], class indices; zeros where there are no classes.
        masks: of each view n masks at the view's network size, without padding; empty where the entity is not in
            the view.
    """

    labels: Tensor
    masks: tuple[RunLengths, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def dense(self, size: Size, device: torch.device | str = "cpu") -> Tensor:
        """Return the masks as pixels, bool [n, views, height, width], padded right and bottom to `size`.

        >>> from entityseg.masks.runlengths import RunLengths
        >>> one = Target(torch.zeros(1, dtype=torch.int64), (RunLengths((1, 2), [0, 1], [0, 2]),))
        >>> one.dense((1, 3)).tolist()
        [[[[True, False, False]]]]
        """
        out = torch.zeros((len(self), len(self.masks), *size), dtype=torch.bool)
        for view, masks in enumerate(self.masks):
            out[:, view, : masks.height, : masks.width] = torch.from_numpy(to_dense(masks))
        return out.to(device, non_blocking=True)

    def present(self) -> Tensor:
        """Return which entities are in which view, bool [n, views]."""
        columns = [torch.from_numpy(masks.areas > 0) for masks in self.masks]
        return torch.stack(columns, dim=1)


@dataclass(frozen=True)
class Batch:
    """Images as a training step takes them.

    Attributes:
        pixel_values: float [images, views, 3, height, width], normalised, padded with zeros.
        targets: one an image.
        names: the images' file names, for messages.
    """

    pixel_values: Tensor
    targets: tuple[Target, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def size(self) -> Size:
        """(height, width) of the padded views."""
        return self.pixel_values.shape[-2], self.pixel_values.shape[-1]

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch with its pixels on a device; masks follow when they become pixels."""
        return replace(self, pixel_values=self.pixel_values.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """Return the batch with its pixels in page-locked memory; torch's loader calls it."""
        return replace(self, pixel_values=self.pixel_values.pin_memory())
