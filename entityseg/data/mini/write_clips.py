"""The sets of clips on disk: YouTube-VIS, UVO and VIPSeg, over the same clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.mini.categories import BLUR_ID, UNKNOWN_ID
from entityseg.data.mini.clips import Clip, film
from entityseg.data.mini.coco_shapes import as_counts, put, to_jpeg
from entityseg.data.mini.partitions import ABOUT, coco_categories
from entityseg.data.mini.phrases import Item
from entityseg.data.mini.task_scenes import TaskScene
from entityseg.data.threads import Progress, map_in_order
from entityseg.files import write_bytes, write_json
from entityseg.masks import RunLengths, from_id_map, to_coco, to_panoptic_png

CLIPS = {"train": 5, "val": 4}
# Tubes that never show more pixels than this are left out, as nobody would label them.
_SMALLEST = 60
_MOST_YTVIS = 10


@dataclass(frozen=True)
class Tube:
    """An entity through a clip: one mask a frame, None where it is not seen."""

    item: Item
    masks: tuple[RunLengths | None, ...]

    @property
    def areas(self) -> list[int | None]:
        """Pixels in each frame, None where it is not seen."""
        return [None if mask is None else int(mask.areas[0]) for mask in self.masks]

    @property
    def largest(self) -> int:
        """Pixels in the frame that shows most of it."""
        return max(area or 0 for area in self.areas)


def write_clips(root: Path, scenes: Sequence[TaskScene], seed: int, progress: Progress) -> None:
    """Write `ytvis_2019/`, `UVO/` and `VIPSeg/`.

    Args:
        root: The folder of all sets of tasks.
        scenes: Those that clips may be made of.
        seed: Of the clips.
        progress: Shows how far the clips are.
    """
    for half, count in CLIPS.items():
        chosen = _chosen([scene for scene in scenes if scene.half == half], count)
        made = map_in_order(lambda scene: _made(scene, seed), chosen)
        clips = list(progress(made, len(chosen), f"clips ({half})"))
        for clip, _, pictures in clips:
            name = clip.scene.name
            for t, data in enumerate(pictures):
                put(root / "ytvis_2019" / _YTVIS[half] / "JPEGImages" / name / f"{t:05d}.jpg", data)
                put(root / "UVO" / "uvo_videos_dense_frames" / name / f"{t}.jpg", data)
                put(root / "VIPSeg" / "VIPSeg_720P" / "images" / name / f"{t:08d}.jpg", data)
        _write_ytvis(root / "ytvis_2019", half, clips)
        _write_uvo(root / "UVO", half, clips)
        _write_vipseg(root / "VIPSeg", half, clips)


_YTVIS = {"train": "train", "val": "valid"}
_Made = tuple[Clip, list[Tube], list[bytes]]


def _chosen(scenes: Sequence[TaskScene], count: int) -> list[TaskScene]:
    """Scenes of different layouts first."""
    times: dict[str, int] = {}
    turns = []
    for scene in scenes:
        layout = scene.name.partition("_")[2]
        turns.append((times.get(layout, 0), scene.index, scene))
        times[layout] = times.get(layout, 0) + 1
    return [scene for _, _, scene in sorted(turns, key=lambda turn: turn[:2])][:count]


def _made(scene: TaskScene, seed: int) -> _Made:
    clip = film(scene, np.random.default_rng([seed, 25, scene.index]))
    return clip, tubes(clip), [to_jpeg(frame.picture) for frame in clip.frames]


def tubes(clip: Clip) -> list[Tube]:
    """The entities of a clip through its frames, in the order of their numbers; those hardly seen are left out."""
    split = [from_id_map(frame.numbers) for frame in clip.frames]
    rows = [{number: row for row, number in enumerate(ids.tolist())} for ids, _ in split]
    found = []
    for item in clip.scene.every:
        masks = tuple(
            masks[[of[item.number]]] if item.number in of else None
            for of, (_, masks) in zip(rows, split, strict=True)
        )
        tube = Tube(item, masks)
        if tube.largest >= _SMALLEST:
            found.append(tube)
    return found


def _videos(clips: Sequence[_Made], pattern: str) -> list[dict[str, Any]]:
    videos = []
    for video_id, (clip, _, _) in enumerate(clips, start=1):
        height, width = clip.frames[0].numbers.shape
        names = [pattern.format(name=clip.scene.name, t=t) for t in range(len(clip.frames))]
        videos.append(
            {"id": video_id, "width": width, "height": height, "length": len(names), "file_names": names}
        )
    return videos


def _tube_record(number: int, video_id: int, category_id: int, tube: Tube, *, text: bool) -> dict[str, Any]:
    shapes = [None if m is None else to_coco(m)[0] if text else as_counts(m) for m in tube.masks]
    boxes = [None if m is None else [float(v) for v in m.boxes[0].tolist()] for m in tube.masks]
    return {
        "id": number,
        "video_id": video_id,
        "category_id": category_id,
        "iscrowd": 0,
        "segmentations": shapes,
        "areas": tube.areas,
        "bboxes": boxes,
    }


def _write_ytvis(root: Path, half: str, clips: Sequence[_Made]) -> None:
    """The largest things of each clip, with categories; counts as lists, as the real file has them."""
    classes = [one for one in coco_categories() if one["isthing"]]
    number = {one["id"]: k for k, one in enumerate(classes, start=1)}
    records: list[dict[str, Any]] = []
    for video_id, (clip, found, _) in enumerate(clips, start=1):
        things = [tube for tube in found if tube.item.category_id in number]
        # What moves comes first: it is what such a clip is about.
        things.sort(key=lambda tube: (tube.item.number not in clip.moving, -tube.largest, tube.item.number))
        for tube in things[:_MOST_YTVIS]:
            category_id = number[tube.item.category_id]
            records.append(_tube_record(len(records) + 1, video_id, category_id, tube, text=False))
    top = {
        "info": ABOUT,
        "videos": _videos(clips, "{name}/{t:05d}.jpg"),
        "categories": [
            {"id": k, "name": one["name"], "supercategory": one["supercategory"]}
            for k, one in enumerate(classes, start=1)
        ],
        "annotations": records,
    }
    write_json(root / f"{_YTVIS[half]}.json", top)


def _write_uvo(root: Path, half: str, clips: Sequence[_Made]) -> None:
    """Every entity of each clip, without categories."""
    records: list[dict[str, Any]] = []
    for video_id, (_, found, _) in enumerate(clips, start=1):
        for tube in found:
            records.append(_tube_record(len(records) + 1, video_id, 1, tube, text=True))
    top = {
        "info": ABOUT,
        "videos": _videos(clips, "{name}/{t}.jpg"),
        "categories": [{"id": 1, "name": "object", "supercategory": "object"}],
        "annotations": records,
    }
    write_json(root / f"UVO_video_{half}_dense.json", top)


def _write_vipseg(root: Path, half: str, clips: Sequence[_Made]) -> None:
    """A partition of each frame with ids that stay; categories count from 0."""
    classes = coco_categories()
    number = {one["id"]: k for k, one in enumerate(classes)}
    base = root / "VIPSeg_720P"
    videos, annotations = [], []
    for clip, found, _ in clips:
        name = clip.scene.name
        ids = _segment_ids([tube.item for tube in found], number)
        images, frames = [], []
        for t, frame in enumerate(clip.frames):
            image_id = f"{t:08d}"
            height, width = frame.numbers.shape
            seen = [tube for tube in found if tube.item.number in ids and tube.masks[t] is not None]
            masks = [mask for tube in seen if (mask := tube.masks[t]) is not None]
            path = base / "panomasksRGB" / name / f"{image_id}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            together = RunLengths.concatenate(masks) if masks else RunLengths.empty((height, width))
            to_panoptic_png(path, together, [ids[tube.item.number] for tube in seen])
            images.append({"id": image_id, "width": width, "height": height, "file_name": f"{image_id}.jpg"})
            segments = [
                {
                    "id": ids[tube.item.number],
                    "category_id": number[tube.item.category_id],
                    "iscrowd": 0,
                    "area": int(mask.areas[0]),
                    "bbox": mask.boxes[0].tolist(),
                }
                for tube, mask in zip(seen, masks, strict=True)
            ]
            frames.append({"image_id": image_id, "file_name": f"{image_id}.png", "segments_info": segments})
        videos.append({"video_id": name, "images": images})
        annotations.append({"video_id": name, "annotations": frames})
    categories = [{**one, "id": k} for k, one in enumerate(classes)]
    top = {"videos": videos, "annotations": annotations, "categories": categories}
    write_json(base / f"panoptic_gt_VIPSeg_{half}.json", top)
    write_bytes(base / f"{half}.txt", "".join(f"{one['video_id']}\n" for one in videos).encode())


def _segment_ids(items: Sequence[Item], number: dict[int, int]) -> dict[int, int]:
    """Ids as VIPSeg gives them: a stuff category's number, a thing's category times a hundred and its count."""
    ids: dict[int, int] = {}
    used: set[int] = set()
    for item in items:
        if item.category_id in (UNKNOWN_ID, BLUR_ID):
            continue
        label = number[item.category_id] + 1
        candidate = label * 1000 + 1 if item.isthing else label
        while candidate in used:
            # Two areas of one stuff category stay two segments.
            candidate += 1 if item.isthing else 1000 * (len(number) + 1)
        used.add(candidate)
        ids[item.number] = candidate
    return ids
