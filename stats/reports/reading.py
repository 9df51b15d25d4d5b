"""Statistics read for a page: the tables and columns that it shows must be there, with cells of their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from entityseg.errors import Findings
from entityseg.stats.dataset.overview import TABLE1_FIGURES
from entityseg.stats.dataset.schema import Cell, Statistics, StatTable, read_statistics

_AGAIN = "Run `entityseg stats compute` again."
_TEXT, _NUMBER, _WHOLE, _FLAG = (str,), (int, float), (int,), (bool,)
_MEAN = {"figure": _TEXT, "average": _TEXT, "value": _NUMBER, "low": _NUMBER, "high": _NUMBER}
# Table -> column -> types of its cells; what is no whole number or flag may be None.
_SHOWN: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "table1": {**_MEAN, "in_table1": _FLAG, "count": _NUMBER, "excluded": _NUMBER},
    "shape": _MEAN,
    "large_images": {
        "definition": _TEXT, "threshold": _WHOLE, "share": _NUMBER, "low": _NUMBER, "high": _NUMBER,
    },
    "class_kinds": {"kind": _TEXT, "entities": _NUMBER, "entity_share": _NUMBER, "pixel_share": _NUMBER},
    "categories": {"category_id": _NUMBER, "name": _TEXT, "entities": _NUMBER},
    "zipf": {"frequency": _TEXT, "exponent": _NUMBER, "ks": _NUMBER, "classes": _NUMBER},
    "cooccurrence": {
        "a": _NUMBER, "a_name": _TEXT, "b": _NUMBER, "b_name": _TEXT, "images": _NUMBER, "lift": _NUMBER,
    },
    "sources": {"source": _TEXT, "share": _NUMBER},
    "duplicates": {
        "set": _TEXT, "group": _NUMBER, "file_name": _TEXT, "width": _NUMBER, "height": _NUMBER, "distance": _NUMBER,
    },
    "violations": {"violation": _TEXT, "count": _NUMBER, "about": _TEXT},
    "exclusions": {"what": _TEXT, "count": _NUMBER, "about": _TEXT},
}  # fmt: skip


def read_shown(folder: str | Path) -> Statistics:
    """Read the statistics of a folder for a page.

    Raises:
        MissingFileError: there are none.
        InputError: see `read_statistics`; or a table, a column or a row that a page shows is missing, or a cell is of
            another kind; all of it is named.
    """
    found = read_statistics(folder)
    findings = Findings(str(folder))
    for name, columns in _SHOWN.items():
        if name in found.tables:
            _check_columns(found.tables[name], columns, findings)
        else:
            findings.add("statistics.invalid", "the table is missing", _AGAIN, record=f"tables.{name}")
    findings.raise_errors()
    rows = [(row["figure"], row["in_table1"], row["average"]) for row in found.tables["table1"].records()]
    for figure, average in {**TABLE1_FIGURES, "entities max": "/most"}.items():
        if (figure, True, average.split("/")[1]) not in rows:
            message = "the row of this figure is missing"
            findings.add("statistics.invalid", message, _AGAIN, record="tables.table1", value=figure)
    findings.raise_errors()
    return found


def _check_columns(table: StatTable, columns: Mapping[str, tuple[type, ...]], findings: Findings) -> None:
    place_of = {column.name: place for place, column in enumerate(table.columns)}
    for name, kinds in columns.items():
        if name not in place_of:
            message, record = "the column is missing", f"tables.{table.name}"
            findings.add("statistics.invalid", message, _AGAIN, record=record, field=name)
            continue
        for number, row in enumerate(table.rows):
            cell = row[place_of[name]]
            if not _fits(cell, kinds):
                message = f"the cell must be {' or '.join(kind.__name__ for kind in kinds)}"
                record = f"tables.{table.name}.rows[{number}]"
                findings.add("statistics.invalid", message, _AGAIN, record=record, field=name, value=cell)


def _fits(cell: Cell, kinds: tuple[type, ...]) -> bool:
    if cell is None:
        return kinds in (_TEXT, _NUMBER)
    return isinstance(cell, kinds) and isinstance(cell, bool) == (kinds is _FLAG)
