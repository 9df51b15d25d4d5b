"""Score predictions on videos against a ground truth: tubes by AP, panoptic frames by VPQ or STQ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from entityseg.data.peek import peek
from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.data.video.tubes import TubeSet
from entityseg.data.video.vipseg import PanopticVideos, read_vipseg
from entityseg.data.video.ytvis import read_ytvis
from entityseg.errors import Findings, usage_error
from entityseg.metrics.result import Counts, Score
from entityseg.metrics.table import Table
from entityseg.metrics.video_ap import VideoAP, match_tubes
from entityseg.metrics.video_pairs import VideoPairs, pairs_of
from entityseg.metrics.video_panoptic import WINDOWS, VideoPanopticQuality, match_windows
from entityseg.metrics.video_stq import StqMode, TrackingQuality
from entityseg.predictions.tubes import read_tube_predictions

VideoTask = Literal["ytvis", "uvo", "vpq", "stq"]
_NO_WINDOWS = "only VPQ has windows", "Leave them out, or give the task `vpq`."
# UVO's one class.
_ENTITY = 1


def score_video(
    gt: str | Path,
    pred: str | Path,
    *,
    task: VideoTask | None = None,
    mode: StqMode = "canonical",
    windows: Sequence[int] | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    gt_root: str | Path | None = None,
    pred_root: str | Path | None = None,
) -> Score:
    """Score predictions on videos.

    Args:
        gt: ground truth: YouTube-VIS JSON, or VIPSeg's panoptic JSON.
        pred: predictions: a list of tubes, or a JSON as VIPSeg's (or the folder of one) with PNG files.
        task: `ytvis` (AP over classes), `uvo` (AP without classes), `vpq` or `stq`. Where not given: VPQ for panoptic
            JSON, AP for tubes, without classes if the ground truth has but one.
        mode: `vipseg-stq-raw` gives the STQ of VIPSeg's script; for `stq` only.
        windows: numbers of frames, for `vpq` only; 1, 2, 4, 6 and 8 where not given.
        bootstrap: resamples of the videos for the intervals, 0 for none.
        seed: of the resampling.
        per_image: whether to give the figures of each video alone.
        threads: worker threads, all cores if not given.
        progress: wraps the videos as (iterable, total, label), to show a progress bar.
        gt_root, pred_root: folders of the PNG files, where they are not beside the JSON; not for tubes.

    Raises:
        InputError: something is wrong with the files; all problems are listed.
        UsageError: the mode, windows or a folder are none of the task's, or a window has no frame.
    """
    if mode != "canonical" and task != "stq":
        message = f"the mode {mode} belongs to the task stq"
        raise usage_error("video.mode", message, "Give the task `stq`, or leave out the mode.")
    if windows is not None and (not windows or min(windows) < 1 or len(set(windows)) < len(windows)):
        message = f"windows are different numbers of frames from 1 on, not {list(windows)}"
        raise usage_error("video.windows", message, "Give such as 1,2,4,6.")
    panoptic = task in ("vpq", "stq") or (
        task is None and Path(gt).is_file() and peek(Path(gt)) == "panoptic"
    )
    if windows is not None and task == "stq":
        raise usage_error("video.windows", *_NO_WINDOWS)
    if panoptic:
        truth = read_vipseg(gt, png_root=gt_root)
        job: _Job = _PanopticJob(
            truth, read_vipseg(pred, png_root=pred_root, gt=truth), task or "vpq", mode, windows or WINDOWS
        )
    else:
        # What is wrong with the file comes first: it may be no file of tubes at all.
        tubes = read_ytvis(gt)
        if windows is not None:
            raise usage_error("video.windows", *_NO_WINDOWS)
        if gt_root is not None or pred_root is not None:
            message = "tubes have their masks in the JSON, and no folder of PNG files"
            remedy = "Leave out gt_root and pred_root, or give a panoptic task."
            raise usage_error("video.root", message, remedy)
        agnostic = task == "uvo" or (task is None and len(tubes.categories) == 1)
        job = _TubeJob(tubes, read_tube_predictions(pred, tubes, agnostic=agnostic), agnostic)
    return _scored(job, mode, bootstrap, seed, per_image, threads, progress)


@dataclass(frozen=True, slots=True)
class _Video:
    """What one video adds; `truth` and `found` are how many tubes it has."""

    row: Any
    findings: Findings
    predicted: bool
    empty: bool
    truth: int
    found: int


class _Job(ABC):
    """Scores one video; several threads call it at once."""

    metric: str
    options: dict[str, str]
    gt: TubeSet | PanopticVideos
    pred: TubeSet | PanopticVideos

    @abstractmethod
    def table(self) -> Table[Any]:
        """Return an empty table of the metric."""

    @abstractmethod
    def video(self, index: int) -> _Video:
        """Return what one video adds."""


class _TubeJob(_Job):
    def __init__(self, gt: TubeSet, pred: TubeSet, agnostic: bool) -> None:
        self.gt: TubeSet = gt
        self.pred: TubeSet = pred
        self.agnostic = agnostic
        self.metric = "tube AP"
        self.options = {"task": "uvo" if agnostic else "ytvis"}

    def table(self) -> Table[Any]:
        return VideoAP()

    def video(self, index: int) -> _Video:
        findings = Findings()
        gt, pred = self.gt.tubes(index, findings), self.pred.tubes(index, findings)
        of_gt, of_pred = (one.column(index, "category_id").astype(np.int64) for one in (self.gt, self.pred))
        if self.agnostic:
            of_gt, of_pred = np.full_like(of_gt, _ENTITY), np.full_like(of_pred, _ENTITY)
        crowd = self.gt.column(index, "iscrowd").astype(bool)
        scores = self.pred.column(index, "score").astype(np.float64)
        row = match_tubes(gt, pred, scores, of_gt, of_pred, crowd=crowd)
        n = len(pred.masks)
        return _Video(row, findings, n > 0, n > 0 and not pred.masks.areas.any(), len(gt.masks), n)


class _PanopticJob(_Job):
    def __init__(
        self, gt: PanopticVideos, pred: PanopticVideos, task: str, mode: StqMode, windows: Sequence[int]
    ) -> None:
        self.gt: PanopticVideos = gt
        self.pred: PanopticVideos = pred
        self.mode, self.windows = mode, tuple(windows)
        self.metric = task.upper()
        self.options = {"task": task}
        self._row: Callable[[VideoPairs], Any] = TrackingQuality(gt.categories, mode).row
        if task == "vpq":
            self.options["windows"] = ",".join(map(str, windows))
            self._row = lambda pairs: match_windows(pairs, self.windows)

    def table(self) -> Table[Any]:
        if self.options["task"] == "stq":
            return TrackingQuality(self.gt.categories, self.mode)
        return VideoPanopticQuality(self.gt.categories, self.windows)

    def video(self, index: int) -> _Video:
        findings = Findings()
        gt, pred = self.gt.decode(index, findings), self.pred.decode(index, findings)
        row = None if findings.errors else self._row(pairs_of(gt, pred))
        predicted = bool(self.pred.frames[index])
        return _Video(row, findings, predicted, predicted and not len(pred.ids), len(gt.ids), len(pred.ids))


def _scored(
    job: _Job,
    mode: str,
    bootstrap: int,
    seed: int,
    per_image: bool,
    threads: int | None,
    progress: Progress | None,
) -> Score:
    findings = Findings()
    findings.extend(job.gt.warnings)
    findings.extend(job.pred.warnings)
    table = job.table()
    total = len(job.gt.videos)
    results = map_in_order(job.video, range(total), threads=threads)
    predicted = empty = truth = found = 0
    for index, video in enumerate((progress or no_progress)(results, total, "scoring")):
        findings.extend(video.findings)
        if video.row is not None:
            table.add(job.gt.videos[index].id, video.row)
        predicted += video.predicted
        empty += video.empty
        truth += video.truth
        found += video.found
    findings.raise_errors()
    return Score(
        metric=job.metric,
        mode=mode,
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed, threads=threads) if bootstrap else {},
        counts=Counts(total, predicted, total - predicted, empty, {"gt_tubes": truth, "predictions": found}),
        options=job.options,
        warnings=findings,
        per_image=table.per_unit() if per_image else None,
    )
