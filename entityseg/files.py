"""Files that are whole or not there: temporary name in the same folder, sync, rename. Locks between processes."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows has no such locks.
    fcntl = None  # type: ignore[assignment]

_TEMPORARY = ".part-"


@contextmanager
def atomic_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a binary file for writing that appears under `path` only when it is complete.

    On an error, and when the process dies, `path` keeps what it had before.

    Raises:
        OSError: the folder is not writable or the disk is full; the temporary file is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(6)}-{path.name}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` at once or not at all."""
    with atomic_file(path) as file:
        file.write(data)


def write_json(path: str | Path, value: Any, *, indent: bool = False) -> None:
    """Write `value` as JSON in the order of its keys; NaN and infinities become `null`."""
    import orjson

    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if indent else 0)
    write_bytes(path, orjson.dumps(value, option=options))


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` that becomes `path` only when the block ends without an error.

    An empty folder under `path` is replaced. Leftovers of a killed run are removed first.

    Raises:
        FileExistsError: `path` exists and holds something.
    """
    path = Path(path).resolve()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(f"{path} exists and is not empty")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(6)}-{path.name}")
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            path.rmdir()
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    # Workers of a killed run may have gone on for a while; and now that it is replaced, what was here before may go.
    remove_leftovers(path, words="[0-9a-f]{12}|new|old")
    sync_folder(path.parent)


def remove_leftovers(path: str | Path, *, words: str = "[0-9a-f]{12}") -> None:
    """Remove what killed runs left of a file or folder that they were writing under `path`.

    Args:
        path: the file or folder.
        words: pattern of what stands between the prefix of temporary names and the name.
    """
    path = Path(path)
    name = re.compile(f"({re.escape(_TEMPORARY)}({words})-)+{re.escape(path.name)}")
    for entry in path.parent.iterdir() if path.parent.is_dir() else ():
        if name.fullmatch(entry.name):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make renames in a folder durable where the platform can."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file or folder; return False if another process holds it and we do not wait.

    The lock is the system's own (`flock`): it ends when the descriptor is closed, and with the process, however that
    ends, so that a lock is never stale. Where the system has none, nothing is locked and True returned.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


@contextmanager
def hold_folder(folder: Path) -> Iterator[bool]:
    """Hold a folder, made where there is none, while the block runs; give False if another process holds it.

    Raises:
        OSError: there is a file of this name, or the folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Windows opens no folders, and has no such locks.
    held = os.open(folder, os.O_RDONLY) if os.name == "posix" else None
    try:
        yield held is None or lock(held, wait=False)
    finally:
        if held is not None:
            os.close(held)
