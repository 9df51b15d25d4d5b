"""Where a dataset is written: never over something that is there, unless asked to; whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from entityseg.errors import usage_error
from entityseg.files import atomic_folder


def json_target(
    path: str | Path, customary: str, *, overwrite: bool = False, unused: Mapping[str, Any] | None = None
) -> Path:
    """Return the JSON file to write: `path` if it ends in `.json`, else `customary` in the folder `path`.

    Raises:
        UsageError: the file is there and `overwrite` is not set, or `unused` has options that the format does
            not know.
    """
    refuse_options(unused or {})
    path = Path(path)
    file = path if path.suffix.lower() == ".json" else path / customary
    if file.is_dir():
        message, remedy = "the target is a folder", "Name the file, or a folder without `.json` in its name."
        raise usage_error("target.folder", message, remedy, file=str(file))
    if file.exists() and not overwrite:
        raise usage_error("target.exists", "the file is there already", _REMEDY, file=str(file))
    if not file.parent.is_dir() and file.parent.exists():
        message, remedy = "the target's folder is a file", "Name another target."
        raise usage_error("target.folder", message, remedy, file=str(file.parent))
    return file


@contextmanager
def folder_target(path: str | Path, marker: str, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a folder to write into, in which the file `marker` comes last and says that the rest is whole.

    A folder that is not there appears when the block ends without an error. With `overwrite`, one that is
    there loses its marker first, so that old and new files are never taken for one set.

    Raises:
        UsageError: the folder is there, is not empty, and `overwrite` is not set; or `path` is a file.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        message = "the target must be a folder, this is a file"
        raise usage_error("target.file", message, "Name a folder.", file=str(path))
    if path.is_dir() and any(path.iterdir()):
        if not overwrite:
            raise usage_error(
                "target.exists", "the folder is there and is not empty", _REMEDY, file=str(path)
            )
        (path / marker).unlink(missing_ok=True)
        yield path
        return
    with atomic_folder(path) as folder:
        yield folder


def require_own_file(path: str | Path, what: str, is_ours: Callable[[bytes], bool]) -> None:
    """Refuse to write a file over something that is none of its kind, such as a ground truth.

    Args:
        path: the target.
        what: the kind, such as `page`.
        is_ours: tells the kind from the first 256 bytes of what is there.

    Raises:
        UsageError: the path is a folder, or a file of another kind.
    """
    path = Path(path)
    if path.is_dir():
        raise usage_error("target.folder", "the target is a folder", "Name a file.", file=str(path))
    if path.is_file():
        with open(path, "rb") as file:
            ours = is_ours(file.read(256))
        if not ours:
            message = f"a file that is no {what} is there already"
            raise usage_error("target.exists", message, "Choose another target.", file=str(path))


def refuse_options(unused: Mapping[str, Any]) -> None:
    """Raise `UsageError` if a format was given options that it does not know."""
    if unused:
        names = ", ".join(sorted(unused))
        message = f"this format has no such option: {names}"
        raise usage_error("format.option", message, "See `entityseg data convert --help`.")


_REMEDY = "Choose another target, or allow it to be replaced (`--overwrite`)."
