"""A model, a processor and images to masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from entityseg.baselines.inference.fusion import RealArray, ViewLogits
from entityseg.baselines.inference.options import InferenceOptions
from entityseg.baselines.inference.reading import (
    Found,
    class_masks,
    disjoint_masks,
    overlapping_masks,
    panoptic_segments,
    softmax,
)
from entityseg.baselines.inference.scales import join_scales
from entityseg.baselines.views import ImageViews, ViewProcessor
from entityseg.baselines.views.cutting import Pixels
from entityseg.baselines.views.regions import padded_size
from entityseg.errors import UsageError, usage_error
from entityseg.masks.runlengths import Size
from entityseg.protocols import Segmentation

if TYPE_CHECKING:
    from entityseg.baselines.models import SegmenterModel, SegmenterOutput


def segment(model: SegmenterModel, processor: ViewProcessor, image: Pixels, **options: Any) -> Segmentation:
    """Return the masks of an image; labels are class indices (-1 for the task `entity`).

    Args:
        model: on whatever device it is, in whatever mode.
        processor: makes the views.
        image: uint8 [height, width, 3].
        options: see `InferenceOptions`.

    Raises:
        InputError: the image is of another kind, or the model's outputs are not finite.
        UsageError: the model has not the outputs that are asked for.
    """
    return segment_batch(model, processor, [image], **options)[0]


def segment_batch(
    model: SegmenterModel, processor: ViewProcessor, images: Sequence[Pixels], **options: Any
) -> list[Segmentation]:
    """Return the masks of each image; see `segment`.

    Images whose padded views have one size go through the network together; others do not, because padding changes
    what the network sees. So an image's masks do not depend on its neighbours.
    """
    chosen = InferenceOptions(**options)
    return [read_masks(model, found, chosen) for found in find_all(model, processor, images, chosen)]


def find_all(
    model: SegmenterModel, processor: ViewProcessor, images: Sequence[Pixels], options: InferenceOptions
) -> list[Found]:
    """Return what the network finds in each image, before masks are made of it."""
    if not options.scales:
        return _find_at(model, processor, images, options)
    by_scale = [_find_at(model, processor, images, options)]
    if by_scale[0] and (by_scale[0][0].fused or processor.view_count > 1):
        raise scales_refused(options.scales)
    for short_side in options.scales:
        scaled = _at_scale(processor, short_side)
        by_scale.append(_find_at(model, scaled, images, options))
    return [join_scales(found) for found in zip(*by_scale, strict=True)]


def scales_refused(scales: Sequence[int]) -> UsageError:
    """Return the error of several scales for a model of several views."""
    message, remedy = "several scales are for models of one view", "Leave out `scales`."
    return usage_error("inference.scales", message, remedy, field="scales", value=scales)


def read_masks(model: SegmenterModel, found: Found, options: InferenceOptions) -> Segmentation:
    """Return masks of what was found, by the rules of the task.

    Raises:
        UsageError: an option was given that the task has no use for.
    """
    task = model.config.task if options.task == "auto" else options.task
    options.check_task(task)
    things = model.config.things
    if task == "semantic":
        return class_masks(found, options)
    if task == "panoptic":
        return panoptic_segments(found, options, things)
    overlap = options.overlap if options.overlap is not None else task == "instance"
    if overlap:
        result = overlapping_masks(found, options, things if task == "instance" else None)
    else:
        result = disjoint_masks(found, options)
    return Segmentation(result.masks, result.scores) if task == "entity" else result


def _find_at(
    model: SegmenterModel, processor: ViewProcessor, images: Sequence[Pixels], options: InferenceOptions
) -> list[Found]:
    cut = [processor.cut(image) for image in images]
    groups: dict[Size, list[int]] = {}
    for index, one in enumerate(cut):
        size = padded_size([view.size for view in one.views], processor.size_divisor)
        groups.setdefault(size, []).append(index)
    found: dict[int, Found] = {}
    for size, members in groups.items():
        pixels = processor.stack([cut[index] for index in members], dtype=_dtype(model))
        output = run(model, pixels, options)
        for row, index in enumerate(members):
            found[index] = read_output(output, row, cut[index], size, options)
    return [found[index] for index in range(len(images))]


def run(model: SegmenterModel, pixels: Tensor, options: InferenceOptions) -> SegmenterOutput:
    """Return a model's last stage for views [B, T, 3, H, W], without gradients; its mode stays as it was."""
    device = next(model.parameters()).device
    half = torch.float16 if device.type == "cuda" else torch.bfloat16
    with torch.no_grad(), _evaluating(model), torch.autocast(device.type, half, enabled=options.amp):
        output: SegmenterOutput = model(
            pixels.to(device), every_stage=False, views_at_once=options.views_at_once
        )
    return output


def read_output(
    output: SegmenterOutput, row: int, views: ImageViews, padded: Size, options: InferenceOptions
) -> Found:
    """Return the classes and masks of one image of a batch, from the decoder and the views that are asked for.

    Raises:
        UsageError: the model has no such decoder, or there are no crops.
    """
    count = len(views)
    wanted = options.outputs
    if wanted == "auto":
        wanted = "I-O" if output.batch is None else "B-OC"
    decoded = output.image if wanted == "I-O" else output.batch
    if decoded is None:
        level = "image" if wanted == "I-O" else "batch"
        remedy = "Leave `outputs` to the model, or take one that has it (CropFormer has both)."
        raise usage_error(
            "inference.outputs",
            f"the model has no {level}-level decoder",
            remedy,
            field="outputs",
            value=wanted,
        )
    if options.outputs in ("B-C", "B-OC") and count == 1:
        remedy = "Take B-O, or a processor that cuts crops."
        raise usage_error("inference.outputs", "there are no crops to look at", remedy, value=wanted)
    logits, masks = decoded.logits[-1], decoded.masks[-1]
    chosen = {"B-C": slice(1, None), "B-OC": slice(None)}.get(wanted, slice(1))
    place = row * count if wanted == "I-O" else row
    maps = _numpy(masks[place])[:, chosen]
    return Found(
        softmax(_numpy(logits[place])),
        ViewLogits.build(maps, padded, views.views[chosen], views.image_size),
        fused=wanted != "I-O",
    )


def _at_scale(processor: ViewProcessor, short_side: int) -> ViewProcessor:
    """Return the processor with another short side, and a longer side that grows with it."""
    described = processor.to_dict()
    largest = round(processor.max_side * short_side / processor.short_side)
    return ViewProcessor(**{**described, "short_side": short_side, "max_side": max(largest, short_side)})


def _numpy(tensor: Tensor) -> RealArray:
    """Return a tensor as an array of 32 or 64 bits on the processor."""
    found = tensor if tensor.dtype == torch.float64 else tensor.float()
    array: RealArray = found.contiguous().cpu().numpy()
    return array


def _dtype(model: SegmenterModel) -> torch.dtype:
    dtype: torch.dtype = next(model.parameters()).dtype
    return dtype


@contextmanager
def _evaluating(model: SegmenterModel) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


__all__ = ["InferenceOptions", "find_all", "read_masks", "read_output", "run", "segment", "segment_batch"]
