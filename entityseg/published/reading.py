"""Reads the table files of the package, strictly: an unknown field, or a value without a column, is an error."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import cache
from importlib.resources import files

import msgspec

from entityseg.published.records import (
    NO_FIGURE,
    PublishedRow,
    Relation,
    RowEntry,
    SourceEntry,
    TableEntry,
    TableFile,
    TaskColumns,
)

# In the order in which tables are listed; a table repeats only what comes before it.
FILES = ("cropformer", "esg", "readme", "elsewhere")


@cache
def all_rows() -> tuple[PublishedRow, ...]:
    """Return all rows of all files, in the files' order.

    Raises:
        ValueError: a file is not what it should be; the message names the table.
    """
    found: dict[str, list[PublishedRow]] = {}
    for file in FILES:
        text = (files("entityseg.published") / "tables" / f"{file}.toml").read_text(encoding="utf-8")
        for row in parse(text, [row for rows in found.values() for row in rows]):
            found.setdefault(row.table, []).append(row)
    return tuple(row for rows in found.values() for row in rows)


def decode(text: str) -> TableFile:
    """Decode a table file; figures keep the digits they are written with.

    Raises:
        ValueError: it is not TOML, or has an unknown field or a wrong type.
    """
    return msgspec.convert(tomllib.loads(text, parse_float=Decimal), type=TableFile)


def parse(text: str, earlier: Iterable[PublishedRow] = ()) -> list[PublishedRow]:
    """Return the rows of a table file.

    Args:
        text: TOML.
        earlier: rows of the files before, which a table may repeat.

    Raises:
        ValueError: the file contradicts itself; the message names the table.
    """
    file = decode(text)
    rows = list(earlier)
    start = len(rows)
    seen: set[tuple[str, str]] = set()
    for table in file.table:
        if (table.id, table.part) in seen:
            raise ValueError(f"{table.id}({table.part}) is there twice")
        seen.add((table.id, table.part))
        rows += _repeated(table, file.source, rows) if table.repeats else _own(table, file.source)
    return rows[start:]


def _place(source: SourceEntry, table: TableEntry) -> str:
    return f"{source.title} ({source.reference}), {table.number}, section {table.section}"


def _row_id(table: str, part: str, number: int) -> str:
    return f"{table}({part})#{number}" if part else f"{table}#{number}"


def _repeated(table: TableEntry, source: SourceEntry, rows: list[PublishedRow]) -> list[PublishedRow]:
    found = [row for row in rows if row.table == table.repeats]
    if not found or table.rows or table.columns:
        raise ValueError(f"{table.id} repeats {table.repeats}, which is not there, or has rows of its own")
    return [
        replace(
            row,
            id=_row_id(table.id, row.part, row.number),
            table=table.id,
            source=_place(source, table),
            notes=(*row.notes, *table.notes),
        )
        for row in found
    ]


def _own(table: TableEntry, source: SourceEntry) -> list[PublishedRow]:
    relations = [
        *(Relation("mean", total, tuple(parts)) for total, parts in table.means.items()),
        *(Relation("sum", total, tuple(parts)) for total, parts in table.sums.items()),
        *(Relation("product", total, tuple(parts)) for total, parts in table.products.items()),
    ]
    named = {*table.units, *(name for relation in relations for name in (relation.total, *relation.parts))}
    unknown = named - set(table.columns)
    if unknown or not table.rows or not table.columns:
        raise ValueError(f"{table.id}: no rows or columns, or names that are no columns: {sorted(unknown)}")
    return [_row(table, entry, i + 1, source, tuple(relations)) for i, entry in enumerate(table.rows)]


def _row(
    table: TableEntry, entry: RowEntry, number: int, source: SourceEntry, relations: tuple[Relation, ...]
) -> PublishedRow:
    row_id = _row_id(table.id, table.part, number)
    if len(entry.values) != len(table.columns) or len(entry.settings) != len(table.settings):
        raise ValueError(f"{row_id}: as many values and settings as the table has columns and settings")
    pairs = zip(table.columns, entry.values, strict=True)
    figures = {name: _figure(value, row_id) for name, value in pairs if value != NO_FIGURE}
    tasks = table.tasks if entry.tasks is None else entry.tasks
    settings = zip(table.settings, entry.settings, strict=True)
    return PublishedRow(
        id=row_id,
        table=table.id,
        part=table.part,
        number=number,
        source=entry.source or _place(source, table),
        about=table.about,
        protocol=entry.protocol or table.protocol,
        method=entry.method,
        settings={name: value for name, value in settings if value != NO_FIGURE},
        figures=figures,
        units={name: table.units.get(name, "percent") for name in figures},
        tasks={task: _columns(columns, table, row_id) for task, columns in tasks.items()},
        notes=(*entry.notes, *table.notes),
        ablation=table.ablation,
        also=tuple(entry.also),
        original_of=tuple(table.original_of),
        restates=tuple(table.restates),
        relations=relations,
    )


def _figure(value: object, row_id: str) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise ValueError(f"{row_id}: {value!r} is neither a number nor '{NO_FIGURE}'")


def _columns(columns: TaskColumns, table: TableEntry, row_id: str) -> dict[str, str]:
    found = {name: name for name in table.columns} if columns == "*" else dict(columns)
    if not set(found.values()) <= set(table.columns):
        raise ValueError(f"{row_id}: a task names a figure that is no column")
    return found
