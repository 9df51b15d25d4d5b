"""`compute`: measure a dataset shard by shard into a folder of tables. Killed at any point, it goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from entityseg.data.loading import choose, load
from entityseg.data.records import Dataset
from entityseg.data.shards import cut
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import Findings, InputError, usage_error
from entityseg.stats.dataset.choices import DatasetChoices
from entityseg.stats.dataset.claim import SHARDS, claimed, job_of, versions
from entityseg.stats.dataset.duplicates import hashed_set
from entityseg.stats.dataset.exports import write_exports
from entityseg.stats.dataset.measuring import join_class_density, measure_shards, summed_density
from entityseg.stats.dataset.schema import ENTITIES, IMAGES, Identity, Statistics, write_statistics
from entityseg.stats.dataset.sources import find_sources, read_sources, with_sources
from entityseg.stats.dataset.store import join_tables, read_batches
from entityseg.stats.dataset.summary import summarise

SHARD_SIZE = 128
BOOTSTRAP = 1000


@dataclass(frozen=True)
class Opened:
    """A dataset to measure, and how it was found.

    Attributes:
        dataset: the dataset.
        path: as it was given.
        format, split: of the reading.
    """

    dataset: Dataset
    path: Path
    format: str
    split: str


def open_dataset(
    path: str | Path,
    *,
    format: str | None = None,
    split: str | None = None,
    image_root: str | Path | None = None,
    sources: str | Path | None = None,
) -> Opened:
    """Open a dataset to measure; masks are checked when they are measured.

    Args:
        path, format, split, image_root: as for `entityseg.load`.
        sources: a file that says where the images come from, for those whose record does not; by default the
            `url.json` beside the annotations or up to two folders above, if there is one.

    Raises:
        EntitySegError: as `entityseg.load`; or `sources` cannot be read. One that was not asked for only warns.
    """
    reading = choose(path, format=format, split=split)
    dataset = load(path, format=format, split=split, check=False, image_root=image_root)
    # Areas are measured, so the file's own need not be in memory.
    dataset = replace(dataset, file_areas=None)
    file = find_sources(dataset) if sources is None else Path(sources)
    if file is not None:
        try:
            dataset = with_sources(dataset, read_sources(file))
        except InputError as error:
            if sources is not None:
                raise
            dataset.warnings.extend(error.findings, severity="warning")
    return Opened(dataset, Path(path), reading.format, reading.split)


def compute(
    data: str | Path | Opened,
    out: str | Path,
    *,
    format: str | None = None,
    split: str | None = None,
    image_root: str | Path | None = None,
    sources: str | Path | None = None,
    choices: DatasetChoices | None = None,
    hashes: bool = False,
    class_density: bool = False,
    against: Sequence[str | Path] = (),
    bootstrap: int = BOOTSTRAP,
    seed: int = 0,
    shard_size: int = SHARD_SIZE,
    jobs: int | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
    warn: Callable[[Findings], None] | None = None,
) -> Statistics:
    """Measure a dataset into a folder: Parquet tables, `statistics.json`, and each table as CSV and LaTeX.

    Equal input and options give equal bytes, whatever `jobs` is and wherever the work was killed before.

    Args:
        data: a dataset, as `entityseg.load` takes it, or opened.
        out: the folder; one of the same job goes on where it was.
        format, split, image_root, sources: as for `open_dataset`.
        choices: what counts as an entity, and how shapes are measured.
        hashes: whether to read the images for their perceptual hashes, which find duplicates.
        class_density: whether to write where each category lies (`class_density.parquet`).
        against: folders of statistics of other sets, made with hashes, to find the same images in.
        bootstrap: resamples of the images for the intervals; 0 for none.
        seed: of the resampling.
        shard_size: images a shard.
        jobs: images measured side by side; all cores if not given.
        overwrite: throw away another job in the folder.
        progress: wraps the images as (iterable, total, label).
        warn: called with what the reader found, before anything is measured.

    Raises:
        UsageError: the folder holds something else, another process is at work in it, or hashes are missing that
            `against` needs.
        InputError: masks are malformed; the problems of all images are listed, and good images are not done again.
    """
    opened = data
    if not isinstance(opened, Opened):
        opened = open_dataset(opened, format=format, split=split, image_root=image_root, sources=sources)
    if warn is not None:
        warn(opened.dataset.warnings)
    chosen = choices or DatasetChoices()
    if against and not hashes:
        message = "images are compared by their perceptual hashes"
        raise usage_error("stats.against", message, "Add `--hash`.", field="--against")
    others = [hashed_set(Path(one)) for one in against]
    folder = Path(out)
    job = job_of(opened.dataset, chosen, hashes, class_density, shard_size)
    with claimed(folder, job, overwrite=overwrite):
        shards = cut(len(opened.dataset), shard_size, folder / SHARDS, "")
        todo = [shard for shard in shards if not shard.is_whole()]
        measured = measure_shards(opened.dataset, todo, chosen, hashes, class_density, jobs)
        for _ in progress(measured, sum(len(shard.units) for shard in todo), "measuring"):
            pass
        for name in (IMAGES, ENTITIES):
            join_tables((shard.path / name for shard in shards), folder / name)
        join_class_density(shards, folder, wanted=class_density)
        identity = _identity(opened, chosen, folder, bootstrap, seed)
        categories = opened.dataset.categories
        # The tables say the rest: an index of all masks need not be in memory beside them.
        del opened, measured
        statistics = summarise(
            folder, categories, identity, summed_density(shards), others=others, threads=jobs
        )
        write_exports(folder, statistics)
        write_statistics(folder, statistics)
    return statistics


def _identity(opened: Opened, choices: DatasetChoices, folder: Path, bootstrap: int, seed: int) -> Identity:
    dataset = opened.dataset
    digest = hashlib.sha256()
    for columns in read_batches(folder / IMAGES, ("digest",)):
        for one in columns["digest"]:
            digest.update(one)
    return Identity(
        name=_name(opened),
        path=str(opened.path),
        image_root=None if dataset.image_root is None else str(dataset.image_root),
        format=opened.format,
        split=opened.split,
        digest=digest.hexdigest(),
        images=len(dataset),
        annotations=dataset.n_annotations,
        choices=choices.to_json(),
        bootstrap=bootstrap,
        seed=seed,
        versions=versions(),
    )


def _name(opened: Opened) -> str:
    """Return a file's name, or a folder's with its split where that says more."""
    path = opened.path.resolve()
    name = path.stem if path.is_file() else path.name
    return name if opened.split in (name, "") or path.is_file() else f"{name} {opened.split}"
