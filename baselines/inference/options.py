"""What may be chosen when a model's answer is read; the defaults are the released models' rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from entityseg.errors import usage_error

# Which decoder (image or batch level), and which views' masks: the whole image (O), the crops (C), or both.
Outputs = Literal["auto", "I-O", "B-O", "B-C", "B-OC"]
OUTPUTS: tuple[Outputs, ...] = ("auto", "I-O", "B-O", "B-C", "B-OC")
Rescore = Literal["auto", "released", "plain", "none"]
Task = Literal["auto", "entity", "instance", "semantic", "panoptic"]
TASKS: tuple[Task, ...] = ("auto", "entity", "instance", "semantic", "panoptic")


@dataclass(frozen=True)
class InferenceOptions:
    """How masks and scores are read from a network's outputs.

    Attributes:
        task: `entity` and `instance` give scored masks, `semantic` a mask a class, `panoptic` segments; `auto` is
            what the model's configuration says.
        outputs: the decoder and the views (CropFormer, table 8b); `auto` is B-OC where there is a batch-level decoder,
            else I-O.
        overlap: masks may share pixels (AP); else the highest class score wins each pixel (AP^e). None: only for the
            task `instance`.
        rescore: what a mask's class score is multiplied by. `released`: the mean over its pixels of the sigmoid of
            the probability, a sigmoid too many, so that it lies in .62 to .73; `plain`: the mean probability; `none`.
            `auto` is `released` for disjoint masks and `plain` for overlapping ones, as the released code does.
        detections: how many masks are kept, by class score, before painting. None: 100 for models without a
            batch-level decoder, and for overlapping masks; else all.
        keep_empty: keep masks that others painted over, with score 0.
        threshold: least score of a mask.
        scales: further short sides at which the whole image is looked at; the same entities are found by Hungarian
            matching and averaged (ESG, table VI, row 5). For models of one view.
        object_threshold, overlap_threshold: of panoptic results: least class score of a segment, and least share of
            its pixels that must be its own.
        amp: run the network in half precision (bfloat16 on a processor, float16 on CUDA).
        views_at_once: views that go through backbone and pixel decoder together; None: all. Fewer need less memory,
            and give the same results.
        threads: bands of rows that are fused side by side; None: as many as there are processors.

    Raises:
        UsageError: a value that makes no sense.
    """

    task: Task = "auto"
    outputs: Outputs = "auto"
    overlap: bool | None = None
    rescore: Rescore = "auto"
    detections: int | None = None
    keep_empty: bool = False
    threshold: float = 0.0
    scales: tuple[int, ...] = ()
    object_threshold: float = 0.8
    overlap_threshold: float = 0.8
    amp: bool = False
    views_at_once: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        known: dict[str, tuple[str, ...]] = {
            "task": TASKS,
            "outputs": OUTPUTS,
            "rescore": ("auto", "released", "plain", "none"),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                remedy = f"There are: {', '.join(values)}."
                raise usage_error(
                    "inference.option",
                    "there is no such value",
                    remedy,
                    field=name,
                    value=getattr(self, name),
                )
        for name, least in (("detections", 1), ("views_at_once", 1), ("threads", 1)):
            given = getattr(self, name)
            if given is not None and given < least:
                message = f"the number is below {least}"
                raise usage_error(
                    "inference.option", message, "Give a larger one, or none.", field=name, value=given
                )
        if min(self.scales, default=1) < 1:
            raise usage_error("inference.option", "a short side is below 1", "Give pixels.", field="scales")
