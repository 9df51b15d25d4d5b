"""A folder of statistics belongs to one job and to one process at a time; a job that was killed is gone on with."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from entityseg import __version__
from entityseg.data import parquet_tables
from entityseg.data.digests import of_file, of_json
from entityseg.data.formats._png_files import find_png
from entityseg.data.formats._png_source import PngSource
from entityseg.data.images import find_image
from entityseg.data.json_file import parse_json_file
from entityseg.data.records import Dataset
from entityseg.data.sources import MemorySource
from entityseg.errors import usage_error
from entityseg.files import hold_folder, remove_leftovers, write_json
from entityseg.stats.dataset.choices import DatasetChoices
from entityseg.stats.dataset.schema import CLASS_DENSITY, COOCCURRENCE, ENTITIES, IMAGES, STATISTICS
from entityseg.stats.dataset.sources import source_of

RUN, SHARDS = "run.json", "shards"
_RUN_FORMAT = "entityseg/statistics-run@1"
_TOOLS = ("numpy", "numba", "pillow", "scipy", "pyarrow")


def job_of(
    dataset: Dataset, choices: DatasetChoices, hashes: bool, class_density: bool, shard_size: int
) -> dict[str, Any]:
    """Return what the shards depend on; a folder that has shards of anything else is refused.

    Bytes of PNGs and of pictures are read only when they are measured; a changed file changes its time.
    """
    digest = hashlib.sha256()
    for column in (dataset.offsets, dataset.ids, dataset.category_ids, dataset.iscrowd):
        digest.update(np.ascontiguousarray(column).data)
    for image in dataset.images:
        digest.update(f"{image.id!r} {image.file_name!r} {image.size} {source_of(image)!r}\n".encode())
    source = dataset.source
    if isinstance(source, PngSource):
        for name in source.names:
            path = find_png(source.root, name) if name is not None else None
            digest.update(f"{name!r} {_stamp(path)}\n".encode())
    elif isinstance(source, MemorySource):
        # Such as semantic maps, of which the file is only the list.
        for index in range(len(dataset)):
            masks = source.masks(index)
            digest.update(masks.offsets.data)
            digest.update(np.ascontiguousarray(masks.edges).data)
    file = dataset.path
    if file is not None and file.is_dir():
        file = file / parquet_tables.ENTITIES
    kinds = [(category.id, category.isthing) for category in dataset.categories]
    return {
        "format": _RUN_FORMAT,
        "file_sha256": None if file is None or not file.is_file() else of_file(file),
        "records_sha256": digest.hexdigest(),
        "kinds_sha256": of_json(kinds),
        "choices": choices.to_json(),
        "hashes": hashes,
        "image_root": str(dataset.image_root) if hashes else None,
        "pictures_sha256": of_json([_stamp(find_image(dataset, image)) for image in dataset.images])
        if hashes
        else None,
        "class_density": class_density,
        "shard_size": shard_size,
        "versions": versions(),
    }


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Return the size and the time of a file, None if there is none."""
    found = path.stat() if path is not None else None
    return found and (found.st_size, found.st_mtime_ns)


@contextmanager
def claimed(folder: Path, job: Mapping[str, Any], *, overwrite: bool) -> Iterator[None]:
    """Hold a folder for a job while the block runs; shards of the same job stay in it.

    The lock is on the folder itself; it ends with the process, however that ends.

    Raises:
        UsageError: the folder holds something else, or another process is at work in it.
    """
    if folder.exists() and not folder.is_dir():
        raise _refused(folder, "a file of this name holds something else than statistics", "Name a folder.")
    with hold_folder(folder) as alone:
        if not alone:
            message = "another process computes statistics in the folder"
            raise _refused(folder, message, "Wait until it ends, or name another folder.")
        _take(folder, job, overwrite=overwrite)
        yield


def _take(folder: Path, job: Mapping[str, Any], *, overwrite: bool) -> None:
    file = folder / RUN
    remove_leftovers(file)
    if not file.is_file():
        if any(folder.iterdir()):
            message = "the folder is there already and holds something else than statistics"
            raise _refused(folder, message, "Name another folder.")
    else:
        for name in (STATISTICS, IMAGES, ENTITIES, COOCCURRENCE, CLASS_DENSITY):
            remove_leftovers(folder / name)
        known = parse_json_file(file)
        if known == job:
            return
        if not overwrite:
            changed = [key for key in job if not isinstance(known, dict) or known.get(key) != job[key]]
            message = f"the folder holds statistics of something else ({', '.join(changed)} differ)"
            raise _refused(folder, message, "Name another folder, or add `--overwrite`.")
        # The marker goes first: a kill in between must not leave foreign shards under it, nor a folder of nobody's.
        write_json(file, {"format": _RUN_FORMAT})
        (folder / STATISTICS).unlink(missing_ok=True)
        shutil.rmtree(folder / SHARDS, ignore_errors=True)
    write_json(file, job, indent=True)


def _refused(folder: Path, message: str, remedy: str) -> Exception:
    return usage_error("stats.target", message, remedy, file=str(folder))


def versions() -> dict[str, str]:
    """Return the versions of what the figures could depend on."""
    return {"entityseg": __version__, **{name: metadata.version(name) for name in _TOOLS}}
