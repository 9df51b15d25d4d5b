"""Repeating, medians and the tables that the benchmarks print."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def alternated(calls: Mapping[str, Callable[[], Any]], repeat: int, *, inner: int = 1) -> dict[str, float]:
    """Times each call `repeat` times, taking turns, so that a busy spell of the machine hits all alike.

    Args:
        calls: What to time, by name; each is called once before as a warm-up.
        repeat: Rounds; every second round runs in reverse order.
        inner: Calls a measurement, for calls too short to time alone.

    Returns:
        The median wall seconds of one call, by name.
    """
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeat):
        for name in in_turn(list(calls), turn):
            begin = time.perf_counter()
            for _ in range(inner):
                calls[name]()
            seconds[name].append((time.perf_counter() - begin) / inner)
    return {name: statistics.median(values) for name, values in seconds.items()}


def in_turn(names: Sequence[str], turn: int) -> list[str]:
    """Returns the names forwards on even turns and backwards on odd ones.

    >>> in_turn(["a", "b"], 0), in_turn(["a", "b"], 1)
    (['a', 'b'], ['b', 'a'])
    """
    return list(names) if turn % 2 == 0 else list(names)[::-1]


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table with its columns padded to one width.

    >>> print(markdown(["tool", "s"], [["ours", "0.5"]]))
    | tool | s   |
    |------|-----|
    | ours | 0.5 |
    """
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in [header, *rows]
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def ratio(slow: float, fast: float) -> str:
    """Returns how many times faster `fast` is than `slow`.

    >>> ratio(3.0, 2.0)
    '1.50x'
    """
    return f"{slow / fast:.2f}x"
