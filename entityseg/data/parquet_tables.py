"""Parquet tables from outside: opened strictly, and masks read one row group at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from entityseg.data.sources import EncodedSource
from entityseg.errors import Findings, input_error
from entityseg.masks.runlengths import Int64Array, RunLengths, Size

IMAGES, ENTITIES, CATEGORIES = "images.parquet", "entities.parquet", "categories.parquet"
# Threads that work through images in order touch two row groups at a time; a few more for those that jump.
GROUPS_KEPT = 4
# Of records, which take fifty times the memory of columns.
_ROWS_AT_ONCE = 1 << 12
_AGAIN = "Copy the set again, or run the conversion again."


@cache
def schemas() -> Mapping[str, Any]:
    """Return the Arrow schema of each table by its file name."""
    import pyarrow as pa

    whole, text = pa.int64(), pa.string()
    sides = [(f"bbox_{side}", whole) for side in ("x", "y", "width", "height")]
    return {
        # The id as JSON, because it may be an integer or a string.
        IMAGES: pa.schema(
            [("id", text), ("file_name", text), ("height", whole), ("width", whole), ("entities", whole),
             ("extra", text)]
        ),
        ENTITIES: pa.schema(
            [("image", whole), ("id", whole), ("category_id", whole), ("iscrowd", pa.bool_()),
             ("area", whole), *sides, ("counts", pa.binary()), ("extra", text)]
        ),
        CATEGORIES: pa.schema(
            [("id", whole), ("name", text), ("isthing", pa.bool_()), ("supercategory", text), ("extra", text)]
        ),
    }  # fmt: skip


@dataclass(frozen=True)
class Table:
    """An open Parquet file; one thread reads at a time."""

    path: Path
    file: Any
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def arrow_errors(path: Path) -> Iterator[None]:
    """Turn whatever Arrow raises for a broken file into an `InputError`."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"the table cannot be read: {reason}"
        raise input_error("parquet.invalid", message, _AGAIN, file=str(path)) from None


def open_table(path: Path, schema: Any) -> Table:
    """Open a Parquet file that has the columns of `schema`; others are left alone.

    Raises:
        InputError: it is no Parquet file, or a column is missing or of another type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with arrow_errors(path):
        file = pq.ParquetFile(pa.memory_map(str(path)), page_checksum_verification=True)
        found = file.schema_arrow
    findings = Findings(str(path))
    for column in schema:
        at = found.get_field_index(column.name)
        if at < 0 or found.field(at).type != column.type:
            message = f"the table needs a column of type {column.type}"
            value = str(found.field(at).type) if at >= 0 else None
            findings.add("parquet.column", message, _AGAIN, field=column.name, value=value)
    findings.raise_errors()
    return Table(path, file)


def read_column(table: Table, name: str) -> NDArray[Any]:
    """Return a column without nulls as an array.

    Raises:
        InputError: the column is damaged or has nulls.
    """
    with table.lock, arrow_errors(table.path):
        column = table.file.read([name])[name]
    if column.null_count:
        message = f"{column.null_count} values are missing"
        raise input_error("parquet.null", message, _AGAIN, file=str(table.path), field=name)
    return np.ascontiguousarray(column.to_numpy())


def read_rows(table: Table) -> Iterator[dict[str, Any]]:
    """Give the rows of a table as records; raises `InputError` where it is damaged."""
    with table.lock, arrow_errors(table.path):
        for batch in table.file.iter_batches(_ROWS_AT_ONCE, use_threads=False):
            yield from batch.to_pylist()


class ParquetSource:
    """Masks in the row groups of `entities.parquet`; a few groups are kept, and shared by all threads."""

    def __init__(self, table: Table, offsets: Int64Array, sizes: Sequence[Size]) -> None:
        """Find the row group of each image.

        Raises:
            InputError: a row group begins inside an image.
        """
        self._table = table
        self._offsets = offsets
        self._sizes = sizes
        metadata = table.file.metadata
        rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)
        if not np.isin(self._starts, offsets).all():
            message = "a row group begins in the middle of an image"
            raise input_error("parquet.groups", message, _AGAIN, file=str(table.path))
        self._kept: OrderedDict[int, _Group] = OrderedDict()

    def masks(self, index: int) -> RunLengths:
        """Return the masks of image number `index`; raises `InputError` naming every malformed one."""
        findings = Findings(str(self._table.path))
        masks = self.checked_masks(index, findings)
        findings.raise_errors()
        return masks

    def checked_masks(self, index: int, findings: Findings) -> RunLengths:
        """Return the masks of an image; malformed ones become empty and are added to `findings`."""
        if self._offsets[index] == self._offsets[index + 1]:
            return RunLengths.empty(self._sizes[index])
        group = self._group_of(index)
        return group.source.checked_masks(index - group.first, findings)

    def extras(self, index: int) -> Sequence[Mapping[str, Any]]:
        """Return the other keys of each annotation of the image."""
        start, stop = int(self._offsets[index]), int(self._offsets[index + 1])
        if start == stop:
            return ()
        group = self._group_of(index)
        if group.extras is None:
            return ()
        with arrow_errors(self._table.path):
            texts = group.extras[start - group.start : stop - group.start].to_pylist()
        return [self._parsed(text, start + row) for row, text in enumerate(texts)] if any(texts) else ()

    def _parsed(self, text: str | None, row: int) -> Mapping[str, Any]:
        try:
            value = {} if text is None else orjson.loads(text)
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            where = {"file": str(self._table.path), "record": f"row {row}", "field": "extra", "value": text}
            raise input_error("parquet.value", "the value must be a JSON object", _AGAIN, **where)
        return value

    def _group_of(self, index: int) -> _Group:
        number = int(np.searchsorted(self._starts, self._offsets[index], side="right")) - 1
        with self._table.lock:
            group = self._kept.get(number)
            if group is None:
                group = self._kept[number] = self._read_group(number)
                if len(self._kept) > GROUPS_KEPT:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(number)
        return group

    def _read_group(self, number: int) -> _Group:
        with arrow_errors(self._table.path):
            table = self._table.file.read_row_group(number, columns=["counts", "extra"], use_threads=False)
            counts = table["counts"].combine_chunks()
            extras = table["extra"].combine_chunks()
        if counts.null_count:
            where = {"file": str(self._table.path), "record": f"row group {number}", "field": "counts"}
            raise input_error("parquet.null", f"{counts.null_count} masks are missing", _AGAIN, **where)
        start, stop = int(self._starts[number]), int(self._starts[number + 1])
        first = int(np.searchsorted(self._offsets, start, side="right")) - 1
        last = int(np.searchsorted(self._offsets, stop, side="left"))
        text, bounds = _binary_buffers(counts)
        source = EncodedSource(
            text=text,
            starts=bounds[:-1],
            stops=bounds[1:],
            offsets=self._offsets[first : last + 1] - start,
            sizes=self._sizes[first:last],
            escaped=False,
            positions=np.arange(start, stop),
            list_name="entities",
            file=str(self._table.path),
        )
        return _Group(first, start, source, None if extras.null_count == len(extras) else extras)


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group in memory: its first image and row, the masks, and `extra` if it says anything."""

    first: int
    start: int
    source: EncodedSource
    extras: Any


def _binary_buffers(array: Any) -> tuple[NDArray[np.uint8], Int64Array]:
    """Return an Arrow binary array's bytes without a copy, and int64 [rows + 1], where each value begins."""
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
    return text, bounds
