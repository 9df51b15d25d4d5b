"""What all scores of images share: open both sides, go through the images on threads, count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from entityseg.data.formats._png_source import PngSource
from entityseg.data.records import Dataset, ImageId
from entityseg.data.sources import EncodedSource, MaskSource
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.data.views import checked_masks
from entityseg.errors import Findings
from entityseg.masks import RunLengths
from entityseg.metrics.matching import Mode
from entityseg.metrics.result import Counts
from entityseg.predictions.overlapping import add_overlaps
from entityseg.predictions.records import Predictions

# After so many images the pages of the mapped files are let go.
_FORGET_EVERY = 32


class ImageResult(Protocol):
    """What was found out about one image."""

    @property
    def findings(self) -> Findings:
        """What is wrong with it."""


Result = TypeVar("Result", bound=ImageResult)


def opened_truth(gt: str | Path | Dataset) -> Dataset:
    """Return the ground truth, read where a path was given; its masks are checked as they are scored."""
    if isinstance(gt, Dataset):
        return gt
    from entityseg.data import load

    return load(gt, check=False)


def opened(
    gt: str | Path | Dataset, pred: str | Path | Predictions, mode: Mode
) -> tuple[Dataset, Predictions]:
    """Return ground truth and scored predictions, read where paths were given, as `opened_truth`."""
    dataset = opened_truth(gt)
    if isinstance(pred, Predictions):
        return dataset, pred
    from entityseg.predictions import read_predictions

    return dataset, read_predictions(pred, dataset, box_areas=mode == "pycocotools")


def each_image(
    job: Callable[[int], Result],
    gt: Dataset,
    sources: tuple[MaskSource, ...],
    findings: Findings,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[ImageId, Result]]:
    """Yield the id of each image and what the job found out about it, in order; images are worked on side by side.

    Args:
        job: takes an image's position; several threads call it at once.
        gt: the images.
        sources: what the job reads masks from; their memory is let go now and then.
        findings: where the findings of the images go.
        threads: worker threads, all cores if not given.
        progress: wraps the results as (iterable, total, label), to show a progress bar.
    """
    results = map_in_order(job, range(len(gt)), threads=threads)
    for index, result in enumerate((progress or no_progress)(results, len(gt), "scoring")):
        if index % _FORGET_EVERY == 0:
            for source in sources:
                if isinstance(source, EncodedSource):
                    source.forget()
        findings.extend(result.findings)
        yield gt.images[index].id, result


def masks_of(side: Dataset | Predictions, index: int, findings: Findings) -> RunLengths:
    """Return the masks of image number `index`; malformed ones are added to the findings, and are empty."""
    masks = checked_masks(side.source, index, findings)
    if masks is not None:
        return masks
    rows = side.rows(index)
    return RunLengths.empty(side.images[index].size, rows.stop - rows.start)


def counts_of(gt: Dataset, listed: NDArray[np.bool_], empty: int, details: Mapping[str, int]) -> Counts:
    """Return the counts of images, of which `listed` (bool [images]) have a prediction."""
    predicted = int(listed.sum())
    return Counts(len(gt), predicted, len(gt) - predicted, empty, details)


def refuse_unknown_categories(gt: Dataset, findings: Findings) -> None:
    """Add a finding for each annotation whose category the ground truth does not list."""
    for row in np.flatnonzero(~np.isin(gt.category_ids, list(gt.category_of))).tolist():
        image = gt.images[int(np.searchsorted(gt.offsets, row, side="right")) - 1]
        findings.add(
            "category.unknown",
            "no category has this id",
            "Add the category to the ground truth's `categories`.",
            file=name_of(gt.path),
            record=f"image {image.id}, annotation {gt.ids[row]}",
            field="category_id",
            value=int(gt.category_ids[row]),
        )


def refuse_gt_overlaps(gt: Dataset, index: int, masks: RunLengths, remedy: str, findings: Findings) -> None:
    """Add a finding for each pair of an image's true masks that share pixels, which those of a PNG cannot.

    Args:
        gt: the ground truth.
        index: position of the image.
        masks: its masks.
        remedy: what to do about it.
        findings: where the findings go.
    """
    if isinstance(gt.source, PngSource):
        return
    ids = gt.ids[gt.rows(index)].tolist()
    add_overlaps(
        "gt.overlap", masks, lambda row: f"annotation {ids[row]}", remedy, findings,
        file=gt.path, record=f"image {gt.images[index].id}",
    )  # fmt: skip


def name_of(path: Path | None) -> str | None:
    """Return the path as findings name it."""
    return None if path is None else str(path)
