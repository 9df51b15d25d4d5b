"""JSON from outside: read with bounds, and every way it can be broken said with its place."""

from __future__ import annotations

import json
import math
import mmap
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import orjson
from numpy.typing import NDArray

from entityseg.errors import Finding, InputError, MissingFileError, input_error

# The full EntitySeg ground truth is about 0.2 GB, its predictions a few GB at the most.
MAX_BYTES = 16 * 2**30
# Above this, a file is not parsed a second time only to word its problem better.
_MAX_DIAGNOSED = 2**30
# How files begin that are often given in place of JSON.
_MAGIC = {
    b"\x1f\x8b": "It is packed by gzip: unpack it first.",
    b"PK": "It is a ZIP archive: unpack it first.",
    b"\xff\xfe": "It is UTF-16: write the file as UTF-8.",
    b"\xfe\xff": "It is UTF-16: write the file as UTF-8.",
    b"\x80": "It is a pickle: write the data as JSON (`entityseg data refs` does it for RefCOCO).",
}


class NotFinite:
    """Stands for a NaN or an infinity, which JSON does not know but many writers write."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text if len(self.text) < 50 else f"a number of {len(self.text)} characters"


def map_file(path: Path) -> tuple[mmap.mmap, NDArray[np.uint8]]:
    """Map a file into memory; return the map and a uint8 view of it.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is empty, no regular file, or larger than 16 GB.
    """
    if path.is_dir():
        raise input_error("file.folder", "this is a folder", "Give the file itself.", file=str(path))
    require_there(path)
    size = path.stat().st_size
    if size == 0:
        message, remedy = "the file is empty", "Write it again; it was probably cut off."
        raise input_error("file.empty", message, remedy, file=str(path))
    if size > MAX_BYTES:
        message = f"the file has {size} bytes, more than the limit of {MAX_BYTES}"
        raise input_error("file.large", message, "Split the file.", file=str(path))
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return mapped, np.frombuffer(mapped, np.uint8)


def require_there(path: Path) -> None:
    """Raise if a path is neither a file nor a folder; reading a pipe could wait for ever.

    Raises:
        MissingFileError: there is nothing.
        InputError: it is a pipe or a device.
    """
    if not path.exists():
        message = "there is no such file or folder"
        raise MissingFileError(Finding("file.missing", message, "Check the path.", file=str(path)))
    if not (path.is_file() or path.is_dir()):
        message, remedy = "this is a pipe or a device", "Write the data to a file, and give that."
        raise input_error("file.type", message, remedy, file=str(path))


def forget_pages(text: NDArray[np.uint8]) -> None:
    """Let the system drop the pages of a mapped file from memory; what is needed again is read again."""
    owner = buffer_of(text)
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


def buffer_of(text: NDArray[np.uint8]) -> mmap.mmap | bytes:
    """Return the mapped file, or the bytes, that an array made by `numpy.frombuffer` shows."""
    owner = text.base.obj if isinstance(text.base, memoryview) else text.base
    return owner if isinstance(owner, mmap.mmap | bytes) else text.tobytes()


def parse_json_file(path: str | Path) -> Any:
    """Parse a JSON file strictly.

    NaN and infinities, which are not JSON, come as `NotFinite` values, so that the record that has one can be named.

    Raises:
        MissingFileError: there is no such file.
        InputError: empty, too large, not UTF-8, cut, too deeply nested or otherwise no JSON; says where.
    """
    path = Path(path)
    mapped, _ = map_file(path)
    return parse_json(mapped, str(path))


def parse_json(data: bytes | mmap.mmap | memoryview, file: str) -> Any:
    """Parse JSON bytes; as `parse_json_file`."""
    view = memoryview(data)
    if bytes(view[:3]) == b"\xef\xbb\xbf":
        view = view[3:]
    try:
        return orjson.loads(view)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        reason = str(error.msg)
    if "depth limit" in reason:
        message = "the JSON is nested more than 1,024 deep"
        raise input_error("json.deep", message, "No format of ours nests more than 10 deep.", file=file)
    raw = bytes(view) if len(view) <= _MAX_DIAGNOSED else b""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8: byte {raw[error.start]:#04x} at position {error.start}"
        remedy = next(
            (how for start, how in _MAGIC.items() if raw.startswith(start)), "Write the file as UTF-8."
        )
        raise input_error("json.utf8", message, remedy, file=file) from None
    if "NaN" in text or "Infinity" in text or "infinity" in reason:
        try:
            value = json.loads(text, parse_constant=NotFinite, parse_float=_float, parse_int=_int)
            if "\\u" in text:
                # Python's parser takes half of a surrogate pair, which nobody can write as UTF-8 again.
                json.dumps(value, ensure_ascii=False, default=repr).encode()
            return value
        except (ValueError, RecursionError):
            pass  # Broken in another way too, which orjson's message says.
    begun = bytes(view[:4096]).lstrip()[:1] in (b"{", b"[")
    cut = begun and bytes(view[-64:]).rstrip()[-1:] not in (b"}", b"]")
    message = f"the file is no valid JSON: {reason}"
    remedy = "Write it with a JSON library." if begun else "Check that this is the right file."
    if cut:
        remedy = "The file looks cut off: write or download it again."
    raise input_error("json.invalid", message, remedy, file=file, record=place) from None


def _float(text: str) -> float | NotFinite:
    value = float(text)
    return value if math.isfinite(value) else NotFinite(text)


def _int(text: str) -> int | float | NotFinite:
    # As orjson: what does not fit 64 bits is a float. Python itself refuses more than 4,300 digits.
    return int(text) if len(text) < 20 and -(2**63) <= int(text) < 2**64 else _float(text)


def as_float(value: Any) -> float:
    """Return a JSON number as a float, infinite where it is too large for one; NaN for what is no number.

    >>> as_float(3), as_float(10**400), as_float(True)
    (3.0, inf, nan)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def is_integer(value: Any) -> TypeGuard[int]:
    """Return whether a JSON value is an integer of 64 bits with its sign; 1.0 and true are none.

    >>> is_integer(2**63 - 1), is_integer(2**63), is_integer(1.0), is_integer(True)
    (True, False, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def score_problem(value: Any) -> tuple[str, str, str] | None:
    """Return (kind, message, remedy) if a JSON value is no finite number, else None.

    >>> score_problem(0.5)
    >>> score_problem("0.5")[0], score_problem(10**400)[0]
    ('score.type', 'score.finite')
    """
    number = as_float(value)
    if isinstance(value, NotFinite) or math.isinf(number):
        remedy = "Find out why the model gave no finite number; drop the prediction or score it 0."
        return "score.finite", "score must be finite", remedy
    if math.isnan(number):
        return "score.type", "score must be a number", "Write it without quotes."
    return None


def require_type(value: Any, kind: type[Any], what: str, file: str) -> Any:
    """Return `value` if it is a `kind`, else raise `InputError` naming what it should be."""
    if isinstance(value, kind):
        return value
    name = "an object {...}" if kind is dict else "a list [...]"
    message = f"{what} must be {name}, not {type(value).__name__}"
    raise input_error("json.shape", message, "Check that this is the right kind of file.", file=file)


__all__ = [
    "InputError",
    "NotFinite",
    "as_float",
    "forget_pages",
    "is_integer",
    "map_file",
    "parse_json",
    "parse_json_file",
    "require_there",
    "require_type",
    "score_problem",
]
