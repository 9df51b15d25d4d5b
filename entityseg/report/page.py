"""Reports as one self-contained HTML page: no scripts, no requests, light and dark, fit for a phone.

Text is escaped by the template; only figures that this package drew go in as they are.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image

from entityseg.data.targets import require_own_file
from entityseg.files import write_bytes
from entityseg.metrics.result import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A picture or plot with its caption.

    Attributes:
        caption: a sentence below it.
        alt: what is to be seen, for those who cannot see it.
        uri: `data:` URI of an image; None for a plot.
        svg: an `<svg>` element from `plots.to_svg`; None for an image.
        width, height: pixels of the image, so that the page does not jump while it loads.
    """

    caption: str
    alt: str
    uri: str | None = None
    svg: str | None = None
    width: int | None = None
    height: int | None = None

    @classmethod
    def of_image(cls, image: Image.Image, caption: str, alt: str, *, quality: int = 88) -> Picture:
        """Put an image into the page as JPEG, its colours at full resolution, which outlines need."""
        out = io.BytesIO()
        image.convert("RGB").save(out, format="JPEG", quality=quality, subsampling=0, optimize=True)
        uri = "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
        return cls(caption, alt, uri=uri, width=image.width, height=image.height)

    @classmethod
    def of_plot(cls, figure: Figure, name: str, caption: str, alt: str) -> Picture:
        """Put a plot into the page; `name` must be the plot's own within the page."""
        from entityseg.report.plots import to_svg

        return cls(caption, alt, svg=to_svg(figure, name))


@dataclass(frozen=True)
class Cell:
    """A figure of a table, with a smaller note below it, such as its interval."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows.

    Attributes:
        columns: headings.
        rows: as many cells as there are columns.
        caption: a sentence above it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    caption: str = ""

    @property
    def cells(self) -> list[list[Cell]]:
        """All cells as `Cell`."""
        return [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]


@dataclass(frozen=True)
class Gallery:
    """Pictures that belong together, side by side where there is room.

    Attributes:
        pictures: in reading order.
        columns: how many stand side by side on a wide screen.
        title: a small heading above them.
    """

    pictures: Sequence[Picture]
    columns: Literal[1, 2, 3] = 3
    title: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: its heading.
        text: paragraphs.
        verdict: a line that stands out, such as "nothing was lost".
        good: whether the verdict is good news.
        lines: messages of the program, one a line.
        table: a table below them.
        key: (CSS colour, what it stands for), for the pictures.
        galleries: pictures.
        beside: whether the pictures stand beside the table, where there is room.
    """

    title: str
    text: Sequence[str] = ()
    verdict: str = ""
    good: bool = True
    lines: Sequence[str] = ()
    table: Table | None = None
    key: Sequence[tuple[str, str]] = ()
    galleries: Sequence[Gallery] = ()
    beside: bool = False

    @property
    def anchor(self) -> str:
        """The section's id within the page."""
        kept = "".join(letter if letter.isalnum() else " " for letter in self.title.lower())
        return "-".join(kept.split())


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: its heading.
        lead: one or two sentences below it.
        facts: (figure, what it counts), shown large at the top.
        sections: its parts, in order.
        footer: a last line.
    """

    title: str
    lead: str
    facts: Sequence[tuple[str, str]] = ()
    sections: Sequence[Section] = field(default_factory=list)
    footer: str = ""


def render(page: Page) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment, StrictUndefined

    source = resources.files("entityseg.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source).render(page=page) + "\n"


def write_page(path: str | Path, page: Page) -> None:
    """Write the page, whole or not at all.

    Raises:
        UsageError: something else than a page is there, see `require_page_target`.
    """
    require_page_target(path)
    write_bytes(path, render(page).encode())


def require_page_target(path: str | Path) -> None:
    """Refuse to write a page over something that is none, such as a ground truth.

    Raises:
        UsageError: the path is a folder, or a file that is no HTML page.
    """
    starts = (b"<!doctype html", b"<html")
    require_own_file(path, "page", lambda begin: begin.lstrip().lower().startswith(starts))


def score_table(scores: dict[str, Score], names: Sequence[str]) -> Table:
    """Return a table of figures in percent with their 95 % intervals, one row for each set of predictions."""
    rows: list[list[Cell | str]] = []
    for who, score in scores.items():
        row: list[Cell | str] = [who]
        for name in names:
            pair = score.intervals.get(name)
            note = f"{100 * pair[0]:.1f}–{100 * pair[1]:.1f}" if pair else ""  # noqa: RUF001 - a range
            row.append(Cell(percent(score.values[name]), note))
        rows.append(row)
    metric = "/".join(sorted({score.metric for score in scores.values()}))
    columns = ["predictions", *(metric if name == "AP" else name for name in names)]
    return Table(columns, rows, "In percent, with 95 % bootstrap intervals over images.")


def percent(value: float | None) -> str:
    """Return a fraction in percent with one decimal.

    >>> percent(0.5), percent(None)
    ('50.0', '–')
    """
    return "–" if value is None else f"{100 * value:.1f}"  # noqa: RUF001
