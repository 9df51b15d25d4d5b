"""A mini dataset for the harness's tests, made once, and helpers to run the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from entityseg.cli.main import run


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mini dataset of twelve scenes with the sets of all tasks."""
    from entityseg.data.mini.write import write_mini
    from entityseg.data.mini.write_tasks import write_mini_tasks

    folder = tmp_path_factory.mktemp("bench") / "mini"
    write_mini(folder, scenes=12, jobs=1)
    write_mini_tasks(folder)
    return folder


Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Bench:
    """Runs `entityseg bench ...`; gives exit code, stdout, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["bench", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
