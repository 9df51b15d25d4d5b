"""What the README tells a newcomer to do works, word for word."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entityseg.cli.main import run

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


@pytest.fixture(scope="module")
def after_make_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `make demo` leaves it."""
    folder = tmp_path_factory.mktemp("newcomer")
    assert run(["demo", "--quick", "--out", str(folder / "demo")]) == 0
    return folder


def test_commands(
    after_make_demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(after_make_demo)
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
    assert len(commands) >= 5
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "entityseg"
        assert run(arguments) == 0, f"{command}\n{capsys.readouterr().err}"
    # The README's picture is what its command draws, up to the rounding of another processor.
    with Image.open("tour.png") as drawn, Image.open(ROOT / "docs" / "tour.png") as shown:
        assert drawn.size == shown.size
        difference = np.abs(np.asarray(drawn, np.int64) - np.asarray(shown, np.int64))
    assert difference.mean() < 1


def test_python(after_make_demo: Path) -> None:
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=after_make_demo,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1.0"


DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if not link.startswith("http")]
    missing = [link for link in links if not ((ROOT / name).parent / link).exists()]
    assert not missing


def test_folder_map_is_true() -> None:
    listing = next(block for block in blocks("") if block.startswith("entityseg/"))
    for line in listing.splitlines():
        name = line.split()[0]
        folder = ROOT / "entityseg" / name if line.startswith("  ") else ROOT / name
        assert folder.is_dir(), line


def test_every_command_named_in_the_documents_exists(capsys: pytest.CaptureFixture[str]) -> None:
    named = set()
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        named |= set(re.findall(r"`entityseg (data|score|predictions) ([a-z]+)\b", text))
    assert len(named) >= 6
    for noun, verb in named:
        assert run([noun, verb, "--help"]) == 0, (noun, verb)
