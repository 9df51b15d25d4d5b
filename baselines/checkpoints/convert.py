"""Released weights as models of this package: `entityseg models convert`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from torch import Tensor

from entityseg.baselines.catalogue import FAMILIES, LICENCE_NOTE
from entityseg.baselines.checkpoints.alone import Alone, convert_alone, find_alone
from entityseg.baselines.checkpoints.categories import read_categories
from entityseg.baselines.checkpoints.official import links
from entityseg.baselines.checkpoints.placing import place, precision_of
from entityseg.baselines.checkpoints.provenance import PROVENANCE, described
from entityseg.baselines.checkpoints.reading import normalised, read_state
from entityseg.baselines.checkpoints.sizes import Options, Unseen, find_family, find_sizes
from entityseg.baselines.checkpoints.statistics import Statistics, find_statistics
from entityseg.baselines.models.config import TASKS, SegmenterConfig
from entityseg.baselines.models.loading import WEIGHTS, model_class, save_model
from entityseg.baselines.models.segmenter import SegmenterModel
from entityseg.baselines.models.values import check_values
from entityseg.baselines.views.processor import ViewProcessor
from entityseg.baselines.views.regions import Scheme
from entityseg.errors import usage_error
from entityseg.files import atomic_folder, write_json

# What the record of a backbone alone has for a family.
BACKBONE_FAMILY = "backbone"
_LICENCE_ALONE = "A converted file keeps the licence of its source."
_MEMORY = "the state dict"


@dataclass(frozen=True)
class Converted:
    """A released model as one of ours.

    Attributes:
        model: ready to predict, in the precision of the file (halves become float32).
        family: what it was found to be.
        dropped: names of the file that are no weights.
        assumed: values that no shape tells, as they were taken.
        statistics: of the pixels it was trained on, if the file has them.
    """

    model: SegmenterModel
    family: str
    dropped: tuple[str, ...]
    assumed: dict[str, Any]
    statistics: Statistics | None


def convert_state(
    state: Mapping[str, Tensor],
    *,
    family: str | None = None,
    categories: str | Path | None = None,
    file: str = _MEMORY,
    **options: Unpack[Options],
) -> Converted:
    """Return the model of a released state dict.

    Args:
        state: tensors under released names, of any release.
        family: None: told by the names; `vmask2former` has the names of `mask2former`.
        categories: a JSON file with the data's categories in the order of the classes, for class-aware models.
        file: what to name in findings.
        options: what no shape tells: `task`, `heads`, `association_heads`, `pre_norm`, `gate_scale` (see `Unseen`).

    Raises:
        InputError: the state dict is of another program; a weight is missing, left over, of a wrong shape or not
            finite. All are named.
        UsageError: options that do not fit the weights.
    """
    given = Unseen(**options)
    if given.task is not None and given.task not in TASKS:
        remedy = f"There are: {', '.join(TASKS)}."
        raise usage_error("checkpoint.task", "no model has this task", remedy, field="task", value=given.task)
    tensors, dropped = normalised(state, file)
    found = find_family(tensors, file)
    if family is not None and family != found and (family, found) != ("vmask2former", "mask2former"):
        remedy = "Leave the family out, or give another file."
        message = f"the file holds a {found}, not a {family}"
        raise usage_error("checkpoint.family", message, remedy, file=file, field="family", value=family)
    kind = model_class(family or found)
    config = find_sizes(tensors, family or found, file, given)
    if categories is not None:
        read_categories(categories, task=config.task).put_into(config)
    config.architectures = [kind.__name__]
    layout = links(config, association=found == "cropformer")
    weights = place(tensors, layout, lambda: kind(config), file)
    check_values(tensors, file, "checkpoint")
    model = kind(config).to(precision_of(tensors.values()))
    model.load_state_dict(weights, strict=True)
    return Converted(
        model.eval(),
        family or found,
        tuple(dropped),
        _assumed(given, found, config),
        find_statistics(state, file),
    )


def convert_file(
    source: str | Path,
    folder: str | Path,
    *,
    family: str | None = None,
    categories: str | Path | None = None,
    **options: Unpack[Options],
) -> dict[str, Any]:
    """Convert a released file into a folder; return its provenance.

    The folder of a model holds `config.json`, `model.safetensors`, `preprocessor_config.json` and `provenance.json`,
    and `load_model` reads it. A backbone alone (a Swin transformer or a HorNet of its authors) makes a folder without
    a processor, for a training to start from. The folder appears only when everything in it is written.

    Args:
        source: the released file.
        folder: new, or empty.
        family: as for `convert_state`.
        categories: as for `convert_state`.
        options: as for `convert_state`; a backbone alone has none but `gate_scale`.

    Raises:
        InputError: as `read_state` and `convert_state`.
        UsageError: as `convert_state`; or the folder holds something.
    """
    source, folder = Path(source), Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = "the folder exists and is not empty"
        raise usage_error("checkpoint.target", message, "Give a new folder.", field="OUT", value=str(folder))
    state = read_state(source)
    alone = find_alone(state, str(source))
    if alone is None:
        made = convert_state(state, family=family, categories=categories, file=str(source), **options)
        return _write(source, folder, made)
    gate_scale = options.pop("gate_scale", None)
    for name, value in {"family": family, "categories": categories, **options}.items():
        if value is not None:
            message = f"the file holds a {alone} alone, which has no such option"
            raise usage_error("checkpoint.option", message, "Leave it out.", file=str(source), field=name)
    return _write(source, folder, convert_alone(state, gate_scale=gate_scale, file=str(source)))


def _write(source: Path, folder: Path, made: Converted | Alone) -> dict[str, Any]:
    with atomic_folder(folder) as temporary:
        if isinstance(made, Converted):
            save_model(made.model, temporary)
            _processor(made).save_pretrained(temporary)
            told: dict[str, Any] = {"family": made.family, "parameters": made.model.num_parameters()}
            told["licence"] = LICENCE_NOTE
        else:
            made.save(temporary)
            told = {"family": BACKBONE_FAMILY, "backbone": made.config.model_type, "fresh": list(made.fresh)}
            told |= {"parameters": made.parameters, "licence": _LICENCE_ALONE}
        told |= {"assumed": made.assumed, "dropped": sorted(made.dropped)}
        record = described(source, temporary / WEIGHTS, told)
        write_json(temporary / PROVENANCE, record, indent=True)
    return record


def _processor(made: Converted) -> ViewProcessor:
    """Return the views and sizes that the release uses for inference, and the file's own statistics if it has any."""
    short_side, max_side = (512, 2048) if made.model.config.task == "semantic" else (800, 1333)
    crops: Scheme = "fixed4" if FAMILIES[made.family].several_views else "none"
    if made.statistics is None:
        return ViewProcessor(short_side, max_side, crops)
    mean, std = made.statistics.mean, made.statistics.std
    return ViewProcessor(short_side, max_side, crops, image_mean=mean, image_std=std)


def _assumed(given: Unseen, family: str, config: SegmenterConfig) -> dict[str, Any]:
    """Return what was taken as every released configuration has it, because neither shapes nor the caller tell."""
    taken: dict[str, Any] = {"pre_norm": config.pre_norm, "heads": config.heads}
    if family == "cropformer":
        taken["association_heads"] = config.heads
    if config.backbone_config.model_type == "hornet":
        taken["gate_scale"] = config.backbone_config.gate_scale
    if config.num_labels > 1:
        taken["task"] = config.task
    if config.task == "panoptic" and config.things is None:
        taken["things"] = "all"
    return {name: value for name, value in taken.items() if getattr(given, name, None) is None}
