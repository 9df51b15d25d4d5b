"""The root command: help, finding nouns, errors to messages and exit codes, the process around it."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

import entityseg
from entityseg.cli import common, main
from entityseg.cli.main import run
from entityseg.errors import input_error, usage_error

Capture = pytest.CaptureFixture[str]


def process(*arguments: str, cwd: Path, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line, or Python code, in a process of its own."""
    line = ["-m", "entityseg.cli.main", *arguments] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *line], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException | None], None]:
    """Install a noun `extra` from elsewhere, whose verb `go` raises what it is told to."""

    def install(error: BaseException | None, fails_to_load: bool = False) -> None:
        app = common.new_app("Somebody's commands.")

        @app.command()
        def go(as_json: bool = typer.Option(False, "--json")) -> None:
            if error is not None:
                raise error
            print("went")

        class Point:
            name = "extra"

            def load(self) -> typer.Typer:
                if fails_to_load:
                    raise ImportError("no module named torch")
                return app

        def entry_points(*, group: str) -> list[Point]:
            assert group == "entityseg.commands"
            return [Point()]

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)

    return install


def test_alone_it_prints_help(capsys: Capture) -> None:
    assert run([]) == 0
    alone = capsys.readouterr().out
    assert run(["--help"]) == 0
    assert capsys.readouterr().out == alone
    for noun, (_, line) in main.NOUNS.items():
        assert noun in alone
        assert line.split(",")[0] in alone
    assert "Examples:" in alone.rstrip().rsplit("\n\n", 1)[-1]


@pytest.mark.parametrize(
    "command",
    [
        ["score"],
        ["score", "entity"],
        ["predictions"],
        ["predictions", "check"],
        ["predictions", "convert"],
        ["predictions", "resolve"],
    ],
)
def test_every_help_ends_with_examples(command: list[str], capsys: Capture) -> None:
    assert run([*command, "--help"]) == 0
    last = capsys.readouterr().out.rstrip().rsplit("\n\n", 1)[-1].splitlines()
    assert last[0].strip() == "Examples:"
    assert all(line.strip().startswith("entityseg ") for line in last[1:])
    assert len(last) > 1


def test_a_noun_alone_prints_its_help(capsys: Capture) -> None:
    assert run(["score"]) == 0
    assert "entity" in capsys.readouterr().out


def test_help_of_a_noun_has_whole_sentences(capsys: Capture) -> None:
    assert run(["data", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "nothing is lost unless --lossy says so. doctor" in text


def test_version(capsys: Capture) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"entityseg {entityseg.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scor"], "did you mean 'score'"),
        (["zzz"], "predictions"),
        (["--nonsense"], "--nonsense"),
        (["score", "entity"], "--gt"),
        (["score", "entity", "--gt", "a", "--pred", "b", "--bootstrap", "-1"], "--bootstrap"),
        (["score", "entity", "--gt", "a", "--pred", "b", "--mode", "best"], "--mode"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], said: str, capsys: Capture) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert run([*arguments, "--json"]) == 2
    assert said in json.loads(capsys.readouterr().out)["message"]


def test_nouns_of_other_floors_come_from_entry_points(plug_in: Callable[..., None], capsys: Capture) -> None:
    plug_in(None)
    assert run(["extra", "go"]) == 0
    assert capsys.readouterr().out == "went\n"
    assert run(["--help"]) == 0
    assert "Somebody's commands." in capsys.readouterr().out


def test_a_broken_plug_in_does_not_take_the_help_away(plug_in: Callable[..., None], capsys: Capture) -> None:
    plug_in(None, fails_to_load=True)
    assert run(["--help"]) == 0
    assert "cannot be loaded: no module named torch" in capsys.readouterr().out


def test_entry_points_are_not_looked_at_for_own_nouns(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def looked(**_: str) -> None:
        raise AssertionError("entry points were looked at")

    monkeypatch.setattr(importlib.metadata, "entry_points", looked)
    assert run(["score", "--help"]) == 0
    with_unknown = run(["unknown"])
    assert with_unknown == 3
    assert "entry points were looked at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (input_error("x.y", "it is wrong", "Mend it.", file="f.json", record="line 3"), 1, "f.json: line 3"),
        (usage_error("x.y", "no such thing", "Ask for another."), 2, "no such thing"),
        (OSError(errno.ENOSPC, "No space left on device", "out.json"), 1, "the disk is full (out.json)"),
        (PermissionError(errno.EACCES, "Permission denied", "out.json"), 1, "permission denied (out.json)"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "in.json"), 1, "in.json"),
        (MemoryError(), 1, "not enough memory"),
        (RuntimeError("a bug"), 3, "report it"),
    ],
)
def test_errors_become_messages(
    error: BaseException, code: int, said: str, plug_in: Callable[..., None], capsys: Capture
) -> None:
    plug_in(error)
    assert run(["extra", "go"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert run(["extra", "go", "--json"]) == code
    shown = capsys.readouterr()
    assert set(json.loads(shown.out)) >= {"error", "findings"}
    assert said in shown.err


def test_findings_are_in_the_json(plug_in: Callable[..., None], capsys: Capture) -> None:
    plug_in(input_error("x.y", "it is wrong", "Mend it.", file="f.json", record="line 3", field="a", value=5))
    assert run(["extra", "go", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"] == [
        {
            "kind": "x.y",
            "message": "it is wrong",
            "remedy": "Mend it.",
            "file": "f.json",
            "record": "line 3",
            "field": "a",
            "value": "5",
            "severity": "error",
        }
    ]


def test_interrupted_and_broken_pipe_are_quiet(plug_in: Callable[..., None], capsys: Capture) -> None:
    plug_in(KeyboardInterrupt())
    assert run(["extra", "go"]) == 130
    assert "Traceback" not in capsys.readouterr().err
    stdout, stderr = sys.stdout, sys.stderr
    plug_in(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert run(["extra", "go"]) == 1
    # typer wraps the streams for the rest of a process that ends here.
    sys.stdout, sys.stderr = stdout, stderr
    assert capsys.readouterr().err == ""


def test_traceback_of_an_internal_error_on_request(
    plug_in: Callable[..., None], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(RuntimeError("a bug"))
    assert run(["extra", "go", "--traceback"]) == 3
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("ENTITYSEG_TRACEBACK", "1")
    assert run(["extra", "go"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_progress_is_drawn_for_people_only(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert list(common.progress(iter(range(4)), 4, "working")) == [0, 1, 2, 3]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    # Fast work shows nothing.
    assert list(common.progress(iter(range(4)), 4, "working")) == [0, 1, 2, 3]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(common, "_SILENT_SECONDS", 0.0)
    assert list(common.progress(iter(range(4)), 4, "working")) == [0, 1, 2, 3]
    shown = capsys.readouterr()
    assert "working" in shown.err
    assert shown.out == ""


def test_help_and_version_import_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom entityseg.cli.main import run\nrun(['--version']); run([])\n"
        "print([m for m in ('numpy', 'numba', 'rich', 'pandas', 'torch', 'matplotlib') if m in sys.modules])"
    )
    assert process(cwd=tmp_path, code=code).stdout.splitlines()[-1] == "[]"


def test_scipy_works_after_the_kernels_were_loaded_without_it(tmp_path: Path) -> None:
    code = """
import sys
from entityseg.cli.common import load_masks
load_masks()
assert "scipy.linalg" not in sys.modules and "scipy.linalg.cython_blas" not in sys.modules
import numpy as np, scipy.linalg, scipy.linalg.cython_blas
assert np.allclose(scipy.linalg.inv(np.eye(3) * 2), np.eye(3) / 2)
from skimage.measure import label
assert label(np.eye(3, dtype=int), connectivity=1).max() == 3
import gc
assert gc.isenabled()
load_masks()
from entityseg.masks import from_dense
assert from_dense(np.ones((1, 2, 3), bool)).areas.tolist() == [6]
print("fine")
"""
    done = process(cwd=tmp_path, code=code)
    assert done.stdout == "fine\n", done.stderr


def test_process_with_a_closed_pipe_and_a_full_disk(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    line = [sys.executable, "-m", "entityseg.cli.main", "--help"]
    done = subprocess.run(line, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the disk is full")
    assert done.stderr.count("\n") == 1


def test_process_in_another_locale_and_with_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\xe9.json"
    line = [
        sys.executable,
        "-m",
        "entityseg.cli.main",
        "score",
        "entity",
        "--gt",
        name,
        "--pred",
        name,
        "--json",
    ]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, env=environment, check=False)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["error"] == "MissingFileError"
    assert b"Traceback" not in done.stderr
