"""The Parquet tables of a folder of statistics: their columns, and how shards of them become one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.data.parquet_tables import Table, arrow_errors, open_table
from entityseg.errors import Finding, MissingFileError
from entityseg.files import atomic_file
from entityseg.stats.dataset.image import AVERAGED
from entityseg.stats.dataset.schema import CLASS_DENSITY, COOCCURRENCE, ENTITIES, IMAGES
from entityseg.stats.shape import SHAPE_COLUMNS

DENSITY = "density.parquet"
_WHOLE_SHAPES = ("parts", "holes", "boundary_length")
_AGAIN = "Run `entityseg stats compute` again."
_ROWS_A_GROUP = 1 << 12
Columns = Mapping[str, Sequence[Any] | NDArray[Any]]


@cache
def schemas() -> Mapping[str, Any]:
    """Return the Arrow schema of each table by its file name."""
    import pyarrow as pa

    whole, real, text, yes = pa.int64(), pa.float64(), pa.string(), pa.bool_()
    shape = [(name, whole if name in _WHOLE_SHAPES else real) for name in SHAPE_COLUMNS if name != "area"]
    averages = [
        (f"{name}_{what}", whole if what == "count" else real)
        for name in AVERAGED
        for what in ("sum", "count", "mean")
    ]
    cells = pa.list_(whole)
    return {
        ENTITIES: pa.schema(
            [("image", whole), ("file_name", text), ("annotation_id", whole), ("annotations", whole),
             ("category_id", whole), ("iscrowd", yes), ("counted", yes), ("area", whole),
             ("relative_area", real), ("bbox_x", whole), ("bbox_y", whole), ("bbox_width", whole),
             ("bbox_height", whole), ("centroid_x", real), ("centroid_y", real), *shape]
        ),
        IMAGES: pa.schema(
            [("image", whole), ("image_id", text), ("file_name", text), ("width", whole), ("height", whole),
             ("source", text), ("subset", text), ("annotations", whole), ("entities", whole),
             ("things", whole), ("stuff", whole), ("crowd", whole), ("empty", whole), ("covered", whole),
             ("overlap", whole), ("overlapping_pairs", whole), *averages, ("picture", text),
             ("hash", pa.uint64()), ("digest", pa.binary(32))]
        ),
        DENSITY: pa.schema([("what", text), ("cells", cells)]),
        # `cells`: the sum over the images of the category's share of each cell, in units of 1 / spatial.UNIT.
        CLASS_DENSITY: pa.schema([("category_id", whole), ("cells", cells)]),
        COOCCURRENCE: pa.schema(
            [("category_a", whole), ("category_b", whole), ("images", whole), ("expected", real),
             ("lift", real), ("pmi", real)]
        ),
    }  # fmt: skip


def write_table(path: Path, batches: Iterable[Columns]) -> None:
    """Write a table, one row group a batch; NaN becomes null.

    Args:
        path: the file; its name says which table it is.
        batches: columns by name; empty ones leave no row group.
    """
    import pyarrow as pa

    schema = schemas()[path.name]
    _write(
        path,
        (
            pa.Table.from_arrays(
                [pa.array(columns[field.name], field.type, from_pandas=True) for field in schema],
                schema=schema,
            )
            for columns in batches
        ),
    )


def join_tables(paths: Iterable[Path], out: Path) -> None:
    """Write the rows of several files of one table into one; a file's rows stay in one row group.

    Raises:
        MissingFileError: a file is missing.
        InputError: one is no such table, or damaged.
    """
    names = schemas()[out.name].names
    _write(out, (_read(_open(path), names) for path in paths))


def read_columns(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return columns of a table by name; numbers that may be null come as float64 with NaN, other nulls as None.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no such table, or damaged.
    """
    stored = StoredColumns(path)
    return {name: stored[name] for name in names}


class StoredColumns(Mapping[str, NDArray[Any]]):
    """The columns of a table by name, as `read_columns`; each is read when it is asked for, and none is kept."""

    def __init__(self, path: Path) -> None:
        """Open the table.

        Raises:
            MissingFileError: there is no such file.
            InputError: it is no such table, or damaged; also when a column is read.
        """
        self._table = _open(path)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return _as_numpy(_read(self._table, [name])[name])

    def __iter__(self) -> Iterator[str]:
        return iter(schemas()[self._table.path.name].names)

    def __len__(self) -> int:
        return len(schemas()[self._table.path.name])


def read_batches(path: Path, names: Sequence[str]) -> Iterator[dict[str, NDArray[Any]]]:
    """Give columns of a table part by part, as `read_columns`; an image's rows are in one part.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no such table, or damaged.
    """
    table = _open(path)
    for group in range(table.file.num_row_groups):
        with arrow_errors(path):
            found = table.file.read_row_group(group, list(names))
        yield {name: _as_numpy(found[name]) for name in names}


def _write(path: Path, tables: Iterable[Any]) -> None:
    import pyarrow.parquet as pq

    schema = schemas()[path.name]
    with (
        atomic_file(path) as file,
        pq.ParquetWriter(
            file, schema, compression="zstd", write_page_checksum=True, store_schema=False
        ) as out,
    ):
        for group in _groups(tables):
            out.write_table(group, row_group_size=len(group))


def _groups(tables: Iterable[Any]) -> Iterator[Any]:
    """Give tables joined to row groups: many small ones would cost readers more than their rows."""
    import pyarrow as pa

    waiting: list[Any] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += len(table)
        if rows >= _ROWS_A_GROUP:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
    if rows:
        yield pa.concat_tables(waiting)


def _read(table: Table, names: Sequence[str]) -> Any:
    with arrow_errors(table.path):
        return table.file.read(list(names)).select(list(names))


def _open(path: Path) -> Table:
    if not path.is_file():
        raise MissingFileError(Finding("statistics.missing", "the table is missing", _AGAIN, file=str(path)))
    return open_table(path, schemas()[path.name])


def _as_numpy(column: Any) -> NDArray[Any]:
    import pyarrow as pa

    if pa.types.is_list(column.type) or column.type == pa.uint64() or not pa.types.is_primitive(column.type):
        return np.array([*column.to_pylist(), None], object)[:-1]
    return np.asarray(column.to_numpy())
