"""The `videos` and nested `annotations` of a panoptic JSON of videos, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entityseg.data.formats._panoptic_records import MAX_ID
from entityseg.data.formats._png_files import add_unsafe, unsafe
from entityseg.data.json_file import is_integer
from entityseg.data.video.tubes import VideoId, VideoRecord, is_video_id
from entityseg.errors import Findings
from entityseg.masks.size import size_problem


@dataclass(frozen=True, slots=True)
class Frame:
    """Segments of one frame: the PNG's name (None where there is none), and category and crowd flag by id."""

    png: str | None
    segments: Mapping[int, tuple[int, bool]]


def read_videos(value: Any, findings: Findings) -> list[VideoRecord]:
    """Read the `videos` of a panoptic JSON; problems are added to `findings`, and what has one is left out."""
    videos: dict[VideoId, VideoRecord] = {}
    for i, one in enumerate(value if isinstance(value, list) else []):
        place = f"videos[{i}]"
        number = one.get("video_id") if isinstance(one, dict) else None
        if not is_video_id(number) or number in videos or unsafe(str(number)):
            message = "a video needs a `video_id` of its own, an integer or a string that can name its folder"
            remedy = "Name each video once, without `/` at the front, `..` and control characters."
            findings.add("video.id", message, remedy, record=place, field="video_id", value=number)
            continue
        images = one.get("images")
        frames = [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []
        names = [str(frame["id"]) for frame in frames if is_video_id(frame.get("id"))]
        if not names or len(set(names)) < len(images):
            message = "`images` must list the frames, each with an id of its own, an integer or a string"
            remedy = "Write {id, height, width} for each frame, in their order."
            findings.add("video.frames", message, remedy, record=place, field="images")
            continue
        sizes: list[tuple[Any, Any]] = [(frame.get("height"), frame.get("width")) for frame in frames]
        problem = next(filter(None, map(size_problem, sizes)), None)
        other = next((size for size in sizes if size != sizes[0]), None)
        if problem or other:
            message, remedy = problem or ("the frames differ in size", "Bring them to one size.")
            at = next(k for k, size in enumerate(sizes) if (size_problem(size) if problem else size == other))
            findings.add(
                "video.size",
                message,
                remedy,
                record=f"{place}.images[{at}]",
                field="height, width",
                value=list(sizes[at]),
            )
            continue
        videos[number] = VideoRecord(number, sizes[0][0], sizes[0][1], tuple(names))
    if not videos and not findings.errors:
        message = "`videos` must be a list with at least one video"
        findings.add("json.shape", message, "Check that this is a panoptic JSON of videos.", field="videos")
    return list(videos.values())


def read_frames(
    value: Any, videos: Sequence[VideoRecord], categories: set[int], findings: Findings
) -> list[list[Frame]]:
    """Read the nested `annotations`; what is wrong is added to `findings`, and left out."""
    index_of: dict[Any, int] = {video.id: index for index, video in enumerate(videos)}
    result: list[list[Frame]] = [[] for _ in videos]
    if not isinstance(value, list):
        message, remedy = (
            "`annotations` must be a list",
            "Write a record {video_id, annotations} for each video.",
        )
        findings.add("json.shape", message, remedy, field="annotations")
        return result
    seen: dict[int, int] = {}
    for i, one in enumerate(value):
        place = f"annotations[{i}]"
        if not isinstance(one, dict):
            message, remedy = "a record must be an object {...}", "Write {video_id, annotations}."
            findings.add("record.type", message, remedy, record=place, value=one)
            continue
        number, listed = one.get("video_id"), one.get("annotations")
        index = index_of.get(number) if is_video_id(number) else None
        if index is None:
            message = "no video has this id"
            remedy = "Use the ids of the ground truth's `videos`, of the same type (number or string)."
            findings.add("video.unknown", message, remedy, record=place, field="video_id", value=number)
            continue
        if index in seen:
            message, remedy = f"annotations[{seen[index]}] has this video too", "Keep one of them."
            findings.add("video.duplicate", message, remedy, record=place, field="video_id", value=number)
            continue
        seen[index] = i
        if not isinstance(listed, list):
            message, remedy = (
                "`annotations` of a video must be a list",
                "Write a record for each of its frames.",
            )
            findings.add("json.shape", message, remedy, record=place, field="annotations", value=listed)
            continue
        names = videos[index].file_names
        frames: dict[str, Frame] = {}
        kinds: dict[int, int] = {}
        for k, frame in enumerate(listed):
            where = f"{place}.annotations[{k}]"
            if not isinstance(frame, dict):
                message, remedy = (
                    "a frame must be an object {...}",
                    "Write {image_id, file_name, segments_info}.",
                )
                findings.add("record.type", message, remedy, record=where, value=frame)
                continue
            image, png = str(frame.get("image_id")), frame.get("file_name")
            if image not in names or image in frames:
                again = image in frames
                kind = "frame.duplicate" if again else "frame.unknown"
                message = "another record has this frame" if again else "the video has no such frame"
                remedy = "Keep one of them." if again else "Use the ids of the video's `images`."
                value = frame.get("image_id")
                findings.add(kind, message, remedy, record=where, field="image_id", value=value)
                continue
            if not isinstance(png, str) or unsafe(png):
                add_unsafe(findings, png, where)
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
        message, remedy = (
            "`segments_info` must be a list",
            "Write a list of segments, empty if there are none.",
        )
        findings.add("json.shape", message, remedy, record=place, field="segments_info", value=value)
        return result
    for j, one in enumerate(value):
        record = f"{place}.segments_info[{j}]"
        if not isinstance(one, dict):
            message, remedy = "a segment must be an object {...}", "Write id and category_id."
            findings.add("record.type", message, remedy, record=record, value=one)
            continue

        def add(kind: str, message: str, remedy: str, key: str, one: Any = one, record: str = record) -> None:
            findings.add(kind, message, remedy, record=record, field=key, value=one.get(key))

        number, category, crowd = one.get("id"), one.get("category_id"), one.get("iscrowd", 0)
        if not is_integer(number) or not 1 <= number <= MAX_ID or number in result:
            message = "a segment needs an id of its own from 1 to 2^24 - 1 (0 is void)"
            add("segment.id", message, "Write R + 256 G + 65536 B.", "id")
        elif not is_integer(category) or category not in categories:
            remedy = "Use the ids of the ground truth's `categories`."
            add("category.unknown", "no category has this id", remedy, "category_id")
        elif kinds.setdefault(number, category) != category:
            message = f"segment {number} had category {kinds[number]} in another frame"
            add(
                "segment.category",
                message,
                "A segment keeps its category; give it another id.",
                "category_id",
            )
        elif crowd not in (0, 1) or isinstance(crowd, float):
            add("iscrowd.value", "iscrowd must be 0 or 1", "Write 0 or 1.", "iscrowd")
        else:
            result[number] = (category, bool(crowd))
    return result
