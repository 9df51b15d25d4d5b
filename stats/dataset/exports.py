"""Tables of statistics as CSV and as LaTeX."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from entityseg.files import remove_leftovers, write_bytes
from entityseg.stats.dataset.schema import TABLES, Cell, Statistics, StatTable

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "%": r"\%",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "`": r"\textasciigrave{}",
        # As groups: `\\` and `\midrule` take what follows them in brackets or as a star for themselves.
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        # `\textquotedbl` needs a font encoding that is not the default.
        '"': "''",
        **dict.fromkeys(map(chr, (*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029)), " "),
    }
)
# A spreadsheet takes a text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\n")


def to_csv(table: StatTable) -> str:
    r"""Return a table as CSV (RFC 4180, `\n` at line ends): numbers in full, undefined cells empty.

    Texts that a spreadsheet would run as a formula get an apostrophe in front, and their line ends are `\n` too.

    >>> from entityseg.stats.dataset.schema import Column
    >>> to_csv(StatTable("a", "A", (Column("x"), Column("y", "px")), (("=1", 0.5), (None, True))))
    "x,y [px]\n'=1,0.5\n,true\n"
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_csv_cell(name) for name in _names(table)])
    writer.writerows([_csv_cell(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def to_latex(table: StatTable) -> str:
    r"""Return a table as a LaTeX `tabular` with booktabs rules; numbers with four digits, a dash where undefined.

    >>> from entityseg.stats.dataset.schema import Column
    >>> print(to_latex(StatTable("a", "50 %", (Column("a_b"), Column("n")), (("R&D", 1 / 3),))))
    % 50 \%
    \begin{tabular}{lr}
    \toprule
    a\_b & n \\
    \midrule
    R\&D & 0.3333 \\
    \bottomrule
    \end{tabular}
    <BLANKLINE>
    """
    texts = [any(isinstance(row[k], str) for row in table.rows) for k in range(len(table.columns))]
    lines = [
        f"% {_escaped(table.title)}",
        rf"\begin{{tabular}}{{{''.join('l' if text else 'r' for text in texts)}}}",
        r"\toprule",
        rf"{' & '.join(map(_escaped, _names(table)))} \\",
        r"\midrule",
        *(rf"{' & '.join(map(_latex_cell, row))} \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def write_exports(folder: Path, statistics: Statistics) -> None:
    """Write each table as `tables/NAME.csv` and `tables/NAME.tex`."""
    for name, table in statistics.tables.items():
        for suffix, text in (("csv", to_csv(table)), ("tex", to_latex(table))):
            path = folder / TABLES / f"{name}.{suffix}"
            remove_leftovers(path)
            write_bytes(path, text.encode("utf-8", "replace"))


def _names(table: StatTable) -> list[str]:
    return [f"{one.name} [{one.unit}]" if one.unit else one.name for one in table.columns]


def _csv_cell(cell: Cell) -> str:
    if isinstance(cell, str):
        # Python's writer leaves a lone carriage return unquoted, where readers see the end of a row.
        cell = cell.replace("\r\n", "\n").replace("\r", "\n")
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    if isinstance(cell, bool):
        return str(cell).lower()
    return "" if cell is None else repr(cell)


def _latex_cell(cell: Cell) -> str:
    if cell is None:
        return "--"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        # `g` would write large and small numbers with an exponent.
        return f"{cell:.1f}" if abs(cell) >= 100 else f"{cell:.4f}"
    return _escaped(str(cell))


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
