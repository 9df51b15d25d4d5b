"""Recall in the wild: LVIS, OCID, CAMO++ and FSS-1000, and their mean; recall only, as labels are not exhaustive."""

from __future__ import annotations

from entityseg.benchmarks.tasks.record import Count, Data, Task, remembered

_FIGURE = "AR@100@.5"


def _task(
    key: str, title: str, data: Data, counts: tuple[Count, ...] = (), notes: tuple[str, ...] = ()
) -> Task:
    return Task(
        name=f"{key}-wild@1",
        title=f"Recall of entities in the wild: {title}",
        family="recall",
        data=data,
        main=_FIGURE,
        counts=counts,
        published=f"{key}-wild",
        notes=notes,
    )


_LVIS = Data(
    folder="lvis",
    reader="lvis",
    files=("lvis_v1_val.json",),
    revision="v1",
    get="lvisdataset.org (lvis_v1_val.json) and cocodataset.org (train2017.zip, val2017.zip)",
)
_OCID = Data(
    folder="OCID-dataset",
    reader="ocid",
    files=("*/*/*/*/label/*.png",),
    revision="1",
    get="acin.tuwien.ac.at (OCID-dataset)",
)
_CAMO = Data(
    folder="CAMO++",
    reader="coco",
    split="instances_test",
    files=("instances_test.json", "images/"),
    images="images",
    revision="2021",
    get="sites.google.com/view/ltnghia/research/camo_plus_plus",
)
_FSS = Data(
    folder="FSS-1000",
    reader="fss",
    files=("fss_test_set.txt", "fewshot_data/"),
    revision="2020",
    get="github.com/HKUSTCV/FSS-1000",
)

TASKS = (
    Task(
        name="wild@1",
        title="Recall of entities in the wild: mean over LVIS, OCID, CAMO++ and FSS-1000",
        family="sets",
        data=Data(folder="", reader="sets", revision="1", get="see the tasks of the four sets"),
        options={"figure": _FIGURE, "file": "{set}.json"},
        main="mean",
        members=("lvis-wild@1", "ocid-wild@1", "camo-wild@1", "fss-wild@1"),
    ),
    _task(
        "lvis",
        "LVIS v1 val",
        _LVIS,
        remembered(images=19809, categories=1203),
        (
            "Labels are federated: what is not labelled may still be there, so there is no AP.",
            "The images are COCO's: lvis/ lies beside coco/train2017/ and coco/val2017/.",
        ),
    ),
    _task(
        "ocid",
        "OCID",
        _OCID,
        (Count(name="images", value=2390),),
        ("Labels 0 and 1 are background, in sequences on tables 2 too.",),
    ),
    _task(
        "camo",
        "CAMO++",
        _CAMO,
        notes=("The instance masks of CAMO++; the binary masks of CAMO are another task.",),
    ),
    _task("fss", "FSS-1000, 240 test classes", _FSS, remembered(images=2400, classes=240)),
)
