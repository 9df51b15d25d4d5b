"""What every command shares: one JSON object or a text on stdout, everything else on stderr; progress; tables.

Only typer and the standard library are imported here, so that `entityseg --help` and `--version` start at once.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from entityseg.errors import Findings

# A bar for less than this only flickers.
_SILENT_SECONDS = 1.0
# More letters than the first sentence of any command has.
_SENTENCE = 400
_BLAS = "scipy.linalg.cython_blas"


def new_command(**options: Any) -> typer.Typer:
    """Return an app in the project's style; a single command added to it is the command itself, without a verb."""
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


class _Group(TyperGroup):
    """A noun whose help gives the whole first sentence of each verb; click cuts it at the end of the line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        verbs = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, verb.get_short_help_str(_SENTENCE))
                    for name, verb in verbs.items()
                    if verb is not None
                ]
            )


def new_app(help: str, examples: Sequence[str] = ()) -> typer.Typer:
    """Return an empty group of commands (a noun); without a verb it prints its help."""
    app = new_command(cls=_Group, help=help, epilog=epilog(*examples) if examples else None)

    # Without a callback, typer would make a noun with one verb that verb itself.
    @app.callback(invoke_without_command=True)
    def group(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            print(context.get_help())

    return app


def epilog(*lines: str) -> str:
    r"""Return the examples that end a `--help`.

    >>> epilog("entityseg --version")
    '\x08\nExamples:\n  entityseg --version'
    """
    # The control character keeps the lines from being joined.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def load_masks() -> None:
    """Import the kernels; every command that touches masks calls it before anything else imports them.

    Only a matter of speed: 0.16 s of 0.55.
    """
    # Tens of thousands of objects that stay are made here: the collector would look through them again and
    # again for cycles (50 ms), now and whenever it runs later.
    was_enabled = gc.isenabled()
    gc.disable()
    # numba imports all of scipy.linalg (110 ms) only to see whether there is a BLAS, which none of our kernels
    # uses. `None` makes that import fail, which numba takes for "no BLAS"; afterwards scipy is as ever.
    hidden = "numba" not in sys.modules and _BLAS not in sys.modules
    if hidden:
        sys.modules[_BLAS] = None  # type: ignore[assignment]
    try:
        import entityseg.masks  # noqa: F401
    finally:
        if hidden:
            del sys.modules[_BLAS]
        gc.freeze()
        if was_enabled:
            gc.enable()


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout; ASCII, so that it is the same in every locale."""
    print(json.dumps(value, indent=2, allow_nan=False))


def note(text: str) -> None:
    """Print a line for the person at the terminal: on stderr, so that stdout can be piped."""
    print(text, file=sys.stderr, flush=True)


def print_findings(findings: Findings) -> None:
    """Print findings, one line each, on stderr."""
    for line in findings.lines():
        note(line)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a plain-text table; the first column is aligned left, the others right.

    >>> print(table(["metric", "%"], [["AP", "51.20"], ["APs", "-"]]))
    metric      %
    -------------
    AP      51.20
    APs         -
    """
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    texts = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([texts[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *texts[1:]])


def name_values(given: Sequence[str], hint: str) -> dict[str, Any]:
    """Return name=value pairs; values are JSON where they can be, else texts.

    Args:
        given: such as `noise=0.2`.
        hint: the option that they come from, for messages.

    >>> name_values(["noise=0.2", "path=weights/a"], "--option")
    {'noise': 0.2, 'path': 'weights/a'}
    """
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise typer.BadParameter(f"{text!r} is not name=value", param_hint=hint)
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values


def percent(value: float | None) -> str:
    """Return a fraction in percent with two decimals, `-` where it is undefined.

    >>> percent(0.51239), percent(None)
    ('51.24', '-')
    """
    return "-" if value is None else f"{100 * value:.2f}"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    >>> counted(1, "image"), counted(1200, "image")
    ('1 image', '1,200 images')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def progress(iterable: Iterable[Any], total: int, label: str) -> Iterable[Any]:
    """Return the same items, with a bar on stderr if they take longer than a second and somebody is watching.

    Args:
        iterable: the items.
        total: how many there are.
        label: what is being done, such as `scoring`.
    """
    return _with_bar(iterable, total, label) if sys.stderr.isatty() else iterable


def _with_bar(iterable: Iterable[Any], total: int, label: str) -> Iterator[Any]:
    begin = time.monotonic()
    bar = task = None
    done = 0
    try:
        for item in iterable:
            yield item
            done += 1
            if bar is None and time.monotonic() - begin > _SILENT_SECONDS and done < total:
                bar = _bar()
                bar.start()
                task = bar.add_task(label, total=total)
            if bar is not None:
                bar.update(task, completed=done)
    finally:
        if bar is not None:
            bar.stop()


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        transient=True,
    )
