"""High resolution to low, as EntitySeg's LR: short side 800, long side at most 1,333, masks nearest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from entityseg.data.images import find_image
from entityseg.data.pixels import open_image, sixteen_bits
from entityseg.data.records import AnnotatedImage, Dataset, ImageRecord
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Finding, Findings, InputError, usage_error
from entityseg.files import atomic_file
from entityseg.masks.runlengths import Size

SHORT, LONG = 800, 1333
_JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}
_KEPT = ("L", "RGB", "RGBA", "LA")


@dataclass(frozen=True)
class LowResolution:
    """A dataset at low resolution, and what that cost.

    Attributes:
        dataset: the images and masks at their new size.
        vanished: (image id, annotation id) of the entities that have no pixel left; they are dropped.
        resized: how many images became smaller.
    """

    dataset: Dataset
    vanished: tuple[tuple[int | str, int], ...]
    resized: int


def low_resolution_size(size: Size, short: int = SHORT, long: int = LONG) -> Size:
    """Return the size of an image at low resolution: (height, width) in pixels.

    The short side becomes `short`; where the long side would exceed `long`, that becomes `long` instead.
    Sides are rounded as detectron2's `ResizeShortestEdge` does, half up. The release does not say what
    happens to images that are smaller already: here they stay as they are, never enlarged.

    >>> low_resolution_size((3000, 4000)), low_resolution_size((1000, 4000)), low_resolution_size((600, 700))
    ((800, 1067), (333, 1333), (600, 700))
    """
    height, width = size
    scale = short / min(size)
    new = (float(short), scale * width) if height < width else (scale * height, float(short))
    if max(new) > long:
        shrink = long / max(new)
        new = (new[0] * shrink, new[1] * shrink)
    if max(new) >= max(size):
        return size
    return max(int(new[0] + 0.5), 1), max(int(new[1] + 0.5), 1)


def to_low_resolution(
    dataset: Dataset,
    *,
    short: int = SHORT,
    long: int = LONG,
    image_out: str | Path | None = None,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> LowResolution:
    """Resize a dataset as EntitySeg's low-resolution version was made.

    Args:
        dataset: at high resolution.
        short: the short side, in pixels.
        long: the longest that the long side may be, in pixels.
        image_out: folder for the resized images, under their file names; without, only masks are resized. An
            image that is there already at its new size is left, so that a job that was killed goes on where
            it was.
        threads: images resized side by side.
        progress: shows how far the images are.

    Returns:
        The new dataset (in memory), the entities that vanished, and how many images became smaller.

    Raises:
        UsageError: `short` or `long` make no sense, or `image_out` is where the images are.
        InputError: images are missing, cannot be read or have another size than their record; all are listed.
    """
    if not 1 <= short <= long:
        message = "the short side must be at least 1 and no longer than the long side"
        raise usage_error("resolution.sides", message, "The release has 800 and 1333.", value=(short, long))
    out = None if image_out is None else Path(image_out)
    if out is not None and dataset.image_root is not None and out.resolve() == dataset.image_root.resolve():
        message = "the resized images would replace the originals"
        raise usage_error("resolution.folder", message, "Name another folder.", file=str(out))

    def one_image(index: int) -> tuple[AnnotatedImage, list[tuple[int | str, int]], Findings]:
        findings = Findings()
        image = dataset.images[index]
        size = low_resolution_size(image.size, short, long)
        if out is not None:
            try:
                _resize_image(dataset, image, out, size)
            except InputError as error:
                findings.extend(error.findings)
        small, vanished = _resize_masks(dataset[index], size)
        return small, [(image.id, one) for one in vanished], findings

    findings = Findings()
    vanished: list[tuple[int | str, int]] = []
    made: list[AnnotatedImage] = []
    indices = progress(range(len(dataset)), len(dataset), "resizing")
    for small, gone, problems in map_in_order(one_image, indices, threads=threads):
        made.append(small)
        vanished += gone
        findings.extend(problems)
    findings.raise_errors()
    pairs = zip(made, dataset.images, strict=True)
    resized = sum(small.image.size != image.size for small, image in pairs)
    low = dataset.rebuild(made)
    return LowResolution(low if out is None else replace(low, image_root=out), tuple(vanished), resized)


def _resize_masks(one: AnnotatedImage, size: Size) -> tuple[AnnotatedImage, list[int]]:
    """Return the image at its new size, and the ids of the entities that vanished."""
    from entityseg.masks import resize

    masks = resize(one.masks, size)
    image = replace(one.image, height=size[0], width=size[1])
    small = replace(one, image=image, masks=masks)
    gone = (masks.areas == 0) & (one.masks.areas > 0)
    return (small.select(~gone), one.ids[gone].tolist()) if gone.any() else (small, [])


def _resize_image(dataset: Dataset, image: ImageRecord, out: Path, size: Size) -> None:
    """Write an image at its new size.

    Raises:
        InputError: it is missing, cannot be read, or has another size than its record.
    """
    from PIL import Image

    record = f"image {image.id}"
    path = find_image(dataset, image)
    if path is None:
        message, remedy = (
            "the image was not found",
            "Give their folder (`--images`; `image_root` in Python), or fetch them.",
        )
        raise InputError(Finding("image.missing", message, remedy, file=image.file_name, record=record))
    name = PurePosixPath(image.file_name.replace("\\", "/"))
    target = out.joinpath(*name.parts)
    if _has_size(target, size):
        return
    pixels = read_pixels(path, image.size, record)
    if image.size != size:
        pixels = pixels.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    options: dict[str, Any] = dict(_JPEG)
    if name.suffix.lower() not in (".jpg", ".jpeg"):
        options = {"format": "PNG"}
    elif pixels.mode == "I;16":
        # Pillow would cut what is above 255.
        pixels = Image.fromarray((np.asarray(pixels) >> 8).astype(np.uint8))
    elif pixels.mode not in ("L", "RGB"):
        pixels = pixels.convert("RGB")
    with atomic_file(target) as file:
        pixels.save(file, **options)


def _has_size(path: Path, size: Size) -> bool:
    from entityseg.data.image_header import read_header

    try:
        header = read_header(path)
    except InputError:
        return False
    return header.whole and header.size == size


def read_pixels(path: Path, size: Size, record: str) -> Any:
    """Return an image's pixels as a Pillow image of this size, turned as its EXIF says where only that fits.

    Raises:
        InputError: it cannot be read, or has another size.
    """
    from PIL import Image, ImageOps

    from entityseg.data.image_header import read_header

    header = read_header(path)
    if size not in (header.size, header.shown_size):
        message = f"the image is {header.size[0]} x {header.size[1]}, its record says {size[0]} x {size[1]}"
        remedy = "Use the images that belong to these annotations (HR and LR have the same names)."
        raise InputError(Finding("image.size", message, remedy, file=str(path), record=record))
    try:
        with open_image(path) as opened:
            opened.load()
            turned = ImageOps.exif_transpose(opened) if header.size != size else opened
            return _plain(turned)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        message, remedy = f"the image cannot be read: {error}", "Download or unpack the file again."
        raise InputError(
            Finding("image.unreadable", message, remedy, file=str(path), record=record)
        ) from None


def _plain(image: Any) -> Any:
    """Return pixels that can be interpolated, without the EXIF orientation, which viewers would apply."""
    from PIL import Image

    values = sixteen_bits(image)
    if values is not None:
        return Image.fromarray(values)
    return Image.fromarray(np.asarray(image if image.mode in _KEPT else image.convert("RGB")))
