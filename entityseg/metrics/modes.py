"""What a metric's mode may be: `canonical`, or the name of a published code path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from entityseg.errors import usage_error

Name = TypeVar("Name", bound=str)


def checked_mode(mode: Name, known: Sequence[Name]) -> Name:
    """Return the mode.

    Raises:
        UsageError: there is no such mode.

    >>> checked_mode("canonical", ("canonical", "pysod"))
    'canonical'
    """
    if mode not in known:
        message, remedy = "there is no such mode", f"Use one of {', '.join(known)}."
        raise usage_error("mode.unknown", message, remedy, value=mode)
    return mode
