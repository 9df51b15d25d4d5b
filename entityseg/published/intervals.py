"""Exact intervals of what was rounded to the printed digits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product


@dataclass(frozen=True)
class Interval:
    """All numbers from `low` to `high`, both included."""

    low: Fraction
    high: Fraction

    def meets(self, other: Interval) -> bool:
        """Return whether the two share a number."""
        return self.low <= other.high and other.low <= self.high

    def overlaps(self, other: Interval) -> bool:
        """Return whether the two share more than an end."""
        return self.low < other.high and other.low < self.high

    def holds(self, value: Decimal) -> bool:
        """Return whether a number lies inside."""
        return self.low <= Fraction(value) <= self.high

    def pair(self) -> tuple[float, float]:
        """Return both ends as floats."""
        return float(self.low), float(self.high)


def printed(value: Decimal) -> Interval:
    """Return what may have been rounded to a printed figure: half a unit of its last digit on both sides.

    >>> printed(Decimal("71.3")).pair()
    (71.25, 71.35)
    """
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    half = Fraction(10) ** exponent / 2
    return Interval(Fraction(value) - half, Fraction(value) + half)


def share(whole: Decimal, one: Decimal, other: Decimal) -> Interval | None:
    """Return the weights w with `whole = w one + (1 - w) other` that the printed digits allow.

    None where `one` and `other` may be equal, so that any weight does. The weight is monotone in each of the three
    numbers, so its extremes are at the corners of their box.

    >>> low, high = share(Decimal("64.4"), Decimal("67.3"), Decimal("60.4")).pair()
    >>> round(low, 3), round(high, 3)
    (0.565, 0.594)
    """
    a, b, c = printed(whole), printed(one), printed(other)
    if b.meets(c):
        return None
    corners = product((a.low, a.high), (b.low, b.high), (c.low, c.high))
    weights = [(w - y) / (x - y) for w, x, y in corners]
    return Interval(min(weights), max(weights))


def most_shared(boxes: Sequence[Sequence[Interval]]) -> tuple[list[Interval], int]:
    """Return the box that most of the given ones cover, and by how many it is covered.

    A box is one interval a dimension; the lowest such box where there are several. As many candidates are tried as
    there are combinations of the boxes' lower ends, which is enough: the lowest corner of a common box is one.

    >>> f = Fraction
    >>> low, mid, high, far = (Interval(f(a), f(b)) for a, b in ((0, 4), (2, 6), (3, 5), (9, 9)))
    >>> most_shared([[low], [mid], [high], [far]])
    ([Interval(low=Fraction(3, 1), high=Fraction(4, 1))], 3)
    """
    dimensions = range(len(boxes[0]))
    best: list[Sequence[Interval]] = []
    for corner in product(*(sorted({box[i].low for box in boxes}) for i in dimensions)):
        inside = [box for box in boxes if all(box[i].low <= corner[i] <= box[i].high for i in dimensions)]
        if len(inside) > len(best):
            best = inside
    ends = [(max(box[i].low for box in best), min(box[i].high for box in best)) for i in dimensions]
    return [Interval(low, high) for low, high in ends], len(best)


def total(parts: Iterable[Interval]) -> Interval:
    """Return the sums that are possible."""
    listed = list(parts)
    return Interval(
        sum((one.low for one in listed), Fraction(0)), sum((one.high for one in listed), Fraction(0))
    )


def times(parts: Iterable[Interval]) -> Interval:
    """Return the products of positive numbers that are possible."""
    low = high = Fraction(1)
    for one in parts:
        low, high = low * one.low, high * one.high
    return Interval(low, high)
