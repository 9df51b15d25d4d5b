"""What `stats compute` leaves in its folder: the files, the columns of the tables, and the statistics as values.

`statistics.json` holds an identity, tables (columns with unit and definition, rows of cells) and distributions.
Undefined cells are null. `read_statistics` checks all of it, since a folder may come from somewhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from entityseg.data.json_file import map_file
from entityseg.errors import Finding, InputError, MissingFileError, input_error
from entityseg.files import write_json

FORMAT = "entityseg/statistics@1"
STATISTICS = "statistics.json"
ENTITIES = "entities.parquet"
IMAGES = "images.parquet"
COOCCURRENCE = "cooccurrence.parquet"
CLASS_DENSITY = "class_density.parquet"
TABLES = "tables"
_AGAIN = "Run `entityseg stats compute` again."

Cell = str | int | float | bool | None
Kind = Literal["histogram", "bars", "curve", "map"]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: short name, unique in its table.
        unit: such as `pixels`; empty for counts and texts.
        about: definition in one sentence.
    """

    name: str
    unit: str = ""
    about: str = ""


@dataclass(frozen=True)
class StatTable:
    """A table of statistics.

    Attributes:
        name: short name, which is also that of its files.
        title: heading.
        columns: the columns.
        rows: one cell a column; None where undefined.
        note: what a reader of the figures has to know; may be empty.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def records(self) -> list[dict[str, Cell]]:
        """Return each row as a mapping by the columns' names."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def find(self, first: Cell) -> dict[str, Cell]:
        """Return the first row whose first cell is this one.

        Raises:
            KeyError: there is none.
        """
        for record in self.records():
            if next(iter(record.values())) == first:
                return record
        raise KeyError(first)


@dataclass(frozen=True)
class Distribution:
    """How values are spread, ready to be drawn.

    Attributes:
        name: short name.
        title: heading.
        kind: `histogram` (x are n + 1 edges, y are n counts; the last bin includes its end), `bars` (y by value or
            name x), `curve` (points x, y), `map` (z is a grid of rows from top to bottom; x and y are the edges of its
            columns and rows).
        x_label, y_label: what x and y are, with the unit.
        x, y: the values.
        z: the grid of a map, else empty.
        log_x: whether x is best drawn on a logarithmic axis.
        outside: values below the first and above the last edge of a histogram.
    """

    name: str
    title: str
    kind: Kind
    x_label: str
    y_label: str
    x: tuple[float | int | str, ...]
    y: tuple[float | int, ...]
    z: tuple[tuple[float, ...], ...] = ()
    log_x: bool = False
    outside: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Identity:
    """What statistics were made of, and how.

    Attributes:
        name: what to call the dataset: the name of its file or folder, with its split.
        path: what was read, as it was given.
        image_root: folder of the images, None if not known.
        format, split: of the reading.
        digest: SHA-256 of what was measured (names, sizes, masks, categories, crowd flags), whatever the format.
        images, annotations: counts of the dataset as it was read.
        choices: of `ShapeChoices`, and of `DatasetChoices`.
        bootstrap, seed: resamples of the images behind the intervals, and their seed.
        versions: of entityseg and of what the figures could depend on.
    """

    name: str
    path: str
    image_root: str | None
    format: str
    split: str
    digest: str
    images: int
    annotations: int
    choices: dict[str, str | bool | int]
    bootstrap: int
    seed: int
    versions: dict[str, str]


@dataclass(frozen=True)
class Statistics:
    """All statistics of a dataset.

    Attributes:
        identity: what they were made of.
        tables: by name; docs/statistics.md lists them.
        distributions: by name.
    """

    identity: Identity
    tables: Mapping[str, StatTable] = field(default_factory=dict)
    distributions: Mapping[str, Distribution] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return one JSON object; tables and distributions as lists in their order."""
        value: dict[str, Any] = msgspec.to_builtins(_File(FORMAT, self.identity, *_lists(self)))
        return value


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """The layout of `statistics.json`."""

    format: str
    identity: Identity
    tables: list[StatTable]
    distributions: list[Distribution]


def _lists(statistics: Statistics) -> tuple[list[StatTable], list[Distribution]]:
    return list(statistics.tables.values()), list(statistics.distributions.values())


def write_statistics(folder: str | Path, statistics: Statistics) -> Path:
    """Write `statistics.json` into a folder; return its path."""
    path = Path(folder) / STATISTICS
    write_json(path, statistics.to_json(), indent=True)
    return path


def read_statistics(path: str | Path) -> Statistics:
    """Read the statistics of a folder (or of its `statistics.json`).

    Raises:
        MissingFileError: there is no such file.
        InputError: it is not such a file, of another version, or its rows do not fit its columns.
    """
    path = Path(path)
    file = path / STATISTICS if path.is_dir() else path
    if path.is_dir() and not file.exists():
        message, remedy = (
            "the folder holds no statistics",
            "Make them: `entityseg stats compute DATA -o FOLDER`.",
        )
        raise MissingFileError(Finding("statistics.missing", message, remedy, file=str(path)))
    mapped, _ = map_file(file)
    try:
        found = msgspec.json.decode(mapped, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"the file holds no statistics: {error}"
        raise input_error("statistics.invalid", message, _AGAIN, file=str(file)) from None
    if found.format != FORMAT:
        where = {"file": str(file), "field": "format", "value": found.format}
        raise input_error("statistics.version", f"this program reads {FORMAT} only", _AGAIN, **where)
    for table in found.tables:
        for number, row in enumerate(table.rows):
            if len(row) != len(table.columns):
                message = f"the row has {len(row)} cells, the table has {len(table.columns)} columns"
                raise _bad(file, f"tables.{table.name}.rows[{number}]", message)
    for one in found.distributions:
        _check_distribution(file, one)
    return Statistics(
        found.identity,
        _by_name(file, found.tables),
        _by_name(file, found.distributions),
    )


def _check_distribution(file: Path, one: Distribution) -> None:
    more = {"histogram": 1, "bars": 0, "curve": 0}.get(one.kind)
    if more is not None:
        right = len(one.x) == len(one.y) + more and not one.z
    else:
        right = len(one.z) == len(one.y) - 1 and all(len(row) == len(one.x) - 1 for row in one.z)
    if not right:
        raise _bad(file, f"distributions.{one.name}", f"x, y and z do not fit a {one.kind}")


def _by_name(file: Path, found: Sequence[Any]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for one in found:
        if one.name in names:
            raise _bad(file, one.name, "two tables or distributions have this name")
        names[one.name] = one
    return names


def _bad(file: Path, record: str, message: str) -> InputError:
    return input_error("statistics.invalid", message, _AGAIN, file=str(file), record=record)
