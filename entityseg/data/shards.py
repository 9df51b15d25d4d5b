"""Shards of a job on disk: a file (or folder) of results, and beside it a marker with its digest, written last.

A shard counts only with a marker whose digest is that of what lies there, so a run that was killed anywhere goes on
with the shards that are whole, and does the others again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from entityseg.data.digests import of_paths
from entityseg.data.json_file import parse_json_file
from entityseg.errors import InputError
from entityseg.files import remove_leftovers, write_json

FORMAT = "entityseg/shard@1"


@dataclass(frozen=True)
class Shard:
    """Some units of a job.

    Attributes:
        number, of: its number from 0, and how many shards there are.
        units: the units.
        folder: where shards lie.
        suffix: of the results' file, empty for a folder.
    """

    number: int
    of: int
    units: range
    folder: Path
    suffix: str

    @property
    def path(self) -> Path:
        """The results."""
        return self.folder / f"{self.number:05d}-of-{self.of:05d}{self.suffix}"

    @property
    def marker(self) -> Path:
        """The marker."""
        return self.folder / f"{self.number:05d}-of-{self.of:05d}.done"

    def is_whole(self) -> bool:
        """Return whether the shard is done: marker and results are there, and agree."""
        if not self.marker.is_file() or not self.path.exists():
            return False
        try:
            said = parse_json_file(self.marker)
        except InputError:
            return False
        expected = {"format": FORMAT, "units": [self.units.start, self.units.stop], "sha256": self.digest()}
        return isinstance(said, dict) and {key: said.get(key) for key in expected} == expected

    def digest(self) -> str:
        """Return the digest of the results."""
        return of_paths([self.path])

    def write(self, make: Callable[[Path], None]) -> None:
        """Make the results, then write the marker."""
        self.marker.unlink(missing_ok=True)
        if self.path.is_dir():
            shutil.rmtree(self.path)
        self.path.unlink(missing_ok=True)
        remove_leftovers(self.path)
        remove_leftovers(self.marker)
        begin = time.perf_counter()
        make(self.path)
        seconds = round(time.perf_counter() - begin, 3)
        units = [self.units.start, self.units.stop]
        write_json(
            self.marker, {"format": FORMAT, "units": units, "sha256": self.digest(), "seconds": seconds}
        )


def cut(units: int, size: int, folder: Path, suffix: str) -> list[Shard]:
    """Return the shards of a job.

    >>> [list(shard.units) for shard in cut(5, 2, Path("shards"), ".jsonl")]
    [[0, 1], [2, 3], [4]]
    """
    starts = range(0, units, size)
    return [
        Shard(number, len(starts), range(start, min(start + size, units)), folder, suffix)
        for number, start in enumerate(starts)
    ]
