"""Referring expressions: RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO, all splits; the unit is the sentence."""

from __future__ import annotations

from entityseg.benchmarks.tasks.record import Data, Task, counts, remembered

_GET = "github.com/lichengunc/refer (annotations) and cocodataset.org (train2014.zip)"
_GENERAL = "github.com/henghuiding/gRefCOCO (annotations) and cocodataset.org (train2014.zip)"
_IMAGES = "images/mscoco/images/train2014"
# Dataset, file, split, refs (as ETRIS' authors list them), sentences (from memory).
_SPLITS = (
    ("refcoco", "unc", "val", 3811, 10834),
    ("refcoco", "unc", "testA", 1975, 5657),
    ("refcoco", "unc", "testB", 1810, 5095),
    ("refcoco+", "unc", "val", 3805, 10758),
    ("refcoco+", "unc", "testA", 1975, 5726),
    ("refcoco+", "unc", "testB", 1798, 4889),
    ("refcocog", "umd", "val", 2573, 4896),
    ("refcocog", "umd", "test", 5023, 9602),
)


def _task(dataset: str, by: str, split: str, refs: int, sentences: int) -> Task:
    return Task(
        name=f"{dataset}-{split}@1",
        title=f"{dataset}, split {split} by {by}",
        family="referring",
        data=Data(
            folder="refer_seg",
            reader="refer",
            split=f"{dataset} {by} {split}",
            files=(f"{dataset}/refs({by}).p", f"{dataset}/instances.json", f"{_IMAGES}/"),
            images=_IMAGES,
            revision=by,
            get=_GET,
        ),
        main="cIoU",
        counts=(*counts(refs=refs), *remembered(expressions=sentences)),
        published=f"{dataset}-{split}",
        notes=("cIoU ranks; tables that do not say which IoU they print may mean mIoU.",),
    )


def _general(split: str) -> Task:
    return Task(
        name=f"grefcoco-{split}@1",
        title=f"gRefCOCO, split {split}: several targets, or none",
        family="referring",
        data=Data(
            folder="refer_seg",
            reader="grefcoco",
            split=f"grefcoco unc {split}",
            files=("grefcoco/grefs(unc).json", "grefcoco/instances.json", f"{_IMAGES}/"),
            images=_IMAGES,
            revision="unc",
            get=_GENERAL,
        ),
        main="gIoU",
        modes=("canonical",),
    )


TASKS = (*(_task(*row) for row in _SPLITS), *(_general(split) for split in ("val", "testA", "testB")))
