"""`entityseg published ...`: the figures that the papers print, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli import common

if TYPE_CHECKING:
    from entityseg.published import PublishedRow

app = common.new_app(
    "Figures that the papers print, and what is wrong with them.",
    ["entityseg published list", "entityseg published show esg-X", "entityseg published lint --json"],
)

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list", epilog=common.epilog("entityseg published list", "entityseg published list --json"))
def list_tables(as_json: _Json = False) -> None:
    """List the tables: of the CropFormer paper, of the ESG/GELLA paper, of the README, and of others."""
    from entityseg.published import rows, tables

    lines = []
    for table in tables():
        found = rows(table)
        about = "; ".join(dict.fromkeys(row.about for row in found))
        flagged = sum(bool(row.verdicts) for row in found)
        names = sorted({task for row in found for task in row.tasks})
        lines.append({"table": table, "rows": len(found), "flagged": flagged, "tasks": names, "about": about})
    if as_json:
        common.print_json({"tables": lines})
        return
    print(f"{'table':<16}{'rows':>4}{'flagged':>9}  what")
    for line in lines:
        print(f"{line['table']:<16}{line['rows']:>4}{line['flagged']:>9}  {line['about']}")


@app.command(
    epilog=common.epilog("entityseg published show esg-X", "entityseg published show cropformer-3 --json")
)
def show(
    table: Annotated[str, typer.Argument(help="Name of the table, as `list` gives it.")],
    as_json: _Json = False,
) -> None:
    """Show a table's figures as printed, with their source, notes and the linter's verdicts."""
    from entityseg.published import rows, tables

    names = {name.lower(): name for name in tables()}
    if table.lower() not in names:
        from difflib import get_close_matches

        near = get_close_matches(table.lower(), names, 3, 0.5)
        hint = "`entityseg published list` names all."
        if near:
            hint = f"did you mean {' or '.join(names[name] for name in near)}?"
        raise typer.BadParameter(f"there is no table '{table}'; {hint}")
    found = rows(names[table.lower()])
    if as_json:
        common.print_json({"table": names[table.lower()], "rows": [row.to_json() for row in found]})
        return
    parts = dict.fromkeys(row.part for row in found)
    print("\n\n".join(_text([row for row in found if row.part == part]) for part in parts))


@app.command(epilog=common.epilog("entityseg published lint", "entityseg published lint --json"))
def lint(as_json: _Json = False) -> None:
    """Test all published rows for consistency; it reports, and its exit code is 0 whatever it finds."""
    from entityseg.published import rows
    from entityseg.published.lint import lint as find_verdicts

    found = rows()
    verdicts = find_verdicts(found)
    flagged = len({verdict.row for verdict in verdicts})
    if as_json:
        common.print_json(
            {"rows": len(found), "flagged": flagged, "verdicts": [each.to_json() for each in verdicts]}
        )
        return
    methods = {row.id: _method(row) for row in found}
    for verdict in verdicts:
        print(f"{verdict.row} {methods[verdict.row]}: {verdict.severity} ({verdict.rule})")
        print(f"  {verdict.reason}")
    rows_text = common.counted(len(found), "row")
    print(f"\n{rows_text}, {flagged} flagged, {common.counted(len(verdicts), 'verdict')}")


def _method(row: PublishedRow) -> str:
    settings = ", ".join(row.settings.values())
    return f"{row.method} ({settings})" if settings else row.method


def _text(found: Sequence[PublishedRow]) -> str:
    """Return a part of a table as a person reads it."""
    # The fullest row has the columns in their order.
    fullest = sorted(found, key=lambda row: -len(row.figures))
    names = list(dict.fromkeys(name for row in fullest for name in row.figures))
    lines = [
        [f"{row.number} {_method(row)}", *(str(row.figures.get(name, "-")) for name in names)]
        for row in found
    ]
    sources = dict.fromkeys(row.source for row in found)
    protocols = dict.fromkeys(row.protocol for row in found)
    title = f"{found[0].table}({found[0].part})" if found[0].part else found[0].table
    texts = [f"{title}: {'; '.join(sources)}", f"protocol: {', '.join(protocols)}"]
    texts.append(common.table(["row", *names], lines))
    numbers: dict[str, list[str]] = {}
    for row in found:
        for note in row.notes:
            numbers.setdefault(note, []).append(str(row.number))
    for note, of in numbers.items():
        texts.append(f"note: {note}" if len(of) == len(found) else f"note on {', '.join(of)}: {note}")
    texts += [
        f"{verdict.severity} ({verdict.rule}), row {row.number}: {verdict.reason}"
        for row in found
        for verdict in row.verdicts
    ]
    return "\n".join(texts)
