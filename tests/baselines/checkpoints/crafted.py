"""Checkpoints written opcode by opcode: what `torch.save` would never write."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION

STOP = b"."


def text(value: str) -> bytes:
    """Return BINUNICODE."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    """Return BININT or LONG1."""
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


def tuple_of(*parts: bytes) -> bytes:
    """Return TUPLE."""
    return b"(" + b"".join(parts) + b"t"


def named(module: str, name: str) -> bytes:
    """Return GLOBAL."""
    return f"c{module}\n{name}\n".encode()


def called(module: str, name: str, *parts: bytes) -> bytes:
    """Return REDUCE."""
    return named(module, name) + tuple_of(*parts) + b"R"


def storage(key: str, count: int, kind: str = "FloatStorage", *, old: bool = False) -> bytes:
    """Return BINPERSID of a storage."""
    parts = [text("storage"), named("torch", kind), text(key), text("cpu"), number(count)]
    return tuple_of(*parts, *([b"N"] if old else [])) + b"Q"


def tensor(
    held: bytes, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, offset: int = 0
) -> bytes:
    """Return what `torch.save` writes of a tensor."""
    if strides is None:
        strides = tuple(range(len(shape), 0, -1))
    sizes = (tuple_of(*map(number, given)) for given in (shape, strides))
    hooks = called("collections", "OrderedDict")
    return called("torch._utils", "_rebuild_tensor_v2", held, number(offset), *sizes, b"\x89", hooks)


def dict_of(items: Mapping[str, bytes]) -> bytes:
    """Return EMPTY_DICT and SETITEMS."""
    return b"}(" + b"".join(text(name) + value for name, value in items.items()) + b"u"


def archive(
    path: Path, held: bytes, records: Mapping[str, bytes] | None = None, packing: int = zipfile.ZIP_STORED
) -> Path:
    """Write an archive as torch does."""
    with zipfile.ZipFile(path, "w", packing) as file:
        file.writestr("a/data.pkl", b"\x80\x02" + held + STOP)
        file.writestr("a/byteorder", "little")
        for key, data in (records or {}).items():
            file.writestr(f"a/data/{key}", data)
        file.writestr("a/version", "3\n")
    return path


def old_file(path: Path, held: bytes, storages: Mapping[str, tuple[int, bytes]]) -> Path:
    """Write a file as torch before 1.6 did: pickles, then of each storage how many numbers it has and these."""
    parts = [
        pickle.dumps(value, protocol=2) for value in (MAGIC_NUMBER, PROTOCOL_VERSION, {"little_endian": True})
    ]
    keys = pickle.dumps(list(storages), protocol=2)
    data = [struct.pack("<q", count) + raw for count, raw in storages.values()]
    path.write_bytes(b"".join([*parts, b"\x80\x02" + held + STOP, keys, *data]))
    return path
