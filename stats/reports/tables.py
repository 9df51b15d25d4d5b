"""Tables of a report: several sets side by side, Table I with the published rows below."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from entityseg.published import rows
from entityseg.report import plots
from entityseg.report.page import Cell, Gallery, Picture, Section, Table
from entityseg.stats.dataset.schema import Cell as Value
from entityseg.stats.dataset.schema import Statistics

Sets = Mapping[str, Statistics]
_Record = Mapping[str, Value]

# Column of Table I -> heading and decimals.
_TABLE1 = {
    "image size": ("image size, px", 1),
    "entities": ("entities an image", 1),
    "entities max": ("most", 0),
    "convexity": ("convexity (complexity ↓)", 3),
    "simplicity": ("simplicity ↓", 3),
    "valid area": ("valid area ↑", 3),
}
_PUBLISHED = "esg-I"
_SHOWN_PAIRS = 8
_SHOWN_DUPLICATES = 20


def table1(sets: Sets) -> Section:
    """Return Table I of all sets, the published rows below."""
    lines: list[list[Cell | str]] = []
    for name, one in sets.items():
        line: list[Cell | str] = [name]
        records = {row["figure"]: row for row in one.tables["table1"].records() if row["in_table1"]}
        for figure, (_, decimals) in _TABLE1.items():
            line.append(_cell(records[figure], "value", decimals))
        lines.append(line)
    for row in rows(_PUBLISHED):
        shown = [f"{row.figures[figure]:,}" if figure in row.figures else "–" for figure in _TABLE1]  # noqa: RUF001
        lines.append([f"{row.method} (published)", *shown])
    columns = ["set", *(heading for heading, _ in _TABLE1.values())]
    text = [
        "Image size is the mean root of the number of pixels; convexity and simplicity are means over entities, "
        "valid area is the mean over images. The papers do not say how their figures were averaged or how "
        "outlines were measured: the command entityseg stats calibrate compares all choices."
    ]
    return Section("Table I", text, table=Table(columns, lines))


def shape_table(sets: Sets) -> Table:
    """Return the means of all shape figures over entities, and over the images' means."""
    found = {name: _by(one, "shape", ("figure", "average")) for name, one in sets.items()}
    keys = list(dict.fromkeys(key for records in found.values() for key in records))
    lines: list[list[Cell | str]] = [
        [
            f"{figure}, over {average}",
            *(_cell(found[name].get((figure, average)), "value", 3) for name in sets),
        ]
        for figure, average in keys
    ]
    return Table(["mean", *sets], lines)


def large_images_table(sets: Sets) -> Table:
    """Return the shares of large images under each definition, in percent."""
    found = {name: _by(one, "large_images", ("definition", "threshold")) for name, one in sets.items()}
    keys = list(dict.fromkeys(key for records in found.values() for key in records))
    lines: list[list[Cell | str]] = [
        [
            f"{what} at least {threshold:,} px",
            *(_percent(found[name].get((what, threshold))) for name in sets),
        ]
        for what, threshold in keys
    ]
    return Table(["share of the images, %", *sets], lines)


def classes_section(sets: Sets, curves: Gallery) -> Section:
    """Return class frequencies: kinds, the fit of Zipf's law, the most frequent classes."""
    found = {name: _by(one, "class_kinds", ("kind",)) for name, one in sets.items()}
    kinds = list(dict.fromkeys(key for records in found.values() for key in records))
    lines: list[list[Cell | str]] = [
        [str(kind), *(_of_kind(found[name].get((kind,))) for name in sets)] for (kind,) in kinds
    ]
    zipf = [
        f"{name}: entities fall with rank to the power {_plain(record, 'exponent')} "
        f"(Kolmogorov-Smirnov distance {_plain(record, 'ks')}, {_number(record, 'classes')} classes)."
        for name, one in sets.items()
        if (record := _by(one, "zipf", ("frequency",)).get(("entities",))) and record["exponent"] is not None
    ]
    return Section(
        "Classes", zipf, table=Table(["entities", *sets], lines), galleries=[curves, _frequent(sets)]
    )


def _of_kind(record: _Record | None) -> Cell:
    if record is None:
        return Cell("–")  # noqa: RUF001
    shares = f"{_share(record, 'entity_share')} % of entities, {_share(record, 'pixel_share')} % of pixels"
    return Cell(_number(record, "entities"), shares)


def _frequent(sets: Sets) -> Gallery:
    pictures = []
    for number, (name, one) in enumerate(sets.items()):
        counts: dict[str, int] = {}
        for record in one.tables["categories"].records():
            label = _class(record["name"], record["category_id"])
            if record["entities"]:
                # Names repeat; only ids tell classes apart.
                label = label if label not in counts else f"{label} ({record['category_id']})"
                counts[label] = int(record["entities"])
        if counts:
            caption = f"{name}: the most frequent classes."
            pictures.append(
                Picture.of_plot(plots.category_counts(counts), f"frequent-{number}", caption, caption)
            )
    return Gallery(pictures, 2)


def _class(name: Value, category_id: Value) -> str:
    """Return what to call a category; one that its file does not name by its id."""
    return str(name or "").strip() or f"category {category_id}"


def cooccurrence_section(sets: Sets) -> Section:
    """Return the pairs of classes that most images share, with their lift."""
    lines: list[list[Cell | str]] = []
    for name, one in sets.items():
        for record in one.tables["cooccurrence"].records()[:_SHOWN_PAIRS]:
            pair = f"{_class(record['a_name'], record['a'])} + {_class(record['b_name'], record['b'])}"
            lines.append([pair, name, _number(record, "images"), _plain(record, "lift", 2)])
    text = [
        "Lift is the number of images with both over the number to expect if the classes were independent."
    ]
    table = Table(["classes", "set", "images", "lift"], lines) if lines else None
    return Section("Classes that occur together", text, table=table)


def duplicates_section(sets: Sets) -> Section:
    """Return the groups of images that look alike, where hashes were computed."""
    lines: list[list[Cell | str]] = []
    for name, one in sets.items():
        records = one.tables["duplicates"].records() if "duplicates" in one.tables else []
        for record in records[:_SHOWN_DUPLICATES]:
            of = str(record["set"]) or name
            size = f"{_number(record, 'width')} x {_number(record, 'height')}"
            lines.append(
                [str(record["file_name"]), of, f"{name}, {record['group']}", size, str(record["distance"])]
            )
        if len(records) > _SHOWN_DUPLICATES:
            lines.append([f"and {len(records) - _SHOWN_DUPLICATES:,} more", name, "", "", ""])
    text = ["Images whose perceptual hashes differ in few bits, within the set or across sets."]
    columns = ["image", "set", "group", "pixels", "bits that differ"]
    return Section("Images that look alike", text, table=Table(columns, lines) if lines else None)


def sources_table(sets: Sets) -> Table | None:
    """Return the shares of the sources (Figure 3c), in percent; None where no set says any."""
    found = {name: _by(one, "sources", ("source",)) for name, one in sets.items()}
    names = list(dict.fromkeys(key for records in found.values() for key in records))
    if names in ([], [("not said",)]):
        return None
    lines: list[list[Cell | str]] = [
        [str(source), *(_share(found[name].get((source,)), "share") for name in sets)] for (source,) in names
    ]
    return Table(["source, % of the images", *sets], lines)


def counted_table(sets: Sets, table: str, first: str) -> Table:
    """Return a table of counts, one column a set."""
    found = {name: _by(one, table, (first,)) for name, one in sets.items()}
    keys = list(dict.fromkeys(key for records in found.values() for key in records))
    lines: list[list[Cell | str]] = []
    for key in keys:
        records = [found[name].get(key) for name in sets]
        about = next((str(record["about"]) for record in records if record and record.get("about")), "")
        lines.append(
            [
                f"{key[0]}: {about}" if about else str(key[0]),
                *(_number(record, "count") for record in records),
            ]
        )
    return Table(["", *sets], lines)


def _by(one: Statistics, table: str, keys: tuple[str, ...]) -> dict[tuple[Value, ...], _Record]:
    records = one.tables[table].records() if table in one.tables else []
    return {tuple(record[key] for key in keys): record for record in records}


def _cell(record: _Record | None, name: str, decimals: int) -> Cell:
    if record is None or record[name] is None:
        return Cell("–")  # noqa: RUF001
    interval = ""
    if record.get("low") is not None:
        interval = f"{_text(record['low'], decimals)}–{_text(record['high'], decimals)}"  # noqa: RUF001 - a range
    return Cell(_text(record[name], decimals), interval)


def _text(value: Value, decimals: int) -> str:
    return f"{Decimal(str(value)):,.{decimals}f}"


def _percent(record: _Record | None) -> Cell:
    if record is None or record["share"] is None:
        return Cell("–")  # noqa: RUF001
    low, high = record["low"], record["high"]
    interval = "" if low is None else f"{100 * float(low):.1f}–{100 * float(high or 0):.1f}"  # noqa: RUF001
    return Cell(f"{100 * float(record['share']):.1f}", interval)


def _share(record: _Record | None, name: str) -> str:
    return "–" if record is None or record[name] is None else f"{100 * float(record[name] or 0):.1f}"  # noqa: RUF001


def _number(record: _Record | None, name: str) -> str:
    return "–" if record is None or record[name] is None else f"{int(record[name] or 0):,}"  # noqa: RUF001


def _plain(record: _Record, name: str, decimals: int = 2) -> str:
    return "–" if record[name] is None else f"{float(record[name] or 0):.{decimals}f}"  # noqa: RUF001
