"""Phrases as texts: normal form, matching of predicted with true ones, and phrase recall of end-to-end grounding.

The published AR_text is undefined; the figures here are named for what they count, see `docs/metrics/narrative.md`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entityseg.masks.runlengths import Int64Array
from entityseg.metrics.averages import ratio, total
from entityseg.metrics.table import Figures, Table, UnitId

Span = tuple[int, int]

_ARTICLES = "a an the"
_DETERMINERS = (
    "this that these those my your his her its our their some any each every all both few many much several "
    "various another other no"
)
_NUMERALS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred"
)
_LEADING = frozenset(f"{_ARTICLES} {_DETERMINERS} {_NUMERALS}".split())


def normalise(text: str) -> str:
    """Return the form in which phrases are compared.

    Unicode NFKC, lower case; hyphens and slashes become spaces, other punctuation goes; leading articles, determiners
    and numerals go, but never the last word.

    >>> normalise("The  two Light-Brown cows,"), normalise("this"), normalise("man's hat")
    ('light brown cows', 'this', 'mans hat')
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    spaced = re.sub(r"[\u2010-\u2015/_-]", " ", folded)
    words = "".join(c for c in spaced if not unicodedata.category(c).startswith("P")).split()
    while len(words) > 1 and (words[0] in _LEADING or words[0].isdecimal()):
        del words[0]
    return " ".join(words)


def match_phrases(
    true: Sequence[str],
    found: Sequence[str],
    true_spans: Sequence[Span | None] | None = None,
    found_spans: Sequence[Span | None] | None = None,
) -> list[int | None]:
    """Return for each true phrase the predicted one that it is matched with, one to one, None where there is none.

    Phrases match if their normal forms are equal. Of several equal ones, those whose character spans in the caption
    meet are matched first, the rest in their order.

    >>> match_phrases(["a dog", "the dog", "sky"], ["dog", "Sky"])
    [0, None, 1]
    >>> match_phrases(["a dog", "the dog"], ["dog"], [(0, 5), (20, 27)], [(24, 27)])
    [None, 0]
    """
    wanted, given = [normalise(text) for text in true], [normalise(text) for text in found]
    result: list[int | None] = [None] * len(wanted)
    free: dict[str, list[int]] = {}
    for k, text in enumerate(given):
        free.setdefault(text, []).append(k)
    if true_spans is not None and found_spans is not None:
        for i, text in enumerate(wanted):
            for k in free.get(text, []):
                if _meet(true_spans[i], found_spans[k]):
                    result[i] = k
                    free[text].remove(k)
                    break
    for i, text in enumerate(wanted):
        if result[i] is None and free.get(text):
            result[i] = free[text].pop(0)
    return result


def _meet(a: Span | None, b: Span | None) -> bool:
    return a is not None and b is not None and a[0] < b[1] and b[0] < a[1]


@dataclass(frozen=True, slots=True)
class PhraseCounts:
    """What one narrative adds: true and predicted phrases, and how many agree (as texts, head nouns, in order)."""

    true: int
    found: int
    exact: int
    heads: int
    ordered: int


class PhraseRecall(Table[PhraseCounts]):
    """Recall and precision of the phrases that a model finds in captions; units are (image, narrative).

    >>> metric = PhraseRecall()
    >>> metric.update(7, 0, ["the red car", "a man", "the road"], ["road", "blue car", "man", "sky"])
    >>> values = metric.compute()
    >>> round(values["phrase_recall_exact"], 4), values["phrase_recall_head"], values["phrase_precision"]
    (0.6667, 1.0, 0.5)
    >>> round(values["phrase_recall_ordered"], 4)
    0.3333
    """

    def cluster(self, unit: UnitId) -> UnitId:
        """Return the image of a narrative."""
        return unit[0]

    def update(self, image_id: UnitId, narrative: int, true: Sequence[str], found: Sequence[str]) -> None:
        """Add one narrative with its grounded phrases and the predicted ones, both in order.

        Raises:
            InputError: the narrative was added before.
        """
        wanted, given = [normalise(text) for text in true], [normalise(text) for text in found]
        heads = _common([text.split(" ")[-1] for text in wanted], [text.split(" ")[-1] for text in given])
        counts = PhraseCounts(len(wanted), len(given), _common(wanted, given), heads, _longest(wanted, given))
        self.add((image_id, narrative), counts)

    def figures(self, units: Mapping[UnitId, PhraseCounts]) -> Figures:
        """Return the function that computes the figures of these narratives."""
        rows = list(units.values())
        true, found, exact, heads, ordered = (
            np.array([getattr(row, name) for row in rows], np.int64) for name in PhraseCounts.__slots__
        )

        def compute(weights: Int64Array) -> dict[str, NDArray[np.float64]]:
            all_true, all_found, hits = total(weights, true), total(weights, found), total(weights, exact)
            return {
                "phrase_recall_exact": ratio(hits, all_true),
                "phrase_precision": ratio(hits, all_found),
                "phrase_F1": ratio(2 * hits, all_true + all_found),
                "phrase_recall_head": ratio(total(weights, heads), all_true),
                "phrase_recall_ordered": ratio(total(weights, ordered), all_true),
            }

        return compute


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the size of the intersection as multisets."""
    return (Counter(a) & Counter(b)).total()


def _longest(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for j, y in enumerate(b):
            before, row[j + 1] = row[j + 1], before + 1 if x == y else max(row[j + 1], row[j])
    return row[-1]
