"""What may be chosen when a model's answer is read; the defaults are the released models' rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

from entityseg.errors import Findings, UsageError

# Which decoder (image or batch level), and which views' masks: the whole image (O), the crops (C), or both.
Outputs = Literal["auto", "I-O", "B-O", "B-C", "B-OC"]
OUTPUTS: tuple[Outputs, ...] = ("auto", "I-O", "B-O", "B-C", "B-OC")
Rescore = Literal["auto", "released", "plain", "none"]
Task = Literal["auto", "entity", "instance", "semantic", "panoptic"]
TASKS: tuple[Task, ...] = ("auto", "entity", "instance", "semantic", "panoptic")
# Options that only some tasks have a use for.
_TASKS_OF = {
    "overlap": ("entity", "instance"),
    "rescore": ("entity", "instance"),
    "detections": ("entity", "instance"),
    "keep_empty": ("entity", "instance"),
    "object_threshold": ("panoptic",),
    "overlap_threshold": ("panoptic",),
}


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
        detections: how many masks are kept, by class score, before painting. None: 100 of an image-level decoder, and
            of overlapping masks; all of a batch-level decoder.
        keep_empty: keep masks that others painted over, with score 0.
        threshold: least score of a mask, after rescoring.
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
    scales: Sequence[int] = ()
    object_threshold: float = 0.8
    overlap_threshold: float = 0.8
    amp: bool = False
    views_at_once: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        findings = Findings()

        def add(name: str, message: str, remedy: str) -> None:
            findings.add("inference.option", message, remedy, field=name, value=getattr(self, name))

        known: dict[str, tuple[str, ...]] = {
            "task": TASKS,
            "outputs": OUTPUTS,
            "rescore": ("auto", "released", "plain", "none"),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                add(name, "there is no such value", f"There are: {', '.join(values)}.")
        for name in ("detections", "views_at_once", "threads"):
            if getattr(self, name) is not None and not _is_count(getattr(self, name)):
                add(name, "this is no number from 1 on", "Give one, or leave it out.")
        for name in ("threshold", "object_threshold", "overlap_threshold"):
            value: object = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                add(name, "this is no number from 0 to 1", "Give a score, such as 0.5.")
        for name in ("keep_empty", "amp", "overlap"):
            if not isinstance(getattr(self, name), bool) and (name, getattr(self, name)) != ("overlap", None):
                add(name, "this is no switch", "Give true or false.")
        if not isinstance(self.scales, list | tuple) or not all(_is_count(side) for side in self.scales):
            add("scales", "these are no short sides", "Give pixels, such as 640 and 1040.")
        if findings.errors:
            raise UsageError(findings)
        object.__setattr__(self, "scales", tuple(self.scales))

    def check_task(self, task: str) -> None:
        """Refuse options that results of a task do not depend on; results of two such options would be the same.

        Raises:
            UsageError: an option was given that the task has no use for.
        """
        findings = Findings()
        defaults = {one.name: one.default for one in fields(self)}
        for name, tasks in _TASKS_OF.items():
            value = getattr(self, name)
            is_said = value != defaults[name] and (name, value) != ("overlap", False)
            if is_said and task not in tasks:
                message, remedy = f"the task {task} has no use for it", "Leave it out."
                findings.add("inference.task", message, remedy, field=name, value=value)
        if findings.errors:
            raise UsageError(findings)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
