"""Models of a folder as `Segmenter`s, so that the harness and other tools can use them by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from entityseg.baselines.catalogue import FAMILIES
from entityseg.baselines.extra import require_models
from entityseg.baselines.inference.classes import Classes
from entityseg.data.digests import of_paths
from entityseg.errors import Findings, usage_error
from entityseg.protocols import Pixels, Segmentation

if TYPE_CHECKING:
    import torch

    from entityseg.baselines.inference.options import Outputs, Rescore, Task
    from entityseg.data.records import Category


class FolderSegmenter:
    """Any model of this package, loaded from a folder with `config.json`, weights and `preprocessor_config.json`.

    Args:
        path: the folder, as `entityseg train` or `entityseg models convert` wrote it.
        device: such as `cpu` or `cuda:0`; None: CUDA if there is one.
        compile: let torch compile the network; slow at first, and again for each new size of image, up to eight sizes:
            images of further ones run uncompiled.
        category_ids: the category of each class; None: as the model's configuration says, else found out by
            `use_categories`, else class indices.
        task, outputs, overlap, rescore, detections, keep_empty, threshold, scales, object_threshold, overlap_threshold,
            amp, views_at_once, threads: see `InferenceOptions`.

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
        keep_empty: bool = False,
        threshold: float = 0.0,
        scales: Sequence[int] = (),
        object_threshold: float = 0.8,
        overlap_threshold: float = 0.8,
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
            keep_empty=keep_empty, threshold=threshold, scales=scales, object_threshold=object_threshold,
            overlap_threshold=overlap_threshold, amp=amp, views_at_once=views_at_once, threads=threads,
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
        self.options.check_task(self.task)
        self.processor = load_processor(self.path)
        self._check_views(FAMILIES[family_name(self.model)].several_views)
        self.model.to(place)
        if not isinstance(compile, bool):
            remedy = "Give true or false."
            raise usage_error("inference.option", "this is no switch", remedy, field="compile", value=compile)
        if compile:
            # Code for any size would take torch longer to make than dozens of sizes.
            self.model.compile(dynamic=False)
        self._classes = Classes.of(self.model.config, category_ids)
        self._things_unknown = self.model.config.things is None

    def use_categories(self, categories: Sequence[Category]) -> None:
        """Give each class of the model its category: by name, or by position where classes have no names.

        For panoptic results, categories say what is stuff where the model's configuration does not.

        Raises:
            UsageError: classes and categories do not fit.
        """
        if self.task == "entity":
            return
        self._classes = self._classes.among(categories)
        if self._things_unknown and self.task == "panoptic":
            stuff = {category.id for category in categories if category.isthing is False}
            ids = self._classes.category_ids or ()
            self.model.config.things = [index for index, one in enumerate(ids) if one not in stuff]

    def fingerprint(self) -> str:
        """Return the digest of the folder's files that decide on results: configuration, weights, preprocessing."""
        from entityseg.baselines.models.loading import CONFIG, WEIGHTS
        from entityseg.baselines.views.processor import FILE

        return of_paths([self.path / name for name in (CONFIG, WEIGHTS, FILE)])

    @property
    def names(self) -> dict[int, str]:
        """The name of each label, where classes have names; none for the task `entity`, which has no labels."""
        return {} if self.task == "entity" else self._classes.label_names

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
        if self.task == "entity":
            return result
        return Segmentation(result.masks, result.scores, self._classes.labels(result.labels))

    def _check_views(self, several: bool) -> None:
        """Refuse a processor that was made for another model, and scales, before it costs anything."""
        from entityseg.baselines.inference.segment import scales_refused
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
        if self.options.scales and (processor.view_count > 1 or (several and self.options.outputs != "I-O")):
            raise scales_refused(self.options.scales)


class Mask2FormerSegmenter(FolderSegmenter):
    """A Mask2Former of a folder; see `FolderSegmenter`."""

    family = "mask2former"


class CropFormerSegmenter(FolderSegmenter):
    """A CropFormer of a folder; see `FolderSegmenter`."""

    family = "cropformer"


class VMask2FormerSegmenter(FolderSegmenter):
    """A V-Mask2Former of a folder; see `FolderSegmenter`."""

    family = "vmask2former"


class VITASegmenter(FolderSegmenter):
    """A VITA of a folder; see `FolderSegmenter`."""

    family = "vita"


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
