"""Opens the ground truth of a task: finds the dataset's folder, reads it, and counts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.benchmarks.tasks.record import Data, Task
from entityseg.errors import Finding, Findings, InputError, MissingFileError, UsageError

# The folder that holds all datasets, each under its customary name.
VARIABLE = "ENTITYSEG_DATA"
DEFAULT = "data"


@dataclass(frozen=True)
class Truth:
    """An opened ground truth.

    Attributes:
        task: the task.
        root: the dataset's folder.
        value: what the reader gave: a `Dataset`, or the truth of texts, or the folder of grey maps.
        files: files and folders that are the ground truth, for its digest.
        counts: how many of what there are.
        warnings: counts that are not the data revision's.
        excluded: units that cannot be scored.
    """

    task: Task
    root: Path
    value: Any
    files: tuple[Path, ...]
    counts: Mapping[str, int]
    warnings: Findings
    excluded: tuple[str, ...] = ()

    @property
    def image_root(self) -> Path:
        """The folder of the images."""
        return self.root / self.task.data.images


@dataclass(frozen=True)
class _Opened:
    value: Any
    files: tuple[Path, ...]
    counts: Mapping[str, int]
    excluded: tuple[str, ...] = ()


def open_truth(task: Task, data: str | Path | None = None) -> Truth:
    """Open the ground truth of a task and compare its counts with those of the data revision.

    Args:
        task: the task.
        data: the dataset's folder, or one that holds it under its customary name; by default `$ENTITYSEG_DATA`, or
            the folder `data`.

    Raises:
        MissingFileError: the dataset is not there; says where to get it and how the tree must look.
        InputError: it cannot be read, or is another revision.
    """
    root = find_root(task, data)
    opened = _READERS[task.data.reader](task, root)
    findings = Findings(str(opened.files[0]) if opened.files else str(root))
    for count in task.counts:
        found = opened.counts.get(count.name)
        if found is not None and found != count.value:
            message = f"the ground truth has {found:,} {count.name}, {task.name} expects {count.value:,}"
            if count.sure:
                remedy = (
                    f"Get revision {task.data.revision} ({task.data.get}); a part of it is not this task."
                )
            elif task.is_mini:
                remedy = "It was made with another number of scenes, which is as good for a trial."
            else:
                remedy = "Check it against the source: this number is only remembered."
            findings.add("task.count", message, remedy, severity="error" if count.sure else "warning")
    findings.raise_errors()
    return Truth(task, root, opened.value, opened.files, opened.counts, findings, opened.excluded)


def find_root(task: Task, data: str | Path | None = None) -> Path:
    """Return the dataset's folder; arguments and errors are those of `open_truth`."""
    given = Path(data if data is not None else os.environ.get(VARIABLE, DEFAULT))
    folder = Path(task.data.folder)
    # Also a mini dataset's own folder, whatever it is called.
    inner = folder.relative_to("mini") if task.is_mini and folder.parts[:1] == ("mini",) else folder
    candidates = list(dict.fromkeys([given, given / folder, given / inner, given / folder.name]))
    for root in candidates:
        if root.is_dir() and not missing(task.data, root):
            return root
    there = [
        root for root in candidates if root.is_dir() and len(missing(task.data, root)) < len(task.data.files)
    ]
    lacking = f"; {there[0]} lacks {', '.join(missing(task.data, there[0]))}" if there else ""
    message = f"{task.name} needs the dataset {folder.name or task.data.folder}, which is not there{lacking}"
    tree = "".join(f"\n    {folder.name}/{file}" for file in task.data.files)
    remedy = (
        f"Get it ({task.data.get}) and give its folder (--data, or ${VARIABLE} for the folder of all datasets). "
        f"The tree must look like this:{tree}\n"
    )
    raise MissingFileError(Finding("task.data", message, remedy, file=str(given)))


def missing(data: Data, root: Path) -> list[str]:
    """Return which of the files of a dataset are not in a folder."""
    if data.reader == "release":
        # Both naming schemes count, so the reader itself is asked.
        from entityseg.data import find_readings

        try:
            splits = {one.split for one in find_readings(root, format="entityseg-release")}
        except (UsageError, InputError):
            splits = set()
        return [] if data.split in splits else list(data.files)
    return [file for file in data.files if not _is_there(root, file)]


def _is_there(root: Path, file: str) -> bool:
    if "*" in file:
        return next(root.glob(file), None) is not None
    return (root / file).is_dir() if file.endswith("/") else (root / file).exists()


def _dataset_counts(dataset: Any) -> dict[str, int]:
    kinds = [category.isthing for category in dataset.categories]
    return {
        "images": len(dataset),
        "annotations": dataset.n_annotations,
        "categories": len(kinds),
        # Files that do not say what is a thing have nothing to count.
        **({} if None in kinds else {"things": kinds.count(True), "stuff": kinds.count(False)}),
    }


def _release(task: Task, root: Path) -> _Opened:
    from entityseg.data import load

    dataset = load(root, format="entityseg-release", split=task.data.split, check=False)
    return _of_dataset(task, dataset, Path(dataset.path) if dataset.path is not None else root)


def _coco(task: Task, root: Path) -> _Opened:
    from entityseg.data.coco_json import read_coco

    path = next(root / file for file in task.data.files if file.endswith(".json"))
    return _of_dataset(task, read_coco(path, image_root=root / task.data.images), path)


def _panoptic(task: Task, root: Path) -> _Opened:
    from entityseg.data.formats import coco_panoptic

    path = next(root / file for file in task.data.files if file.endswith(".json"))
    dataset = coco_panoptic.read(path, image_root=root / task.data.images)
    # ADE20K's file has segments that were painted over to the last pixel.
    lenient = replace(dataset.source, empty=np.ones(dataset.n_annotations, bool))  # type: ignore[type-var]
    return _of_dataset(task, replace(dataset, source=lenient), path)


def _of_dataset(task: Task, dataset: Any, path: Path) -> _Opened:
    from entityseg.data.formats._png_source import PngSource

    counts = _dataset_counts(dataset)
    files = [path]
    if isinstance(dataset.source, PngSource):
        files.append(Path(dataset.source.root))
    elif path.suffix == ".txt":
        from entityseg.data.formats._png_files import find_root
        from entityseg.data.formats._semantic_list import read_lines
        from entityseg.data.formats.semantic import CATEGORIES_NAME, map_folders

        root = find_root(map_folders(path), [line.map for line in read_lines(path)])
        files += [] if root is None else [root]
        # What says which label is which category.
        files += [beside for beside in [path.with_name(CATEGORIES_NAME)] if beside.is_file()]
    if task.data.most_frequent is not None:
        dataset = most_frequent(dataset, task.data.most_frequent)
    return _Opened(dataset, tuple(files), counts)


def most_frequent(dataset: Any, number: int) -> Any:
    """Return a dataset with the annotations of its most frequent categories; all categories stay listed."""
    ids, times = np.unique(dataset.category_ids, return_counts=True)
    kept = ids[np.lexsort((ids, -times))][:number]
    chosen = (one.select(np.isin(one.category_ids, kept)) for one in dataset)
    return replace(dataset.rebuild(chosen), warnings=dataset.warnings)


def _refer(task: Task, root: Path) -> _Opened:
    from entityseg.data.grounding.refer import read_refer

    dataset, by, split = task.data.split.split()
    truth = read_refer(root / dataset, split, split_by=by, check_counts=False)
    return _of_expressions(truth, root / dataset / f"refs({by}).p", root / dataset / "instances.json")


def _grefcoco(task: Task, root: Path) -> _Opened:
    from entityseg.data.grounding.grefcoco import read_grefcoco

    dataset, by, split = task.data.split.split()
    truth = read_grefcoco(root / dataset, split, split_by=by)
    return _of_expressions(truth, root / dataset / f"grefs({by}).json", root / dataset / "instances.json")


def _of_expressions(truth: Any, *files: Path) -> _Opened:
    counts = {
        "expressions": len(truth.expressions),
        "refs": len({one.ref_id for one in truth.expressions}),
        "images": len(truth.image_ids),
    }
    return _Opened(truth, files, counts)


def _narrative(task: Task, root: Path) -> _Opened:
    from entityseg.data.grounding.png import read_png

    path, panoptic = (root / file for file in task.data.files[:2])
    truth = read_png(path, panoptic)
    counts = {
        "images": len(truth.image_ids),
        "narratives": len(truth.narratives),
        "phrases": sum(len(one.nouns) for one in truth.narratives),
    }
    return _Opened(truth, (path, panoptic, Path(truth.panoptic.source.root)), counts)  # type: ignore[attr-defined]


def _reasonseg(task: Task, root: Path) -> _Opened:
    from entityseg.data.grounding.reasonseg import read_reasonseg

    folder = root / task.data.split
    truth = read_reasonseg(folder)
    counts = {
        "files": len(truth.images) + len(truth.excluded),
        "images": len(truth.images),
        "excluded": len(truth.excluded),
    }
    return _Opened(truth, tuple(sorted(folder.glob("*.json"))), counts, tuple(truth.excluded))


def _dis(task: Task, root: Path) -> _Opened:
    folder = root / task.data.split / "gt"
    return _Opened(folder, (folder,), {"images": len(list(folder.glob("*.png")))})


def _lvis(task: Task, root: Path) -> _Opened:
    from entityseg.data.wild.lvis import read_lvis

    path = root / "lvis_v1_val.json"
    return _of_dataset(task, read_lvis(path), path)


def _ocid(task: Task, root: Path) -> _Opened:
    from entityseg.data.wild.ocid import read_ocid

    dataset, labels = read_ocid(root)
    return _Opened(dataset, labels, _dataset_counts(dataset))


def _fss(task: Task, root: Path) -> _Opened:
    from entityseg.data.wild.fss import read_fss

    dataset, masks, classes = read_fss(root)
    return _Opened(dataset, masks, {**_dataset_counts(dataset), "classes": classes})


def _video(task: Task, root: Path) -> _Opened:
    path = next(root / file for file in task.data.files if file.endswith(".json"))
    value: Any
    if task.family == "video-panoptic":
        from entityseg.data.video.vipseg import read_vipseg

        value = read_vipseg(path)
        files: tuple[Path, ...] = (path, value.root)
    else:
        from entityseg.data.video.ytvis import read_ytvis

        value, files = read_ytvis(path), (path,)
    return _Opened(value, files, {"videos": len(value.videos), "categories": len(value.categories)})


def _not_readable(task: Task, root: Path) -> _Opened:
    from entityseg.benchmarks.harness.families import not_ready

    raise not_ready(task)


_READERS: dict[str, Callable[[Task, Path], _Opened]] = {
    "release": _release,
    "coco": _coco,
    "coco-panoptic": _panoptic,
    "refer": _refer,
    "grefcoco": _grefcoco,
    "narrative": _narrative,
    "reasonseg": _reasonseg,
    "dis": _dis,
    "lvis": _lvis,
    "ocid": _ocid,
    "fss": _fss,
    "video": _video,
    "sets": _not_readable,
}
