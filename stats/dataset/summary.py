"""All tables and distributions of a folder of measurements, read part by part: entities by rows, images by columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from entityseg.data.records import Category
from entityseg.masks.runlengths import Int64Array
from entityseg.stats.dataset.classes import category_table, kind_table, zipf_table
from entityseg.stats.dataset.cooccurrence import cooccurrence, cooccurrence_tables
from entityseg.stats.dataset.duplicates import HashedSet, duplicate_table
from entityseg.stats.dataset.occurrences import occurrences
from entityseg.stats.dataset.overview import Intervals, averages_of, overview_tables
from entityseg.stats.dataset.schema import (
    COOCCURRENCE,
    ENTITIES,
    IMAGES,
    Identity,
    Statistics,
)
from entityseg.stats.dataset.spread import (
    SHAPE_HISTOGRAMS,
    density_maps,
    entity_distributions,
    image_distributions,
)
from entityseg.stats.dataset.store import StoredColumns, read_batches, write_table
from entityseg.stats.dataset.violations import exclusion_table, source_tables, violation_tables


def summarise(
    folder: Path,
    categories: Sequence[Category],
    identity: Identity,
    density: Int64Array,
    *,
    others: Sequence[HashedSet] = (),
    threads: int | None = None,
) -> Statistics:
    """Return the statistics of `images.parquet` and `entities.parquet`; writes `cooccurrence.parquet` beside them.

    Args:
        folder: where the tables lie.
        categories: of the dataset.
        identity: of the statistics; its `bootstrap` and `seed` are used here.
        density: see `density_maps`.
        others: other sets in which to look for the same images.
        threads: of the bootstrap.

    Raises:
        InputError: a table is missing or damaged.
    """
    images = StoredColumns(folder / IMAGES)
    tables = overview_tables(images, *_averages(images, identity, threads))
    distributions = image_distributions(images)

    occurring = occurrences(_entities(folder, ("image", "category_id", "area")))
    by_category = category_table(categories, occurring)
    zipf, curves = zipf_table(by_category)
    pairs = cooccurrence(occurring)
    write_table(folder / COOCCURRENCE, [pairs])
    shapes = _entities(folder, ("relative_area", *SHAPE_HISTOGRAMS))
    distributions += [*entity_distributions(shapes), *curves, *density_maps(density)]

    tables += [kind_table(by_category), by_category, zipf, *cooccurrence_tables(pairs, categories)]
    tables += [*source_tables(images), *violation_tables(images)]
    tables.append(exclusion_table(images, crowd_counts=identity.choices["crowd"] == "entity"))
    tables.append(duplicate_table(HashedSet(identity.name, images), others))
    return Statistics(identity, _by_name(tables), _by_name(distributions))


def _averages(
    images: Mapping[str, NDArray[Any]], identity: Identity, threads: int | None
) -> tuple[dict[str, float | None], Intervals]:
    averages = averages_of(images)
    drawn = identity.bootstrap if len(averages) else 0
    intervals = averages.bootstrap(drawn, identity.seed, threads=threads) if drawn else {}
    return averages.compute(), intervals


def _by_name(items: Sequence[Any]) -> dict[str, Any]:
    return {item.name: item for item in items}


def _entities(folder: Path, names: Sequence[str]) -> Iterator[dict[str, NDArray[Any]]]:
    """Give columns of the rows that count as entities, shard by shard."""
    for columns in read_batches(folder / ENTITIES, ("counted", *names)):
        counted = columns["counted"].astype(bool)
        yield {name: columns[name][counted] for name in names}
