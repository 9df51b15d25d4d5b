"""ADE20K: instance, panoptic, and panoptic with an open vocabulary; files as Mask2Former's preparation makes them."""

from __future__ import annotations

from entityseg.benchmarks.tasks.record import Data, Task, counts

_GET = (
    "the images from the MIT scene parsing benchmark (ADEChallengeData2016), the JSONs and PNGs by Mask2Former's "
    "prepare_ade20k_ins_seg.py and prepare_ade20k_pan_seg.py"
)
_PANOPTIC = Data(
    folder="ADEChallengeData2016",
    reader="coco-panoptic",
    split="ade20k_panoptic_val",
    files=("ade20k_panoptic_val.json", "ade20k_panoptic_val/", "images/validation/"),
    images="images/validation",
    revision="2016",
    get=_GET,
)
_COUNTS = counts(images=2000, categories=150, things=100, stuff=50)
_AREAS = (
    "The file states areas from before segments were painted over; canonical counts pixels, panopticapi takes the "
    "stated areas."
)

TASKS = (
    Task(
        name="ade20k-instance@1",
        title="Instance segmentation on ADE20K's validation images",
        family="instance",
        data=Data(
            folder="ADEChallengeData2016",
            reader="coco",
            split="ade20k_instance_val",
            files=("ade20k_instance_val.json", "images/validation/"),
            images="images/validation",
            revision="2016",
            get=_GET,
        ),
        main="AP",
        counts=counts(images=2000, categories=100),
        published="ade20k-instance",
    ),
    Task(
        name="ade20k-panoptic@1",
        title="Panoptic segmentation on ADE20K's validation images",
        family="panoptic",
        data=_PANOPTIC,
        main="PQ",
        counts=_COUNTS,
        published="ade20k-panoptic",
        notes=(_AREAS,),
    ),
    Task(
        name="ade20k-open-vocabulary@1",
        title="Panoptic segmentation on ADE20K by a model that never saw it, classes given as text",
        family="panoptic",
        data=_PANOPTIC,
        main="PQ",
        counts=_COUNTS,
        published="ade20k-open-vocabulary",
        notes=(
            _AREAS,
            "The list of class texts is part of the protocol: say in the manifest whether names, synonyms or prompts.",
        ),
    ),
)
