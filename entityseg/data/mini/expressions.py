"""Referring expressions that need attributes, places or neighbours to find their entity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from entityseg.data.mini.phrases import (
    ORDINALS,
    PLACES,
    Item,
    Query,
    clearly,
    fitting,
    noun,
    text,
    words_for,
)  # fmt: skip

_TEXTURES = ("striped", "chequered", "speckled", "veined")
_PLACE_RANKS = ("leftmost", "rightmost", "topmost", "lowest", *ORDINALS)
_SIDES = ("to the left of", "to the right of", "above", "below")
_COLOURS = ("red", "blue", "green", "yellow", "white", "black", "purple", "orange")
# Smaller ones can be told by their words, but hardly be seen.
SMALLEST_TARGET = 60


@dataclass(frozen=True)
class Expression:
    """Words for one entity, for several, or for none.

    Attributes:
        text: The words.
        queries: The phrases that it is made of, joined by "and".
        numbers: The entities that fit, ascending; none for an expression about what is not there.
    """

    text: str
    queries: tuple[Query, ...]
    numbers: tuple[int, ...]


def targets(items: Sequence[Item]) -> list[Item]:
    """Entities that are large enough to be seen, and share their word with others: the word is not enough."""
    answers = Counter(word for item in items for word in set(words_for(item, generous=True)))
    return [item for item in _seen(items) if answers[noun(item.category)] > 1]


def by_attribute(item: Item, items: Sequence[Item]) -> list[Query]:
    """Clear phrases for an entity without a word about where in the picture it is (as RefCOCO+ has them)."""
    return _clear(item, items, _attributes(item, items))


def by_place(item: Item, items: Sequence[Item]) -> list[Query]:
    """Clear phrases for an entity that say where it is."""
    return _clear(item, items, _places(item, items))


def by_both(item: Item, items: Sequence[Item]) -> list[Query]:
    """Clear phrases for an entity that say what it is like and where it is or beside what, longest first."""
    found = _clear(item, items, _long(item, items))
    return sorted(found, key=lambda query: -len(text(query)))


def groups(items: Sequence[Item]) -> list[Expression]:
    """Clear expressions for two to eight entities: a plural phrase, or two phrases joined by "and"."""
    found = []
    seen = _seen(items)
    small = {item.number for item in items} - {item.number for item in seen}
    words = Counter(noun(item.category) for item in seen)
    for word in words:
        colours = sorted({item.colours[0] for item in seen if noun(item.category) == word})
        queries = [Query(word, several=True), *(Query(word, colour, several=True) for colour in colours)]
        queries += [Query(word, place=place, several=True) for place in PLACES]
        for query in queries:
            numbers = clearly(query, items)
            if 2 <= len(numbers) <= 8 and not numbers & small:
                found.append(Expression(text(query), (query,), tuple(sorted(numbers))))
    single = [(Query(word), clearly(Query(word), items)) for word in words]
    single = [(query, numbers) for query, numbers in single if len(numbers) == 1 and not numbers & small]
    for (one, first), (other, second) in combinations(single, 2):
        both = tuple(sorted(first | second))
        found.append(Expression(f"{text(one)} and {text(other)}", (one, other), both))
    return found


def nothing(items: Sequence[Item], others: Sequence[str]) -> list[Expression]:
    """Expressions that no entity fits: a colour that no such thing has here, or a thing that is not here.

    Args:
        items: The entities of the scene.
        others: Categories of the whole set.
    """
    answered = {word for item in items for word in words_for(item, generous=True)}
    present = sorted({noun(item.category) for item in _seen(items)})
    queries = [Query(word, colour) for word in present for colour in _COLOURS]
    queries += [Query(noun(name)) for name in others if noun(name) and noun(name) not in answered]
    return [Expression(text(q), (q,), ()) for q in queries if not fitting(q, items, generous=True)]


def choose(queries: Sequence[Query], count: int, rng: np.random.Generator) -> list[Query]:
    """Draw some phrases, of different kinds first."""
    order = [queries[k] for k in rng.permutation(len(queries)).tolist()]
    kinds: dict[tuple[bool, ...], int] = {}
    ranked = []
    for query in order:
        kind = bool(query.colour or query.texture), bool(query.place), bool(query.rank), bool(query.other)
        ranked.append((kinds.get(kind, 0), query))
        kinds[kind] = kinds.get(kind, 0) + 1
    return [query for _, query in sorted(ranked, key=lambda one: one[0])][:count]


def _seen(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if noun(item.category) and item.area >= SMALLEST_TARGET]


def _clear(item: Item, items: Sequence[Item], queries: Iterator[Query]) -> list[Query]:
    return [query for query in dict.fromkeys(queries) if clearly(query, items) == {item.number}]


def _attributes(item: Item, items: Sequence[Item]) -> Iterator[Query]:
    word = noun(item.category)
    colour = item.colours[0]
    yield Query(word, colour)
    yield Query(word, rank="largest")
    yield Query(word, rank="smallest")
    yield Query(word, colour, rank="largest")
    if item.texture in _TEXTURES:
        yield Query(word, texture=item.texture)
        yield Query(word, colour, item.texture)
    parent = next((one for one in items if one.number == item.parent), None)
    if parent is not None and noun(parent.category):
        for other in (Query(noun(parent.category)), Query(noun(parent.category), parent.colours[0])):
            yield Query(word, relation=item.relation, other=other)
            yield Query(word, colour, relation=item.relation, other=other)


def _places(item: Item, items: Sequence[Item]) -> Iterator[Query]:
    word = noun(item.category)
    for place in PLACES:
        yield Query(word, place=place)
    for rank in _PLACE_RANKS:
        yield Query(word, rank=rank)
    for anchor in _anchors(item, items):
        for side in _SIDES:
            yield Query(word, relation=side, other=anchor)


def _long(item: Item, items: Sequence[Item]) -> Iterator[Query]:
    word, colour = noun(item.category), item.colours[0]
    for place in PLACES:
        yield Query(word, colour, place=place)
        yield Query(word, colour, rank="largest", place=place)
    for rank in _PLACE_RANKS:
        yield Query(word, colour, rank=rank)
    for anchor in _anchors(item, items):
        for side in _SIDES:
            yield Query(word, colour, relation=side, other=anchor)


def _anchors(item: Item, items: Sequence[Item]) -> list[Query]:
    """Up to four large things with a word of their own, beside which others can be placed."""
    words = Counter(word for one in items for word in set(words_for(one, generous=True)))
    alone = [
        one
        for one in items
        if one.isthing and one.number != item.number and noun(one.category) and words[noun(one.category)] == 1
    ]
    alone.sort(key=lambda one: (-one.area, one.number))
    return [Query(noun(one.category), one.colours[0]) for one in alone[:4]]
