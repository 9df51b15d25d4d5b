"""What breaks the promises of an entity dataset: overlap, gaps, and everything that had to be left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.stats.dataset.image import AVERAGED
from entityseg.stats.dataset.schema import Cell, Column, StatTable

COVERAGES = (1.0, 0.999, 0.99, 0.9)
WORST = 20
_NOT_SAID = "not said"
_ABOUT_PICTURES = {
    "missing": "images whose file was not found: no perceptual hash",
    "unreadable": "images whose file cannot be read: no perceptual hash",
    "large": "images too large to decode: no perceptual hash",
    "flat": "images of one shade: no perceptual hash",
}


def violation_tables(images: Mapping[str, NDArray[Any]]) -> list[StatTable]:
    """Return the tables `violations`, `worst_overlap` and `worst_coverage` from the columns of `images.parquet`."""
    n = len(images["image"])
    pixels = images["width"] * images["height"]
    coverage = images["covered"] / np.maximum(pixels, 1)
    overlapping = images["overlap"] > 0
    rows: list[tuple[Cell, ...]] = [
        _row("images with overlap", overlapping, "some pixel is in two entities"),
        (
            "overlapping pairs",
            int(images["overlapping_pairs"].sum()),
            None,
            "pairs of entities with a common pixel",
        ),
        (
            "overlap pixels",
            int(images["overlap"].sum()),
            float(images["overlap"].sum() / pixels.sum()) if n else None,
            "entities' areas over the area of their union, of all pixels",
        ),
        _row("images without entities", images["entities"] == 0, "no mask counts as an entity"),
    ]
    rows += [
        _row(f"coverage below {least:g}", coverage < least, "annotated pixels of the image")
        for least in COVERAGES
    ]
    columns = (
        Column("violation"),
        Column("count"),
        Column("share", about="of the images, or as said"),
        Column("about"),
    )
    return [
        StatTable("violations", "Overlap and coverage", columns, tuple(rows)),
        _worst("worst_overlap", "Images with the most overlap", images, images["overlap"], overlapping, pixels),
        _worst("worst_coverage", "Images with the most void", images, pixels - images["covered"],
               images["covered"] < pixels, pixels),
    ]  # fmt: skip


def exclusion_table(images: Mapping[str, NDArray[Any]], *, crowd_counts: bool = False) -> StatTable:
    """Return the table `exclusions`: everything that no figure counts, with the reason.

    Args:
        images: columns of `images.parquet`.
        crowd_counts: whether crowd regions were entities like all others, so that none is left out.
    """
    crowds = 0 if crowd_counts else int(images["crowd"].sum())
    rows: list[tuple[Cell, ...]] = [
        ("empty masks", int(images["empty"].sum()), "masks without a pixel: no entities"),
        ("crowd regions", crowds, "of many entities not told apart: no entities, unless chosen to be"),
        (
            "images without entities",
            int((images["entities"] == 0).sum()),
            "in no mean of shape figures over images",
        ),
    ]
    entities = int(images["entities"].sum())
    for name in AVERAGED:
        missing = entities - int(images[f"{name}_count"].sum())
        rows.append((f"entities without {name}", missing, "the figure is not defined for them"))
    pictures = images["picture"].tolist()
    rows += [(f"{state} pictures", pictures.count(state), about) for state, about in _ABOUT_PICTURES.items()]
    columns = (Column("what"), Column("count"), Column("about"))
    note = "Pictures are only looked at for the perceptual hash." if not any(pictures) else ""
    return StatTable("exclusions", "Left out of the figures", columns, tuple(rows), note)


def source_tables(images: Mapping[str, NDArray[Any]]) -> list[StatTable]:
    """Return the tables `sources` (where images were collected, Figure 3c) and `subsets` (their folders)."""
    tables = []
    for name, column, title in (
        ("sources", "source", "Where the images come from"),
        ("subsets", "subset", "Folders of the images"),
    ):
        values = [value or _NOT_SAID for value in images[column].tolist()]
        # Of equally many images those of which nothing is said stand first.
        counted = sorted(Counter(values).items(), key=lambda one: (-one[1], one[0] != _NOT_SAID, one[0]))
        rows = tuple((value, count, count / len(values)) for value, count in counted)
        columns = (Column(column), Column("images"), Column("share", about="of the images"))
        tables.append(StatTable(name, title, columns, rows))
    return tables


def _row(what: str, which: NDArray[np.bool_], about: str) -> tuple[Cell, ...]:
    count = int(which.sum())
    return what, count, count / len(which) if len(which) else None, about


def _worst(
    name: str,
    title: str,
    images: Mapping[str, NDArray[Any]],
    bad: NDArray[np.int64],
    which: NDArray[np.bool_],
    pixels: NDArray[np.int64],
) -> StatTable:
    share = bad / np.maximum(pixels, 1)
    rows = np.flatnonzero(which)
    rows = rows[np.lexsort((rows, -share[rows]))][:WORST]
    columns = (
        Column("image", about="position in the dataset"), Column("file_name"), Column("pixels", "pixels"),
        Column("share", about="of the image's pixels"), Column("pairs", about="overlapping pairs"),
    )  # fmt: skip
    cells = (images[key][rows].tolist() for key in ("image", "file_name"))
    listed = zip(
        *cells,
        bad[rows].tolist(),
        share[rows].tolist(),
        images["overlapping_pairs"][rows].tolist(),
        strict=True,
    )
    return StatTable(name, title, columns, tuple(listed))
