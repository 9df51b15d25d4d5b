"""Released files as state dicts: nothing in them is run, and nothing larger than they are is made."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from entityseg.baselines.checkpoints import archives
from entityseg.baselines.checkpoints.claims import Array, Claim, Named, Other
from entityseg.baselines.checkpoints.official import PIXELS, PREDICTOR
from entityseg.baselines.checkpoints.pickles import AGAIN, WeightsPickle
from entityseg.data.json_file import require_there
from entityseg.errors import Findings, InputError, input_error

_WEIGHTS_KEYS = ("model", "state_dict")
_ARRAYS = "state/"
_ARCHIVE = b"PK\x03\x04"
# Arrays of weights shrink by a tenth, those of indices a hundredfold; a file of zeros a thousandfold.
_MOST_PACKED = 30
# What wrappers of training put before each name.
_WRAPPERS = re.compile(r"((module|_orig_mod)\.)+")
# What training keeps beside the weights, or what the sizes tell anyway.
_DROPPED = re.compile(
    r".*\.relative_position_index|(sem_seg_head\.)?criterion\w*\.empty_weight|pixel_mean|pixel_std"
    r"|.*\.num_batches_tracked|.*\.attn_mask"
)
_LONGEST_NAME = 500
_NUMBERS = re.compile(r"[<>|=]?(f[248]|[iu][1248]|b1)")
_FORM = 'A checkpoint is {"model": {name: tensor}}.'


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a released file by name, as stored.

    Args:
        path: a file that `torch.save` wrote: `{"model": {...}}`, as detectron2 does, `{"state_dict": {...}}`, or the
            tensors themselves; a pickle with arrays of numpy in their place (`.pkl` of detectron2's zoo); or an `.npz`
            with an array `state/<name>` for each.

    Raises:
        MissingFileError: there is no such file.
        InputError: the file is cut off, damaged or compressed, holds code, is no state dict, or describes tensors with
            more numbers than it has.
    """
    path = Path(path)
    if path.is_dir():
        message = "this is a folder"
        raise input_error("file.folder", message, "Give the `.pth` file itself.", file=str(path))
    require_there(path)
    if path.suffix == ".npz":
        return _load_arrays(path)
    with open(path, "rb") as file:
        start = file.read(len(_ARCHIVE))
    if start == _ARCHIVE:
        held, machine = archives.follow_archive(path)
        return _read_claimed(held, machine, path, archive=True)
    if start[:1] == b"\x80":
        machine = WeightsPickle(archives.map_bytes(path), str(path))
        held = machine.read()
        if held == archives.LEGACY:
            return _read_claimed(archives.follow_old(machine, str(path)), machine, path, archive=False)
        return _named(_inner(held, str(path)), str(path))
    message = "the file is no checkpoint of torch"
    remedy = "Download the file again; a web page may have come in its place." if start else AGAIN
    raise input_error("checkpoint.broken", message, remedy, file=str(path))


def normalised(state: Mapping[str, Tensor], file: str) -> tuple[dict[str, Tensor], list[str]]:
    """Return a released state dict under the names of the last release, and the names left out.

    Older files say `static_query` for the query features, and have the pixel decoder's prefix twice or not at all;
    what trained on several devices or compiled put a prefix before each name.

    Raises:
        InputError: two names become one.
    """
    kept: dict[str, Tensor] = {}
    dropped = []
    for name in sorted(state):
        now = _renamed(name)
        if _DROPPED.fullmatch(now):
            dropped.append(name)
            continue
        if now in kept:
            message = "the file has one weight twice, under an old and a new name"
            remedy = "Take a file as the authors released it."
            raise input_error("checkpoint.twice", message, remedy, file=file, record=name)
        kept[now] = state[name]
    return kept, dropped


def _renamed(name: str) -> str:
    """Return a weight's name in the last release.

    >>> _renamed("sem_seg_head.pixel_decoder.pixel_decoder.mask_features.bias")
    'sem_seg_head.pixel_decoder.mask_features.bias'
    >>> _renamed("module.sem_seg_head.predictor.static_query.weight")
    'sem_seg_head.predictor.query_feat.weight'
    """
    name = name[found.end() :] if (found := _WRAPPERS.match(name)) else name
    name = name.replace(f"{PIXELS}pixel_decoder.", PIXELS, 1)
    if name.startswith("sem_seg_head.") and not name.startswith(
        (PIXELS, PREDICTOR, "sem_seg_head.criterion")
    ):
        name = name.replace("sem_seg_head.", PIXELS, 1)
    return name.replace(f"{PREDICTOR}static_query.", f"{PREDICTOR}query_feat.", 1)


def _inner(held: Any, file: str) -> Mapping[Any, Any]:
    """Return the weights by name of what a file holds."""
    if isinstance(held, Mapping):
        held = next((held[key] for key in _WEIGHTS_KEYS if key in held), held)
    if isinstance(held, Mapping):
        return held
    message = f"the file holds {_kind(held)}, not weights by name"
    raise input_error("checkpoint.content", message, _FORM, file=file)


def _read_claimed(held: Any, machine: WeightsPickle, path: Path, *, archive: bool) -> dict[str, Tensor]:
    """Return the tensors of torch's file once what it describes can be."""
    told = _inner(held, str(path))
    _check_form(told, str(path))
    _check_claims({name: one for name, one in told.items() if isinstance(one, Claim)}, path)
    if machine.strange:
        message = "the file holds something else than dense tensors"
        remedy = "Take the file that the authors released; optimizers of a training can be left out."
        where = {"file": str(path), "value": machine.strange[0]}
        raise input_error("checkpoint.content", message, remedy, **where)
    found = _inner(archives.load(path, archive=archive), str(path))
    state = {}
    for name, one in told.items():
        value = found.get(name) if isinstance(one, Claim) else _tensor(name, one, str(path))
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta:
            message = "torch reads another weight than the file describes"
            raise input_error("checkpoint.broken", message, AGAIN, file=str(path), record=name)
        state[name] = value.detach()
    return state


def _named(told: Mapping[Any, Any], file: str) -> dict[str, Tensor]:
    """Return the tensors of arrays by name."""
    _check_form(told, file)
    return {name: _tensor(name, one, file) for name, one in told.items()}


def _check_form(told: Mapping[Any, Any], file: str) -> None:
    """Raise unless names and numbers are all there is."""
    findings = Findings(file)
    for name, one in told.items():
        if not isinstance(name, str) or len(name) > _LONGEST_NAME or not isinstance(one, Array | Claim):
            message = f"{_kind(one)} stands where a dense tensor with a name is due"
            findings.add("checkpoint.content", message, _FORM, record=str(name)[:_LONGEST_NAME])
    findings.raise_errors()
    if not told:
        raise input_error("checkpoint.empty", "the file holds no weights", AGAIN, file=file)


def _check_claims(claims: Mapping[str, Claim], path: Path) -> None:
    """Raise if weights have more numbers than the file: a stride of 0, or one storage for many, costs nothing."""
    findings = Findings(str(path))
    remedy = "No released file is like this; save the weights again, each with numbers of its own."
    for name, one in claims.items():
        if not one.within:
            message = f"a weight of {one.size:,} bytes lies in a storage of {one.storage.size:,}"
            findings.add("checkpoint.claim", message, remedy, record=name, value=one.shape)
    findings.raise_errors()
    there, whole = path.stat().st_size, sum(one.size for one in claims.values())
    if whole <= there:
        return
    taken = Counter[str]()
    for one in claims.values():
        taken[one.storage.key] += one.size
    for name, one in claims.items():
        if taken[one.storage.key] > one.storage.size:
            message = f"weights of {whole:,} bytes are described in a file of {there:,}; this one shares its numbers"
            findings.add("checkpoint.claim", message, remedy, record=name, value=one.shape)
    findings.raise_errors()


def _kind(value: object) -> str:
    """Return what something of a file is called."""
    if isinstance(value, Claim):
        return "a tensor"
    return f"a {value.name if isinstance(value, Named | Other) else type(value).__name__}"


def _tensor(name: str, array: Array, file: str) -> Tensor:
    """Return the tensor of an array.

    Raises:
        InputError: its bytes are not those of its shape and type.
    """
    size = math.prod(array.shape) * int(array.dtype[-1]) if _NUMBERS.fullmatch(array.dtype) else -1
    if size != len(array.data):
        message = f"an array of type {array.dtype} and shape {array.shape} has {len(array.data)} bytes"
        raise input_error("checkpoint.broken", message, AGAIN, file=file, record=name)
    found = np.frombuffer(array.data, array.dtype).reshape(array.shape, order="F" if array.fortran else "C")
    # A copy in this machine's byte order, for torch takes no other and none that is not to be written.
    return torch.from_numpy(found.astype(found.dtype.newbyteorder("="), order="C"))


def _load_arrays(path: Path) -> dict[str, Tensor]:
    try:
        # numpy leaves a file open that it opened itself and finds broken.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            entries = {one.filename.removesuffix(".npy"): one.file_size for one in arrays.zip.infolist()}
            names = [name for name in arrays.files if name.startswith(_ARRAYS)]
            _check_unpacked({name: entries.get(name, 0) for name in names}, path)
            state = {name.removeprefix(_ARRAYS): torch.from_numpy(arrays[name]) for name in names}
    except InputError:
        raise
    except Exception as error:
        # As for torch's files: damage can end anywhere in the reader.
        raise archives.broken(str(path), error) from error
    if not state:
        raise input_error("checkpoint.empty", "the file holds no weights", AGAIN, file=str(path))
    return state


def _check_unpacked(sizes: Mapping[str, int], path: Path) -> None:
    """Raise if arrays are far larger than the file that they are packed in."""
    whole, there = sum(sizes.values()), path.stat().st_size
    if whole > _MOST_PACKED * there:
        largest = max(sizes, key=lambda name: sizes[name])
        message = f"arrays of {whole:,} bytes are packed in a file of {there:,}"
        remedy = "Weights do not shrink like that; save them again."
        raise input_error(
            "checkpoint.packed", message, remedy, file=str(path), record=largest, value=sizes[largest]
        )
