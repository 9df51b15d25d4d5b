"""Transfer to video: YouTube-VIS 2019, UVO and VIPSeg."""

from __future__ import annotations

from entityseg.benchmarks.tasks.record import Data, Task, counts

_VIPSEG = Data(
    folder="VIPSeg",
    reader="video",
    split="val",
    files=("VIPSeg_720P/panoptic_gt_VIPSeg_val.json", "VIPSeg_720P/panomasksRGB/", "VIPSeg_720P/images/"),
    images="VIPSeg_720P/images",
    revision="2022",
    get="github.com/VIPSeg-Dataset/VIPSeg-Dataset",
)
_VIPSEG_COUNTS = counts(videos=343, categories=124)

TASKS = (
    Task(
        name="youtubevis-2019@1",
        title="Video instance segmentation on YouTube-VIS 2019",
        family="video-instance",
        data=Data(
            folder="ytvis_2019",
            reader="video",
            split="valid",
            files=("valid.json", "valid/JPEGImages/"),
            images="valid/JPEGImages",
            revision="2019",
            get="youtube-vos.org/dataset/vis",
        ),
        options={"task": "ytvis"},
        main="AP",
        counts=counts(categories=40),
        published="youtubevis-2019",
        notes=(
            "The ground truth of the official validation videos is not public: score a hold-out of train in this "
            "layout, and say so.",
        ),
    ),
    Task(
        name="uvo@1",
        title="Class-agnostic video segmentation on UVO v1.0, dense validation videos",
        family="video-instance",
        data=Data(
            folder="UVO",
            reader="video",
            split="val",
            files=("UVO_video_val_dense.json", "uvo_videos_dense_frames/"),
            images="uvo_videos_dense_frames",
            revision="v1.0",
            get="sites.google.com/view/unidentified-video-object",
        ),
        options={"task": "uvo"},
        main="AP",
        counts=counts(videos=256),
        published="uvo",
    ),
    Task(
        name="vipseg@1",
        title="Video panoptic segmentation on VIPSeg, 720p: VPQ",
        family="video-panoptic",
        data=_VIPSEG,
        options={"task": "vpq"},
        main="VPQ",
        track="720p",
        counts=_VIPSEG_COUNTS,
        published="vipseg",
        notes=("VPQ is the mean over windows; which windows the papers mean is not said.",),
    ),
    Task(
        name="vipseg-stq@1",
        title="Video panoptic segmentation on VIPSeg, 720p: STQ",
        family="video-panoptic",
        data=_VIPSEG,
        options={"task": "stq"},
        main="STQ",
        track="720p",
        modes=("canonical", "vipseg-stq-raw"),
        counts=_VIPSEG_COUNTS,
    ),
)
