"""Finding out what a path holds, and opening it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from entityseg.data.formats import FORMATS, Reading, get_format
from entityseg.data.formats.base import Format
from entityseg.data.images import look_again
from entityseg.data.json_file import parse_json_file, require_there
from entityseg.data.peek import Kind, peek
from entityseg.data.records import Dataset
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import EntitySegError, InputError, printable, usage_error

# A file that two formats could read goes to the first: those that know it by a mark or a name come first.
_ORDER = ("parquet", "entity", "entityseg-release", "coco-panoptic", "idmap", "semantic", "coco-instances")
_FORMATS_OF: dict[Kind, str] = {
    "entity": "entity",
    "instances": "coco-instances",
    "panoptic": "coco-panoptic",
}
# Of these kinds of file only these formats know anything; the others need not even be imported.
_ORDER_OF: dict[Kind, tuple[str, ...]] = {
    "entity": ("entity",),
    "instances": ("entityseg-release", "coco-instances"),
    "panoptic": ("entityseg-release", "coco-panoptic"),
}
# Formats whose masks are guarded by checksums of their own, so that opening them need not touch every mask.
_CHECKSUMMED = frozenset({"parquet"})


def load(
    path: str | Path,
    *,
    format: str | None = None,
    split: str | None = None,
    check: bool | None = None,
    image_root: str | Path | None = None,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> Dataset:
    """Open a dataset: a folder, an annotation file, or a list file of semantic maps.

    Args:
        path: what to open; a file's content decides, not its name.
        format: name of the format, where several fit.
        split: name of the reading (such as `val` or `val_lr`), where a folder has several.
        check: decode every mask now and raise for those that are malformed. By default this is done for all
            formats but Parquet, whose pages carry checksums; in any case, masks are checked when an image is
            asked for.
        image_root: folder that `file_name` starts from, where it is not found by itself.
        threads: images checked side by side.
        progress: shows how far the check is.

    Returns:
        The dataset; `Dataset.warnings` has what was found and does not refuse it.

    Raises:
        UsageError: nothing, or more than one thing, can be read there; every possibility is listed.
        MissingFileError: there is no such path.
        InputError: the data is malformed; all problems are listed.

    >>> load("no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    entityseg.errors.MissingFileError: error: no/such/folder: there is no such file or folder. ...
    """
    look_again()
    reading = choose(path, format=format, split=split)
    root = Path(image_root) if image_root is not None else reading.image_root
    dataset = get_format(reading.format).read(reading.path, image_root=root)
    if check or (check is None and reading.format not in _CHECKSUMMED):
        from entityseg.data.check import check_masks

        findings = check_masks(dataset, threads=threads, progress=progress)
        findings.raise_errors()
        dataset.warnings.extend(findings)
    return dataset


def choose(
    path: str | Path,
    *,
    format: str | None = None,
    split: str | None = None,
) -> Reading:
    """Return the one way to read a path that fits the options.

    Raises:
        UsageError: none fits, or more than one; every possibility is listed with the options that choose it.
        MissingFileError: there is no such path.
    """
    path = Path(path)
    found = find_readings(path, format=format)
    fitting = [one for one in found if split in (None, one.split)]
    if len(fitting) == 1:
        return fitting[0]
    if not found:
        raise _nothing(path, format)
    where = {"file": str(path), "field": "split" if split else None, "value": split}
    if not fitting:
        message, remedy = "no reading of it has this split", "Choose one of these:"
        raise usage_error("load.split", message, remedy + _listed(found), **where)
    alike = len({(one.format, one.split) for one in fitting}) < len(fitting)
    remedy = (
        "Give one of these files instead of the folder:" if alike else "Choose by options, or give the file:"
    )
    message = f"it can be read in {len(fitting)} ways"
    raise usage_error("load.ambiguous", message, remedy + _listed(fitting), **where)


def find_readings(
    path: str | Path,
    *,
    format: str | None = None,
) -> list[Reading]:
    """List the ways to read a path.

    A file that several formats could read is listed once, under the one that knows it best; with `format`,
    only that one's readings are listed, and a file that it would not claim by itself counts too.

    Raises:
        UsageError: there is no such format.
        MissingFileError: there is no such path.
    """
    path = Path(path)
    chosen = get_format(format) if format is not None else None
    require_there(path)
    if chosen is not None:
        own = chosen.readings(path)
        return own if own or path.is_dir() else [Reading(chosen.name, path.stem, path)]
    found: list[Reading] = []
    claimed: set[Path] = set()
    order = _ORDER_OF.get(peek(path), _ORDER) if path.suffix == ".json" and path.is_file() else _ORDER
    for known in map(get_format, order):
        fresh = [one for one in known.readings(path) if one.path.resolve() not in claimed]
        claimed.update(one.path.resolve() for one in fresh)
        found += fresh
    return found


def _listed(readings: Sequence[Reading]) -> str:
    # Not every command has `--from`, and it is needed only where formats differ.
    several = len({one.format for one in readings}) > 1
    lines = [
        f"\n  {f'--from {one.format} ' if several else ''}--split {one.split}   {printable(str(one.path))}"
        for one in readings
    ]
    return "".join(lines) + "\n"


def _nothing(path: Path, wanted: str | None) -> EntitySegError:
    """Return the error for a path in which nothing was found, saying what was looked for."""
    if path.is_file() and wanted is None:
        kind = peek(path)
        if kind == "other" and path.suffix.lower() == ".json":
            try:
                parse_json_file(path)
            except InputError as error:
                return error
        if kind == "list":
            message = (
                "the file is a list, as predictions are; a dataset is an object with images and annotations"
            )
            remedy = "Use it as predictions (`entityseg score`), or give the ground truth."
        else:
            message = "the file is neither JSON with `images` and `annotations`, nor a list of semantic maps"
            remedy = "Give an annotation file; where a command has `--from`, it names the format."
        return usage_error("load.nothing", message, remedy, file=str(path))
    formats: list[Format] = [get_format(name) for name in ([wanted] if wanted else FORMATS)]
    looked = "".join(f"\n  {one.name}: {one.summary}" for one in formats)
    message = "no dataset was found"
    remedy = f"Give an annotation file, or the folder of one. These were looked for:{looked}\n"
    return usage_error("load.nothing", message, remedy, file=str(path))
