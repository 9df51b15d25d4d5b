"""Measures the images of a dataset side by side into shards, and joins what the shards have summed up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from entityseg.data.images import find_image
from entityseg.data.records import Dataset
from entityseg.data.shards import Shard
from entityseg.data.sources import EncodedSource
from entityseg.data.threads import map_in_order
from entityseg.errors import Findings, InputError
from entityseg.masks.runlengths import Int64Array
from entityseg.stats.dataset.choices import DatasetChoices
from entityseg.stats.dataset.hashing import hash_image
from entityseg.stats.dataset.image import ImageStatistics, measure_image
from entityseg.stats.dataset.schema import CLASS_DENSITY, ENTITIES, IMAGES
from entityseg.stats.dataset.spatial import CELLS
from entityseg.stats.dataset.store import DENSITY, read_columns, write_table

_DENSITIES = ("pixels", "entities", "centroids", "images")


def measure_shards(
    dataset: Dataset,
    shards: list[Shard],
    choices: DatasetChoices,
    hashes: bool,
    by_class: bool,
    jobs: int | None,
) -> Iterator[int]:
    """Measure images side by side and write each shard when its last image is there; yields once an image.

    Args:
        dataset: where the images are from.
        shards: those to do; the others are left as they are.
        choices: of the statistics.
        hashes: whether to read the images for their perceptual hashes.
        by_class: whether to sum up where each category lies.
        jobs: images side by side; all cores if not given.

    Raises:
        InputError: at the end, if masks are malformed; all are named, and only their shards are missing.
    """
    categories = dataset.category_of

    def one_image(index: int) -> ImageStatistics | Findings:
        try:
            found = measure_image(dataset[index], categories, choices, index=index, by_class=by_class)
        except InputError as error:
            return _located(error.findings, f"image {dataset.images[index].id}")
        path = find_image(dataset, dataset.images[index]) if hashes else None
        found.image["picture"], found.image["hash"] = hash_image(path) if hashes else (None, None)
        return found

    results = map_in_order(one_image, (index for shard in shards for index in shard.units), threads=jobs)
    findings = Findings()
    for shard in shards:
        parts: list[ImageStatistics] = []
        for _ in shard.units:
            one = next(results)
            if isinstance(one, Findings):
                findings.extend(one)
            else:
                parts.append(one)
            yield 1
        if len(parts) < len(shard.units):
            continue
        shard.write(lambda path, parts=parts: _write_shard(path, parts, by_class))  # type: ignore[misc]
        if isinstance(dataset.source, EncodedSource):
            dataset.source.forget()
    findings.raise_errors()


def _located(findings: Findings, record: str) -> Findings:
    """Return findings that all say where they are."""
    located = Findings()
    for finding in findings:
        located.append(finding if finding.record else replace(finding, record=record))
    for kind, count in findings.more().items():
        located.count_more(kind, count)
    return located


def _write_shard(path: Path, parts: list[ImageStatistics], by_class: bool) -> None:
    entities = {name: np.concatenate([part.entities[name] for part in parts]) for name in parts[0].entities}
    write_table(path / ENTITIES, [entities])
    images = {name: [part.image[name] for part in parts] for name in parts[0].image}
    write_table(path / IMAGES, [{**images, "digest": [part.digest for part in parts]}])
    density = np.sum([part.density for part in parts], axis=0)
    write_table(path / DENSITY, [{"what": _DENSITIES, "cells": density.reshape(len(density), -1).tolist()}])
    if by_class:
        total = _summed(item for part in parts for item in part.class_density.items())
        write_table(path / CLASS_DENSITY, [_class_columns(total)])


def _summed(items: Iterable[tuple[int, Int64Array]]) -> dict[int, Int64Array]:
    total: dict[int, Int64Array] = {}
    for category, cells in items:
        total[category] = total[category] + cells if category in total else cells
    return dict(sorted(total.items()))


def _class_columns(total: Mapping[int, Int64Array]) -> dict[str, Any]:
    return {"category_id": list(total), "cells": [cells.ravel().tolist() for cells in total.values()]}


def join_class_density(shards: Iterable[Shard], folder: Path, *, wanted: bool) -> None:
    """Write `class_density.parquet`, the sum of the shards'; one that is not wanted is removed."""
    if not wanted:
        (folder / CLASS_DENSITY).unlink(missing_ok=True)
        return

    def items() -> Iterator[tuple[int, Int64Array]]:
        for shard in shards:
            found = read_columns(shard.path / CLASS_DENSITY, ("category_id", "cells"))
            for category, cells in zip(found["category_id"].tolist(), found["cells"], strict=True):
                yield category, np.array(cells, np.int64)

    write_table(folder / CLASS_DENSITY, [_class_columns(_summed(items()))])


def summed_density(shards: Iterable[Shard]) -> Int64Array:
    """Return the sum of all images' `ImageStatistics.density`, int64 [4, CELLS, CELLS]."""
    total = np.zeros((len(_DENSITIES), CELLS, CELLS), np.int64)
    for shard in shards:
        cells = read_columns(shard.path / DENSITY, ("cells",))["cells"]
        total += np.array(cells.tolist(), np.int64).reshape(total.shape)
    return total
