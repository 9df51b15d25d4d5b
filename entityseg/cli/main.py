"""The root command, `entityseg NOUN VERB`, and the one place where errors become messages and exit codes.

A noun's module is imported only when the noun is called. Nouns of other floors (`stats`, `bench`, ...) come from the
entry points of the group `entityseg.commands`, which are looked at only for a noun that is not of this floor.
"""

from __future__ import annotations

import atexit
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup

from entityseg.cli.common import epilog, print_findings, print_json
from entityseg.errors import EntitySegError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "entityseg.commands"
# Noun -> (module with `app`, one line of help), so that `--help` imports none of them.
NOUNS: dict[str, tuple[str, str]] = {
    "data": ("entityseg.cli.data", "Look at, check, convert and make datasets."),
    "score": ("entityseg.cli.score", "Score predictions against a ground truth."),
    "predictions": ("entityseg.cli.predictions", "Check, convert and repair files of predictions."),
    "published": ("entityseg.cli.published", "Figures that the papers print, and what is wrong with them."),
    "demo": ("entityseg.cli.demo", "A tour: make a dataset, convert, score and train on it; a page."),
}
_INTERNAL_ERROR = 3
_INTERRUPTED = 130
# The bases of typer's own usage errors, whichever click (its own or the package) this release of typer stands on.
_ClickError: type[Exception] = typer.BadParameter.__mro__[2]


def _entry_points() -> dict[str, EntryPoint]:
    # Reading the metadata of every installed package takes a while.
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=ENTRY_POINTS) if point.name not in NOUNS}


class _LazyGroup(TyperGroup):
    """A group of commands that imports a command when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*NOUNS, *sorted(_entry_points())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in NOUNS:
            return _click_command(importlib.import_module(NOUNS[cmd_name][0]).app)
        point = _entry_points().get(cmd_name)
        return None if point is None else _click_command(point.load())

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = [(noun, line) for noun, (_, line) in NOUNS.items()]
        for name, point in sorted(_entry_points().items()):
            try:
                rows.append((name, str(_click_command(point.load()).get_short_help_str(70))))
            except (ImportError, AttributeError) as error:
                # Somebody's broken extension must not take away the help of all others.
                rows.append((name, f"(cannot be loaded: {error})"))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        from difflib import get_close_matches

        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            nouns = self.list_commands(ctx)
            near = get_close_matches(args[0], nouns, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(nouns)}."
            ctx.fail(f"No such command '{args[0]}'; {hint}")
        return super().resolve_command(ctx, args)


@cache
def _click_command(app: Any) -> Any:
    # Making a command of a noun takes 25 ms, and it is asked for twice a call.
    return typer.main.get_command(app) if isinstance(app, typer.Typer) else app


app = typer.Typer(
    cls=_LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=epilog(
        "entityseg demo",
        "entityseg data info annotations/",
        "entityseg score entity --gt val.json --pred predictions.json",
        "entityseg predictions check --gt val.json predictions.json",
    ),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from entityseg import __version__

        print(f"entityseg {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
    ),
    traceback: bool = typer.Option(
        False, "--traceback", help="Print the traceback of an internal error (also ENTITYSEG_TRACEBACK=1)."
    ),
) -> None:
    """Dataset toolkit and benchmark suite for EntitySeg, CropFormer and GELLA.

    Exit codes: 0 fine, 1 something is wrong with the data (findings), 2 wrong usage, 3 an error inside entityseg.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


def run(argv: Sequence[str]) -> int:
    """Run a command line (without the program's name) and return its exit code; nothing is raised.

    Args:
        argv: such as `["score", "entity", "--gt", "a.json", "--pred", "b.json"]`.
    """
    arguments = [argument for argument in argv if argument != "--traceback"]
    as_json = "--json" in arguments
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="entityseg", standalone_mode=False)
        return int(code or 0)
    except EntitySegError as error:
        if as_json:
            print_json({"error": type(error).__name__, **error.findings.to_json()})
        print_findings(error.findings)
        return error.exit_code
    except _ClickError as error:
        return _usage_error(error, as_json)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except SystemExit as error:
        # typer leaves by this when the reader of a pipe has gone.
        return error.code if isinstance(error.code, int) else 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        return _failed(_system_message(error), as_json)
    except MemoryError:
        return _failed("there is not enough memory; try fewer --threads, or a machine with more", as_json)
    except Exception as error:
        if len(arguments) < len(argv) or os.environ.get("ENTITYSEG_TRACEBACK", "0") not in ("", "0"):
            import traceback

            traceback.print_exc()
        message = f"{type(error).__name__} inside entityseg: {error}"
        remedy = "This is a bug: please report it with the command and the output of it with --traceback."
        _failed(f"{message}\n{remedy}", as_json)
        return _INTERNAL_ERROR


def _usage_error(error: Any, as_json: bool) -> int:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "entityseg"
    if as_json:
        print_json({"error": "UsageError", "message": message, "findings": []})
    print(f"error: {message}\nTry '{command} --help'.", file=sys.stderr)
    return int(error.exit_code)


def _failed(message: str, as_json: bool) -> int:
    if as_json:
        print_json({"error": "Failure", "message": message, "findings": []})
    print(f"error: {message}", file=sys.stderr)
    return 1


def _system_message(error: OSError) -> str:
    """Say in one line what the system refused."""
    file = f" ({error.filename})" if error.filename is not None else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        what = (
            "the disk is full" if error.errno == errno.ENOSPC else "a limit of disk or file size is reached"
        )
        return f"{what}{file}; nothing half-written is left. Make room and run it again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"permission denied{file}. Choose a place that you may read and write."
    return f"{error.strerror or error}{file}"


def main() -> NoReturn:
    """Run the process's command line and exit."""
    # Arrow's own allocator keeps 20 to 40 MB of what it has freed.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # None where the process was started with the stream closed.
    streams = [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
    for stream in streams:
        # A file name that the terminal cannot show must not end the program.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = run(sys.argv[1:])
    try:
        for stream in streams:
            stream.flush()
    except BrokenPipeError:
        code = code or 1
    except OSError as error:
        code = _failed(_system_message(error), as_json=False)
    # Taking numba's and LLVM's objects apart one by one costs 50-100 ms and does nothing for anybody: all our files
    # are written, synced and closed by now, the streams are flushed, and what others registered for the exit is run.
    atexit._run_exitfuncs()
    os._exit(code)


if __name__ == "__main__":
    main()
