"""How often classes occur: by entity, by image and by pixel; things and stuff; unnamed classes; Zipf's law."""

from __future__ import annotations

from collections.abc import Sequence

from entityseg.data.records import Category
from entityseg.stats.dataset.occurrences import Occurrences
from entityseg.stats.dataset.schema import Cell, Column, Distribution, StatTable
from entityseg.stats.dataset.zipf import fit_zipf

# The release's names for what has no class of its own.
UNKNOWN, BLUR, OTHER = "unknown", "blur", "_ot"
_KINDS: dict[bool | None, str] = {True: "thing", False: "stuff", None: "not said"}
_COUNTS = (
    Column("entities"),
    Column("entity_share", about="of all entities"),
    Column("pixels", "pixels"),
    Column("pixel_share", about="of the pixels of all entities"),
)


def category_table(categories: Sequence[Category], occurring: Occurrences) -> StatTable:
    """Return the table `categories`: every category of the dataset, the most frequent first.

    Args:
        categories: of the dataset; ids that it does not name become rows without a name.
        occurring: how often categories occur.
    """
    columns = (
        Column("category_id"), Column("name"), Column("kind", about="thing, stuff, or not said"),
        Column("supercategory"), *_COUNTS, Column("images", about="images with at least one"),
    )  # fmt: skip
    named = {category.id: category for category in categories}
    counted = (column.tolist() for column in (occurring.entities, occurring.pixels, occurring.images))
    found = dict(zip(occurring.ids.tolist(), zip(*counted, strict=True), strict=True))
    all_entities, all_pixels = int(occurring.entities.sum()), int(occurring.pixels.sum())
    rows: list[tuple[Cell, ...]] = []
    for one in {**named, **found}:
        category = named.get(one)
        n, area, in_images = found.get(one, (0, 0, 0))
        rows.append(
            (
                one,
                None if category is None else category.name,
                _KINDS[None if category is None else category.isthing],
                None if category is None else category.supercategory,
                n,
                _share(n, all_entities),
                area,
                _share(area, all_pixels),
                in_images,
            )
        )
    rows.sort(key=lambda row: (-int(row[4] or 0), -int(row[6] or 0), int(row[0] or 0)))
    return StatTable("categories", "Categories by frequency", columns, tuple(rows))


def kind_table(categories: StatTable) -> StatTable:
    """Return the table `class_kinds`: entities and pixels of things, stuff, `unknown`, `blur` and the `_ot` classes."""
    records = categories.records()
    groups: dict[str, tuple[str, list[dict[str, Cell]]]] = {
        kind: (f"categories that are {kind}", [one for one in records if one["kind"] == kind])
        for kind in ("thing", "stuff")
    }
    groups["not said"] = (
        "categories of which the dataset does not say it",
        [one for one in records if one["kind"] == "not said"],
    )
    names = [str(one["name"] or "").strip() for one in records]
    for label, about, which in (
        (UNKNOWN, "the category of that name", [name == UNKNOWN for name in names]),
        (BLUR, "the category of that name", [name == BLUR for name in names]),
        (
            OTHER,
            "categories whose name ends so: the rest of a supercategory",
            [name.endswith(OTHER) for name in names],
        ),
    ):
        groups[label] = about, [one for one, chosen in zip(records, which, strict=True) if chosen]
    all_entities, all_pixels = (sum(int(one[key] or 0) for one in records) for key in ("entities", "pixels"))
    rows = []
    for label, (about, members) in groups.items():
        n, area = (sum(int(one[key] or 0) for one in members) for key in ("entities", "pixels"))
        used = sum(bool(one["entities"]) for one in members)
        shares = _share(n, all_entities), _share(area, all_pixels)
        rows.append((label, len(members), used, n, shares[0], area, shares[1], about))
    columns = (
        Column("kind"), Column("categories"), Column("used", about="categories with at least one entity"), *_COUNTS,
        Column("about"),
    )  # fmt: skip
    return StatTable("class_kinds", "Things, stuff and what has no class of its own", columns, tuple(rows))


def zipf_table(categories: StatTable) -> tuple[StatTable, list[Distribution]]:
    """Return the table `zipf`, and the curves `class_frequency` and `class_pixels` of frequency by rank."""
    columns = (
        Column("frequency", about="what is counted"),
        Column("exponent", about="s of the law r^-s that makes the ranks likeliest"),
        Column("ks", about="largest difference between the cumulative shares of data and law"),
        Column("slope", about="s by least squares of log frequency on log rank"),
        Column("r_squared", about="of that line"),
        Column("classes", about="that occur"),
    )
    rows: list[tuple[Cell, ...]] = []
    curves = []
    for what, name in (("entities", "class_frequency"), ("pixels", "class_pixels")):
        counts = sorted((int(one[what] or 0) for one in categories.records()), reverse=True)
        counts = [count for count in counts if count]
        fit = fit_zipf(counts)
        cells = (None,) * 4 if fit is None else (fit.exponent, fit.ks, fit.slope, fit.r_squared)
        rows.append((what, *cells, len(counts)))
        ranks = tuple(range(1, len(counts) + 1))
        title = f"Frequency of the classes by {what}"
        curves.append(Distribution(name, title, "curve", "rank", what, ranks, tuple(counts), log_x=True))
    return StatTable("zipf", "Zipf's law of the classes", columns, tuple(rows)), curves


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
