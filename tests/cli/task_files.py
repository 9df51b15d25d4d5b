"""A small valid ground truth and predictions for every task, as files that tests can spoil one at a time.

Images have 6 x 8 pixels: a left and a right half, the truth's two masks, which the predictions find.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = Any
SIZE, FULL, LEFT, RIGHT = [6, 8], "0`1", "0h0h0", "h0h0"
RLE_FULL, RLE_LEFT, RLE_RIGHT = ({"size": SIZE, "counts": counts} for counts in (FULL, LEFT, RIGHT))
CATEGORIES = [
    {"id": 1, "name": "cat", "isthing": 1, "supercategory": "animal"},
    {"id": 2, "name": "sky", "isthing": 0, "supercategory": "nature"},
]


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    height: int, width: int, pixels: bytes, *, colour: int = 0, bits: int = 8, extra: bytes = b""
) -> bytes:
    """Return a PNG file whose header may lie."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def grey(*values: int, height: int = 6, width: int = 8) -> bytes:
    """Return a grey PNG whose columns are divided among the values."""
    line = b"\0" + b"".join(bytes([one]) * (width // len(values)) for one in values)
    return png(height, width, zlib.compress(line * height))


def rgb(*ids: int, height: int = 6, width: int = 8) -> bytes:
    """Return a colour PNG whose columns are divided among the ids."""
    pixels = (bytes([one & 255, one >> 8 & 255, one >> 16]) * (width // len(ids)) for one in ids)
    return png(height, width, zlib.compress((b"\0" + b"".join(pixels)) * height), colour=2)


@dataclass(frozen=True)
class Task:
    """Files of a task by their names, and the command that scores them; `{}` in it is their folder.

    Attributes:
        command: arguments of `entityseg score`.
        files: JSON values, texts and bytes of PNG files.
        units: how many units are expected.
    """

    command: Sequence[str]
    files: Mapping[str, Json]
    units: int = 2

    def write(self, folder: Path, changes: Mapping[str, Json] | None = None) -> list[str]:
        """Write the files, some of them changed (`...`: left out); return the command's arguments."""
        for name, content in {**self.files, **(changes or {})}.items():
            if content is not ...:
                write(folder / name, content)
        return ["score", *(part.replace("{}", str(folder)) for part in self.command)]


def write(path: Path, content: Json) -> Path:
    """Write bytes, text or a value as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes):
        text = content if isinstance(content, str) else json.dumps(content)
        content = text.encode("utf-8", "surrogatepass")
    path.write_bytes(content)
    return path


def images(number: int = 2) -> list[Json]:
    return [{"id": k, "file_name": f"{k}.jpg", "height": 6, "width": 8} for k in range(1, number + 1)]


def _coco() -> Json:
    masks = [(1, 1, RLE_LEFT), (1, 2, RLE_RIGHT), (2, 1, RLE_LEFT)]
    annotations = [
        {"id": k, "image_id": image, "category_id": category, "iscrowd": 0, "area": 24, "segmentation": mask}
        for k, (image, category, mask) in enumerate(masks, 1)
    ]
    return {"images": images(), "annotations": annotations, "categories": CATEGORIES}


def _results() -> list[Json]:
    keys = ("image_id", "category_id", "segmentation")
    return [{**{key: one[key] for key in keys}, "score": 0.5} for one in _coco()["annotations"]]


def _panoptic(*, pred: bool = False) -> Json:
    segment = {"area": 24, "bbox": [0, 0, 4, 6], "iscrowd": 0}
    annotations = [
        {
            "image_id": k,
            "file_name": f"{k}.png",
            "segments_info": [
                {"id": 7, "category_id": 1, **({} if pred else segment)},
                {"id": 300, "category_id": 2, **({} if pred else segment)},
            ],
        }
        for k in (1, 2)
    ]
    return {"annotations": annotations} | ({} if pred else {"images": images(), "categories": CATEGORIES})


def _tubes() -> Json:
    videos = [
        {"id": k, "width": 8, "height": 6, "length": 2, "file_names": [f"{k}/0.jpg", f"{k}/1.jpg"]}
        for k in (1, 2)
    ]
    annotations = [
        {
            "id": k,
            "video_id": k,
            "category_id": k,
            "iscrowd": 0,
            "segmentations": [RLE_LEFT, None if k == 2 else RLE_RIGHT],
        }
        for k in (1, 2)
    ]
    return {"videos": videos, "annotations": annotations, "categories": CATEGORIES}


def _tube_results() -> list[Json]:
    keys = ("video_id", "category_id", "segmentations")
    return [{**{key: one[key] for key in keys}, "score": 0.5} for one in _tubes()["annotations"]]


def _vipseg(*, pred: bool = False) -> Json:
    segments = [{"id": 7, "category_id": 1}, {"id": 300, "category_id": 2}]
    annotations = [
        {
            "video_id": name,
            "annotations": [
                {"image_id": frame, "file_name": f"{frame}.png", "segments_info": segments}
                for frame in ("f0", "f1")
            ],
        }
        for name in ("a", "b")
    ]
    videos = [
        {"video_id": name, "images": [{"id": frame, "height": 6, "width": 8} for frame in ("f0", "f1")]}
        for name in ("a", "b")
    ]
    return {"annotations": annotations} | ({} if pred else {"videos": videos, "categories": CATEGORIES})


def _narratives() -> list[Json]:
    segments = [
        {"utterance": "The cats", "segment_ids": ["7"], "noun": True, "plural": False},
        {"utterance": "under", "segment_ids": [], "noun": False, "plural": False},
        {"utterance": "all of it", "segment_ids": ["7", "300"], "noun": True, "plural": True},
    ]
    return [{"image_id": str(k), "caption": "The cats under all of it", "segments": segments} for k in (1, 2)]


def _phrases(*, given: bool) -> list[Json]:
    return [
        {
            "narrative_idx": k,
            "image_id": k + 1,
            "phrases": [
                {
                    "phrase_idx": 0 if given else None,
                    "text": "The cats",
                    "char_span": [0, 8],
                    "segmentation": RLE_LEFT,
                    "score": 0.5,
                },
                {
                    "phrase_idx": 2 if given else None,
                    "text": "all of it",
                    "char_span": None,
                    "segmentation": RLE_FULL,
                },
            ],
        }
        for k in (0, 1)
    ]


def _expressions() -> Json:
    expressions = [
        {"expr_id": 10 * k + 1, "ref_id": k, "image_id": k, "ann_ids": ids, "text": "the left one"}
        for k, ids in ((1, [1, 2]), (2, [3]))
    ]
    return {"dataset": "refcoco", "split_by": "unc", "split": "val", "expressions": expressions}


def _expression_masks() -> list[Json]:
    return [
        {"expr_id": 11, "image_id": 1, "segmentation": RLE_FULL, "score": 0.5, "no_target": False},
        {"expr_id": 21, "image_id": 2, "segmentation": RLE_LEFT},
    ]


def _question(*points: list[float]) -> Json:
    return {
        "text": ["what is left?", "and now?"],
        "is_sentence": True,
        "shapes": [{"label": "target", "points": list(points)}, {"label": "ignore", "points": [[7, 5]]}],
    }


_PANOPTIC_PNGS = {f"gt/{k}.png": rgb(7, 300) for k in (1, 2)}
_VIDEO_PNGS = {f"gt/panomasksRGB/{v}/{f}.png": rgb(7, 300) for v in "ab" for f in ("f0", "f1")}
_VIDEO_PRED = {f"pred/pan_pred/{v}/{f}.png": rgb(7, 300) for v in "ab" for f in ("f0", "f1")}
_MAPS_GT = {
    "gt/list.txt": "1.jpg 1.png\n2.jpg 2.png\n",
    "gt/categories.json": {"categories": CATEGORIES, "images": images()},
    "gt/maps/1.png": grey(0, 1),
    "gt/maps/2.png": grey(0, 255),
}
_COCO = {"gt.json": _coco(), "pred.json": _results()}
_NARRATIVE_GT = {
    "gt/png_coco_val.json": _narratives(),
    "gt/panoptic_val.json": _panoptic(),
    "gt/panoptic_val/1.png": rgb(7, 300),
    "gt/panoptic_val/2.png": rgb(7, 300),
}
_NARRATIVE = ("narrative", "--gt", "{}/gt/png_coco_val.json", "--pred", "{}/pred.json")
_TUBES = {"gt.json": _tubes(), "pred.json": _tube_results()}
_VIPSEG = {"gt/gt.json": _vipseg(), **_VIDEO_PNGS, "pred/pred.json": _vipseg(pred=True), **_VIDEO_PRED}
_FAST = ("--bootstrap", "0", "--threads", "1")


def _task(command: Sequence[str], files: Mapping[str, Json], units: int = 2) -> Task:
    return Task((*command, *_FAST), files, units)


TASKS: dict[str, Task] = {
    "instance": _task(("instance", "--gt", "{}/gt.json", "--pred", "{}/pred.json"), _COCO),
    "boundary": _task(("boundary", "--gt", "{}/gt.json", "--pred", "{}/pred.json"), _COCO),
    "boundary-classes": _task(
        ("boundary", "--class-aware", "--gt", "{}/gt.json", "--pred", "{}/pred.json"), _COCO
    ),
    "semantic": _task(
        ("semantic", "--gt", "{}/gt/list.txt", "--pred", "{}/pred"),
        {**_MAPS_GT, "pred/1.png": grey(0, 1), "pred/2.png": grey(0, 0)},
    ),
    "semantic-list": _task(
        ("semantic", "--gt", "{}/gt/list.txt", "--pred", "{}/pred.json"),
        {
            **_MAPS_GT,
            "pred.json": [
                {"file_name": "/data/1.jpg", "category_id": 1, "segmentation": RLE_LEFT},
                {"image_id": 1, "category_id": 2, "segmentation": RLE_RIGHT},
                {"file_name": "2.jpg", "category_id": 1, "segmentation": RLE_LEFT},
            ],
        },
    ),
    "panoptic": _task(
        ("panoptic", "--gt", "{}/gt.json", "--pred", "{}/pred.json"),
        {
            "gt.json": _panoptic(),
            **_PANOPTIC_PNGS,
            "pred.json": _panoptic(pred=True),
            "pred/1.png": rgb(7, 300),
            "pred/2.png": rgb(7, 300),
        },
    ),
    "panoptic-list": _task(
        ("panoptic", "--gt", "{}/gt.json", "--pred", "{}/pred.json"),
        {
            "gt.json": _panoptic(),
            **_PANOPTIC_PNGS,
            "pred.json": [
                {"image_id": k, "category_id": c, "segmentation": mask}
                for k in (1, 2)
                for c, mask in ((1, RLE_LEFT), (2, RLE_RIGHT))
            ],
        },
    ),
    "referring": _task(
        ("referring", "--gt", "{}/gt.json", "--instances", "{}/instances.json", "--pred", "{}/pred.json"),
        {"gt.json": _expressions(), "instances.json": _coco(), "pred.json": _expression_masks()},
    ),
    "narrative": _task(_NARRATIVE, {**_NARRATIVE_GT, "pred.json": _phrases(given=True)}, 4),
    "narrative-end": _task(
        (*_NARRATIVE, "--input", "end-to-end"), {**_NARRATIVE_GT, "pred.json": _phrases(given=False)}, 4
    ),
    "reasoning": _task(
        ("reasoning", "--gt", "{}/val", "--pred", "{}/pred.json"),
        {
            "val/a.json": _question([0, 0], [3, 0], [3, 5], [0, 5]),
            "val/a.png": grey(0),
            "val/b.json": _question([0, 0], [7, 0], [7, 5]),
            "val/b.png": grey(0),
            "pred.json": [
                {"image": name, "text_idx": k, "segmentation": RLE_LEFT} for name in "ab" for k in (0, 1)
            ],
        },
        4,
    ),
    "dichotomous": _task(
        ("dichotomous", "--gt", "{}/gt", "--pred", "{}/pred", "--skeletons", "{}/thin"),
        {
            "gt/a.png": grey(255, 0),
            "gt/b.png": grey(0, 255),
            "pred/a.png": grey(200, 10),
            "pred/b.png": grey(10, 200),
            "thin/a.png": grey(0, 255, 0, 0, 0, 0, 0, 0),
        },
    ),
    "ytvis": _task(("video", "--gt", "{}/gt.json", "--pred", "{}/pred.json"), _TUBES),
    "uvo": _task(("video", "--task", "uvo", "--gt", "{}/gt.json", "--pred", "{}/pred.json"), _TUBES),
    "vpq": _task(("video", "--gt", "{}/gt/gt.json", "--pred", "{}/pred", "--windows", "1,2"), _VIPSEG),
    "stq": _task(("video", "--task", "stq", "--gt", "{}/gt/gt.json", "--pred", "{}/pred/pred.json"), _VIPSEG),
}
