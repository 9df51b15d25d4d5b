"""Batches for a process, made by workers, whose errors arrive as they were raised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from entityseg.baselines.training.order import Batches, Item
from entityseg.baselines.training.stopping import leave_signals_to_the_training
from entityseg.baselines.views import Batch, EntityViews, Sample
from entityseg.errors import EntitySegError


class _Errors(TorchDataset[Sample | EntitySegError]):
    """Items, or the error that there was: torch's loader would make a `RuntimeError` with a traceback of it."""

    def __init__(self, views: EntityViews) -> None:
        self.views = views

    def __getitem__(self, item: Item) -> Sample | EntitySegError:
        try:
            return self.views[item]
        except EntitySegError as error:
            return error

    def collate(self, items: Sequence[Sample | EntitySegError]) -> Batch | EntitySegError:
        """Return a batch, or the first error among its items."""
        samples: list[Sample] = []
        for item in items:
            if isinstance(item, EntitySegError):
                return item
            samples.append(item)
        return self.views.collate(samples)


def load_batches(views: EntityViews, batches: Batches, workers: int) -> Iterator[Batch]:
    """Yield the batches of a process.

    Args:
        views: where they come from.
        batches: which ones.
        workers: processes that make them; 0 makes them here.

    Raises:
        InputError: an image is missing or cannot be read, or one of its masks is malformed.
    """
    items = _Errors(views)
    loader: DataLoader[Batch | EntitySegError] = DataLoader(
        items,  # type: ignore[arg-type]
        batch_sampler=batches,
        collate_fn=items.collate,
        num_workers=workers,
        worker_init_fn=leave_signals_to_the_training,
        pin_memory=torch.cuda.is_available(),
    )
    for found in loader:
        if isinstance(found, EntitySegError):
            raise found
        yield found
