"""What a training is: one frozen tree of settings, read from YAML, with a digest.

Every field has the released value as its default. `entityseg.baselines.training.reading` reads it from files.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

Task = Literal["entity", "instance", "semantic", "panoptic"]
Family = Literal["mask2former", "cropformer", "vmask2former", "vita"]

# What each family can be read from: its decoders, and the views' masks (CropFormer, table 8b).
_OF_BATCH = ("B-O", "B-C", "B-OC")
_OUTPUTS: dict[Family, tuple[str, ...]] = {
    "mask2former": ("I-O",),
    "cropformer": ("I-O", *_OF_BATCH),
    "vmask2former": _OF_BATCH,
    "vita": ("I-O", *_OF_BATCH),
}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelSection(_Section):
    """The network and what it starts from.

    Attributes:
        family: which of the four models.
        backbone: sizes of the backbone, with `model_type` (`swin`, `resnet`, `hornet`); see `SegmenterConfig`.
        options: other settings of `SegmenterConfig`, such as `queries` or `association_self`.
        classes: how many classes the head has; None: one for the task `entity`, else as many as the data has.
        pretraining: what the weights that it starts from were trained on; `none` starts from random numbers.
        weights: folder of those weights; of a whole model, or of a backbone alone.
    """

    family: Family
    backbone: dict[str, Any]
    options: dict[str, Any] = {}
    classes: int | None = Field(default=None, ge=1)
    pretraining: Literal["none", "imagenet", "coco"] = "none"
    weights: Path | None = None


class SetSection(_Section):
    """One reading of a dataset.

    Attributes:
        path: folder or annotation file, as for `entityseg.load`; None: `data.path`.
        split: name of the reading where the path holds several.
        format: name of the format where several fit.
        images: folder of the images where it is not found by itself.
    """

    path: Path | None = None
    split: str | None = None
    format: str | None = None
    images: Path | None = None


class DataSection(_Section):
    """What is learned from, and what is scored while training.

    Attributes:
        path: where both sets are, unless they say otherwise.
        train: the images to learn from.
        validation: the images that are scored; None scores nothing.
        skip_empty: leave out training images without an entity, as the released code does.
        workers: processes that make views, on each device; 0 makes them in the training process.
    """

    path: Path | None = None
    train: SetSection = SetSection(split="train")
    validation: SetSection | None = SetSection(split="val")
    skip_empty: bool = True
    workers: int = Field(default=4, ge=0, le=256)


class ViewsSection(_Section):
    """How an image becomes the views that the network is trained on, and those that it is asked with later.

    Attributes:
        short_sides: of the training views, in pixels; one is drawn an image.
        max_side: what a view's longer side never passes.
        flip: chance of a mirrored image.
        crops: where the crops of a training image may lie (`crop_regions`).
        crops_taken: crops of a training image beside the whole image; 0 for models of one view.
        crop_ratio: of a crop's sides to the image's, in training and inference; the papers' delta.
        jitter: least and largest scale by which the image is fitted into `window`, in place of `short_sides`.
        window: side of the square that is cut at random out of the resized image, in pixels; for one view.
        colour: whether colours are distorted, as the released semantic models were trained.
        test_crops: where the crops lie in inference.
        test_short_side, test_max_side: size of the views in inference, in pixels.
    """

    short_sides: tuple[int, ...] = Field(default=(640, 672, 704, 736, 768, 800), min_length=1)
    max_side: int = Field(default=1333, ge=1)
    flip: float = Field(default=0.5, ge=0, le=1)
    crops: Literal["none", "fixed4", "fixed8", "random"] = "fixed4"
    crops_taken: int = Field(default=1, ge=0, le=8)
    crop_ratio: float = Field(default=0.7, gt=0, le=1)
    jitter: tuple[float, float] | None = None
    window: int | None = Field(default=None, ge=1)
    colour: bool = False
    test_crops: Literal["none", "fixed4", "fixed8", "random"] = "fixed4"
    test_short_side: int = Field(default=800, ge=1)
    test_max_side: int = Field(default=1333, ge=1)


class LossSection(_Section):
    """Weights of the loss; see `Criterion`.

    Attributes:
        classes, mask, dice: weights of the parts, in the matching too.
        no_object: weight of the class "no object".
        image_level: factor of the image-level decoder's loss: 0.5 as released, 1 in the paper.
        similarity: weight of VITA's similarity loss; other models have none.
        joint_views: whether the mask losses of an entity are taken over all its views at once, as VITA's are.
        points, oversample, importance: where mask losses are taken.
    """

    classes: float = Field(default=2.0, ge=0)
    mask: float = Field(default=5.0, ge=0)
    dice: float = Field(default=5.0, ge=0)
    no_object: float = Field(default=0.1, ge=0)
    image_level: float = Field(default=0.5, ge=0)
    similarity: float = Field(default=0.5, ge=0)
    joint_views: bool = False
    points: int = Field(default=12544, ge=1)
    oversample: float = Field(default=3.0, ge=1)
    importance: float = Field(default=0.75, ge=0, le=1)


class OptimizerSection(_Section):
    """AdamW.

    Attributes:
        lr: base learning rate: 1e-4 as released, 2e-4 in the paper.
        backbone_factor: of the backbone's learning rate.
        weight_decay: none on norms, embeddings and tables of relative positions.
        clip: largest L2 norm of all gradients together; None clips nothing.
    """

    lr: float = Field(default=1e-4, gt=0)
    backbone_factor: float = Field(default=0.1, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    clip: float | None = Field(default=0.01, gt=0)


class ScheduleSection(_Section):
    """How long, and how the learning rate falls.

    Attributes:
        steps: optimizer steps; 34,375 are the papers' 1x at batch 16.
        kind: `poly` (released), `step` (the paper's) or `constant`.
        power: of the polynomial.
        milestones: shares of `steps` after which the learning rate is multiplied by `gamma`.
        gamma: that factor.
        warmup: steps of a linear rise at the beginning.
    """

    steps: int = Field(default=34375, ge=1)
    kind: Literal["poly", "step", "constant"] = "poly"
    power: float = Field(default=0.9, gt=0)
    milestones: tuple[float, ...] = (0.888, 0.964014545)
    gamma: float = Field(default=0.1, gt=0, le=1)
    warmup: int = Field(default=0, ge=0)


class RunSection(_Section):
    """How it is run.

    Attributes:
        batch: images a step, over all devices.
        accumulate: parts into which a device's share of the batch is cut, one after the other.
        precision: of the network; losses are computed in float32.
        ema: decay of an exponential moving average of the weights, which is then what is scored and written.
        seed: of everything random.
        checkpoint_every: steps between checkpoints.
        keep: checkpoints that stay, besides the best.
        log_every: steps between lines of the log.
        trackers: further logs.
    """

    batch: int = Field(default=16, ge=1)
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    ema: float | None = Field(default=None, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    checkpoint_every: int = Field(default=1000, ge=1)
    keep: int = Field(default=2, ge=1)
    log_every: int = Field(default=20, ge=1)
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ()


class EvaluationSection(_Section):
    """Scoring while training, by the project's own metrics.

    Attributes:
        every: steps between two; None scores at the end only.
        images: at most this many of the validation images, evenly spread; None takes all.
        outputs: what a model of several views is read from: I-O, B-O, B-C or B-OC.
    """

    every: int | None = Field(default=None, ge=1)
    images: int | None = Field(default=None, ge=1)
    outputs: Literal["I-O", "B-O", "B-C", "B-OC"] | None = None


class TrainingConfig(_Section):
    """All that says what a training is.

    Attributes:
        name: short name.
        about: what it reproduces, and from where its settings come.
        task: what is segmented.
    """

    name: str = Field(min_length=1)
    about: str = ""
    task: Task = "entity"
    model: ModelSection
    data: DataSection
    views: ViewsSection = ViewsSection()
    loss: LossSection = LossSection()
    optimizer: OptimizerSection = OptimizerSection()
    schedule: ScheduleSection = ScheduleSection()
    run: RunSection = RunSection()
    evaluation: EvaluationSection = EvaluationSection()

    @model_validator(mode="after")
    def _sections_agree(self) -> TrainingConfig:
        one_view = self.model.family == "mask2former"
        for name in ("crops", "test_crops"):
            scheme = getattr(self.views, name)
            if one_view != (scheme == "none"):
                wanted = "none" if one_view else "a scheme of crops"
                raise ValueError(f"views.{name} is {scheme}; {self.model.family} needs {wanted}")
        if one_view != (self.views.crops_taken == 0):
            wanted = "0" if one_view else "1 or more"
            raise ValueError(
                f"views.crops_taken is {self.views.crops_taken}; {self.model.family} needs {wanted}"
            )
        if self.views.window is not None and not one_view:
            raise ValueError("views.window is for models of one view; this one sees crops")
        if self.views.jitter is not None and self.views.window is None:
            raise ValueError("views.jitter needs views.window, the square that the image is fitted into")
        if self.task == "entity" and self.model.classes not in (None, 1):
            raise ValueError(f"model.classes is {self.model.classes}; the task entity has one class")
        if self.run.batch % self.run.accumulate:
            raise ValueError(
                f"run.batch {self.run.batch} is no multiple of run.accumulate {self.run.accumulate}"
            )
        if self.evaluation.outputs not in (None, *_OUTPUTS[self.model.family]):
            there = ", ".join(_OUTPUTS[self.model.family])
            raise ValueError(
                f"evaluation.outputs is {self.evaluation.outputs}; {self.model.family} has {there}"
            )
        return self

    def resolved(self) -> dict[str, Any]:
        """Return all settings, defaults included, as plain JSON values."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """Return the SHA-256 of all settings, in hexadecimal digits."""
        return hashlib.sha256(orjson.dumps(self.resolved(), option=orjson.OPT_SORT_KEYS)).hexdigest()
