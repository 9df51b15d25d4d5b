"""`entityseg data refs`: referring datasets, whose annotations are pickles, to JSON, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entityseg.cli import common

EXAMPLES = (
    "entityseg data refs refer_seg/refcoco --out expressions/",
    "entityseg data refs refer_seg/refcocog --split-by umd --out expressions/",
)


def refs(
    folder: Annotated[
        Path, typer.Argument(help="Folder refcoco, refcoco+ or refcocog with refs(*).p and instances.json.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the JSON files, one a split.")],
    split_by: Annotated[
        str | None, typer.Option(help="Which refs(*).p: unc, umd or google; the usual one by default.")
    ] = None,
    counts: Annotated[
        bool,
        typer.Option("--counts/--no-counts", help="Refuse splits with other numbers of refs than published."),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Convert the refs of RefCOCO, RefCOCO+ or RefCOCOg to JSON.

    The pickle is read by a machine that knows plain values only: whatever would call or make anything is refused.
    """
    from entityseg.data.grounding.refer import convert_refer

    written = [str(path) for path in convert_refer(folder, out, split_by=split_by, check_counts=counts)]
    if as_json:
        common.print_json({"written": written})
    else:
        print("\n".join(written))
