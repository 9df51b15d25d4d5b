"""Makes the folder of `entityseg predict` ready: for one process, one model, one set of images."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from entityseg.baselines.inference.image_files import RUN, ImageFile, readable
from entityseg.baselines.inference.output_folder import KINDS, PREDICTIONS, OutputFolder
from entityseg.data.json_file import parse_json_file
from entityseg.errors import usage_error
from entityseg.files import hold_folder, remove_leftovers, write_json

_FORMAT = "entityseg/predict-run@1"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder while the block runs; it is made where there is none.

    Raises:
        UsageError: it is a file, or another process writes to it.
    """
    if folder.exists() and not folder.is_dir():
        raise usage_error("target.file", "the target is a file", "Name a folder.", file=str(folder))
    with hold_folder(folder) as is_held:
        if not is_held:
            message, remedy = "another process writes to the folder", "Wait for it, or name another folder."
            raise usage_error("target.busy", message, remedy, file=str(folder))
        yield


def claim(
    work: OutputFolder,
    files: Sequence[ImageFile],
    *,
    settings: Mapping[str, Any],
    about: Mapping[str, Any],
    overwrite: bool,
) -> None:
    """Write `run.json`, so that the folder is for predictions of these images by these settings.

    Args:
        work: the folder, which is there.
        files: the images.
        settings: that all predictions in it are made with.
        about: what else `run.json` says.
        overwrite: throw away predictions of other settings and of other images.

    Raises:
        UsageError: it holds something else.
    """
    # Through JSON and back, so that tuples and lists are alike.
    wanted = orjson.loads(orjson.dumps(dict(settings), option=orjson.OPT_SERIALIZE_NUMPY))
    if any(work.path.iterdir()):
        _make_room(work, {one.name for one in files}, wanted, overwrite)
    images = {one.name: readable(str(one.path)) for one in files}
    told = {"format": _FORMAT, **about, "settings": wanted, "images": images}
    write_json(work.path / RUN, told, indent=True)
    for kind in KINDS:
        (work.path / kind).mkdir(exist_ok=True)
        # Hidden files are what killed runs were writing.
        for leftover in (work.path / kind).glob(".*"):
            leftover.unlink()
    remove_leftovers(work.path / PREDICTIONS)
    remove_leftovers(work.path / RUN)


def _make_room(work: OutputFolder, names: set[str], wanted: Mapping[str, Any], overwrite: bool) -> None:
    where = {"file": str(work.path)}
    run = work.path / RUN
    said = parse_json_file(run) if run.is_file() else None
    # Other commands have a `run.json`, too.
    if not isinstance(said, dict) or said.get("format") != _FORMAT:
        message = "the folder holds something else than predictions of images"
        raise usage_error("target.exists", message, "Name a new folder.", **where)
    changed = _changed(said["settings"], wanted)
    others = sorted(work.names_in_use() - names)
    if changed and not overwrite:
        message = f"the folder holds predictions of other settings ({'; '.join(changed)})"
        remedy = "Name a new folder, or throw them away (`--overwrite`)."
        raise usage_error("target.settings", message, remedy, **where)
    if others and not overwrite:
        message = f"the folder holds predictions of {len(others)} images that were not asked for"
        remedy = "Name a new folder, or throw those away (`--overwrite`)."
        raise usage_error("target.images", message, remedy, value=others[0], **where)
    if changed:
        for kind in KINDS:
            shutil.rmtree(work.path / kind, ignore_errors=True)
    for name in others:
        work.forget(name)
    if changed or others:
        (work.path / PREDICTIONS).unlink(missing_ok=True)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], within: str = "") -> list[str]:
    """Return what differs between settings, a text each.

    >>> _changed({"threshold": 0.0, "options": {}}, {"threshold": 0.5, "options": {"outputs": "B-C"}})
    ['options.outputs was not given, is B-C', 'threshold was 0.0, is 0.5']
    """
    told = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            told += _changed(before, after, f"{within}{key}.")
        elif before != after:
            was, now = ("not given" if one is None else str(one)[:20] for one in (before, after))
            told.append(f"{within}{key} was {was}, is {now}")
    return told
