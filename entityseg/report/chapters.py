"""Chapters that other floors add to the demonstration, found by entry point, as the root command finds its nouns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from entityseg.data.threads import Progress
from entityseg.errors import UsageError
from entityseg.report.page import Section

GROUP = "entityseg.demo"


@dataclass(frozen=True)
class Chapter:
    """What a chapter adds.

    Attributes:
        section: its part of the page.
        results: what it found, as JSON.
        lines: a short summary for the terminal.
    """

    section: Section
    results: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


class MakesChapter(Protocol):
    """What an entry point of the group gives: a function that works in a folder of its own."""

    def __call__(self, mini: Path, out: Path, *, seed: int, progress: Progress) -> Chapter:
        """Make the chapter.

        Args:
            mini: the mini dataset, with its training half.
            out: a folder of its own, which stays from one demonstration to the next.
            seed: of everything that is random.
            progress: shows how far the work is.
        """
        ...


def make_chapters(mini: Path, out: Path, *, seed: int, progress: Progress) -> dict[str, Chapter]:
    """Return the chapters of all installed floors by their names, sorted.

    A floor that lacks a package gives a chapter that says what to install.
    """
    made = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            made[point.name] = point.load()(mini, out / point.name, seed=seed, progress=progress)
        except UsageError as error:
            lines = error.findings.lines()
            section = Section(point.name.capitalize(), verdict="Left out.", good=False, lines=lines)
            made[point.name] = Chapter(section, {"left_out": error.findings.to_json()}, tuple(lines))
    return made
