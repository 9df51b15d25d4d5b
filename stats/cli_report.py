"""`entityseg stats report`: one page from the statistics of one or more sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entityseg.cli import common

EXAMPLES = (
    "entityseg stats report statistics/",
    "entityseg stats report mini/ coco/ --name mini --name COCO -o both.html",
)


def report(
    folders: Annotated[list[Path], typer.Argument(help="Folders that `entityseg stats compute` made.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path("statistics.html"),
    name: Annotated[
        list[str] | None, typer.Option("--name", help="What to call a set; once for each folder.")
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, max=60, help="Most and least complex entities to show of each set.")
    ] = 6,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """One page about one or more measured sets.

    Table I beside the published rows, the figures, and the most and least complex entities as pictures.
    """
    common.load_masks()
    from entityseg.stats.reports import write_report

    made = write_report(folders, out, names=name or None, examples=examples, progress=common.progress)
    for missing in made.without_pictures:
        path = made.sets[missing].identity.path
        common.note(f"{missing}: no pictures, for the data are not at {path}, where they were measured")
    if as_json:
        common.print_json(made.to_json())
    else:
        print(f"Open {made.page.resolve().as_uri()}")
