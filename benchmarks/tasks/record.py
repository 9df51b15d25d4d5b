"""What a task is: a frozen record of data, prediction format, metric and counts; a released one is never edited."""

from __future__ import annotations

import hashlib
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

Family = Literal[
    "entity",
    "instance",
    "boundary",
    "semantic",
    "panoptic",
    "recall",
    "referring",
    "narrative",
    "reasoning",
    "dichotomous",
    "sets",
    "video-instance",
    "video-panoptic",
]
Reader = Literal[
    "release",
    "coco",
    "coco-panoptic",
    "refer",
    "grefcoco",
    "narrative",
    "reasonseg",
    "dis",
    "lvis",
    "ocid",
    "fss",
    "video",
    "sets",
]
Track = Literal["original", "high", "low", "720p"]
PredictionFormat = Literal[
    "entity jsonl, COCO results or id maps",
    "COCO results",
    "semantic maps or RLE list",
    "COCO panoptic or RLE list",
    "referring",
    "narrative",
    "reasoning",
    "grey maps",
    "a folder with one prediction a set",
    "YouTube-VIS results",
    "VIPSeg panoptic",
]

# What a task of a family has where it does not say otherwise: the prediction format, and the modes of its metric.
_FORMATS: dict[Family, PredictionFormat] = {
    "entity": "entity jsonl, COCO results or id maps",
    "boundary": "entity jsonl, COCO results or id maps",
    "instance": "COCO results",
    "recall": "COCO results",
    "semantic": "semantic maps or RLE list",
    "panoptic": "COCO panoptic or RLE list",
    "referring": "referring",
    "narrative": "narrative",
    "reasoning": "reasoning",
    "dichotomous": "grey maps",
    "sets": "a folder with one prediction a set",
    "video-instance": "YouTube-VIS results",
    "video-panoptic": "VIPSeg panoptic",
}
_MODES: dict[Family, tuple[str, ...]] = {
    "entity": ("pycocotools",),
    "boundary": ("pycocotools",),
    "instance": ("pycocotools",),
    "semantic": ("d2-semseg", "mmseg"),
    "panoptic": ("panopticapi",),
    "referring": ("lisa-poly", "lavt480", "cris-mean"),
    "narrative": ("png2021", "ppmn-quarter", "fmm-plural"),
    "dichotomous": ("pysod", "dis-official"),
}


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Count(_Record):
    """How many of something the data revision has.

    Attributes:
        name: what is counted: images, annotations, categories, things, stuff, expressions, refs, narratives, ...
        value: how many.
        sure: whether another number refuses the data; what is only remembered warns.
    """

    name: str
    value: int = Field(ge=0)
    sure: bool = True


class Data(_Record):
    """Where a task's ground truth is and how it is read.

    Attributes:
        folder: customary name of the dataset's folder.
        reader: which reader of `entityseg.data` opens it.
        split: what the reader is told.
        files: paths that must be there, relative to the folder; `*` stands for anything.
        images: folder of the images, relative to the folder; empty where the reader knows.
        revision: which release of the data.
        get: where to get it.
        most_frequent: keep the annotations of the so many most frequent categories only; all where not given.
    """

    folder: str
    reader: Reader
    split: str = ""
    files: tuple[str, ...] = ()
    images: str = ""
    revision: str
    get: str
    most_frequent: int | None = Field(default=None, ge=1)


class Task(_Record):
    """A task.

    Attributes:
        name: with its version, such as `entityseg-entity-high@1`.
        title: one line for people.
        family: the metric family.
        data: the ground truth.
        predictions: the prediction format; by default the family's.
        options: options of the metric family.
        main: the figure that ranks.
        track: resolution; figures of different tracks are not comparable.
        modes: `canonical`, which ranks, and the compat modes; by default all of the family.
        counts: what the data revision has.
        published: key of the published rows, see `entityseg published`.
        published_figures: published name of a figure -> ours, where they differ.
        members: for tasks over several sets, the tasks of the sets.
        notes: what a reader of the figures has to know.
        superseded_by: the task that replaces this one, if it had flaws.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9+-]+@[1-9][0-9]*$")
    title: str
    family: Family
    data: Data
    predictions: PredictionFormat = Field(default_factory=lambda task: _FORMATS[task["family"]])
    options: dict[str, str | float | bool] = {}
    main: str
    track: Track = "original"
    modes: tuple[str, ...] = Field(
        default_factory=lambda task: ("canonical", *_MODES.get(task["family"], ()))
    )
    counts: tuple[Count, ...] = ()
    published: str | None = None
    published_figures: dict[str, str] = {}
    members: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    superseded_by: str | None = None

    def digest(self) -> str:
        """Return the SHA-256 of the record; the order of its keys does not matter."""
        text = orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).hexdigest()

    @property
    def version(self) -> int:
        """The version of the protocol, which the name ends with."""
        return int(self.name.rpartition("@")[2])

    @property
    def is_mini(self) -> bool:
        """Whether the task is one of the mini dataset."""
        return self.name.startswith("mini-")


def counts(**values: int) -> tuple[Count, ...]:
    """Return counts that refuse other data.

    >>> counts(images=5000)[0].value
    5000
    """
    return tuple(Count(name=name, value=value) for name, value in values.items())


def remembered(**values: int) -> tuple[Count, ...]:
    """Return counts that only warn, because no source in hand states them."""
    return tuple(Count(name=name, value=value, sure=False) for name, value in values.items())
