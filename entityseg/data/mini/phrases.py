"""Phrases about the entities of a scene, and which entities fit them: the grammar behind all texts of mini.

A phrase is read in two ways. *Strictly*, "on the left" is the left 40 % of the picture and a "brown" house is
mostly brown; *generously*, it is the left 60 % and any house with some brown. A phrase is clear where both
readings give the same entities; only clear phrases are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Category -> the word for one and for several; mass nouns have no plural of their own.
_NOUNS = {
    "animal_ot": ("animal", "animals"),
    "building_ot": ("building", "buildings"),
    "child": ("child", "children"),
    "hills": ("hills", "hills"),
    "leaf": ("leaf", "leaves"),
    "material_ot": ("material", "materials"),
    "nucleus": ("nucleus", "nuclei"),
    "object_ot": ("object", "objects"),
    "person": ("person", "people"),
    "shelf": ("shelf", "shelves"),
    "sky": ("sky", "skies"),
}
_MASS = ("grass", "sand", "water", "soil", "marble", "wood", "moss", "rust", "felt", "ice", "pavement")
_VEHICLE, _PLANT = ("vehicle",), ("plant",)
# A wider word may be meant by a narrow thing: "the person" may be a child.
_WIDER = {
    "bird": ("animal",),
    "boat": ("vessel", "ship"),
    "bush": _PLANT,
    "car": _VEHICLE,
    "child": ("person",),
    "cow": ("animal",),
    "crane": ("animal", "bird"),
    "dog": ("animal",),
    "flower": _PLANT,
    "house": ("building",),
    "pool": ("water",),
    "shell": ("stone",),
    "ship": ("vessel", "boat"),
    "tower": ("building",),
    "tree": (*_PLANT, "bush"),
    "truck": (*_VEHICLE, "car"),
}
# Texture that one can name -> the textures that somebody might call so.
_TEXTURES = {
    "striped": ("striped", "lined", "furrowed", "woody", "wavy"),
    "chequered": ("chequered", "woven"),
    "speckled": ("speckled", "grainy", "rough", "leafy"),
    "veined": ("veined",),
}
# Colour -> the colours that somebody might call so too.
_CLOSE = {
    "beige": ("beige", "white", "yellow", "brown", "grey"),
    "black": ("black", "grey"),
    "blue": ("blue", "turquoise", "purple"),
    "brown": ("brown", "beige", "orange", "olive"),
    "green": ("green", "olive", "turquoise"),
    "grey": ("grey", "white", "black", "beige"),
    "olive": ("olive", "green", "brown", "yellow"),
    "orange": ("orange", "red", "brown", "yellow"),
    "pink": ("pink", "red", "purple"),
    "purple": ("purple", "pink", "blue"),
    "red": ("red", "orange", "pink"),
    "turquoise": ("turquoise", "blue", "green"),
    "white": ("white", "grey", "beige"),
    "yellow": ("yellow", "orange", "beige", "olive"),
}
PLACES = {
    "in the top left": (-1, -1),
    "in the top right": (1, -1),
    "in the bottom left": (-1, 1),
    "in the bottom right": (1, 1),
    "on the left": (-1, 0),
    "on the right": (1, 0),
    "at the top": (0, -1),
    "at the bottom": (0, 1),
}
# Rank -> (the sign of, and the axis or measure that is compared).
_RANKS = {
    "leftmost": (1, "x"),
    "rightmost": (-1, "x"),
    "topmost": (1, "y"),
    "lowest": (-1, "y"),
    "largest": (-1, "area"),
    "smallest": (1, "area"),
}
_SIDES = {"to the left of": (0, -1), "to the right of": (0, 1), "above": (1, -1), "below": (1, 1)}
_PARENTAL = {"on": "on", "in": "in", "part of": "of", "in front of": "in front of"}
_MARGIN, _RATIO = 0.04, 1.5
NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
ORDINALS = {"second from the left": 1, "third from the left": 2}


@dataclass(frozen=True)
class Item:
    """An entity as phrases see it.

    Attributes:
        number: Its number in the scene, from 1.
        category: The name of its category.
        category_id: Its category.
        isthing: Thing or stuff.
        colours: Names, most of it first.
        texture: Of its largest part.
        shape: Words of its drawing.
        position: Words for where its centre is.
        x, y: The centre as shares of the width and height.
        area: Pixels.
        parent: Number of the entity that it belongs to, 0 if none.
        relation: How it stands to the parent: "on", "in", "part of", "in front of"; "" if there is none.
    """

    number: int
    category: str
    category_id: int
    isthing: bool
    colours: tuple[str, ...]
    texture: str
    shape: str
    position: str
    x: float
    y: float
    area: int
    parent: int
    relation: str


@dataclass(frozen=True)
class Query:
    """What a phrase asks for; empty fields ask for nothing.

    Attributes:
        noun: The word for one.
        colour, texture: Adjectives.
        place: A key of `PLACES`.
        rank: "leftmost", "rightmost", "topmost", "lowest", "largest", "smallest", or a key of `ORDINALS`.
        relation: Between the entity and `other`: one of "on", "in", "part of", "in front of" (the other is its
            parent), "to the left of", "to the right of", "above", "below".
        other: What stands on the other side of the relation.
        several: The phrase is in the plural.
    """

    noun: str
    colour: str = ""
    texture: str = ""
    place: str = ""
    rank: str = ""
    relation: str = ""
    other: Query | None = None
    several: bool = False


def noun(category: str) -> str:
    """The word for one entity of a category; "" for the two that no word fits.

    >>> noun("building_ot"), noun("road"), noun("unknown")
    ('building', 'road', '')
    """
    if category in ("unknown", "blur"):
        return ""
    return _NOUNS.get(category, (category, ""))[0]


def plural(word: str) -> str:
    """The word for several.

    >>> plural("person"), plural("patch"), plural("water")
    ('people', 'patches', 'areas of water')
    """
    if word in _MASS:
        return f"areas of {word}"
    ending = "es" if word.endswith(("ch", "sh", "x")) else "s"
    return next((many for one, many in _NOUNS.values() if one == word), word + ending)


def is_mass(word: str) -> bool:
    """Whether a word takes no article ("some water")."""
    return word in _MASS


def words_for(item: Item, *, generous: bool = False) -> tuple[str, ...]:
    """Nouns that an entity answers to."""
    own = noun(item.category)
    if not own:
        return ()
    if not generous:
        return (own,)
    any_kind = ("object",) if item.isthing else ("material",)
    return (own, *_WIDER.get(item.category, ()), *any_kind)


def fitting(query: Query, items: Iterable[Item], *, generous: bool = False) -> frozenset[int]:
    """Return the numbers of the entities that fit a phrase, in one of its two readings."""
    items = tuple(items)
    found = [item for item in items if _fits(query, item, generous)]
    if query.other is not None:
        others = fitting(query.other, items, generous=generous)
        anchors = [item for item in items if item.number in others]
        found = [i for i in found if any(_related(query.relation, i, a, generous) for a in anchors)]
    if query.rank:
        found = _ranked(query.rank, found, generous)
    return frozenset(item.number for item in found)


def clearly(query: Query, items: Sequence[Item]) -> frozenset[int]:
    """Return the entities that fit a phrase where it is clear, none where its two readings differ.

    A phrase about another entity is only clear if that one is a single and clear one.
    """
    if query.other is not None and len(clearly(query.other, items)) != 1:
        return frozenset()
    strict = fitting(query, items)
    return strict if strict == fitting(query, items, generous=True) else frozenset()


def text(query: Query, article: str = "the") -> str:
    """The phrase in words.

    >>> text(Query("house", "red", place="on the left"))
    'the red house on the left'
    >>> text(Query("window", rank="leftmost", relation="part of", other=Query("house", "red")))
    'the leftmost window of the red house'
    """
    rank = query.rank if query.rank in _RANKS else ""
    word = plural(query.noun) if query.several else query.noun
    parts = [article, rank, query.texture, query.colour, word]
    if query.rank in ORDINALS:
        parts[1:] = [query.rank.split()[0], *parts[2:], "from the left"]
    parts.append(query.place)
    if query.other is not None:
        parts += [_PARENTAL.get(query.relation, query.relation), text(query.other)]
    return " ".join(part for part in parts if part)


def _fits(query: Query, item: Item, generous: bool) -> bool:
    if query.noun not in words_for(item, generous=generous):
        return False
    if query.colour:
        close = _CLOSE[query.colour] if generous else (query.colour,)
        if not set(item.colours if generous else item.colours[:1]) & set(close):
            return False
    if query.texture and item.texture not in (_TEXTURES[query.texture] if generous else (query.texture,)):
        return False
    return not query.place or _is_at(query.place, item, generous)


def _is_at(where: str, item: Item, generous: bool) -> bool:
    if item.position == "all over the picture":
        return generous
    slack = 0.1 if generous else -0.1
    return all(
        sign * (value - 0.5) > -slack
        for sign, value in zip(PLACES[where], (item.x, item.y), strict=True)
        if sign
    )


def _related(words: str, item: Item, anchor: Item, generous: bool) -> bool:
    if item.number == anchor.number:
        return False
    if words in _PARENTAL:
        # Whoever hears "on" does not tell it from "in" or "of".
        return item.parent == anchor.number and (generous or item.relation == words)
    axis, sign = _SIDES[words]
    gap = sign * ((item.x, item.y)[axis] - (anchor.x, anchor.y)[axis])
    return gap > (-_MARGIN if generous else _MARGIN)


def _ranked(rank: str, found: list[Item], generous: bool) -> list[Item]:
    sign, measure = _RANKS.get(rank, (1, "x"))
    ordered = sorted(found, key=lambda item: (sign * getattr(item, measure), item.number))
    place = ORDINALS.get(rank, 0)
    if place >= len(ordered):
        return []
    chosen = ordered[place]
    if not generous:
        return [chosen]
    at = getattr(chosen, measure)
    if measure == "area":
        return [item for item in ordered if max(item.area, at) <= _RATIO * min(item.area, at)]
    return [item for item in ordered if abs(getattr(item, measure) - at) < _MARGIN]
