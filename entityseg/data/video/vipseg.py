"""VIPSeg's panoptic JSON: videos of frames whose segments keep their ids, and a folder of PNG files a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.formats._png_files import find_png, unsafe
from entityseg.data.json_file import is_integer, parse_json_file, require_type
from entityseg.data.records import Category
from entityseg.data.video.tubes import VideoId, VideoRecord, read_categories
from entityseg.errors import Finding, Findings, InputError, MissingFileError
from entityseg.masks import RunLengths, from_panoptic_png
from entityseg.masks.runlengths import Int64Array
from entityseg.masks.size import size_problem

GT_FOLDERS = ("panomasksRGB",)
PRED_FOLDERS = ("pan_pred",)


@dataclass(frozen=True, slots=True)
class Frame:
    """Segments of one frame: the PNG's name (None where there is none), and category and crowd flag by id."""

    png: str | None
    segments: Mapping[int, tuple[int, bool]]


@dataclass(frozen=True)
class PanopticVideo:
    """One video, decoded.

    Attributes:
        ids: int64 [n], the segments' ids in the order in which the file names them first.
        categories: int64 [n].
        crowd: bool [n], crowd in any frame.
        masks: for each frame n masks, empty where a segment is not seen.
    """

    ids: Int64Array
    categories: Int64Array
    crowd: NDArray[np.bool_]
    masks: Sequence[RunLengths]


@dataclass(frozen=True)
class PanopticVideos:
    """Panoptic videos, ground truth or predictions; PNG files are decoded when a video is asked for.

    Attributes:
        videos: the videos; `file_names` are the frames' image ids.
        categories: as the file has them.
        frames: of each video; empty for a video without any word.
        root: folder of the videos' folders of PNG files.
        file: the JSON.
        warnings: what is odd.
    """

    videos: Sequence[VideoRecord]
    categories: Sequence[Category]
    frames: Sequence[Sequence[Frame]]
    root: Path
    file: str
    warnings: Findings

    def decode(self, index: int, findings: Findings) -> PanopticVideo:
        """Decode video number `index`; what is wrong with a PNG is added to `findings`, and the frame empty."""
        video = self.videos[index]
        frames = self.frames[index] or [Frame(None, {})] * video.length
        kinds: dict[int, tuple[int, bool]] = {}
        for frame in frames:
            for number, (category, crowd) in frame.segments.items():
                kinds[number] = (category, crowd or kinds.get(number, (0, False))[1])
        ids = np.array(list(kinds), np.int64)
        row_of = {number: row for row, number in enumerate(kinds)}
        masks = [
            self._frame(frame, video, f"video {video.id}, frame {name}", row_of, findings)
            for frame, name in zip(frames, video.file_names, strict=True)
        ]
        categories = np.array([category for category, _ in kinds.values()], np.int64)
        return PanopticVideo(ids, categories, np.array([crowd for _, crowd in kinds.values()], bool), masks)

    def _frame(
        self, frame: Frame, video: VideoRecord, record: str, row_of: Mapping[int, int], findings: Findings
    ) -> RunLengths:
        nothing = RunLengths.empty(video.size, len(row_of))
        if frame.png is None:
            return nothing
        path = find_png(self.root / str(video.id), frame.png)
        if path is None:
            message, remedy = "there is no such PNG", "Unpack or write the PNG files again."
            file = str(self.root / str(video.id) / frame.png)
            findings.add("png.missing", message, remedy, file=file, record=record)
            return nothing
        try:
            ids, masks = from_panoptic_png(path, size=video.size)
        except InputError as error:
            for finding in error.findings:
                findings.append(replace(finding, file=str(path), record=record))
            return nothing
        found, listed = set(ids.tolist()), set(frame.segments)
        for number in sorted(found ^ listed):
            in_png = number in found
            message = (
                "the PNG has this segment, the JSON does not" if in_png else "the PNG has no pixel of it"
            )
            remedy = "List it in segments_info." if in_png else "Leave it out of segments_info."
            findings.add("panoptic.ids", message, remedy, file=str(path), record=record, value=number)
        if found != listed:
            return nothing
        at = np.array([row_of[number] for number in ids.tolist()], np.int64)
        counts = np.zeros(len(row_of), np.int64)
        counts[at] = np.diff(masks.offsets)
        order = np.argsort(at)
        edges = [masks.edges_of(int(row)) for row in order]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        together = np.concatenate([np.empty(0, np.uint32), *edges]).astype(np.uint32)
        return RunLengths(video.size, together, offsets)


def read_vipseg(
    path: str | Path, *, png_root: str | Path | None = None, gt: PanopticVideos | None = None
) -> PanopticVideos:
    """Read a panoptic ground truth of videos, or predictions for one.

    Args:
        path: the JSON; a folder stands for the `pred.json` in it.
        png_root: folder of the videos' folders; by default `panomasksRGB`, `pan_pred` or the folder of the JSON's name
            beside the JSON.
        gt: the ground truth, for predictions, which need `annotations` only.

    Raises:
        MissingFileError: there is no such file or folder.
        InputError: a record is wrong; all problems are listed. PNG files are checked when a video is decoded.
    """
    json = Path(path) / "pred.json" if Path(path).is_dir() else Path(path)
    file = str(json)
    top = require_type(parse_json_file(json), dict, "the file", file)
    findings = Findings(file)
    videos = gt.videos if gt is not None else _read_videos(top.get("videos"), findings)
    categories = gt.categories if gt is not None else read_categories(top.get("categories"), findings)
    frames = _read_frames(top.get("annotations"), videos, {one.id for one in categories}, findings)
    if gt is None:
        for video, own in zip(videos, frames, strict=True):
            if not own:
                message, remedy = "no record of `annotations` belongs to this video", "Add it."
                findings.add("video.no_record", message, remedy, record=f"video {video.id}")
    findings.raise_errors()
    root = _root(json, png_root, GT_FOLDERS if gt is None else PRED_FOLDERS)
    return PanopticVideos(videos, categories, frames, root, file, findings)


def _root(json: Path, given: str | Path | None, names: Sequence[str]) -> Path:
    tried = [Path(given)] if given is not None else [json.parent / name for name in (*names, json.stem)]
    for folder in tried:
        if folder.is_dir():
            return folder
    message = f"there is no folder of PNG files; looked for {', '.join(map(str, tried))}"
    raise MissingFileError(Finding("png.folder", message, "Give it as `png_root`.", file=str(json)))


def _read_videos(value: Any, findings: Findings) -> list[VideoRecord]:
    videos: dict[VideoId, VideoRecord] = {}
    for i, one in enumerate(value if isinstance(value, list) else []):
        place = f"videos[{i}]"
        number = one.get("video_id") if isinstance(one, dict) else None
        if not isinstance(number, int | str) or number in videos or unsafe(str(number)):
            message, remedy = "a video needs a `video_id` of its own, which names its folder", "Mend it."
            findings.add("video.id", message, remedy, record=place, value=number)
            continue
        images = one.get("images")
        ids = (
            [image.get("id") for image in images if isinstance(image, dict)]
            if isinstance(images, list)
            else []
        )
        if not ids or len(set(map(str, ids))) < len(images):
            message, remedy = "`images` must list the frames, each with an id of its own", "Mend it."
            findings.add("video.frames", message, remedy, record=place, field="images")
            continue
        sizes = {(image.get("height"), image.get("width")) for image in images}
        height, width = next(iter(sizes))
        problem = size_problem([height, width])
        if len(sizes) > 1 or problem:
            message, remedy = problem or ("the frames differ in size", "Bring them to one size.")
            findings.add("video.size", message, remedy, record=place, value=sorted(map(str, sizes)))
            continue
        videos[number] = VideoRecord(number, height, width, tuple(map(str, ids)))
    if not videos and not findings.errors:
        message = "`videos` must be a list with at least one video"
        findings.add("json.shape", message, "Check that this is a VIPSeg file.", field="videos")
    return list(videos.values())


def _read_frames(
    value: Any, videos: Sequence[VideoRecord], categories: set[int], findings: Findings
) -> list[list[Frame]]:
    """Read the nested `annotations`; what is wrong is added to `findings`, and left out."""
    index_of: dict[Any, int] = {video.id: index for index, video in enumerate(videos)}
    result: list[list[Frame]] = [[] for _ in videos]
    if not isinstance(value, list):
        message = "`annotations` must be a list"
        findings.add("json.shape", message, "Check the file.", field="annotations")
        return result
    for i, one in enumerate(value):
        place = f"annotations[{i}]"
        number = one.get("video_id") if isinstance(one, dict) else None
        index = index_of.get(number) if isinstance(number, int | str) else None
        listed = one.get("annotations") if isinstance(one, dict) else None
        if index is None or not isinstance(listed, list):
            message, remedy = "a record needs a known `video_id` and a list `annotations`", "Mend it."
            findings.add("video.unknown", message, remedy, record=place, field="video_id", value=number)
            continue
        if result[index]:
            message, remedy = "another record has this video", "Keep one of them."
            findings.add("video.duplicate", message, remedy, record=place, field="video_id", value=number)
            continue
        names = videos[index].file_names
        frames: dict[str, Frame] = {}
        kinds: dict[int, int] = {}
        for k, frame in enumerate(listed):
            where = f"{place}.annotations[{k}]"
            image = str(frame.get("image_id")) if isinstance(frame, dict) else ""
            if image not in names or image in frames:
                message, remedy = "the video has no such frame, or it is here twice", "Mend it."
                findings.add("frame.unknown", message, remedy, record=where, field="image_id", value=image)
                continue
            png = frame.get("file_name")
            if not isinstance(png, str) or unsafe(png):
                message, remedy = "`file_name` must name a PNG in the video's folder", "Mend it."
                findings.add("file.name", message, remedy, record=where, field="file_name", value=png)
                continue
            frames[image] = Frame(
                png, _segments(frame.get("segments_info"), where, categories, kinds, findings)
            )
        for name in names:
            if name not in frames:
                message = "there is no word on this frame; it is scored as empty"
                record = f"video {videos[index].id}, frame {name}"
                findings.add("frame.missing", message, "Write it.", record=record, severity="warning")
        result[index] = [frames.get(name, Frame(None, {})) for name in names]
    return result


def _segments(
    value: Any, place: str, categories: set[int], kinds: dict[int, int], findings: Findings
) -> dict[int, tuple[int, bool]]:
    """Read `segments_info`; `kinds` keeps the category of each id of the video."""
    result: dict[int, tuple[int, bool]] = {}
    if not isinstance(value, list):
        findings.add("json.shape", "`segments_info` must be a list", "Check the file.", record=place)
        return result
    for j, one in enumerate(value):
        record = f"{place}.segments_info[{j}]"
        number = one.get("id") if isinstance(one, dict) else None
        category = one.get("category_id") if isinstance(one, dict) else None
        if not is_integer(number) or not 0 < number < 2**24 or number in result:
            message, remedy = "a segment needs an id of its own from 1 to 16,777,215", "Mend it."
            findings.add("segment.id", message, remedy, record=record, field="id", value=number)
        elif category not in categories:
            message, remedy = "no category has this id", "Use the ids of the ground truth's `categories`."
            findings.add(
                "category.unknown", message, remedy, record=record, field="category_id", value=category
            )
        elif kinds.setdefault(number, category) != category:
            message = f"segment {number} had category {kinds[number]} in another frame"
            remedy = "A segment keeps its category; give it another id."
            findings.add(
                "segment.category", message, remedy, record=record, field="category_id", value=category
            )
        else:
            result[number] = (category, one.get("iscrowd", 0) == 1)
    return result
