"""Models from folders: `config.json` says which class, `model.safetensors` holds the weights."""

from __future__ import annotations

import errno
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers.utils import logging as transformers_logging

from entityseg.baselines.catalogue import FAMILIES, family_of
from entityseg.baselines.models.config import SegmenterConfig
from entityseg.baselines.models.cropformer import CropFormer
from entityseg.baselines.models.mask2former import Mask2Former
from entityseg.baselines.models.segmenter import SegmenterModel
from entityseg.baselines.models.values import check_values
from entityseg.baselines.models.vita import VITA
from entityseg.baselines.models.vmask2former import VMask2Former
from entityseg.data.json_file import parse_json_file, require_type
from entityseg.errors import Findings, InputError, UsageError, input_error, usage_error

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
# Indices of windows come beside the weights; what is missing or of another shape is named if there is not much of it.
_MOST_TIMES = 4
_SLACK = 2**24
_FLOATS = ("F16", "BF16", "F32", "F64")
_CLASSES: dict[str, type[SegmenterModel]] = {
    "mask2former": Mask2Former,
    "cropformer": CropFormer,
    "vmask2former": VMask2Former,
    "vita": VITA,
}


def model_class(name: str) -> type[SegmenterModel]:
    """Return the class of a family.

    Raises:
        UsageError: there is no such family.

    >>> model_class("cropformer").__name__
    'CropFormer'
    """
    if name not in _CLASSES:
        remedy = f"There are: {', '.join(FAMILIES)}."
        raise usage_error("model.family", "no model family has this name", remedy, field="family", value=name)
    return _CLASSES[name]


def family_name(model: SegmenterModel) -> str:
    """Return the name of a model's family.

    Raises:
        UsageError: it is of a class that is in none.
    """
    return _family([type(model).__name__], "the model")


def new_model(config: SegmenterConfig) -> SegmenterModel:
    """Return a model with random weights, of the class that `config.architectures` names.

    Raises:
        UsageError: it names none that there is.
    """
    return model_class(_family(config.architectures, "the configuration"))(config)


def load_model(folder: str | Path, *, dtype: torch.dtype | None = None) -> SegmenterModel:
    """Return the model of a folder, ready to predict (`eval`), on the processor.

    Args:
        folder: with `config.json` and `model.safetensors`, as `save_pretrained` or `models convert` write it.
        dtype: of the weights; None: as they are stored.

    Raises:
        InputError: a file is missing or broken, no model of this package, or weights do not fit the configuration, or
            are not finite.
    """
    folder = Path(folder)
    path = folder / CONFIG
    described = require_type(parse_json_file(path), dict, "the configuration", str(path))
    if described.get("model_type") != SegmenterConfig.model_type:
        remedy = (
            "Convert released weights with `entityseg models convert`, or give a folder that training wrote."
        )
        raise input_error(
            "model.type",
            "this is no model of entityseg",
            remedy,
            file=str(path),
            field="model_type",
            value=described.get("model_type"),
        )
    kind = model_class(_family(described.get("architectures"), str(path)))
    config = _config(described, path)
    weights = folder / WEIGHTS
    if not weights.is_file():
        message, remedy = "the model has no weights", "Copy the whole folder again."
        raise input_error("model.weights", message, remedy, file=str(weights))
    try:
        _check_extent(kind, config, weights)
        with quiet():
            model, told = kind.from_pretrained(
                folder,
                config=config,
                dtype=dtype or "auto",
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except SafetensorError as error:
        message = f"the weights cannot be read: {error}"
        remedy = "Copy the file again; it was probably cut off."
        raise input_error("model.weights", message, remedy, file=str(weights)) from error
    except (OSError, MemoryError, InputError):
        raise
    except Exception as error:
        # A configuration can be impossible in as many ways as the library's classes have lines.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        message = f"no model can be built by the configuration: {reason}"
        raise input_error("model.config", message, "Copy the folder again.", file=str(path)) from error
    findings = Findings(str(weights))
    remedy = "The file does not belong to this config.json; copy the folder again or convert it anew."
    for name in sorted(told["missing_keys"]):
        findings.add("model.missing", "the model needs a weight that is not there", remedy, record=name)
    for name in sorted(told["unexpected_keys"]):
        findings.add("model.unexpected", "a weight has no place in the model", remedy, record=name)
    for name, stored, needed in sorted(told["mismatched_keys"]):
        message = f"a weight has shape {tuple(stored)}, the model needs {tuple(needed)}"
        findings.add("model.shape", message, remedy, record=name)
    for name, stored in _whole_numbers(weights).items():
        if name not in told["unexpected_keys"] and model.state_dict()[name].is_floating_point():
            message = f"a weight is of type {stored}, which would have been rounded"
            findings.add("model.type", message, remedy, record=name)
    findings.raise_errors()
    floating = {name: one for name, one in model.state_dict().items() if one.is_floating_point()}
    check_values(floating, str(weights), "model")
    return model.eval()


def _check_extent(kind: type[SegmenterModel], config: SegmenterConfig, weights: Path) -> None:
    """Raise if a model would have far more numbers than its file: a few words in a text can ask for all memory."""
    with torch.device("meta"):
        outline = kind(config)
    needed = sum(one.numel() for one in (*outline.parameters(), *outline.buffers()))
    with safe_open(weights, "pt") as file:
        held = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - no mapping
    if needed > _MOST_TIMES * held + _SLACK:
        message = f"the configuration describes a model of {needed:,} numbers, the file holds {held:,}"
        remedy = "The file does not belong to this config.json; copy the folder again or convert it anew."
        raise input_error("model.extent", message, remedy, file=str(weights))


def _whole_numbers(weights: Path) -> dict[str, str]:
    """Return the types of the stored tensors that are not floating-point numbers, by name."""
    with safe_open(weights, "pt") as file:
        types = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 - no mapping
    return {name: kind for name, kind in types.items() if kind not in _FLOATS}


def save_model(model: SegmenterModel, folder: str | Path) -> None:
    """Write `config.json` and `model.safetensors` into a folder.

    Within `entityseg.files.atomic_folder`, the folder appears only when it is whole.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    # One file, whatever its size: 222 million parameters are 0.9 GB.
    with saving(Path(folder)):
        model.save_pretrained(folder, max_shard_size="100GB")


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """Within it, the library writes `config.json` and `model.safetensors`; behind it, they are on the disk.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    try:
        with quiet():
            yield
    except SafetensorError as error:
        found = re.search(r"os error (\d+)", str(error))
        number = int(found[1]) if found else errno.EIO
        raise OSError(number, os.strerror(number), str(folder / WEIGHTS)) from error
    for name in (CONFIG, WEIGHTS):
        with open(folder / name, "rb") as file:
            os.fsync(file.fileno())
    # The library makes it readable for its owner alone; the configuration has the rights that the folder's files get.
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode & 0o777)


def _family(architectures: object, file: str) -> str:
    named = architectures[0] if isinstance(architectures, list) and len(architectures) == 1 else None
    family = family_of(named) if isinstance(named, str) else None
    if family is None:
        known = ", ".join(one.architecture for one in FAMILIES.values())
        raise input_error(
            "model.architecture",
            "the configuration does not name one model class that there is",
            f"There are: {known}.",
            file=file,
            field="architectures",
            value=architectures,
        )
    return family.name


def _config(described: dict[str, object], path: Path) -> SegmenterConfig:
    unknown = sorted(described.keys() - SegmenterConfig().to_dict().keys() - {"_name_or_path"})
    if unknown:
        message, remedy = (
            "the configuration has a field that there is not",
            "Take it out, or copy the file again.",
        )
        raise input_error("model.config", message, remedy, file=str(path), field=unknown[0])
    try:
        return SegmenterConfig(**described)
    except UsageError as error:
        raise InputError(replace(finding, file=str(path)) for finding in error.findings) from None
    except (TypeError, ValueError, AttributeError) as error:
        message = f"the configuration cannot be taken: {error}"
        remedy = "Mend the field, or copy the folder again."
        raise input_error("model.config", message, remedy, file=str(path)) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's bar and its report of keys, which we put into findings, off the terminal."""
    bars = transformers_logging.is_progress_bar_enabled()
    level = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
