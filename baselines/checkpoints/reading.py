"""Released `.pth` files as state dicts: nothing in them is run, and what is wrong with them is said."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from entityseg.baselines.checkpoints.official import PIXELS, PREDICTOR
from entityseg.data.json_file import require_there
from entityseg.errors import Findings, InputError, input_error

_WEIGHTS_KEY = "model"
_ARRAYS = "state/"
_AGAIN = "Download the file again; it was probably cut off."
_UNSUPPORTED = re.compile(r"(?:GLOBAL|class):? ([\w.]+)")
# What training keeps beside the weights, or what the sizes tell anyway.
_DROPPED = re.compile(
    r".*\.relative_position_index|(sem_seg_head\.)?criterion\w*\.empty_weight|pixel_mean|pixel_std"
    r"|.*\.num_batches_tracked|.*\.attn_mask"
)


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a `.pth` file by name, as stored.

    Args:
        path: a file that `torch.save` wrote: `{"model": {...}}`, as detectron2 does, or the tensors themselves; or an
            `.npz` of numpy with an array `state/<name>` for each.

    Raises:
        MissingFileError: there is no such file.
        InputError: the file is cut off, holds code, or is no state dict.
    """
    path = Path(path)
    if path.is_dir():
        message = "this is a folder"
        raise input_error("file.folder", message, "Give the `.pth` file itself.", file=str(path))
    require_there(path)
    held = _load_arrays(path) if path.suffix == ".npz" else _load(path)
    inner = held.get(_WEIGHTS_KEY, held) if isinstance(held, Mapping) else held
    if not isinstance(inner, Mapping):
        message = f"the file holds a {type(inner).__name__}, not weights by name"
        remedy = 'A checkpoint is {"model": {name: tensor}}.'
        raise input_error("checkpoint.content", message, remedy, file=str(path))
    findings = Findings(str(path))
    state: dict[str, Tensor] = {}
    for name, value in inner.items():
        if isinstance(name, str) and _is_dense(value):
            state[name] = value.detach()
        else:
            message = f"a {type(value).__name__} stands where a dense tensor with a name is due"
            remedy = 'A checkpoint is {"model": {name: tensor}}.'
            findings.add("checkpoint.content", message, remedy, record=str(name))
    findings.raise_errors()
    if not state:
        raise input_error("checkpoint.empty", "the file holds no weights", _AGAIN, file=str(path))
    return state


def normalised(state: Mapping[str, Tensor], file: str) -> tuple[dict[str, Tensor], list[str]]:
    """Return a released state dict under the names of the last release, and the names left out.

    Older files say `static_query` for the query features, and have the pixel decoder's prefix twice or not at all.

    Raises:
        InputError: two names become one.
    """
    kept: dict[str, Tensor] = {}
    dropped = []
    for name in sorted(state):
        if _DROPPED.fullmatch(name):
            dropped.append(name)
            continue
        now = _renamed(name)
        if now in kept:
            message = "the file has one weight twice, under an old and a new name"
            remedy = "Take a file as the authors released it."
            raise input_error("checkpoint.twice", message, remedy, file=file, record=name)
        kept[now] = state[name]
    return kept, dropped


def _is_dense(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta


def _renamed(name: str) -> str:
    """Return a weight's name in the last release.

    >>> _renamed("sem_seg_head.pixel_decoder.pixel_decoder.mask_features.bias")
    'sem_seg_head.pixel_decoder.mask_features.bias'
    >>> _renamed("sem_seg_head.predictor.static_query.weight")
    'sem_seg_head.predictor.query_feat.weight'
    """
    name = name.replace(f"{PIXELS}pixel_decoder.", PIXELS, 1)
    if name.startswith("sem_seg_head.") and not name.startswith((PIXELS, PREDICTOR)):
        name = name.replace("sem_seg_head.", PIXELS, 1)
    return name.replace(f"{PREDICTOR}static_query.", f"{PREDICTOR}query_feat.", 1)


def _load_arrays(path: Path) -> dict[str, Any]:
    try:
        # numpy leaves a file open that it opened itself and finds broken.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            names = [name for name in arrays.files if name.startswith(_ARRAYS)]
            return {name.removeprefix(_ARRAYS): torch.from_numpy(arrays[name]) for name in names}
    except Exception as error:
        # As for torch's files: damage can end anywhere in the reader.
        message = f"the file cannot be read: {_first_line(error)}"
        raise input_error("checkpoint.broken", message, _AGAIN, file=str(path)) from error


def _load(path: Path) -> Any:
    with open(path, "rb") as file:
        start = file.read(4)
    # torch writes archives, and before version 1.6 wrote pickles of protocol 2; other protocols are other programs'.
    archive = start == b"PK\x03\x04"
    if start[:1] == b"\x80" and start[1:2] not in (b"", b"\x02"):
        raise _has_code(path)
    if not archive and start[:1] != b"\x80":
        message = "the file is no checkpoint of torch"
        remedy = "Download the file again; a web page may have come in its place." if start else _AGAIN
        raise input_error("checkpoint.broken", message, remedy, file=str(path))
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except pickle.UnpicklingError as error:
        if found := _UNSUPPORTED.search(str(error)):
            raise _has_code(path, found[1]) from error
        message = "the file is damaged, or holds something else than tensors"
        raise input_error("checkpoint.broken", message, _AGAIN, file=str(path)) from error
    except Exception as error:
        # Damage can end anywhere in torch's reader: RuntimeError, EOFError, KeyError, struct.error and others.
        message = f"the file cannot be read: {_first_line(error)}"
        raise input_error("checkpoint.broken", message, _AGAIN, file=str(path)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def _has_code(path: Path, value: str | None = None) -> InputError:
    message = "the file holds more than tensors; reading that could run code, so it is not read"
    remedy = (
        "Take the `.pth` file that the authors released; pickles (`.pkl`) of detectron2's zoo are refused."
    )
    return input_error("checkpoint.code", message, remedy, file=str(path), value=value)
