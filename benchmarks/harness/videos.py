"""Videos: tubes (YouTube-VIS, UVO) and panoptic frames (VIPSeg); units are videos.

A model with `segment_video` gets the frames of a video and gives masks of all frames side by side; any other
`Segmenter` gets that wide picture itself.
"""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from entityseg.benchmarks.harness.adapter import (
    Adapter,
    Pictured,
    mode_option,
    read_pixels,
    segmented,
    with_known,
)
from entityseg.data.json_file import parse_json_file
from entityseg.data.threads import Progress
from entityseg.data.video.tubes import TubeSet, VideoRecord, stack_frames
from entityseg.data.video.vipseg import PRED_FOLDERS, PanopticVideo, PanopticVideos, read_vipseg
from entityseg.errors import Findings, input_error
from entityseg.files import atomic_folder, write_json
from entityseg.masks import RunLengths, are_disjoint, crop, union
from entityseg.masks.coco import to_coco
from entityseg.metrics.result import Score
from entityseg.predictions.panoptic_videos import FILE_NAME, write_panoptic_videos
from entityseg.predictions.tubes import read_tube_predictions, write_tube_predictions
from entityseg.protocols import Oracle, Segmentation, UsesCategories

_ENTITY = 1


class _VideosAdapter(Adapter):
    """What both kinds share: asking the model, scoring."""

    @property
    def agnostic(self) -> bool:
        """Whether categories have no say."""
        return self.truth.task.options.get("task") == "uvo"

    @property
    def gt(self) -> TubeSet | PanopticVideos:
        """The ground truth."""
        truth: TubeSet | PanopticVideos = self.truth.value
        return truth

    def __len__(self) -> int:
        return len(self.gt.videos)

    def images(self) -> Iterator[tuple[str, Path | None]]:
        """Give the pictures of all frames."""
        for video in self.gt.videos:
            for name in video.file_names:
                yield f"{video.id}/{name}", self.frame(video, name)

    def prepare(self, model: Any) -> None:
        """Tell the model the categories, if it asks."""
        if isinstance(model, UsesCategories):
            model.use_categories(self.gt.categories)

    def frame(self, video: VideoRecord, name: str) -> Path:
        """Return where a frame's picture is."""
        return self.truth.image_root / name

    def ask(self, model: Any, index: int) -> Segmentation:
        """Return what a model finds in a video, frames side by side."""
        video = self.gt.videos[index]
        frames = []
        for name in video.file_names:
            path = self.frame(video, name)
            frames.append(read_pixels(path if path.exists() else None, video.size, f"{video.id}/{name}"))
        if isinstance(model, Oracle):
            model.reveal(str(video.id), self.answer(index))
        wide = (video.height, video.width * video.length)
        together = hasattr(model, "segment_video")
        found = segmented(
            lambda: model.segment_video(frames) if together else model.segment(np.concatenate(frames, axis=1)),
            wide, str(video.id),
        )  # fmt: skip
        if self.agnostic:
            return found
        return with_known(found, [category.id for category in self.gt.categories], str(video.id))

    def score(
        self,
        path: Path,
        *,
        mode: str,
        options: Mapping[str, Any],
        bootstrap: int,
        seed: int,
        threads: int | None,
        progress: Progress | None,
    ) -> Score:
        """Score the predictions of all videos."""
        from entityseg.benchmarks.harness.families import scorer

        return scorer(self.truth.task.family)(
            self.truth.files[0], path, bootstrap=bootstrap, seed=seed, per_image=True, threads=threads,
            progress=progress, **mode_option(mode), **options,
        )  # fmt: skip

    @abstractmethod
    def segments(self, tubes: Any, index: int) -> Segmentation:
        """Return what a side has in a video, frames side by side; without crowds and what has no pixel."""

    @abstractmethod
    def read(self, path: Path) -> Any:
        """Read predictions; `segments` takes what it gives."""

    def answer(self, index: int) -> Segmentation:
        """Return the truth of a video, frames side by side."""
        return self.segments(self.gt, index)

    def pictures(self, path: Path, ids: Sequence[Any]) -> Iterator[Pictured]:
        """Give the middle frame of each video."""
        predictions = self.read(path)
        index_of = {video.id: index for index, video in enumerate(self.gt.videos)}
        for video_id in ids:
            index = index_of[video_id]
            video = self.gt.videos[index]
            middle = video.length // 2
            gt, pred = (self.segments(side, index) for side in (self.gt, predictions))
            true, found = (self.frames_of(one.masks, video)[middle] for one in (gt, pred))
            shown = np.flatnonzero(found.areas > 0)
            name = video.file_names[middle]
            picture = self.frame(video, name)
            yield Pictured(
                f"{video.id}, frame {middle + 1} of {video.length}", picture if picture.exists() else None,
                video.size, true[np.flatnonzero(true.areas > 0)], found[shown], pred.scores[shown],
            )  # fmt: skip

    def frames_of(self, masks: RunLengths, video: VideoRecord) -> list[RunLengths]:
        """Cut masks of frames side by side into those of each frame."""
        return [
            crop(masks, t * video.width, 0, video.width, video.height) if len(masks) else
            RunLengths.empty(video.size, 0)
            for t in range(video.length)
        ]  # fmt: skip


class TubesAdapter(_VideosAdapter):
    """Tubes with scores, which may overlap."""

    file: ClassVar[str] = "predictions.json"

    def segments(self, tubes: TubeSet, index: int) -> Segmentation:
        """Return the tubes of a video."""
        findings = Findings(tubes.file)
        masks = tubes.tubes(index, findings).masks
        findings.raise_errors()
        kept = np.flatnonzero((tubes.column(index, "iscrowd") == 0) & (masks.areas > 0))
        labels = tubes.column(index, "category_id").astype(np.int64)
        scores = tubes.column(index, "score", 1.0).astype(np.float64)
        return Segmentation(masks[kept], scores[kept], labels[kept])

    def read(self, path: Path) -> TubeSet:
        """Read predicted tubes."""
        gt: TubeSet = self.truth.value
        return read_tube_predictions(path, gt, agnostic=self.agnostic)

    def predict(self, model: Any, units: Sequence[int], path: Path) -> None:
        """Write the tubes of some videos."""
        records = []
        for index in units:
            video, found = self.gt.videos[index], self.ask(model, index)
            frames = [to_coco(one) for one in self.frames_of(found.masks, video)]
            for row, (score, label) in enumerate(
                zip(found.scores.tolist(), found.labels.tolist(), strict=True)
            ):
                records.append(
                    {
                        "video_id": video.id,
                        "category_id": _ENTITY if self.agnostic else label,
                        "score": score,
                        "segmentations": [frame[row] for frame in frames],
                    }
                )
        write_tube_predictions(path, records)


class PanopticVideosAdapter(_VideosAdapter):
    """Segments of which a pixel belongs to one at most; those of a stuff category are one."""

    file: ClassVar[str] = "predictions"

    def segments(self, tubes: PanopticVideos, index: int) -> Segmentation:
        """Return the segments of a video."""
        findings = Findings(tubes.file)
        video = tubes.decode(index, findings)
        findings.raise_errors()
        n, length = len(video.ids), self.gt.videos[index].length
        together = RunLengths.concatenate(list(video.masks))
        # From frame by frame to segment by segment.
        order = np.arange(n * length).reshape(length, n).T.ravel()
        masks = stack_frames(together[order], length)
        kept = np.flatnonzero(~video.crowd & (masks.areas > 0))
        return Segmentation(masks[kept], np.ones(len(kept)), video.categories[kept])

    def read(self, path: Path) -> PanopticVideos:
        """Read predicted segments."""
        gt: PanopticVideos = self.truth.value
        return read_vipseg(path, gt=gt)

    def frame(self, video: VideoRecord, name: str) -> Path:
        """Return where a frame's picture is."""
        return self.truth.image_root / str(video.id) / f"{name}.jpg"

    def predict(self, model: Any, units: Sequence[int], path: Path) -> None:
        """Write the segments of some videos."""
        write_panoptic_videos(path, ((self.gt.videos[i], self._one(model, i)) for i in units))

    def _one(self, model: Any, index: int) -> PanopticVideo:
        video, found = self.gt.videos[index], self.ask(model, index)
        if not are_disjoint(found.masks):
            message = "the model's masks share pixels, and this task gives each pixel to one at most"
            raise input_error("model.overlap", message, "Paint them, the surest last.", record=str(video.id))
        isthing = {category.id: category.isthing for category in self.gt.categories}
        parts: list[RunLengths] = [RunLengths.empty(found.masks.size, 0)]
        labels: list[int] = []
        for row, label in enumerate(found.labels.tolist()):
            if isthing.get(label) is not False:
                parts.append(found.masks[np.array([row])])
                labels.append(label)
            elif label not in labels:
                parts.append(union(found.masks[np.flatnonzero(found.labels == label)]))
                labels.append(label)
        masks = self.frames_of(RunLengths.concatenate(parts), video)
        ids = np.arange(1, len(labels) + 1)
        return PanopticVideo(ids, np.array(labels, np.int64), np.zeros(len(labels), bool), masks)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the videos of all shards into one folder, the JSON last."""
        if path.exists():
            shutil.rmtree(path)
        records: list[Any] = []
        with atomic_folder(path) as folder:
            for part in parts:
                shutil.copytree(part / PRED_FOLDERS[0], folder / PRED_FOLDERS[0], dirs_exist_ok=True)
                records += parse_json_file(part / FILE_NAME)["annotations"]
            write_json(folder / FILE_NAME, {"annotations": records})
