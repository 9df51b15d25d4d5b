"""YouTube-VIS JSON (2019, 2021, UVO dense): `videos`, `annotations` with one mask a frame, `categories`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from entityseg.data.coco_json import read_categories
from entityseg.data.json_file import is_integer, parse_json_file, require_type, score_problem
from entityseg.data.video.tubes import TubeSet, VideoId, VideoRecord, is_video_id
from entityseg.errors import Findings
from entityseg.masks import MAX_PIXELS
from entityseg.masks.size import size_problem


def read_ytvis(path: str | Path) -> TubeSet:
    """Read a ground truth in YouTube-VIS format.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no such file, or a record is wrong; all problems are listed. Masks are checked when a video
            is decoded.
    """
    file = str(path)
    top = require_type(parse_json_file(path), dict, "the file", file)
    findings = Findings(file)
    videos = _read_videos(top.get("videos"), findings)
    categories = read_categories(top.get("categories"), findings)
    listed = top.get("annotations")
    if not isinstance(listed, list):
        message = "`annotations` must be a list (the public validation file of YouTube-VIS has none)"
        findings.add("json.shape", message, "Score a hold-out of the training set.", field="annotations")
        listed = []
    known = {category.id for category in categories}
    records, places = group_records(listed, "annotations", videos, known, findings, scores=False)
    findings.raise_errors()
    return TubeSet(videos, categories, records, places, file, findings)


def group_records(
    listed: Sequence[Any],
    name: str,
    videos: Sequence[VideoRecord],
    categories: set[int] | None,
    findings: Findings,
    *,
    scores: bool,
) -> tuple[list[list[Mapping[str, Any]]], list[list[str]]]:
    """Check records and group them by video; what is wrong is added to `findings`, and left out.

    Args:
        listed: the records.
        name: of their list, for findings.
        videos: the videos.
        categories: ids that may occur, None for any.
        findings: where the findings go.
        scores: whether a finite `score` is due.

    Returns:
        The records of each video, and where each stands.
    """
    index_of: dict[VideoId, int] = {video.id: index for index, video in enumerate(videos)}
    records: list[list[Mapping[str, Any]]] = [[] for _ in videos]
    places: list[list[str]] = [[] for _ in videos]
    ids: set[int] = set()
    for i, record in enumerate(listed):
        place = f"{name}[{i}]"
        if not isinstance(record, dict):
            message, remedy = (
                "a record must be an object {...}",
                "Write video_id, category_id, segmentations.",
            )
            findings.add("json.shape", message, remedy, record=place, value=record)
            continue

        def add(kind: str, message: str, remedy: str, key: str, value: object, place: str = place) -> None:
            findings.add(kind, message, remedy, record=place, field=key, value=value)

        before = findings.errors
        video_id = record.get("video_id")
        index = index_of.get(video_id) if is_video_id(video_id) else None
        if index is None:
            remedy = "Use the ids of the ground truth's `videos`, of the same type (number or string)."
            add("video.unknown", "no video has this id", remedy, "video_id", video_id)
        category = record.get("category_id")
        if not is_integer(category) or (categories is not None and category not in categories):
            remedy = "Use the ids of the ground truth's `categories`."
            add("category.unknown", "no category has this id", remedy, "category_id", category)
        masks = record.get("segmentations")
        length = None if index is None else videos[index].length
        if not isinstance(masks, list) or (length is not None and len(masks) != length):
            frames = "each frame" if length is None else f"each of the video's {length} frames"
            got = f"{len(masks)}" if isinstance(masks, list) else None
            message, remedy = (
                f"`segmentations` must list a mask or null for {frames}",
                "Write null where it is unseen.",
            )
            add("video.length", message, remedy, "segmentations", got)
        if scores:
            problem = score_problem(record.get("score"))
            if problem:
                add(*problem, "score", record.get("score"))
        else:
            if (crowd := record.get("iscrowd", 0)) not in (0, 1) or isinstance(crowd, float):
                add("iscrowd.value", "iscrowd must be 0 or 1", "Write 0 or 1.", "iscrowd", crowd)
            number = record.get("id", i)
            if not is_integer(number):
                add("id.type", "the id of an annotation must be an integer", "Number them.", "id", number)
            elif number in ids:
                add("annotation.duplicate", "another annotation has this id", "Number them.", "id", number)
            else:
                ids.add(number)
        if findings.errors == before and index is not None:
            records[index].append(record)
            places[index].append(place)
    return records, places


def _read_videos(value: Any, findings: Findings) -> list[VideoRecord]:
    videos: dict[VideoId, VideoRecord] = {}
    for i, one in enumerate(value if isinstance(value, list) else []):
        place = f"videos[{i}]"
        if not isinstance(one, dict):
            message, remedy = "a video must be an object {...}", "Write id, height, width and file_names."
            findings.add("json.shape", message, remedy, record=place, value=one)
            continue
        number, names = one.get("id"), one.get("file_names")
        problem = size_problem([one.get("height"), one.get("width")])
        if not is_video_id(number) or number in videos:
            message, remedy = "a video needs an id of its own, an integer or a string", "Number the videos."
            findings.add("video.id", message, remedy, record=place, field="id", value=number)
        elif problem:
            size = [one.get("height"), one.get("width")]
            findings.add("video.size", *problem, record=place, field="height, width", value=size)
        elif not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            message, remedy = "`file_names` must list the frames", "Name one file a frame."
            findings.add("video.frames", message, remedy, record=place, field="file_names", value=names)
        elif one.get("length", len(names)) != len(names):
            message, remedy = (
                f"`file_names` has {len(names)} frames, `length` says another number",
                "Mend one of them.",
            )
            findings.add("video.length", message, remedy, record=place, field="length", value=one["length"])
        elif one["height"] * one["width"] * len(names) > MAX_PIXELS:
            message = (
                f"{len(names)} frames of {one['height']} x {one['width']} have more than {MAX_PIXELS} pixels"
            )
            remedy = "Cut the video, or score it at a lower resolution."
            findings.add("video.size", message, remedy, record=place, field="file_names")
        else:
            videos[number] = VideoRecord(number, int(one["height"]), int(one["width"]), tuple(names))
    if not videos and not findings.errors:
        message = "`videos` must be a list with at least one video"
        findings.add("json.shape", message, "Check that this is a YouTube-VIS file.", field="videos")
    return list(videos.values())
