"""Work on images side by side, results in order, few in flight."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
# progress(iterable, total, label) gives the same items and shows how far they are.
Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]


def thread_count(threads: int | None = None) -> int:
    """Return `threads`, or the number of processors that this process may use."""
    if threads is not None:
        return max(1, threads)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None, ahead: int = 4
) -> Iterator[Result]:
    """Yield `function(item)` for each item in order; at most `ahead` items a thread are in flight.

    An error of the function is raised when its turn comes, and what has not begun is dropped.

    >>> list(map_in_order(abs, [-3, 2], threads=2))
    [3, 2]
    """
    count = thread_count(threads)
    if count == 1:
        yield from map(function, items)
        return
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(count)
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= ahead * count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def no_progress(iterable: Iterable[Any], total: int, label: str) -> Iterable[Any]:
    """Return the iterable as it is: the progress that shows nothing."""
    return iterable
