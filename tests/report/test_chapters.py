"""Other floors add chapters to the demonstration by entry point; one that cannot be made says why."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from entityseg.data.threads import Progress
from entityseg.errors import usage_error
from entityseg.report import chapters
from entityseg.report.chapters import Chapter
from entityseg.report.demo import run_demo
from entityseg.report.page import Section


def good(mini: Path, out: Path, *, seed: int, progress: Progress) -> Chapter:
    assert (mini / "scenes.json").is_file()
    section = Section("A chapter of ours", [f"seed {seed}"])
    return Chapter(section, {"folder": out.name}, ("one line",))


def lacking(mini: Path, out: Path, *, seed: int, progress: Progress) -> Chapter:
    raise usage_error("models.missing", "a package is not installed", "Install `some-package`.")


def points(monkeypatch: pytest.MonkeyPatch, **made: str) -> None:
    found = [EntryPoint(name, f"{__name__}:{value}", chapters.GROUP) for name, value in made.items()]
    monkeypatch.setattr(EntryPoint, "load", lambda point: globals()[point.value.split(":")[1]])
    monkeypatch.setattr(chapters, "entry_points", lambda group: found)


def test_chapters_come_into_page_and_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points(monkeypatch, zebra="good", models="lacking")
    done = run_demo(tmp_path / "out", scenes=4, bootstrap=0, seed=3)
    assert list(done.chapters) == ["models", "zebra"]
    page = done.page.read_text()
    assert "A chapter of ours" in page and "seed 3" in page
    assert "Left out." in page and "some-package" in page
    found = json.loads(json.dumps(done.to_json()))["chapters"]
    assert found["zebra"] == {"folder": "zebra"}
    assert found["models"]["left_out"]


def test_chapters_are_left_out_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points(monkeypatch, zebra="good")
    assert run_demo(tmp_path / "out", scenes=4, bootstrap=0, chapters=False).chapters == {}
