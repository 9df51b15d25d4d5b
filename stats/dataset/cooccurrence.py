"""Which categories occur together in an image, and how much more often than by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.records import Category
from entityseg.stats.dataset.occurrences import Occurrences
from entityseg.stats.dataset.schema import Cell, Column, StatTable

SHOWN = 50
# Pairs of rarer classes have a high lift by chance.
LEAST_IMAGES = 10


def cooccurrence(occurring: Occurrences) -> dict[str, NDArray[Any]]:
    """Return the columns of `cooccurrence.parquet`: pairs of categories a < b with an image in common.

    `expected` is the number of common images if the two were independent, n_a n_b / n over the n images that have any
    entity; `lift` is `images / expected` and `pmi` its logarithm to base 2 (Church and Hanks 1990).

    >>> from entityseg.stats.dataset.occurrences import occurrences
    >>> image, category_id = np.array([0, 0, 1, 2]), np.array([5, 9, 5, 9])
    >>> found = cooccurrence(occurrences([{"image": image, "category_id": category_id, "area": np.ones(4, int)}]))
    >>> found["images"].tolist(), found["lift"].tolist()
    ([1], [0.75])
    """
    from scipy.sparse import triu

    common = triu(occurring.together, k=1).tocoo()
    order = np.lexsort((common.col, common.row))
    a, b, together = common.row[order], common.col[order], common.data[order]
    expected = occurring.images[a] * occurring.images[b] / max(occurring.n_images, 1)
    lift = together / expected
    return {
        "category_a": occurring.ids[a],
        "category_b": occurring.ids[b],
        "images": together,
        "expected": expected,
        "lift": lift,
        "pmi": np.log2(lift),
    }


def cooccurrence_tables(pairs: Mapping[str, NDArray[Any]], categories: Sequence[Category]) -> list[StatTable]:
    """Return the tables `cooccurrence` (the most frequent pairs) and `cooccurrence_lift` (the most surprising)."""
    names = {category.id: category.name for category in categories}
    frequent = np.lexsort((pairs["category_b"], pairs["category_a"], -pairs["images"]))[:SHOWN]
    enough = np.flatnonzero(pairs["images"] >= LEAST_IMAGES)
    order = np.lexsort((pairs["category_b"][enough], pairs["category_a"][enough], -pairs["lift"][enough]))
    surprising = enough[order][:SHOWN]
    columns = (
        Column("a", about="category id"), Column("a_name"), Column("b", about="category id"), Column("b_name"),
        Column("images", about="images with both"),
        Column("expected", "images", "images with both if they were independent"),
        Column("lift", about="images / expected"), Column("pmi", "bits", "log2 of the lift"),
    )  # fmt: skip

    def rows(which: NDArray[np.int64]) -> tuple[tuple[Cell, ...], ...]:
        listed = zip(*(pairs[name][which].tolist() for name in pairs), strict=True)
        return tuple((a, names.get(a), b, names.get(b), *rest) for a, b, *rest in listed)

    note = "All pairs are in cooccurrence.parquet."
    return [
        StatTable("cooccurrence", "Categories that occur together most often", columns, rows(frequent), note),
        StatTable(
            "cooccurrence_lift", f"Pairs in at least {LEAST_IMAGES} images, most above chance first", columns,
            rows(surprising), note,
        ),
    ]  # fmt: skip
