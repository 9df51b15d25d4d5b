"""YouTube-VIS JSON (2019, 2021, UVO dense): `videos`, `annotations` with one mask a frame, `categories`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from entityseg.data.json_file import as_float, is_integer, parse_json_file, require_type
from entityseg.data.video.tubes import TubeSet, VideoId, VideoRecord, read_categories
from entityseg.errors import Findings
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
    ids: set[Any] = set()
    for i, record in enumerate(listed):
        place = f"{name}[{i}]"
        if not isinstance(record, dict):
            findings.add("json.shape", "a record must be an object", "Check the file.", record=place)
            continue
        before = findings.errors
        video_id = record.get("video_id")
        index = index_of.get(video_id) if isinstance(video_id, int | str) else None
        if index is None:
            message, remedy = "no video has this id", "Use the ids of the ground truth's `videos`."
            findings.add("video.unknown", message, remedy, record=place, field="video_id", value=video_id)
        category = record.get("category_id")
        if not is_integer(category) or (categories is not None and category not in categories):
            message, remedy = "no category has this id", "Use the ids of the ground truth's `categories`."
            findings.add(
                "category.unknown", message, remedy, record=place, field="category_id", value=category
            )
        masks = record.get("segmentations")
        length = None if index is None else videos[index].length
        if not isinstance(masks, list) or (length is not None and len(masks) != length):
            got = f"{len(masks)}" if isinstance(masks, list) else "none"
            message = (
                f"`segmentations` must list a mask or null for each of the {length} frames; {got} are there"
            )
            findings.add("video.length", message, "Write null for frames without it.", record=place)
        if scores and not abs(as_float(record.get("score"))) < float("inf"):
            message, remedy = "a score must be a finite number", "Write the model's confidence."
            value = record.get("score")
            findings.add("score.finite", message, remedy, record=place, field="score", value=value)
        if not scores and (crowd := record.get("iscrowd", 0)) not in (0, 1):
            findings.add("iscrowd.value", "iscrowd must be 0 or 1", "Mend it.", record=place, value=crowd)
        if not scores and (number := record.get("id", i)) in ids:
            message, remedy = "another annotation has this id", "Number the annotations."
            findings.add("annotation.duplicate", message, remedy, record=place, field="id", value=number)
        if findings.errors == before and index is not None:
            ids.add(record.get("id", i))
            records[index].append(record)
            places[index].append(place)
    return records, places


def _read_videos(value: Any, findings: Findings) -> list[VideoRecord]:
    videos: dict[VideoId, VideoRecord] = {}
    for i, one in enumerate(value if isinstance(value, list) else []):
        place = f"videos[{i}]"
        if not isinstance(one, dict):
            findings.add("json.shape", "a video must be an object", "Check the file.", record=place)
            continue
        number, names = one.get("id"), one.get("file_names")
        problem = size_problem([one.get("height"), one.get("width")])
        if not isinstance(number, int | str) or isinstance(number, bool) or number in videos:
            message, remedy = "a video needs an id of its own", "Number the videos."
            findings.add("video.id", message, remedy, record=place, field="id", value=number)
        elif problem:
            findings.add("video.size", *problem, record=place, value=[one.get("height"), one.get("width")])
        elif not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            message, remedy = "`file_names` must list the frames", "Name one file a frame."
            findings.add("video.frames", message, remedy, record=place, field="file_names")
        elif one.get("length", len(names)) != len(names):
            message = f"`length` says {one['length']} frames, `file_names` has {len(names)}"
            findings.add("video.length", message, "Mend one of them.", record=place, field="length")
        else:
            videos[number] = VideoRecord(number, int(one["height"]), int(one["width"]), tuple(names))
    if not videos and not findings.errors:
        message = "`videos` must be a list with at least one video"
        findings.add("json.shape", message, "Check that this is a YouTube-VIS file.", field="videos")
    return list(videos.values())
