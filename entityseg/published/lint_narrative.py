"""The partition test of panoptic narrative grounding.

Average recall over all phrases is a weighted mean of that over things and stuff, and of that over singular and plural
phrases. The weights are shares of phrases: constants of the data, which every row reveals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from entityseg.published.intervals import Interval, most_shared, share
from entityseg.published.records import PublishedRow
from entityseg.published.verdict import Rule, Verdict

_WHOLE = "AR"
# Their code is public, and the phrases are the same for all of them.
_GIVEN_PHRASES = "png-given-phrases"


@dataclass(frozen=True)
class _Split:
    what: str
    one: str
    other: str


_SPLITS = (_Split("things", "AR_Th", "AR_St"), _Split("singular phrases", "AR_Sing", "AR_Pl"))


def _share(row: PublishedRow, split: _Split) -> Interval | None:
    if not {_WHOLE, split.one, split.other} <= row.figures.keys():
        return None
    return share(row.figures[_WHOLE], row.figures[split.one], row.figures[split.other])


@dataclass(frozen=True)
class KnownShares:
    """What the methods that are given the phrases agree on.

    Attributes:
        shares: of things, and of singular phrases.
        rows: how many rows agree on both.
    """

    shares: tuple[Interval, ...]
    rows: int


def known_shares(references: Sequence[PublishedRow]) -> KnownShares:
    """Return the shares that most of the methods that are given the phrases agree on; one voice a method.

    Args:
        references: any rows; those of other tasks, or without all five figures, are left out.

    >>> from entityseg.published import rows
    >>> known = known_shares(rows())
    >>> [[round(end, 3) for end in one.pair()] for one in known.shares], known.rows
    ([[0.576, 0.588], [0.895, 0.905]], 7)
    """
    given = [row for row in references if row.task_figures(_GIVEN_PHRASES)]
    # An original after its copies, and in their stead.
    by_method = {row.method: row for row in sorted(given, key=lambda row: bool(row.original_of))}
    boxes = []
    for row in by_method.values():
        box = [found for split in _SPLITS if (found := _share(row, split)) is not None]
        if len(box) == len(_SPLITS):
            boxes.append(box)
    shares, agreeing = most_shared(boxes)
    return KnownShares(tuple(shares), agreeing)


def partition(row: PublishedRow, known: KnownShares) -> Verdict | None:
    """Return a verdict if the row's shares are not those of the data.

    Args:
        row: any row; one without the figures passes.
        known: from `known_shares`.
    """
    reasons, figures, intervals = [], [], {}
    impossible = False
    for split, agreed in zip(_SPLITS, known.shares, strict=True):
        found = _share(row, split)
        if found is None or found.meets(agreed):
            continue
        whole, one, other = (row.figures[name] for name in (_WHOLE, split.one, split.other))
        intervals[f"share of {split.what}"] = found.pair()
        figures += [name for name in (_WHOLE, split.one, split.other) if name not in figures]
        low, high = (f"{end:.2f}" for end in found.pair())
        if found.low > 1 or found.high < 0:
            impossible = True
            side = "above" if whole > max(one, other) else "below"
            reasons.append(
                f"AR {whole} lies {side} both {split.one} {one} and {split.other} {other}, of which it is a mean"
                f" (share of {split.what} {low} to {high})."
            )
        else:
            agreed_low, agreed_high = (f"{end:.3f}" for end in agreed.pair())
            reasons.append(
                f"The share of {split.what} would be {low} to {high}; {known.rows} methods that are given the phrases"
                f" agree on {agreed_low} to {agreed_high}."
            )
    if not reasons:
        return None
    advice = "The parts are not of the same pooled measurement, or misprinted: do not rank AR."
    return Verdict(
        row=row.id,
        rule=Rule.png_partition,
        severity="impossible" if impossible else "doubtful",
        figures=tuple(figures),
        reason=" ".join([*reasons, advice]),
        intervals=intervals,
    )
