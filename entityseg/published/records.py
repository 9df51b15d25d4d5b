"""A published row, and the layout of the table files it is read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from entityseg.published.verdict import Verdict

Protocol = Literal[
    "accuracy",
    "ap",
    "ap-e",
    "ap-e-high",
    "ap-e-low",
    "ar100-50",
    "cIoU",
    "dis5k",
    "fullres",
    "mIoU",
    "miou",
    "png2021",
    "ppmn",
    "pq",
    "reasonseg",
    "sginw",
    "statistics",
    "unknown",
]
Unit = Literal[
    "percent", "fraction", "ratio", "count", "millions", "pixels", "GB", "GPU days", "GFLOPs", "ms", "seconds"
]
# A task's metrics by the columns that hold them, or all columns under their own names.
TaskColumns = dict[str, str] | Literal["*"]
NO_FIGURE = "-"


@dataclass(frozen=True)
class Relation:
    """What one figure of a row is of the others.

    Attributes:
        kind: `mean`, `sum` or `product`.
        total: the figure that is computed.
        parts: the figures it is computed from.
    """

    kind: Literal["mean", "sum", "product"]
    total: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class PublishedRow:
    """A row of a published table.

    Attributes:
        id: such as `esg-XVIII(b)#3`: table, part, row from 1.
        table: such as `esg-XVIII`.
        part: `b`, `SEM`, ...; empty where the table has one part.
        number: the row of the part, from 1.
        source: title, reference, table and section.
        about: what the table is of.
        protocol: how the figures were measured, `unknown` where nobody says.
        method: such as `Mask2Former`.
        settings: backbone, schedule, ...
        figures: by name, in the digits that are printed; cells without a figure are left out.
        units: unit of each figure.
        tasks: task -> metric -> figure's name.
        notes: what a reader of the number has to know.
        ablation: whether the row is a variant of another one rather than a result of its own.
        also: other names of the method.
        original_of: tables that copy from this row.
        restates: tables with the same models as this row.
        relations: what can be recomputed.
    """

    id: str
    table: str
    part: str
    number: int
    source: str
    about: str
    protocol: Protocol
    method: str
    settings: Mapping[str, str]
    figures: Mapping[str, Decimal]
    units: Mapping[str, Unit]
    tasks: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...] = ()
    ablation: bool = False
    also: tuple[str, ...] = ()
    original_of: tuple[str, ...] = ()
    restates: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What the linter says of this row."""
        from entityseg.published.lint import verdicts

        return verdicts(self)

    def task_figures(self, task: str) -> dict[str, Decimal]:
        """Return the figures that the row has for a task, by the task's names of the metrics.

        >>> from entityseg.published import rows
        >>> rows("esg-XIII")[4].task_figures("ade20k-open-vocabulary")
        {'PQ': Decimal('18.1')}
        """
        columns = self.tasks.get(task, {})
        return {metric: self.figures[name] for metric, name in columns.items() if name in self.figures}

    def to_json(self) -> dict[str, Any]:
        """Return one JSON object, the verdicts with it."""
        value = asdict(self)
        value["figures"] = {name: float(figure) for name, figure in self.figures.items()}
        value["verdicts"] = [verdict.to_json() for verdict in self.verdicts]
        return value


class RowEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row in a table file; what it leaves out is the table's."""

    method: str
    values: list[Any]
    settings: list[str] = []
    protocol: Protocol | None = None
    source: str | None = None
    tasks: dict[str, TaskColumns] | None = None
    notes: list[str] = []
    also: list[str] = []


class TableEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table, or a part of one, in a table file."""

    id: str
    number: str
    section: str
    about: str = ""
    part: str = ""
    repeats: str = ""
    protocol: Protocol = "unknown"
    ablation: bool = False
    columns: list[str] = []
    settings: list[str] = []
    rows: list[RowEntry] = []
    units: dict[str, Unit] = {}
    tasks: dict[str, TaskColumns] = {}
    notes: list[str] = []
    original_of: list[str] = []
    restates: list[str] = []
    means: dict[str, list[str]] = {}
    sums: dict[str, list[str]] = {}
    products: dict[str, list[str]] = {}


class SourceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a file's tables are printed."""

    title: str
    reference: str


class TableFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of tables."""

    source: SourceEntry
    table: list[TableEntry]
