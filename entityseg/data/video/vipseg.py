"""VIPSeg's panoptic JSON: videos of frames whose segments keep their ids, and a folder of PNG files a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entityseg.data.coco_json import read_categories
from entityseg.data.formats._png_files import add_strangers, find_png, missing_file
from entityseg.data.json_file import parse_json_file, require_type
from entityseg.data.records import Category
from entityseg.data.video._vipseg_records import Frame, read_frames, read_videos
from entityseg.data.video.tubes import VideoRecord
from entityseg.errors import Finding, Findings, InputError, MissingFileError
from entityseg.masks import RunLengths, from_panoptic_png
from entityseg.masks.runlengths import Int64Array

GT_FOLDERS = ("panomasksRGB",)
PRED_FOLDERS = ("pan_pred",)


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
        folder = self.root / str(video.id)
        path = find_png(folder, frame.png)
        if path is None:
            findings.append(missing_file(folder / frame.png, record))
            return nothing
        try:
            ids, masks = from_panoptic_png(path, size=video.size)
        except InputError as error:
            findings.extend(error.findings, file=str(path), record=record)
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
    videos = gt.videos if gt is not None else read_videos(top.get("videos"), findings)
    categories = gt.categories if gt is not None else read_categories(top.get("categories"), findings)
    frames = read_frames(top.get("annotations"), videos, {one.id for one in categories}, findings)
    if gt is None:
        for video, own in zip(videos, frames, strict=True):
            if not own:
                message, remedy = "no record of `annotations` belongs to this video", "Add it."
                findings.add("video.no_record", message, remedy, record=f"video {video.id}")
    findings.raise_errors()
    root = _root(json, png_root, GT_FOLDERS if gt is None else PRED_FOLDERS)
    if gt is not None:
        named = {
            png
            for video, own in zip(videos, frames, strict=True)
            for frame in own
            if frame.png is not None and (png := find_png(root / str(video.id), frame.png)) is not None
        }
        add_strangers(findings, [root / str(video.id) for video in videos], named)
    return PanopticVideos(videos, categories, frames, root, file, findings)


def _root(json: Path, given: str | Path | None, names: Sequence[str]) -> Path:
    tried = [Path(given)] if given is not None else [json.parent / name for name in (*names, json.stem)]
    for folder in tried:
        if folder.is_dir():
            return folder
    message = f"there is no folder of PNG files; looked for {', '.join(map(str, tried))}"
    raise MissingFileError(Finding("png.folder", message, "Give it as `png_root`.", file=str(json)))
