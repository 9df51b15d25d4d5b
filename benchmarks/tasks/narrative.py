"""Panoptic narrative grounding: with the phrases given, and end to end; boards of their own."""

from __future__ import annotations

from entityseg.benchmarks.tasks.record import Data, Task, remembered

_DATA = Data(
    folder="png",
    reader="narrative",
    split="val2017",
    files=("annotations/png_coco_val2017.json", "annotations/panoptic_val2017.json", "images/val2017/"),
    images="images/val2017",
    revision="2021",
    get="github.com/BCV-Uniandes/PNG (narratives) and cocodataset.org (panoptic annotations, val2017.zip)",
)
_CEILING = (
    "Published figures mix protocols whose perfect scores differ: about .86 (png2021), .87 (ppmn) and 1 (full "
    "resolution, as here)."
)

TASKS = (
    Task(
        name="png-given-phrases@1",
        title="Panoptic narrative grounding, phrases given",
        family="narrative",
        data=_DATA,
        options={"input_mode": "given-phrases"},
        main="AR",
        counts=remembered(images=5000),
        published="png-given-phrases",
        notes=(_CEILING,),
    ),
    Task(
        name="png-end-to-end@1",
        title="Panoptic narrative grounding, the model finds the phrases",
        family="narrative",
        data=_DATA,
        options={"input_mode": "end-to-end"},
        main="AR",
        modes=("canonical",),
        counts=remembered(images=5000),
        published="png-end-to-end",
        published_figures={"AR_text": "phrase_recall_exact"},
        notes=(
            _CEILING,
            "The papers' AR_text is not defined anywhere; phrase_recall_exact is what it seems to be.",
        ),
    ),
)
