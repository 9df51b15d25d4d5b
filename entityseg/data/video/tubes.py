"""Tubes: the masks of an entity through a video, as one mask of the frames laid side by side.

In column-major order the frames of a video follow one another, so a tube is a run-length mask of an image of
height x (frames * width) pixels, and the IoU of tubes (intersections of all frames over unions of all frames) is the
IoU of such masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from entityseg.data.json_file import is_integer
from entityseg.data.records import Category
from entityseg.errors import Findings, InputError, input_error
from entityseg.masks import MAX_PIXELS, RunLengths, from_polygons
from entityseg.masks.coco import add_size_finding, from_counts
from entityseg.masks.runlengths import Int64Array, Size
from entityseg.masks.size import size_problem

VideoId = int | str


def is_video_id(value: Any) -> TypeGuard[VideoId]:
    """Return whether a JSON value can be the id of a video: an integer of 64 bits, or a string."""
    return isinstance(value, str) or is_integer(value)


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """A video: its id, the size of its frames in pixels, and their files."""

    id: VideoId
    height: int
    width: int
    file_names: tuple[str, ...]

    @property
    def size(self) -> Size:
        """(height, width) of a frame."""
        return self.height, self.width

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.file_names)


@dataclass(frozen=True)
class Tubes:
    """Tubes of one video.

    Attributes:
        masks: n masks of height x (frames * width) pixels.
        areas: float64 [n], mean area over the frames where a tube has pixels; 0 where it has none.
    """

    masks: RunLengths
    areas: NDArray[np.float64]


@dataclass(frozen=True)
class TubeSet:
    """Tubes of many videos, ground truth or predictions; masks are decoded when a video is asked for.

    Attributes:
        videos: the videos.
        categories: as the file has them.
        records: the records of each video, checked but for their masks.
        places: where each record stands in the file.
        file: the file.
        warnings: what is odd.
    """

    videos: Sequence[VideoRecord]
    categories: Sequence[Category]
    records: Sequence[Sequence[Mapping[str, Any]]]
    places: Sequence[Sequence[str]]
    file: str
    warnings: Findings

    def column(self, index: int, name: str, default: float = 0) -> NDArray[Any]:
        """Return a number of each record of video number `index`, such as `score`."""
        return np.array([record.get(name, default) for record in self.records[index]])

    def tubes(self, index: int, findings: Findings) -> Tubes:
        """Decode the tubes of video number `index`; malformed masks are added to `findings`, and are empty."""
        video = self.videos[index]
        listed = [record["segmentations"] for record in self.records[index]]
        return decode_tubes(listed, self.places[index], video, findings, self.file)


def stack_frames(masks: RunLengths, n_frames: int) -> RunLengths:
    """Lay frames side by side.

    Args:
        masks: n * n_frames masks, those of one tube after another.
        n_frames: frames of the video.

    Returns:
        n masks of height x (n_frames * width) pixels.

    Raises:
        InputError: the video has 2^32 pixels or more.

    >>> frames = RunLengths((2, 2), [2, 4, 0, 1], [0, 2, 4])  # The right column, then the upper left pixel.
    >>> stack_frames(frames, 2).edges.tolist()
    [2, 5]
    """
    height, width = masks.size
    if height * width * n_frames > MAX_PIXELS:
        message = f"{n_frames} frames of {height} x {width} have more than {MAX_PIXELS} pixels"
        raise input_error("video.size", message, "Cut the video, or score it at a lower resolution.")
    frame = np.arange(len(masks)) % n_frames
    counts = np.diff(masks.offsets)
    edges = masks.edges.astype(np.int64) + np.repeat(frame * height * width, counts)
    tube = np.repeat(np.arange(len(masks)) // n_frames, counts)
    # A run that ends a frame and one that begins the next are one run.
    meets = np.flatnonzero((edges[1:] == edges[:-1]) & (tube[1:] == tube[:-1]))
    kept = np.ones(len(edges), bool)
    kept[meets] = kept[meets + 1] = False
    n = len(masks) // n_frames
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(tube[kept], minlength=n), out=offsets[1:])
    return RunLengths((height, width * n_frames), edges[kept].astype(np.uint32), offsets)


def mean_areas(masks: RunLengths, n_frames: int) -> NDArray[np.float64]:
    """Return the mean area of each tube over the frames where it has pixels; masks are as for `stack_frames`."""
    areas = masks.areas.reshape(-1, n_frames)
    seen = np.maximum((areas > 0).sum(axis=1), 1)
    return np.asarray(areas.sum(axis=1) / seen, np.float64)


def decode_tubes(
    listed: Sequence[Sequence[Any]],
    places: Sequence[str],
    video: VideoRecord,
    findings: Findings,
    file: str | None = None,
) -> Tubes:
    """Decode the `segmentations` of records of one video.

    Args:
        listed: for each tube one mask a frame: None, COCO RLE (compressed or a list of counts), or polygons.
        places: where each record stands, for findings.
        video: the video.
        findings: what is wrong is added; such a mask is empty.
        file: the file, for findings.
    """
    counts: list[Any] = []
    where: list[str] = []
    for segmentations, place in zip(listed, places, strict=True):
        for t, mask in enumerate(segmentations):
            where.append(f"{place}.segmentations[{t}]")
            counts.append(_counts(mask, video.size, where[-1], findings, file))
    local = Findings()
    masks = from_counts(counts, video.size, local)
    for finding in local:
        number = (finding.record or "").removeprefix("masks[").rstrip("]")
        findings.append(replace(finding, record=where[int(number)], file=file))
    for kind, number_more in local.more().items():
        findings.count_more(kind, number_more)
    return Tubes(stack_frames(masks, video.length), mean_areas(masks, video.length))


def _counts(mask: Any, size: Size, place: str, findings: Findings, file: str | None) -> Any:
    """Return the counts of a mask; what is wrong is added, and the mask empty."""
    nothing = [size[0] * size[1]]
    if mask is None:
        return nothing
    if isinstance(mask, list):
        try:
            return _polygon_counts(mask, size)
        except InputError as error:
            findings.extend(error.findings, record=place, file=file)
            return nothing
    if not isinstance(mask, Mapping) or "counts" not in mask:
        message = "a mask is null, an object with size and counts, or a list of polygons"
        findings.add("rle.type", message, "Write COCO RLE.", record=place, value=mask, file=file)
        return nothing
    got = mask.get("size")
    problem = size_problem(got)
    if problem:
        findings.add("mask.size", *problem, record=place, field="size", value=got, file=file)
        return nothing
    if tuple(got) != size:  # type: ignore[arg-type]
        add_size_finding(findings, tuple(got), size, record=place, file=file)  # type: ignore[arg-type]
        return nothing
    return mask["counts"]


def _polygon_counts(polygons: list[Any], size: Size) -> list[int]:
    from entityseg.masks import to_counts

    return [int(count) for count in to_counts(from_polygons([polygons], size))[0]]


def window_sums(values: Int64Array, length: int) -> Int64Array:
    """Return the sums over all windows of `length` frames, [frames - length + 1, ...].

    >>> window_sums(np.array([1, 2, 3]), 2).tolist()
    [3, 5]
    """
    total = np.concatenate([np.zeros((1, *values.shape[1:]), np.int64), np.cumsum(values, axis=0)])
    return total[length:] - total[:-length]
