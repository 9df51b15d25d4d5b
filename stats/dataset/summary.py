"""All tables and distributions of a folder of measurements, column by column, so that memory stays small."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from entityseg.data.records import Category
from entityseg.masks.runlengths import Int64Array
from entityseg.stats.dataset.classes import category_table, kind_table, zipf_table
from entityseg.stats.dataset.cooccurrence import cooccurrence, cooccurrence_tables
from entityseg.stats.dataset.duplicates import HashedSet, duplicate_table
from entityseg.stats.dataset.overview import averages_of, overview_tables
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
from entityseg.stats.dataset.store import read_columns, schemas, write_table
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
    skipped = {"image_id", "digest"}
    images = read_columns(folder / IMAGES, [name for name in schemas()[IMAGES].names if name not in skipped])
    averages = averages_of(images)
    values = averages.compute()
    drawn = identity.bootstrap if len(averages) else 0
    intervals = averages.bootstrap(drawn, identity.seed, threads=threads) if drawn else {}
    tables = overview_tables(images, values, intervals)
    distributions = image_distributions(images)

    entities = _entity_columns(folder, ("image", "category_id", "area"))
    by_category = category_table(categories, entities)
    zipf, curves = zipf_table(by_category)
    pairs = cooccurrence(entities)
    write_table(folder / COOCCURRENCE, [pairs])
    del entities
    shapes = _entity_columns(folder, ("relative_area", *SHAPE_HISTOGRAMS))
    distributions += [*entity_distributions(shapes), *curves, *density_maps(density)]

    tables += [kind_table(by_category), by_category, zipf, *cooccurrence_tables(pairs, categories)]
    tables += [*source_tables(images), *violation_tables(images), exclusion_table(images)]
    tables.append(duplicate_table(HashedSet(identity.name, images), others))
    return Statistics(identity, _by_name(tables), _by_name(distributions))


def _by_name(items: Sequence[Any]) -> dict[str, Any]:
    return {item.name: item for item in items}


def _entity_columns(folder: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return columns of the rows that count as entities."""
    counted = read_columns(folder / ENTITIES, ("counted",))["counted"].astype(bool)
    return {name: read_columns(folder / ENTITIES, (name,))[name][counted] for name in names}
