"""Captions whose noun phrases are tied to the entities they speak of, as Panoptic Narrative Grounding has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from entityseg.data.mini.phrases import (
    NUMBERS,
    PLACES,
    Item,
    Query,
    clearly,
    fitting,
    is_mass,
    noun,
    plural,
    text,
)  # fmt: skip

_VOWELS = "aeiou"
_ABOUT = {"on": "on it", "in": "in it", "part of": "on it", "in front of": "in front of it"}


@dataclass(frozen=True)
class Utterance:
    """A piece of a caption.

    Attributes:
        words: They join by single spaces to the caption.
        numbers: The entities that it speaks of, ascending.
        noun: Whether it is a noun phrase; nouns need not speak of an entity ("this picture").
        plural: Whether the noun is in the plural.
    """

    words: str
    numbers: tuple[int, ...] = ()
    noun: bool = False
    plural: bool = False


def narrate(items: Sequence[Item], title: str, rng: np.random.Generator) -> list[Utterance]:
    """Describe a scene in three to eight sentences; every phrase names all the entities that fit it.

    Args:
        items: The entities.
        title: What the scene shows, such as "a harbour".
        rng: Chooses and orders what is said.
    """
    known = [item for item in items if noun(item.category)]
    out = [Utterance("In"), Utterance("this picture", noun=True), Utterance(f"of {title} we see")]
    stuff = [item for item in known if not item.isthing]
    things = Counter(item.category for item in known if item.isthing)
    first = _stuff_phrases(stuff, known)
    rng.shuffle(first)  # type: ignore[arg-type]
    if first:
        for k, (phrase, where) in enumerate(first[:4]):
            out += [*([Utterance("and")] if k else []), phrase, Utterance(where)]
        out[-1] = Utterance(f"{out[-1].words}.")
    else:
        out[-1] = Utterance(f"of {title} we see many things.")
    names = list(things)
    rng.shuffle(names)
    for name in names[:6]:
        out += _about(name, known, rng)
    green = [item.number for item in known if item.category in ("grass", "tree", "bush", "moss", "flower")]
    kinds = {item.isthing for item in known if item.number in green}
    if len(kinds) == 2 and rng.random() < 0.7:
        out += [Utterance("All"), Utterance("the greenery", tuple(sorted(green)), noun=True)]
        out.append(Utterance("looks fresh."))
    return out


def caption(utterances: Sequence[Utterance]) -> str:
    """The caption that the utterances make.

    >>> caption([Utterance("We see"), Utterance("a tree", (3,), noun=True), Utterance("here.")])
    'We see a tree here.'
    """
    return " ".join(one.words for one in utterances)


def _stuff_phrases(stuff: Sequence[Item], known: Sequence[Item]) -> list[tuple[Utterance, str]]:
    found = []
    for word in dict.fromkeys(noun(item.category) for item in stuff):
        numbers = fitting(Query(word), known)
        members = [item for item in known if item.number in numbers]
        where = members[0].position
        if len(members) > 1:
            words = f"{_count(len(members))} {plural(word)}"
            found.append((Utterance(words, _sorted(numbers), noun=True, plural=True), "here and there"))
            continue
        colour = members[0].colours[0]
        words = f"{colour} {word}" if is_mass(word) or plural(word) == word else _an(f"{colour} {word}")
        many = plural(word) == word
        found.append((Utterance(words, _sorted(numbers), noun=True, plural=many), where))
    return found


def _about(name: str, known: Sequence[Item], rng: np.random.Generator) -> list[Utterance]:
    """One sentence about the things of a category."""
    word = noun(name)
    every = fitting(Query(word), known)
    members = [item for item in known if item.number in every]
    if len(members) > 1:
        colours = Counter(item.colours[0] for item in members)
        colour, count = colours.most_common(1)[0]
        some = clearly(Query(word, colour, several=True), known)
        if 1 < len(some) < len(members) and rng.random() < 0.6:
            words = f"{_count(len(some))} {colour} {plural(word)}"
            return [
                Utterance("There are"),
                Utterance(words, _sorted(some), True, True),
                Utterance("among others."),
            ]
        placed = _placed(word, known)
        if placed is not None and rng.random() < 0.5:
            return placed
        # "Red houses" would leave out the others, so the colour is only said where all have it.
        adjective = f"{colour} " if count == len(members) else ""
        words = f"{_count(len(members))} {adjective}{plural(word)}"
        return [Utterance("There are"), Utterance(words, _sorted(every), True, True), Utterance("in all.")]
    one = members[0]
    out = [
        Utterance("There is"),
        Utterance(_an(f"{one.colours[0]} {word}"), (one.number,), noun=True),
        Utterance(one.position),
    ]
    parent = next((item for item in known if item.number == one.parent), None)
    if parent is not None:
        phrase = Query(noun(parent.category))
        if clearly(phrase, known) == {parent.number}:
            inside = "of" if one.relation == "part of" else one.relation
            many = plural(phrase.noun) == phrase.noun
            return [
                *out,
                Utterance(inside),
                Utterance(text(phrase), (parent.number,), True, many),
                Utterance("there."),
            ]
    below = [item for item in known if item.parent == one.number]
    if len(below) == 1:
        return [
            *out,
            Utterance("with"),
            Utterance(_an(noun(below[0].category)), (below[0].number,), noun=True),
            Utterance(f"{_ABOUT[below[0].relation]}."),
        ]
    return [*out[:-1], Utterance(f"{one.position}.")]


def _placed(word: str, known: Sequence[Item]) -> list[Utterance] | None:
    """A sentence about those of a kind that are clearly in one place."""
    for place in PLACES:
        numbers = clearly(Query(word, place=place), known)
        if numbers:
            many = len(numbers) > 1
            words = f"{_count(len(numbers))} {plural(word)}" if many else _an(word)
            start = Utterance(f"{place[0].upper()}{place[1:]} we see")
            return [start, Utterance(words, _sorted(numbers), True, many), Utterance("too.")]
    return None


def _count(n: int) -> str:
    return NUMBERS[n] if n < len(NUMBERS) else "many"


def _an(words: str) -> str:
    return f"an {words}" if words[0] in _VOWELS else f"a {words}"


def _sorted(numbers: frozenset[int]) -> tuple[int, ...]:
    return tuple(sorted(numbers))
