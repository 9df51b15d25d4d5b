"""Files of torch, held against what they say of themselves before torch reads them."""

from __future__ import annotations

import mmap
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from entityseg.baselines.checkpoints.names import ARRAYS, SCALARS, SETTINGS
from entityseg.baselines.checkpoints.pickles import AGAIN, WeightsPickle, has_code
from entityseg.errors import InputError, input_error

# What torch wrote before version 1.6 begins with this number.
LEGACY = 0x1950A86A20F9469CFC6C
_BLOCK = 2**20
# Before each storage of the old form, how many numbers it has.
_COUNT = 8
_PICKLE = re.compile(r"([^/]*/)?data\.pkl")
_UNSUPPORTED = re.compile(r"(?:GLOBAL|class):? ([\w.]+)")


class _Inert:
    """What torch's reader is given for the plain values beside the weights that it does not know: nothing."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_BESIDE: list[Any] = [
    *((_Inert, name) for name in (*SCALARS, *ARRAYS)),
    *((OrderedDict, name) for name in SETTINGS),
]


def follow_archive(path: Path) -> tuple[Any, WeightsPickle]:
    """Return what an archive of torch says it holds, and the machine that knows its storages.

    Every byte of it is held against its checksum: torch does not look at them.

    Raises:
        InputError: it is cut off or damaged, was packed again, holds code, or has other storages than it describes.
    """
    file = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            name = next((one.filename for one in entries if _PICKLE.fullmatch(one.filename)), "data.pkl")
            pickled = archive.getinfo(name)
            _check_plain(entries, path)
            if not any(one.CRC for one in entries):
                # Written without checksums: all are 0, and without one the library compares none.
                for one in entries:
                    del one.CRC
            for one in entries:
                _check_bytes(archive, one)
            machine = WeightsPickle(archive.read(pickled), file)
    except InputError:
        raise
    except Exception as error:
        raise broken(file, error) from error
    held = machine.read()
    sizes = {one.filename: one.file_size for one in entries}
    folder = name.removesuffix(".pkl")
    for storage in machine.storages.values():
        there = sizes.get(f"{folder}/{storage.key}", 0)
        if there != storage.size:
            message = f"the archive has {there} bytes of numbers where {storage.size} are announced"
            raise input_error(
                "checkpoint.broken", message, AGAIN, file=file, record=f"{folder}/{storage.key}"
            )
    return held, machine


def follow_old(machine: WeightsPickle, file: str) -> Any:
    """Return what a file from before torch 1.6 says it holds, its first number already read.

    Raises:
        InputError: it is cut off, holds code, or has other storages than it describes.
    """
    # Version of the form; sizes of C's types; what was saved; keys of the storages in the order of their bytes.
    machine.read()
    machine.read()
    held = machine.read()
    keys = machine.read()
    whole = sum(_COUNT + storage.size for storage in machine.storages.values())
    left = len(machine.data) - machine.at
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(machine.storages) or whole != left:
        message = f"{whole} bytes of numbers are announced, {left} are there"
        raise input_error("checkpoint.broken", message, AGAIN, file=file)
    return held


def load(path: Path, *, archive: bool) -> Any:
    """Return what torch reads from a file that was followed before.

    Raises:
        InputError: torch refuses it all the same.
    """
    try:
        with torch.serialization.safe_globals(_BESIDE):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except pickle.UnpicklingError as error:
        if found := _UNSUPPORTED.search(str(error)):
            raise has_code(str(path), found[1]) from error
        message = "the file is damaged, or holds something else than tensors"
        raise input_error("checkpoint.broken", message, AGAIN, file=str(path)) from error
    except Exception as error:
        # Damage can end anywhere in torch's reader: RuntimeError, EOFError, KeyError, struct.error and others.
        raise broken(str(path), error) from error


def map_bytes(path: Path) -> mmap.mmap:
    """Return a map of a file that is not empty."""
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def broken(file: str, error: Exception) -> InputError:
    """Return what is said of a file that a reader gave up on."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
    return input_error("checkpoint.broken", f"the file cannot be read: {first}", AGAIN, file=file)


def _check_plain(entries: list[zipfile.ZipInfo], path: Path) -> None:
    """Raise if reading the entries could give more bytes than the file has."""
    packed = next((one.filename for one in entries if one.compress_type != zipfile.ZIP_STORED), None)
    if packed is None and sum(one.file_size for one in entries) <= path.stat().st_size:
        return
    message = "the archive is compressed or has bytes twice, as torch never writes it"
    remedy = "Take the file as the authors released it."
    raise input_error("checkpoint.packed", message, remedy, file=str(path), record=packed)


def _check_bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Read an entry to its end, where its checksum is compared."""
    with archive.open(entry) as stream:
        while stream.read(_BLOCK):
            pass
