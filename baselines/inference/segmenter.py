"""Models of a folder as `Segmenter`s, so that the harness and other tools can use them by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from entityseg.baselines.catalogue import FAMILIES
from entityseg.baselines.extra import require_models
from entityseg.errors import Findings, usage_error
from entityseg.protocols import Pixels, Segmentation

if TYPE_CHECKING:
    import torch

    from entityseg.baselines.inference.options import Outputs, Rescore, Task
    from entityseg.data.records import Category

# What a configuration calls classes of which it knows no names.
_UNNAMED = re.compile(r"(LABEL_)?\d+")


class FolderSegmenter:
    """Any model of this package, loaded from a folder with `config.json`, weights and `preprocessor_config.json`.

    Args:
        path: the folder, as `entityseg train` or `entityseg models convert` wrote it.
        device: such as `cpu` or `cuda:0`; None: CUDA if there is one.
        compile: let torch compile the network; slow at first, and again for each new size of image.
        category_ids: the category of each class; None: as the model's configuration says, else found out by
            `use_categories`, else class indices.
        task, outputs, overlap, rescore, detections, threshold, scales, amp, views_at_once, threads: see
            `InferenceOptions`.

    Raises:
        UsageError: torch or transformers is not installed, an option makes no sense, there is no such device, or the
            folder holds another family.
        InputError: a file of the folder is missing or damaged.
    """

    family: ClassVar[str | None] = None

    def __init__(
        self,
        path: str | Path,
        *,
        device: str | None = None,
        compile: bool = False,
        category_ids: Sequence[int] | None = None,
        task: Task = "auto",
        outputs: Outputs = "auto",
        overlap: bool | None = None,
        rescore: Rescore = "auto",
        detections: int | None = None,
        threshold: float = 0.0,
        scales: Sequence[int] = (),
        amp: bool = False,
        views_at_once: int | None = None,
        threads: int | None = None,
    ) -> None:
        require_models()
        from entityseg.baselines.inference.options import InferenceOptions
        from entityseg.baselines.models import load_model
        from entityseg.baselines.models.loading import family_name
        from entityseg.baselines.views import load_processor

        self.options = InferenceOptions(
            task=task, outputs=outputs, overlap=overlap, rescore=rescore, detections=detections,
            threshold=threshold, scales=scales, amp=amp, views_at_once=views_at_once, threads=threads,
        )  # fmt: skip
        self.path = Path(path)
        place = _device(device)
        self.model = load_model(self.path)
        found = type(self.model).__name__
        if self.family is not None and FAMILIES[self.family].architecture != found:
            message = f"the folder holds a {found}"
            other = next(name for name, one in FAMILIES.items() if one.architecture == found)
            remedy = f"Give the folder of a {self.family}, or name the model {other}."
            raise usage_error("model.family", message, remedy, file=str(path), value=found)
        self.processor = load_processor(self.path)
        self._check_views(FAMILIES[family_name(self.model)].several_views)
        self.model.to(place)
        if not isinstance(compile, bool):
            remedy = "Give true or false."
            raise usage_error("inference.option", "this is no switch", remedy, field="compile", value=compile)
        if compile:
            self.model.compile()
        given = getattr(self.model.config, "category_ids", None) if category_ids is None else category_ids
        if isinstance(given, str | bytes | int | float):
            remedy = "Give a list of whole numbers."
            raise usage_error(
                "model.categories", "this is no list of ids", remedy, field="category_ids", value=given
            )
        self._category_ids = None if given is None else np.asarray(given, np.int64)
        self._check_count()

    def use_categories(self, categories: Sequence[Category]) -> None:
        """Give each class of the model its category: by name, or by position where classes have no names.

        Raises:
            UsageError: classes and categories do not fit.
        """
        if self.task == "entity":
            return
        if self._category_ids is None:
            matched = match_categories(self.model.config.id2label, categories)
            self._category_ids = np.array(matched, np.int64)
        unknown = np.setdiff1d(self._category_ids, [category.id for category in categories])
        if len(unknown):
            message = "the model was made for a category that the task does not have"
            remedy = (
                "Take the model trained for this task, or give the category of each class (`category_ids`)."
            )
            raise usage_error(
                "model.categories", message, remedy, field="category_ids", value=int(unknown[0])
            )

    @property
    def task(self) -> str:
        """The task whose results are given."""
        chosen: str = self.model.config.task if self.options.task == "auto" else self.options.task
        return chosen

    def segment(self, image: Pixels) -> Segmentation:
        """Return the masks of an image, uint8 [height, width, 3], at its size."""
        return self.segment_batch([image])[0]

    def segment_batch(self, images: Sequence[Pixels]) -> list[Segmentation]:
        """Return the masks of several images; those of one network size go through the network together."""
        from entityseg.baselines.inference.segment import find_all, read_masks

        found = find_all(self.model, self.processor, images, self.options)
        return [self._labelled(read_masks(self.model, one, self.options)) for one in found]

    def _labelled(self, result: Segmentation) -> Segmentation:
        if self._category_ids is None or self.task == "entity":
            return result
        return Segmentation(result.masks, result.scores, self._category_ids[result.labels])

    def _check_views(self, several: bool) -> None:
        """Refuse a processor that was made for another model, before it costs anything."""
        from entityseg.baselines.models.pixels import STRIDE
        from entityseg.baselines.views.processor import FILE

        processor = self.processor
        findings = Findings(str(self.path / FILE))
        if processor.size_divisor % STRIDE:
            remedy = f"Give {STRIDE}, or a multiple of it."
            message = f"the model takes views whose sides are multiples of {STRIDE}"
            findings.add(
                "processor.model", message, remedy, field="size_divisor", value=processor.size_divisor
            )
        alone = self.options.outputs in ("I-O", "B-O")
        if processor.view_count > 1 and not several:
            remedy = "Set `crops` to none, or take the file that came with the model."
            message = "the model looks at one view an image"
            findings.add("processor.model", message, remedy, field="crops", value=processor.crops)
        elif processor.view_count == 1 and several and not alone:
            remedy = "Set `crops` to fixed4, or ask for the whole image alone (B-O or I-O)."
            message = "the model looks at crops, and the file says that there are none"
            findings.add("processor.model", message, remedy, field="crops", value=processor.crops)
        findings.raise_errors()

    def _check_count(self) -> None:
        classes = self.model.config.num_labels
        if self._category_ids is not None and len(self._category_ids) != classes:
            message = f"{len(self._category_ids)} categories for {classes} classes"
            raise usage_error("model.categories", message, "Give one for each.", field="category_ids")


class Mask2FormerSegmenter(FolderSegmenter):
    """A Mask2Former of a folder; see `FolderSegmenter`."""

    family = "mask2former"


class CropFormerSegmenter(FolderSegmenter):
    """A CropFormer of a folder; see `FolderSegmenter`."""

    family = "cropformer"


def match_categories(names: Mapping[int, str], categories: Sequence[Category]) -> list[int]:
    """Return the category id of each class.

    Classes that have the categories' names in the categories' order (names repeat in EntitySeg) are those; else names
    must be unique and each be found; classes without names (`LABEL_0`) must be as many as categories.

    Raises:
        UsageError: they do not fit.

    >>> from entityseg.data.records import Category
    >>> match_categories({0: "dog", 1: "cat"}, [Category(7, "cat"), Category(9, "dog"), Category(3, "sky")])
    [9, 7]
    """
    known = [category.name for category in categories]
    wanted = [names[index] for index in range(len(names))]
    in_order = wanted == known
    unnamed = all(_UNNAMED.fullmatch(name) for name in wanted)
    if in_order or (unnamed and len(wanted) == len(known)):
        return [category.id for category in categories]
    if unnamed:
        message = f"the model has {len(wanted)} classes without names, the task {len(known)} categories"
        remedy = "Give the category of each class (`category_ids`)."
        raise usage_error("model.categories", message, remedy, field="category_ids")
    for name in wanted:
        if known.count(name) != 1 or wanted.count(name) != 1:
            often = "no" if name not in known else "more than one"
            message = f"the task has {often} category of a class's name, or the model has the name twice"
            remedy = "Give the category of each class (`category_ids`), or the model that was trained for this task."
            raise usage_error("model.categories", message, remedy, field="category_ids", value=name)
    id_of = {category.name: category.id for category in categories}
    return [id_of[name] for name in wanted]


def _device(name: str | None) -> torch.device:
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        message = f"the device cannot be used: {reason}"
        raise usage_error(
            "model.device", message, "Take cpu, or leave it out.", field="device", value=name
        ) from None
    return device
