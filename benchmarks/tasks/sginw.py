"""Segmentation in the Wild (SGinW): 25 small sets, zero-shot, and their mean."""

from __future__ import annotations

from entityseg.benchmarks.tasks.record import Data, Task
from entityseg.metrics.set_means import SGINW_SETS

_GET = "the seginw branch of github.com/microsoft/X-Decoder"


def _name(one: str) -> str:
    return f"sginw-{one.lower()}@1"


def _task(one: str) -> Task:
    return Task(
        name=_name(one),
        title=f"SGinW, set {one}",
        family="instance",
        data=Data(
            folder="seginw",
            reader="coco",
            split="_annotations_min1cat.coco",
            files=(f"{one}/valid/_annotations_min1cat.coco.json",),
            images=f"{one}/valid",
            revision="2023",
            get=_GET,
        ),
        main="AP",
        published="sginw",
        published_figures={one: "AP"},
        notes=("Class names are part of the protocol, odd spellings included.",),
    )


TASKS = (
    Task(
        name="sginw@1",
        title="SGinW: mean AP over its 25 sets; a set without predictions counts 0",
        family="sets",
        data=Data(folder="seginw", reader="sets", revision="2023", get=_GET),
        options={"figure": "AP", "file": "seginw_{set}_val.json"},
        main="mean",
        modes=("canonical", "pycocotools"),
        published="sginw",
        published_figures={"mean_AP": "mean"},
        members=tuple(_name(one) for one in SGINW_SETS),
    ),
    *(_task(one) for one in SGINW_SETS),
)
