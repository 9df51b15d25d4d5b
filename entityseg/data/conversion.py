"""Any dataset to any format that can hold it; the rest is refused, or lost on purpose and measured."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

import entityseg
from entityseg.data.coco_entity import entity_to_panoptic, keeps_segment_ids, panoptic_to_entity, write_compat
from entityseg.data.content import Loss, examine, without
from entityseg.data.formats import get_format
from entityseg.data.formats.base import Format, Holds
from entityseg.data.licences import FILE_NAME, Licence, find_licence
from entityseg.data.loading import choose
from entityseg.data.loss import LossReport, measure_loss
from entityseg.data.records import Dataset
from entityseg.data.staging import REPORT_NAME, staged
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import EntitySegError, Finding, Findings, InputError, UsageError, usage_error
from entityseg.files import write_bytes, write_json

CocoEntity = Literal["canonical", "compat"]
# Formats whose annotation ids are unique in the file; panoptic segments' are so in their image only.
_UNIQUE_IDS = frozenset({"entity", "coco-instances", "entityseg-release", "parquet", "idmap"})


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes:
        path: the file or folder.
        report: what `conversion.json` says: formats, counts, losses, licence.
        losses: the kinds of content that the target could not hold.
        loss: what happened to the masks, None where nothing was lost.
    """

    path: Path
    report: Mapping[str, Any]
    losses: tuple[Loss, ...] = ()
    loss: LossReport | None = None


def convert(
    src: Dataset | str | Path,
    dst: str | Path,
    *,
    to: str,
    from_: str | None = None,
    split: str | None = None,
    lossy: bool = False,
    coco_entity: CocoEntity | None = None,
    image_root: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> Conversion:
    """Convert a dataset; the target is there whole, or not at all.

    Nothing is lost unless `lossy` says so: content that the target cannot hold (overlapping masks, several
    masks of a class, holes, crowds, ids, other keys) is counted first and refused. Panoptic segments become
    entities with ids of their own and keep `segment_id`, by which the way back restores them. A lossy
    conversion paints overlapping masks by area (smaller ones on top) and leaves out what cannot be written;
    then the target is read back and every mask compared. `conversion.json` and the source's licence text are
    written with the target.

    Args:
        src: a dataset, or the path of one.
        dst: a folder, or a file (`.json`) of a format that has one.
        to: name of the target's format.
        from_: name of the source's format, where several fit.
        split: which reading of the source, where it has several.
        lossy: whether content may be lost.
        coco_entity: make COCO-Entity of a COCO panoptic source: `canonical` numbers the entities of the file
            from 1 and keeps `segment_id`, which otherwise happens only where ids repeat in the file; `compat`
            writes the published JSON, quirks included (`to` is `entity` or `coco-instances`).
        image_root: folder of the source's images, where it is not found by itself.
        options: the target format's own options, such as `{"encoding": "polygons"}` or `{"renumber": True}`.
        overwrite: replace the target; a folder is replaced with all that is in it, if a conversion made it.
        threads: images worked on side by side.
        progress: shows how far the images are.

    Returns:
        What was written, with the report.

    Raises:
        UsageError: the source is not clear, the target is there, an option is unknown, or the target cannot
            hold the content.
        InputError: the source is malformed; all problems are listed.
        EntitySegError: the target cannot be written (disk full, no permission); nothing is left there.
    """
    target = get_format(to)
    chosen = dict(options or {})
    compat = coco_entity == "compat"
    _check_options(target, chosen, coco_entity)
    dataset, source = _open(src, from_, split, image_root)
    dst = Path(dst)
    if target.folder_only and dst.suffix.lower() == ".json":
        message, remedy = "this format is written as a folder", "Name a folder, without `.json`."
        raise usage_error("target.folder", message, remedy, file=str(dst), value=to)
    _refuse_inside(dataset, dst)
    shared: dict[str, Any] = {"threads": threads, "progress": progress}
    try:
        prepared = dataset if compat else _with_fitting_ids(dataset, to, chosen, coco_entity is not None)
        holds = _holds(target, chosen)
        losses = [] if compat else examine(prepared, holds, **shared)
        losses = [loss for loss in losses if not (loss.kind == "ids" and chosen.get("renumber"))]
        if losses and not lossy:
            raise _refusal(target, losses)
        written = without(prepared, holds, losses, **shared) if losses else prepared
        if to == "entityseg-release" and _has(losses, "ids"):
            # The release has no key for the old ids, and `coco-panoptic` an option.
            written = entity_to_panoptic(written)
        renumber = {"renumber": True} if to == "coco-panoptic" and _has(losses, "ids") else {}
        with staged(dst, overwrite) as place:
            if compat:
                write_compat(dataset, place, **shared)
            else:
                assert target.write is not None
                target.write(written, place, **_supported(target, {**shared, **chosen, **renumber}))
            loss = _measure(prepared, target, place, holds, losses, renumber, shared) if losses else None
            licence = find_licence(dataset, entityseg=source == "entityseg-release")
            report = _report(dataset, written, source, to, chosen, compat, losses, loss, licence)
            _write_beside(place, REPORT_NAME, report)
            if licence is not None:
                write_bytes(_beside(place, FILE_NAME), licence.text)
    except InputError as error:
        # The first bad mask ended the conversion; say what else is wrong with the source.
        _raise_all(dataset, threads, progress)
        if dataset.path is None or all(one.file for one in error.findings):
            raise
        raise InputError(replace(one, file=str(dataset.path)) for one in error.findings) from error
    except OSError as error:
        raise _cannot_write(dst, error) from error
    return Conversion(dst, report, tuple(losses), loss)


def _open(
    src: Dataset | str | Path, from_: str | None, split: str | None, image_root: str | Path | None
) -> tuple[Dataset, str | None]:
    """Return the source and the name of its format, None where that is not known."""
    if isinstance(src, Dataset):
        return src, from_
    reading = choose(src, format=from_, split=split)
    root = Path(image_root) if image_root is not None else reading.image_root
    return get_format(reading.format).read(reading.path, image_root=root), reading.format


def _check_options(target: Format, chosen: Mapping[str, Any], coco_entity: CocoEntity | None) -> None:
    if target.write is None:
        message = "this format is only read"
        raise usage_error("convert.read_only", message, "Choose another target.", value=target.name)
    if coco_entity not in (None, "canonical", "compat"):
        message = "there is no such form of COCO-Entity"
        raise usage_error("convert.coco_entity", message, "Use canonical or compat.", value=coco_entity)
    if coco_entity and target.name not in _UNIQUE_IDS:
        message = "COCO-Entity is made of entities, not of segments or labels"
        remedy = f"Use one of {', '.join(sorted(_UNIQUE_IDS))}."
        raise usage_error("convert.coco_entity", message, remedy, value=target.name)
    if coco_entity == "compat" and (target.name not in ("entity", "coco-instances") or chosen):
        message = "the published COCO-Entity is one JSON without options"
        remedy = "Convert to `coco-instances` without options."
        raise usage_error("convert.coco_entity", message, remedy, value=target.name)
    known = set(inspect.signature(target.write).parameters) - {
        "dataset",
        "path",
        "overwrite",
        "threads",
        "progress",
    }
    known -= {"unused"}
    unknown = sorted(set(chosen) - known)
    if unknown:
        remedy = f"It has these: {', '.join(sorted(known))}." if known else "It has none."
        message = f"the format {target.name} has no option {', '.join(unknown)}"
        raise usage_error("format.option", message, remedy)


def _supported(target: Format, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the target's writer takes."""
    assert target.write is not None
    known = inspect.signature(target.write).parameters
    return {key: value for key, value in options.items() if key in known}


def _refuse_inside(dataset: Dataset, dst: Path) -> None:
    """Refuse a target that holds its own source, which replacing it would remove."""
    for path in (dataset.path, dataset.image_root):
        if path is not None and (path.resolve() == dst.resolve() or dst.resolve() in path.resolve().parents):
            message = "the source lies in the target"
            raise usage_error(
                "target.source", message, "Choose another target.", file=str(dst), value=str(path)
            )


def _with_fitting_ids(dataset: Dataset, to: str, options: Mapping[str, Any], entities: bool) -> Dataset:
    """Return the dataset with the kind of ids that the target has: of segments, or unique in the file."""
    panoptic = to == "coco-panoptic" or (to == "entityseg-release" and _is_panoptic(options))
    if panoptic:
        return entity_to_panoptic(dataset) if keeps_segment_ids(dataset) else dataset
    repeats = len(np.unique(dataset.ids)) < dataset.n_annotations
    return panoptic_to_entity(dataset) if entities or (repeats and to in _UNIQUE_IDS) else dataset


def _is_panoptic(options: Mapping[str, Any]) -> bool:
    return str(options.get("split", "")).startswith("panoptic")


def _holds(target: Format, options: Mapping[str, Any]) -> Holds:
    """Return what the target holds with these options."""
    if options.get("encoding") == "polygons":
        return replace(target.holds, holes=False)
    if target.name == "entityseg-release" and _is_panoptic(options):
        return get_format("coco-panoptic").holds
    return target.holds


def _has(losses: list[Loss], kind: str) -> bool:
    return any(loss.kind == kind for loss in losses)


def _refusal(target: Format, losses: list[Loss]) -> UsageError:
    findings = Findings()
    for loss in losses:
        remedy = f"Allow it (`--lossy`: {loss.done}), or choose another format."
        if loss.kind == "ids" and target.name == "coco-panoptic":
            remedy = (
                "Number them anew (option `renumber`, which keeps `original_id`), or choose another format."
            )
        message = f"{target.name} cannot hold this: {loss.message}"
        findings.add(f"convert.{loss.kind}", message, remedy, record=f"first in {loss.example}")
    return UsageError(findings)


def _beside(place: Path, name: str) -> Path:
    """Return where a side file goes: into the folder, or beside the `.json` under its name.

    >>> _beside(Path("a/val.json"), "conversion.json").as_posix()
    'a/val.conversion.json'
    """
    return place / name if place.suffix.lower() != ".json" else place.with_name(f"{place.stem}.{name}")


def _write_beside(place: Path, name: str, value: Mapping[str, Any]) -> None:
    write_json(_beside(place, name), dict(value), indent=True)


def _measure(
    before: Dataset,
    target: Format,
    place: Path,
    holds: Holds,
    losses: list[Loss],
    renumber: Mapping[str, Any],
    shared: Mapping[str, Any],
) -> LossReport:
    """Read the target back and compare every mask."""
    found = target.readings(place)
    path = found[0].path if found else place
    ids = holds.ids and not renumber and not _has(losses, "ids")
    return measure_loss(before, target.read(path), ids=ids, **shared)


def _report(
    dataset: Dataset,
    written: Dataset,
    source: str | None,
    to: str,
    options: Mapping[str, Any],
    compat: bool,
    losses: list[Loss],
    loss: LossReport | None,
    licence: Licence | None,
) -> dict[str, Any]:
    """Return what `conversion.json` says; it names no path, so that equal input gives equal bytes."""
    return {
        "program": f"entityseg {entityseg.__version__}",
        "source": {
            "name": None if dataset.path is None else dataset.path.name,
            "format": source,
            "image_count": len(dataset),
            "annotation_count": dataset.n_annotations,
            "category_count": len(dataset.categories),
        },
        "target": {
            "format": to,
            "mode": "compat" if compat else "canonical",
            "options": {
                key: str(value) if isinstance(value, Path) else value for key, value in options.items()
            },
            "image_count": len(written),
            "annotation_count": int((~dataset.iscrowd).sum()) if compat else written.n_annotations,
        },
        "lossless": not losses and not compat,
        "lost": [
            {
                "kind": one.kind,
                "count": one.count,
                "first": one.example,
                "what": one.message,
                "done": one.done,
            }
            for one in losses
        ],
        "masks": None if loss is None else loss.to_json(),
        "licence": None
        if licence is None
        else {"origin": licence.origin, "name": licence.name, "file": FILE_NAME},
    }


def _raise_all(dataset: Dataset, threads: int | None, progress: Progress) -> None:
    from entityseg.data.check import check_masks

    check_masks(dataset, threads=threads, progress=progress).raise_errors()


def _cannot_write(dst: Path, error: OSError) -> EntitySegError:
    reason = error.strerror or str(error)
    message = f"the target cannot be written: {reason}"
    remedy = "Free some space or choose another target; nothing was left there."
    return EntitySegError(Finding("target.write", message, remedy, file=str(error.filename or dst)))
