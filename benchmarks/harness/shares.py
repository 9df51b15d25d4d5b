"""Several processes on one run: each takes a share of the shards, and a lock keeps two from the same shard.

The locks end with the process that holds them (`entityseg.files.lock`). What a lock's file says of its holder is for
people.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import TypeVar

import orjson

from entityseg.errors import UsageError, usage_error
from entityseg.files import lock

LOCKS = ".locks"
_GUARD = "guard"
_HELD = ".held"
Item = TypeVar("Item")


@dataclass(frozen=True)
class Share:
    """Which shards a process takes: of every `of` shards in a row the `number`-th, counted from 1.

    >>> Share.parse("2/3").of_all(range(7)), Share(1, 2).overlaps(Share(4, 6)), Share(1, 2).overlaps(Share(2, 3))
    ([1, 4], False, True)
    """

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Share:
        """Return the share that a text such as `2/8` names.

        Raises:
            UsageError: it is no share.
        """
        first, _, second = text.partition("/")
        if first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
            return cls(int(first), int(second))
        message, remedy = "this is no share of the shards", "Write i/n with i from 1 to n, such as 2/8."
        raise usage_error("run.share", message, remedy, field="shard", value=text)

    def of_all(self, shards: Sequence[Item]) -> list[Item]:
        """Return the shards of this share."""
        return list(shards[self.number - 1 :: self.of])

    def overlaps(self, other: Share) -> bool:
        """Return whether some shard, of however many, is in both."""
        return (self.number - other.number) % gcd(self.of, other.of) == 0

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def name(self) -> str:
        """Name for files."""
        return f"{self.number}-of-{self.of}"


WHOLE = Share()


@contextmanager
def taken(folder: Path, share: Share, claim: Callable[[Sequence[str]], None]) -> Iterator[None]:
    """Hold a share of a run's folder while the block runs.

    Args:
        folder: the run's folder.
        share: what this process takes.
        claim: called before, while nobody else can take anything, with what others hold, in words.

    Raises:
        UsageError: another process holds shards of this share; says which one. The folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise usage_error("run.folder", "this is a file", "Name a folder (--out).", file=str(folder))
    locks = folder / LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    with _opened(locks / _GUARD) as guard:
        lock(guard, wait=True)
        others = list(_others(locks))
        for other, holder in others:
            if share.overlaps(other):
                raise _in_use(folder, other, holder)
        claim([holder for _, holder in others])
        path = locks / f"{share.name}{_HELD}"
        own = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        lock(own, wait=False)
        os.truncate(own, 0)
        os.write(own, orjson.dumps({"pid": os.getpid(), "host": platform.node()}))
    try:
        yield
    finally:
        # The file goes while the lock is held, and the guard keeps others from opening it meanwhile.
        with _opened(locks / _GUARD) as guard:
            lock(guard, wait=True)
            path.unlink(missing_ok=True)
            os.close(own)


def _others(locks: Path) -> Iterator[tuple[Share, str]]:
    """Give the shares that living processes hold, and who they are; files of dead ones are removed."""
    for path in sorted(locks.glob(f"*{_HELD}")):
        with _opened(path) as held:
            if lock(held, wait=False):
                path.unlink()
                continue
            said = os.read(held, 4096)
        number, _, of = path.name.removesuffix(_HELD).partition("-of-")
        yield Share(int(number), int(of)), _holder(said)


def _holder(said: bytes) -> str:
    try:
        who = orjson.loads(said)
        return f"process {who['pid']} on {who['host']}"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "a process that has not said which"


def _in_use(folder: Path, other: Share, holder: str) -> UsageError:
    what = "this run" if other == WHOLE else f"the share {other} of this run"
    message = f"{holder} is at work on {what}"
    remedy = (
        "Wait until it ends, or end it; several processes share a run with --shard i/n, each with its own i."
    )
    return usage_error("run.in_use", message, remedy, file=str(folder))


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
