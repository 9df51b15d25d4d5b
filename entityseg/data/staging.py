"""A converted set is made in a place of its own and moved to its target when it is whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entityseg.data.peek import peek
from entityseg.errors import usage_error
from entityseg.files import atomic_folder, remove_leftovers, sync_folder

# Written with every converted set; a folder that has it may be replaced.
REPORT_NAME = "conversion.json"
_OVERWRITE = "Choose another target, or allow it to be replaced (`--overwrite`)."


@contextmanager
def staged(dst: Path, overwrite: bool) -> Iterator[Path]:
    """Give the path to write to; what is there at the end without an error moves to `dst` at once.

    A folder is renamed as a whole. Of a file and what belongs to it, the file itself comes last.
    """
    if dst.suffix.lower() == ".json":
        with _staged_file(dst, overwrite) as place:
            yield place
        return
    old = dst.is_dir() and any(dst.iterdir())
    if dst.exists() and not dst.is_dir():
        raise usage_error(
            "target.file", "the target must be a folder, this is a file", "Name a folder.", file=str(dst)
        )
    if old and not (overwrite and (dst / REPORT_NAME).is_file()):
        message = "the folder is there and is not empty"
        remedy = _OVERWRITE
        if overwrite:
            message += ", and no conversion made it"
            remedy = "Remove it yourself if nothing in it is needed."
        raise usage_error("target.exists", message, remedy, file=str(dst))
    if not old:
        with atomic_folder(dst) as folder:
            yield folder
        return
    with replaced_folder(dst) as folder:
        yield folder


@contextmanager
def replaced_folder(dst: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of the folder `dst` when the block ends without an error."""
    # Fixed names, so that the next run removes what a killed one leaves.
    aside = dst.with_name(f".part-old-{dst.name}")
    fresh = dst.with_name(f".part-new-{dst.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    with atomic_folder(fresh) as folder:
        yield folder
    shutil.rmtree(aside, ignore_errors=True)
    dst.rename(aside)
    fresh.rename(dst)
    remove_leftovers(dst, words="[0-9a-f]{12}|new|old")
    sync_folder(dst.resolve().parent)


@contextmanager
def _staged_file(dst: Path, overwrite: bool) -> Iterator[Path]:
    """Give the path of a `.json` file in a folder of its own; then move all of that to `dst`."""
    stage = dst.with_name(f".part-stage-{dst.name}")
    # A run that was killed while it moved its files left this: then the PNGs that are there are its own.
    moving = dst.with_name(f".part-moving-{dst.name}")
    resumed = moving.is_dir()
    if dst.is_dir():
        message, remedy = "the target is a folder", "Name the file, or a folder without `.json` in its name."
        raise usage_error("target.folder", message, remedy, file=str(dst))
    shutil.rmtree(stage, ignore_errors=True)
    if dst.is_file():
        shutil.rmtree(moving, ignore_errors=True)
        if not overwrite:
            raise usage_error("target.exists", "the file is there already", _OVERWRITE, file=str(dst))
    dst.parent.mkdir(parents=True, exist_ok=True)
    stage.mkdir()
    try:
        yield stage / dst.name
        rest = [path for path in sorted(stage.iterdir()) if path.name != dst.name]
        for path in rest:
            if path.is_dir() and not resumed:
                _require_replaceable(dst.with_name(path.name), dst, overwrite)
        moving.mkdir(exist_ok=True)
        dst.unlink(missing_ok=True)
        for path in rest:
            place = dst.with_name(path.name)
            if path.is_dir() and place.is_dir():
                shutil.rmtree(place)
            path.replace(place)
        (stage / dst.name).replace(dst)
        moving.rmdir()
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    sync_folder(dst.resolve().parent)


def _require_replaceable(folder: Path, dst: Path, overwrite: bool) -> None:
    """Refuse to replace a folder that is not that of the PNGs which a conversion wrote with the file `dst`."""
    if folder.exists() and not folder.is_dir():
        message = "the target's folder for the PNGs is a file"
        raise usage_error("target.folder", message, "Name another target.", file=str(folder))
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    message = "the folder for the PNGs is there and is not empty"
    if not overwrite:
        raise usage_error("target.exists", message, _OVERWRITE, file=str(folder))
    report = dst.with_name(f"{dst.stem}.{REPORT_NAME}")
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    # Images may lie in a folder of the same name as their annotations.
    if (
        not (dst.is_file() and report.is_file())
        or peek(dst) != "panoptic"
        or any(path.suffix.lower() != ".png" for path in files)
    ):
        message += ", and no conversion made it"
        remedy = "Remove it yourself if nothing in it is needed, or choose another target."
        raise usage_error("target.exists", message, remedy, file=str(folder))
