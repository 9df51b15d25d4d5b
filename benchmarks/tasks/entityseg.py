"""The tasks of EntitySeg itself: entity segmentation (high and low resolution) and its class-aware subset."""

from __future__ import annotations

from entityseg.benchmarks.tasks.record import Data, Task, counts, remembered

_GET = (
    "the annotations are release v1.0 of github.com/adobe-research/EntitySeg-Dataset, the images its sources"
)
_REVISION = "v1.0"
_OVERLAP = "Masks of an image must not overlap; this is checked, not assumed."


def _data(split: str, file: str, most_frequent: int | None = None) -> Data:
    return Data(
        folder="EntitySeg",
        reader="release",
        split=split,
        files=(f"annotations/{file}", "images_lr/" if split.endswith("_lr") else "images/"),
        revision=_REVISION,
        get=_GET,
        most_frequent=most_frequent,
    )


_HIGH = _data("val", "entity_segmentation/entityv2_010203_entity_val.json")
_LOW = _data("val_lr", "entity_segmentation/entityv2_010203_entity_val_lr.json")
_INSTANCE = "instance_segmentation/entityv2_01_instances_val.json"
_CATEGORIES = counts(categories=644, things=535, stuff=109)

TASKS = (
    Task(
        name="entityseg-entity-high@1",
        title="Entity segmentation on the original images",
        family="entity",
        data=_HIGH,
        main="AP",
        track="high",
        counts=(*_CATEGORIES, *remembered(images=1314)),
        published="entityseg-entity-high",
        notes=(_OVERLAP,),
    ),
    Task(
        name="entityseg-entity-low@1",
        title="Entity segmentation on images of at most 800 x 1333 pixels",
        family="entity",
        data=_LOW,
        main="AP",
        track="low",
        counts=(*_CATEGORIES, *remembered(images=1314)),
        published="entityseg-entity-low",
        notes=(_OVERLAP,),
    ),
    Task(
        name="entityseg-boundary-high@1",
        title="Boundary AP of entities on the original images",
        family="boundary",
        data=_HIGH,
        main="AP",
        track="high",
        counts=(*_CATEGORIES, *remembered(images=1314)),
        published="entityseg-entity-high",
        published_figures={"boundary_AP": "AP"},
    ),
    Task(
        name="entityseg-instance@1",
        title="Instance segmentation, 206 classes of things, subset 01",
        family="instance",
        data=_data("instance_val", _INSTANCE),
        main="AP",
        track="high",
        counts=counts(categories=206),
        published="entityseg-instance",
        notes=("206 classes as in the released code; the documentation says 150.",),
    ),
    Task(
        name="entityseg-instance-150@1",
        title="Instance segmentation, the 150 most frequent classes: the documentation's count",
        family="instance",
        data=_data("instance_val", _INSTANCE, most_frequent=150),
        main="AP",
        track="high",
        counts=counts(categories=206),
        published="entityseg-instance",
        notes=(
            "A view for comparison: which 150 classes were meant is not published; these are the most frequent of "
            "the validation file.",
        ),
    ),
    Task(
        name="entityseg-semantic@1",
        title="Semantic segmentation, 150 classes, subset 01",
        family="semantic",
        data=_data("semantic_val", "semantic_segmentation/val.txt"),
        main="mIoU",
        track="high",
        counts=counts(categories=150),
        published="entityseg-semantic",
        notes=("Two of the classes are called blanket; ids tell them apart.",),
    ),
    Task(
        name="entityseg-panoptic@1",
        title="Panoptic segmentation, 279 things and 71 stuff, subset 01",
        family="panoptic",
        data=_data("panoptic_val", "panoptic_segmentation/entityv2_01_panoptic_val.json"),
        main="PQ",
        track="high",
        counts=counts(categories=350, things=279, stuff=71),
        published="entityseg-panoptic",
    ),
)
