"""Panoptic predictions of videos as VIPSeg has them: `pan_pred/<video>/<frame>.png`, and `pred.json` last."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.formats._png_files import unsafe
from entityseg.data.targets import folder_target
from entityseg.data.video.tubes import VideoRecord
from entityseg.data.video.vipseg import PRED_FOLDERS, PanopticVideo
from entityseg.errors import input_error
from entityseg.files import write_json
from entityseg.masks import to_panoptic_png

FILE_NAME = "pred.json"


def write_panoptic_videos(
    folder: str | Path, videos: Iterable[tuple[VideoRecord, PanopticVideo]], *, overwrite: bool = False
) -> None:
    """Write predictions that `read_vipseg` reads; segments without a pixel in a frame are left out of it.

    Args:
        folder: to make.
        videos: each video of the ground truth with what was found in it, one list of masks a frame.
        overwrite: whether a folder with files may be replaced.

    Raises:
        UsageError: the folder is there and holds something, and `overwrite` is not set.
        InputError: frames are missing, segments of a frame overlap, or a name leaves the folder.
    """
    with folder_target(folder, FILE_NAME, overwrite=overwrite) as target:
        records: list[dict[str, Any]] = []
        for video, found in videos:
            if len(found.masks) != video.length or any(map(unsafe, (str(video.id), *video.file_names))):
                message = f"the video has {video.length} frames, {len(found.masks)} were given, or a name has a folder"
                raise input_error(
                    "video.length", message, "Give one list a frame.", record=f"video {video.id}"
                )
            frames = []
            for name, masks in zip(video.file_names, found.masks, strict=True):
                rows = np.flatnonzero(masks.areas)
                path = target / PRED_FOLDERS[0] / str(video.id) / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                to_panoptic_png(path, masks[rows], found.ids[rows])
                pairs = zip(found.ids[rows].tolist(), found.categories[rows].tolist(), strict=True)
                segments = [{"id": number, "category_id": category} for number, category in pairs]
                frames.append({"image_id": name, "file_name": path.name, "segments_info": segments})
            records.append({"video_id": video.id, "annotations": frames})
        write_json(target / FILE_NAME, {"annotations": records})
