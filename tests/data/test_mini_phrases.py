"""The grammar of the mini dataset's phrases: hand-made scenes whose answers one can see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.data.mini import captions, questions
from entityseg.data.mini.categories import CATEGORIES
from entityseg.data.mini.expressions import by_attribute, by_both, by_place, groups, nothing, targets
from entityseg.data.mini.phrases import Item, Query, clearly, fitting, plural, text
from entityseg.data.mini.vocabulary import THEMES, new_name

NAMES = {one["name"] for one in CATEGORIES}


def item(
    number, category="house", colours=("red",), x=0.5, y=0.5, *, area=1000, parent=0, relation="", **other
):
    fields = {"texture": "plain", "shape": "boxy", "position": "in the middle"} | other
    thing = next(one["type"] == "thing" for one in CATEGORIES if one["name"] == category)
    return Item(
        number=number, category=category, category_id=1, isthing=thing, colours=tuple(colours), x=x, y=y, area=area,
        parent=parent, relation=relation, **fields,
    )  # fmt: skip


STREET = [
    item(1, "grass", ("green",), y=0.8, area=90000),
    item(2, x=0.1),
    item(3, colours=("blue", "white"), x=0.45, area=4000),
    item(4, x=0.9),
    item(5, "window", ("yellow",), x=0.1, parent=2, relation="part of"),
    item(6, "window", ("yellow",), x=0.46, parent=3, relation="part of"),
    item(7, "dog", ("brown",), x=0.7, y=0.9, area=300),
]


def find(query, items=STREET):
    return set(clearly(query, items))


def test_attributes_places_ranks_and_relations_by_hand():
    assert find(Query("house")) == {2, 3, 4}
    assert find(Query("house", "red")) == {2, 4}
    assert find(Query("house", "blue")) == {3}
    assert (
        find(Query("house", place="on the left")) == set()
    )  # House 3 is near enough to the left to be meant.
    assert find(Query("house", "red", place="on the left")) == {2}
    assert find(Query("house", rank="leftmost")) == {2}
    assert find(Query("house", rank="second from the left")) == {3}
    assert find(Query("house", rank="largest")) == {3}
    assert find(Query("house", rank="smallest")) == set()  # Two are alike.
    assert find(Query("house", relation="to the right of", other=Query("dog"))) == {4}
    assert find(Query("window", relation="part of", other=Query("house", "blue"))) == {6}
    # "The window of the red house" is of no one house.
    assert find(Query("window", relation="part of", other=Query("house", "red"))) == set()


def test_what_could_be_meant_too_makes_a_phrase_unclear():
    child = [item(1, "person"), item(2, "child")]
    assert fitting(Query("person"), child) == {1}
    assert find(Query("person"), child) == set()
    assert find(Query("child"), child) == {2}
    cranes = [item(1, "crane"), item(2, "bird", x=0.1)]
    assert find(Query("bird"), cranes) == set()
    brownish = [item(1, colours=("brown",)), item(2, colours=("orange",), x=0.1)]
    assert find(Query("house", "brown"), brownish) == set()
    two_coloured = [item(1, colours=("red",)), item(2, colours=("white", "red"), x=0.1)]
    assert find(Query("house", "red"), two_coloured) == set()


def test_near_ties_have_no_rank():
    close = [item(1, x=0.30), item(2, x=0.33), item(3, x=0.9)]
    assert find(Query("house", rank="leftmost"), close) == set()
    assert find(Query("house", rank="third from the left"), close) == {3}


def test_words():
    assert text(Query("house", "red", rank="second from the left")) == "the second red house from the left"
    assert text(Query("dog", several=True, colour="brown")) == "the brown dogs"
    assert [plural(one) for one in ("child", "bush", "hills", "sand")] == [
        "children",
        "bushes",
        "hills",
        "areas of sand",
    ]


@st.composite
def scenes(draw):
    names = st.sampled_from(
        ["house", "window", "person", "child", "tree", "boat", "ship", "grass", "unknown"]
    )
    colours = st.lists(
        st.sampled_from(["red", "orange", "blue", "white", "grey"]), min_size=1, max_size=2, unique=True
    )
    share = st.floats(0, 1).map(lambda v: round(v, 3))
    count = draw(st.integers(1, 9))
    return [
        item(
            number, draw(names), tuple(draw(colours)), draw(share), draw(share), area=draw(st.integers(20, 9000)),
            parent=draw(st.integers(0, number - 1)), relation="on", texture=draw(st.sampled_from(["plain", "striped"])),
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


@given(scenes())
def test_every_expression_has_exactly_its_entities(items):
    for one in targets(items):
        for query in [*by_attribute(one, items), *by_place(one, items), *by_both(one, items)]:
            for generous in (False, True):
                assert fitting(query, items, generous=generous) == {one.number}
    for expression in groups(items):
        told = set().union(*(fitting(query, items, generous=True) for query in expression.queries))
        assert told == set(expression.numbers)
        assert len(told) > 1
    for expression in nothing(items, sorted(NAMES)):
        assert not any(fitting(query, items, generous=True) for query in expression.queries)


@given(scenes(), st.integers(0, 100))
def test_captions_name_all_of_what_they_count(items, seed):
    told = captions.narrate(items, "a test", np.random.default_rng(seed))
    assert captions.caption(told) == " ".join(one.words for one in told)
    known = {one.number: one for one in items}
    numbers = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
    for one in told:
        assert set(one.numbers) <= set(known)
        assert one.noun or not one.numbers
        first = one.words.split()[0]
        if one.noun and first in numbers:
            assert len(one.numbers) == numbers[first]
        assert "unknown" not in one.words


@given(scenes(), st.integers(0, 100))
def test_questions_have_all_that_answer(items, seed):
    for one in questions.ask(items, np.random.default_rng(seed)):
        names = {entity.category for entity in items if entity.number in one.targets}
        assert one.targets == tuple(sorted(entity.number for entity in items if entity.category in names))
        assert 1 <= len(one.targets) <= 8
        assert one.texts


@pytest.mark.parametrize("entry", questions._ASKED, ids=lambda entry: entry[0][0])
def test_questions_never_name_their_answer(entry):
    names, short, sentences = entry
    assert set(names) <= NAMES
    words = " ".join([short, *sentences]).lower().replace(",", " ").replace("?", " ").split()
    for name in names:
        assert not {name, plural(name)} & set(words)
    assert all(sentence.endswith("?") for sentence in sentences)
    assert not short.endswith("?")


def test_the_open_vocabulary_has_names_of_its_own():
    for name in sorted(NAMES - {"unknown", "blur"}):
        names = new_name(item(1, name))
        assert len(names) >= 2
        assert not set(names) & NAMES
    assert new_name(item(1, "unknown")) == ()
    assert new_name(item(1, "crane", shape="slender")) != new_name(item(1, "crane"))
    for renamed in THEMES.values():
        assert set(renamed) <= NAMES
        assert not set(renamed.values()) & NAMES
