"""From a config to what is trained: data, model, loss."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from entityseg.baselines.models import SegmenterConfig, SegmenterModel, model_class
from entityseg.baselines.models.config import BACKBONES
from entityseg.baselines.training.config import SetSection, TrainingConfig
from entityseg.baselines.training.criterion import Criterion
from entityseg.baselines.training.evaluation import Evaluation, evenly
from entityseg.baselines.training.matching import Weights
from entityseg.baselines.views import EntityViews, ViewAugmentation, ViewProcessor
from entityseg.data.records import Category, Dataset
from entityseg.errors import Findings, UsageError, usage_error

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# Set by other parts of a training config.
_SET_ELSEWHERE = {"backbone_config", "task", "things", "category_ids"}


@dataclass(frozen=True)
class TrainingData:
    """What is learned from and scored on.

    Attributes:
        train: images to learn from.
        validation: images to score, None for none.
        categories: what the classes of the head mean, in their order; empty for the task `entity`.
    """

    train: Dataset
    validation: Dataset | None
    categories: tuple[Category, ...]

    @property
    def category_ids(self) -> list[int] | None:
        """Ids of the categories in the order of the classes; None where there are no classes."""
        return [category.id for category in self.categories] or None

    def digest(self) -> str:
        """Return a SHA-256 over the training images' names, sizes and annotation columns, and the classes."""
        digest = hashlib.sha256()
        for image in self.train.images:
            digest.update(f"{image.file_name}\0{image.height}\0{image.width}\0".encode())
        for column in (self.train.offsets, self.train.ids, self.train.category_ids):
            digest.update(np.ascontiguousarray(column).tobytes())
        digest.update(repr(self.category_ids).encode())
        return digest.hexdigest()


def open_data(config: TrainingConfig) -> TrainingData:
    """Open the datasets of a config.

    Raises:
        UsageError: no path is given, the training set has no image, or its classes are not those of the config.
        InputError: the data is malformed.
    """
    train = _open(config, config.data.train, "data.train")
    if config.data.skip_empty:
        from entityseg.data.views import select

        # Crowd regions are nothing to learn from.
        owners = np.repeat(np.arange(len(train)), np.diff(train.offsets))
        full = np.unique(owners[~train.iscrowd])
        train = train if len(full) == len(train) else select(train, images=full)
    if not len(train):
        message, remedy = "there is no image to learn from", "Choose another split, or data.skip_empty=false."
        raise usage_error("training.empty", message, remedy, field="data.train", file=str(train.path))
    held_out = config.data.validation
    validation = None if held_out is None else _open(config, held_out, "data.validation")
    categories = () if config.task == "entity" else tuple(sorted(train.categories, key=lambda one: one.id))
    wanted = config.model.classes
    if categories and wanted not in (None, len(categories)):
        message = f"the data has {len(categories)} categories, the config says {wanted} classes"
        remedy = "Set model.classes to the number of categories, or to null."
        raise usage_error("training.classes", message, remedy, field="model.classes", file=str(train.path))
    return TrainingData(train, validation, categories)


def _open(config: TrainingConfig, which: SetSection, field: str) -> Dataset:
    from entityseg.data import load

    path = which.path or config.data.path
    if path is None:
        message = "the config does not say where the data is"
        remedy = "Give it: `--data FOLDER`, or data.path=FOLDER."
        raise usage_error("training.data", message, remedy, field=field)
    return load(path, split=which.split, format=which.format, image_root=which.images, check=False)


def model_config(config: TrainingConfig, categories: Sequence[Category] = ()) -> SegmenterConfig:
    """Return the configuration of the network.

    Args:
        config: of the training.
        categories: what the classes mean, in their order; without them, classes have numbers for names.

    Raises:
        UsageError: an option that the network does not have; all are listed.
    """
    section = config.model
    findings = Findings()
    _look_for_unknown(
        findings, "model.options", section.options, _own_fields(SegmenterConfig) - _SET_ELSEWHERE
    )
    kind = BACKBONES.get(section.backbone.get("model_type", ""))
    if kind is not None:
        _look_for_unknown(findings, "model.backbone", section.backbone, _own_fields(kind) | {"model_type"})
    if findings.errors:
        raise UsageError(findings)
    classes = {index: category.name for index, category in enumerate(categories)}
    if not classes:
        count = section.classes or 1
        classes = {0: "entity"} if config.task == "entity" else {i: str(i) for i in range(count)}
    things = None
    if any(category.isthing is False for category in categories):
        things = [index for index, category in enumerate(categories) if category.isthing is not False]
    made = SegmenterConfig(
        backbone_config=dict(section.backbone),
        task=config.task,
        things=things,
        category_ids=[category.id for category in categories] or None,
        id2label=classes,
        label2id={name: index for index, name in classes.items()},
        **section.options,
    )
    made.architectures = [model_class(section.family).__name__]
    return made


def _own_fields(kind: type[PreTrainedConfig]) -> set[str]:
    """Return the settings of a kind of configuration; every configuration takes any others in silence."""
    from transformers import PreTrainedConfig

    fields = set(kind.__dataclass_fields__) - set(PreTrainedConfig.__dataclass_fields__)
    return {name for name in fields if not name.startswith("_")}


def _look_for_unknown(findings: Findings, field: str, given: dict[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            near = get_close_matches(name, sorted(known), 1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            remedy = f"{hint}There are: {', '.join(sorted(known))}."
            findings.add("config.key", "there is no such setting", remedy, field=f"{field}.{name}")


def build_model(config: TrainingConfig, network: SegmenterConfig) -> SegmenterModel:
    """Return the model with random weights, which depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.run.seed)
        return model_class(config.model.family)(network)


def build_processor(config: TrainingConfig) -> ViewProcessor:
    """Return what makes the views in inference."""
    views = config.views
    return ViewProcessor(
        short_side=views.test_short_side,
        max_side=views.test_max_side,
        crops=views.test_crops,
        crop_ratio=views.crop_ratio,
        seed=config.run.seed,
    )


def build_views(config: TrainingConfig, data: TrainingData) -> EntityViews:
    """Return the training images as views."""
    views = config.views
    augment = ViewAugmentation(
        short_sides=views.short_sides,
        max_side=views.max_side,
        flip=views.flip,
        crops=views.crops,
        crop_ratio=views.crop_ratio,
        crop_count=max(views.crops_taken, 1),
        jitter=views.jitter,
        window=views.window,
        colour=views.colour,
    )
    return EntityViews(data.train, augment, config.run.seed, category_ids=data.category_ids)


def build_criterion(config: TrainingConfig) -> Criterion:
    """Return the loss."""
    loss = config.loss
    return Criterion(
        weights=Weights(loss.classes, loss.mask, loss.dice),
        no_object=loss.no_object,
        image_level=loss.image_level,
        similarity=loss.similarity,
        joint_views=loss.joint_views,
        points=loss.points,
        oversample=loss.oversample,
        importance=loss.importance,
    )


def build_evaluation(config: TrainingConfig, data: TrainingData) -> Evaluation | None:
    """Return what is scored during training; None without a validation set."""
    if data.validation is None:
        return None
    return Evaluation(
        config.task,
        data.validation,
        data.categories,
        evenly(len(data.validation), config.evaluation.images),
        config.evaluation.outputs,
        amp=config.run.precision != "float32",
    )
