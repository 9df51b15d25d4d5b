"""Released weights as models of this package: `entityseg models convert`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from entityseg.baselines.catalogue import FAMILIES
from entityseg.baselines.checkpoints.categories import read_categories
from entityseg.baselines.checkpoints.official import Link, links
from entityseg.baselines.checkpoints.provenance import PROVENANCE, described
from entityseg.baselines.checkpoints.reading import normalised, read_state
from entityseg.baselines.checkpoints.sizes import find_family, find_sizes
from entityseg.baselines.models.config import TASKS
from entityseg.baselines.models.loading import WEIGHTS, model_class, save_model
from entityseg.baselines.models.segmenter import SegmenterModel
from entityseg.baselines.models.values import check_values
from entityseg.baselines.views.processor import ViewProcessor
from entityseg.baselines.views.regions import Scheme
from entityseg.errors import Findings, usage_error
from entityseg.files import atomic_folder, write_json

_MEMORY = "the state dict"


@dataclass(frozen=True)
class Converted:
    """A released model as one of ours.

    Attributes:
        model: ready to predict, in the precision of the file (halves become float32).
        family: what it was found to be.
        dropped: names of the file that are no weights.
        assumed: values that no shape tells, as they were taken.
    """

    model: SegmenterModel
    family: str
    dropped: tuple[str, ...]
    assumed: dict[str, Any]


def convert_state(
    state: Mapping[str, Tensor],
    *,
    family: str | None = None,
    heads: int | None = None,
    task: str | None = None,
    categories: str | Path | None = None,
    file: str = _MEMORY,
) -> Converted:
    """Return the model of a released state dict.

    Args:
        state: tensors under released names, of any release.
        family: None: told by the names; `vmask2former` has the names of `mask2former`.
        heads: attention heads of the decoders; None: as many as the pixel decoder's.
        task: what the classes mean; None: told by their number.
        categories: a JSON file with the data's categories in the order of the classes, for class-aware models.
        file: what to name in findings.

    Raises:
        InputError: the state dict is of another program; a weight is missing, left over, of a wrong shape or not
            finite. All are named.
        UsageError: options that do not fit the weights.
    """
    if task is not None and task not in TASKS:
        remedy = f"There are: {', '.join(TASKS)}."
        raise usage_error("checkpoint.task", "no model has this task", remedy, field="task", value=task)
    tensors, dropped = normalised(state, file)
    found = find_family(tensors, file)
    if family is not None and family != found and (family, found) != ("vmask2former", "mask2former"):
        remedy = "Leave the family out, or give another file."
        message = f"the file holds a {found}, not a {family}"
        raise usage_error("checkpoint.family", message, remedy, file=file, field="family", value=family)
    family = family or found
    config = find_sizes(tensors, family, file, heads=heads, task=task)
    if categories is not None:
        read_categories(categories, task=config.task).put_into(config)
    check_values(tensors, file, "checkpoint")
    layout = links(config, association=family == "cropformer")
    config.architectures = [model_class(family).__name__]
    model = model_class(family)(config)
    weights = _followed(tensors, layout, model.state_dict(), file)
    model.to(next(iter(weights.values())).dtype)
    model.load_state_dict(weights, strict=True)
    assumed: dict[str, Any] = {"pre_norm": config.pre_norm}
    if heads is None:
        assumed["heads"] = config.heads
    if config.backbone_config.model_type == "hornet":
        assumed["gate_scale"] = config.backbone_config.gate_scale
    return Converted(model.eval(), family, tuple(dropped), assumed)


def convert_file(
    source: str | Path,
    folder: str | Path,
    *,
    family: str | None = None,
    heads: int | None = None,
    task: str | None = None,
    categories: str | Path | None = None,
) -> dict[str, Any]:
    """Convert a released `.pth` file into a folder that `load_model` reads; return its provenance.

    The folder appears only when everything in it is written: `config.json`, `model.safetensors`,
    `preprocessor_config.json` and `provenance.json`.

    Args:
        source: the released file.
        folder: new, or empty.
        family: as for `convert_state`.
        heads: as for `convert_state`.
        task: as for `convert_state`.
        categories: as for `convert_state`.

    Raises:
        InputError: as `read_state` and `convert_state`.
        UsageError: as `convert_state`; or the folder holds something.
    """
    source, folder = Path(source), Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = "the folder exists and is not empty"
        raise usage_error("checkpoint.target", message, "Give a new folder.", field="OUT", value=str(folder))
    state = read_state(source)
    made = convert_state(
        state, family=family, heads=heads, task=task, categories=categories, file=str(source)
    )
    with atomic_folder(folder) as temporary:
        save_model(made.model, temporary)
        _processor(made).save_pretrained(temporary)
        record = described(
            source=source,
            family=made.family,
            dropped=made.dropped,
            assumed=made.assumed,
            weights=temporary / WEIGHTS,
            parameters=made.model.num_parameters(),
        )
        write_json(temporary / PROVENANCE, record, indent=True)
    return record


def _processor(made: Converted) -> ViewProcessor:
    """Return the views and sizes that the release uses for inference."""
    short_side, max_side = (512, 2048) if made.model.config.task == "semantic" else (800, 1333)
    crops: Scheme = "fixed4" if FAMILIES[made.family].several_views else "none"
    return ViewProcessor(short_side, max_side, crops)


def _followed(
    tensors: Mapping[str, Tensor], layout: list[Link], own: Mapping[str, Tensor], file: str
) -> dict[str, Tensor]:
    """Return our weights; every missing, left-over or misshapen one is a finding."""
    findings = Findings(file)
    remedy = "Download the file again; if it is whole, it is no released model of this family."
    found: dict[str, Tensor] = {}
    precision = (
        torch.float64 if any(one.dtype == torch.float64 for one in tensors.values()) else torch.float32
    )
    for link in layout:
        tensor = tensors.get(link.official)
        if tensor is None:
            message = "the file lacks a weight that the model needs"
            findings.add("checkpoint.missing", message, remedy, record=link.official)
            continue
        first, *rest = own[link.ours[0]].shape
        due = (first * len(link.ours), *rest)
        if tensor.shape != due:
            message = f"a weight has shape {tuple(tensor.shape)}, the model needs {due}"
            findings.add("checkpoint.shape", message, remedy, record=link.official)
            continue
        found |= {name: part.to(precision) for name, part in link.split(tensor).items()}
    for name in sorted(tensors.keys() - {link.official for link in layout}):
        message = "a weight of the file has no place in the model"
        findings.add("checkpoint.left_over", message, remedy, record=name)
    findings.raise_errors()
    return found
