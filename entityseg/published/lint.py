"""The consistency linter: finds published rows that cannot be, or that their own source contradicts, and says why.

Every test allows for rounding: a row is flagged only if no numbers that print like this pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from entityseg.published.intervals import Interval, printed, times, total
from entityseg.published.lint_narrative import known_shares, partition
from entityseg.published.lint_originals import copied, restated
from entityseg.published.reading import all_rows
from entityseg.published.records import PublishedRow, Relation
from entityseg.published.verdict import Rule, Verdict

__all__ = ["Rule", "Verdict", "lint", "verdicts"]

_AP_NAMES = (("AP", "AP50", "AP75"), ("AP^e", "AP50^e", "AP75^e"))


def lint(rows: Iterable[PublishedRow]) -> list[Verdict]:
    """Return what is wrong with the rows, in their order.

    Other rows that a test needs (a method's own figures, a table's other rows) are taken from `rows` and, where they
    are not there, from the package.

    >>> from entityseg.published import rows
    >>> for verdict in lint(rows("esg-XVIII")):
    ...     print(verdict.row, verdict.rule, verdict.severity)
    esg-XVIII(b)#3 pq-bound impossible
    """
    given = list(rows)
    ids = {row.id for row in given}
    known = [*given, *(row for row in all_rows() if row.id not in ids)]
    shares = known_shares(known)
    found = []
    for row in given:
        narrative = partition(row, shares)
        found += [narrative] if narrative else []
        found += [
            *_pq_bound(row),
            *_ap_order(row),
            *_relations(row),
            *copied(row, known),
            *restated(row, known),
        ]
    return found


@cache
def _by_id() -> dict[str, tuple[Verdict, ...]]:
    found: dict[str, tuple[Verdict, ...]] = {}
    for verdict in lint(all_rows()):
        found[verdict.row] = (*found.get(verdict.row, ()), verdict)
    return found


def verdicts(row: PublishedRow) -> tuple[Verdict, ...]:
    """Return what is wrong with one row; a row of the package is looked up."""
    if any(row is each for each in all_rows()):
        return _by_id().get(row.id, ())
    return tuple(lint([row]))


def _pq_bound(row: PublishedRow) -> Iterator[Verdict]:
    """SQ + RQ - 1 <= PQ <= min(SQ, RQ): true of each class, as (1 - SQ)(1 - RQ) >= 0, and so of the means."""
    if not {"PQ", "SQ", "RQ"} <= row.figures.keys():
        return
    pq, sq, rq = (printed(row.figures[name]) for name in ("PQ", "SQ", "RQ"))
    lowest, highest = sq.low + rq.low - 100, min(sq.high, rq.high)
    if pq.meets(Interval(lowest, highest)):
        return
    bound = row.figures["SQ"] + row.figures["RQ"] - 100
    product = row.figures["SQ"] * row.figures["RQ"] / 100
    yield Verdict(
        row.id,
        Rule.pq_bound,
        "impossible",
        ("PQ", "SQ", "RQ"),
        f"PQ {row.figures['PQ']} is outside of SQ + RQ - 100 = {bound} to min(SQ, RQ) ="
        f" {min(row.figures['SQ'], row.figures['RQ'])}; SQ x RQ is {product:.1f}.",
        {"PQ": (float(lowest), float(highest))},
    )


def _ap_order(row: PublishedRow) -> Iterator[Verdict]:
    """AP is the mean over ten thresholds of a curve that falls, of which AP50 is the first and highest."""
    for ap, ap50, ap75 in _AP_NAMES:
        for low, high in ((ap, ap50), (ap75, ap50)):
            if not {low, high} <= row.figures.keys():
                continue
            if printed(row.figures[low]).low > printed(row.figures[high]).high:
                reason = f"{low} {row.figures[low]} is above {high} {row.figures[high]}, and cannot be."
                yield Verdict(row.id, Rule.ap_order, "impossible", (low, high), reason)


def _relations(row: PublishedRow) -> Iterator[Verdict]:
    for relation in row.relations:
        if not {relation.total, *relation.parts} <= row.figures.keys():
            continue
        possible = _possible(relation, [printed(row.figures[name]) for name in relation.parts])
        if possible.overlaps(printed(row.figures[relation.total])):
            continue
        exact = _possible(relation, [_point(row, name) for name in relation.parts])
        sign = {"mean": ", ", "sum": " + ", "product": " x "}[relation.kind]
        parts = sign.join(str(row.figures[name]) for name in relation.parts)
        yield Verdict(
            row.id,
            Rule.arithmetic,
            "impossible",
            (relation.total, *relation.parts),
            f"The {relation.kind} {parts} is {_plain(float(exact.low))}, printed as"
            f" {row.figures[relation.total]}; rounding does not explain it.",
            {relation.total: possible.pair()},
        )


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _point(row: PublishedRow, name: str) -> Interval:
    value = printed(row.figures[name])
    middle = (value.low + value.high) / 2
    return Interval(middle, middle)


def _possible(relation: Relation, parts: Sequence[Interval]) -> Interval:
    if relation.kind == "product":
        return times(parts)
    sums = total(parts)
    if relation.kind == "sum":
        return sums
    return Interval(sums.low / len(parts), sums.high / len(parts))
