"""COCO 2017: instance and panoptic segmentation, and class-agnostic entities of its panoptic masks."""

from __future__ import annotations

from entityseg.benchmarks.tasks.record import Data, Task, counts, remembered

_GET = "cocodataset.org (val2017.zip, annotations_trainval2017.zip, panoptic_annotations_trainval2017.zip)"

TASKS = (
    Task(
        name="coco-instance@1",
        title="Instance segmentation on COCO val2017",
        family="instance",
        data=Data(
            folder="coco",
            reader="coco",
            split="instances_val2017",
            files=("annotations/instances_val2017.json", "val2017/"),
            images="val2017",
            revision="2017",
            get=_GET,
        ),
        main="AP",
        counts=(*counts(categories=80), *remembered(images=5000, annotations=36781)),
        published="coco-instance",
    ),
    Task(
        name="coco-panoptic@1",
        title="Panoptic segmentation on COCO val2017",
        family="panoptic",
        data=Data(
            folder="coco",
            reader="coco-panoptic",
            split="panoptic_val2017",
            files=("annotations/panoptic_val2017.json", "annotations/panoptic_val2017/", "val2017/"),
            images="val2017",
            revision="2017",
            get=_GET,
        ),
        main="PQ",
        counts=(*counts(categories=133), *remembered(images=5000, things=80, stuff=53)),
        published="coco-panoptic",
    ),
)
