"""A task in words, for those who want to run it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from entityseg.benchmarks.harness.opening import DEFAULT, VARIABLE
from entityseg.benchmarks.harness.sets import set_files
from entityseg.benchmarks.tasks.record import PredictionFormat, Task

_WIDTH = 100
_FORMATS: dict[PredictionFormat, tuple[str, ...]] = {
    "entity jsonl, COCO results or id maps": (
        'lines {"image_id", "size": [h, w], "segments": [{"counts", "score"}]}',
        "or a COCO results list [{image_id, segmentation, score}]",
        "or a folder of id-map PNGs with scores.json",
    ),
    "COCO results": ("list [{image_id, category_id, segmentation: RLE, score}]",),
    "semantic maps or RLE list": (
        "a folder of label PNGs named like the images, 255 where nothing is predicted",
        "or a list [{file_name, category_id, segmentation: RLE}]",
    ),
    "COCO panoptic or RLE list": (
        "JSON {annotations: [{image_id, file_name, segments_info: [{id, category_id}]}]} and its PNGs",
        "or a list [{image_id, category_id, segmentation: RLE}]",
    ),
    "referring": (
        "list [{expr_id, image_id, segmentation: RLE | null, score?, no_target?}], one mask a sentence",
    ),
    "narrative": (
        "list [{narrative_idx, image_id, phrases: [{phrase_idx | null, text, char_span: [s, e] | null,",
        "segmentation: RLE | null, score?}]}]",
    ),
    "reasoning": ("list [{image, text_idx, segmentation: RLE | null}]",),
    "grey maps": ("a folder of 8-bit grey PNGs with the names and sizes of the ground truth",),
    "a folder with one prediction a set": (),
    "YouTube-VIS results": ("list [{video_id, category_id, score, segmentations: [RLE | null]}]",),
    "VIPSeg panoptic": ("a folder with pred.json and pan_pred/VIDEO/FRAME.png",),
}


def describe(task: Task) -> str:
    """Return what there is to know about a task, but for published figures."""
    data = task.data
    counts = [f"{one.value:,} {one.name}{'' if one.sure else ' (?)'}" for one in task.counts]
    only = any(not one.sure for one in task.counts)
    rows: list[tuple[str, Iterable[str]]] = [
        ("ranks by", [f"{task.main} ({task.family}); resolution {task.track}"]),
        ("modes", [", ".join(task.modes)]),
        ("predictions", [task.predictions, *_FORMATS[task.predictions]]),
        ("sets", _filled(", ".join(task.members))),
        ("their files", _filled(", ".join(set_files(task))) if task.members else ()),
        ("data from", [f"{data.get}; revision {data.revision}"]),
        ("tree", [f"{data.folder}/{file}" for file in data.files]),
        ("looked for", [f"in --data, else ${VARIABLE}, else {DEFAULT}/: this folder, or one that holds it"]),
        (
            "expects",
            [", ".join(counts) + (" ((?) is only remembered, and warns)" if only else "")] if counts else (),
        ),
        ("note", task.notes),
        ("superseded by", [task.superseded_by] if task.superseded_by else ()),
        ("digest", [task.digest()]),
    ]
    lines = [f"{task.name}: {task.title}"]
    for name, values in rows:
        for k, value in enumerate(values):
            lines.append(f"  {name if not k or name == 'note' else '':<14}{value}")
    return "\n".join(lines)


def _filled(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_on_hyphens=False)
