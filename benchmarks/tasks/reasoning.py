"""ReasonSeg: questions whose answer is a mask."""

from __future__ import annotations

from entityseg.benchmarks.tasks.record import Count, Data, Task


def _task(split: str, files: int, usable: int) -> Task:
    excluded = files - usable
    return Task(
        name=f"reasonseg-{split}@1",
        title=f"Reasoning segmentation on ReasonSeg, split {split}",
        family="reasoning",
        data=Data(
            folder="ReasonSeg",
            reader="reasonseg",
            split=split,
            files=(f"{split}/*.json",),
            revision="2023",
            get="github.com/dvlab-research/LISA (ReasonSeg)",
        ),
        main="gIoU",
        counts=(
            Count(name="files", value=files),
            Count(name="images", value=usable, sure=False),
            Count(name="excluded", value=excluded, sure=False),
        ),
        published=f"reasonseg-{split}",
        notes=("The first text of an image ranks; LISA-v1 checkpoints were trained on val.",),
    )


TASKS = (_task("val", 200, 200), _task("test", 779, 777))
