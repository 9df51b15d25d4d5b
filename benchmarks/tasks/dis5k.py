"""Dichotomous segmentation on DIS5K: DIS-VD, DIS-TE1 to DIS-TE4, and the mean of the four test sets."""

from __future__ import annotations

from entityseg.benchmarks.tasks.record import Data, Task, remembered

_GET = "github.com/xuebinqin/DIS (DIS5K)"
_PUBLISHED = {"F_max": "maxF", "F_w": "wF", "E_mean": "meanE"}


def _task(key: str, images: int) -> Task:
    folder = f"DIS-{key.upper()}"
    return Task(
        name=f"dis5k-{key}@1",
        title=f"Dichotomous segmentation on DIS5K, {folder}",
        family="dichotomous",
        data=Data(
            folder="DIS5K",
            reader="dis",
            split=folder,
            files=(f"{folder}/im/*.jpg", f"{folder}/gt/*.png"),
            images=f"{folder}/im",
            revision="2022",
            get=_GET,
        ),
        main="maxF",
        counts=remembered(images=images),
        published=f"dis5k-{key}",
        published_figures=_PUBLISHED,
        notes=(
            "MAE and HCE: less is better. HCE depends on the size, so maps have that of the ground truth.",
        ),
    )


TASKS = (
    _task("vd", 470),
    *(_task(f"te{k}", 500) for k in range(1, 5)),
    Task(
        name="dis5k-te@1",
        title="Dichotomous segmentation on DIS5K: mean over DIS-TE1 to DIS-TE4",
        family="sets",
        data=Data(folder="DIS5K", reader="sets", revision="2022", get=_GET),
        options={"figure": "maxF", "file": "{set}"},
        main="mean",
        modes=("canonical", "pysod", "dis-official"),
        members=tuple(f"dis5k-te{k}@1" for k in range(1, 5)),
    ),
)
