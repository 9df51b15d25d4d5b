"""Questions whose answer must be reasoned out: they ask for what a thing does or is for, and never name it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from entityseg.data.mini.phrases import Item

# What is asked -> categories that answer, a short phrase, and long sentences. Whatever else could answer is named
# too, so that the right answer is all of them.
_ASKED: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = (
    (("lamp",), "what gives light after dark",
     ("When evening comes and somebody wants to go on reading, what in this picture would help them to see?",
      "Which thing here has to be switched on or lit before it is of any use?")),
    (("sun",), "the source of daylight",
     ("What in this scene warms everything else and will be gone at night?",
      "If you wanted to know the time without a clock, which thing would you look for?")),
    (("cloud",), "where rain comes from",
     ("If it started to rain in this scene, where would the drops fall from?",
      "Which things here are carried along by the wind and never touch the ground?")),
    (("fence",), "what keeps animals from straying",
     ("A farmer does not want the herd to walk off; what in this picture was built for that?",)),
    (("ladder",), "what one climbs to reach high places",
     ("Somebody wants to take a book from the highest board; which thing should be leaned against the wall?",)),
    (("vase",), "what holds flowers and water",
     ("You were given a bunch of flowers; what in this room would you put them into?",)),
    (("picture",), "decoration that hangs on the wall",
     ("Which things in this room are only there to be looked at and show something else?",)),
    (("shelf",), "where books are kept in order",
     ("After reading, where in this room does everything made of paper go back to?",)),
    (("table",), "where people sit down to eat",
     ("If guests came for dinner, at which piece of furniture would they gather?",)),
    (("car", "truck"), "what drives on the road",
     ("Which things in this picture burn fuel or need a driver to roll from one place to another?",)),
    (("ship", "boat"), "what people use to cross water",
     ("Somebody wants to reach the other shore and stay dry; what could carry them?",
      "Which things here would sink if they had a large hole below?")),
    (("container",), "boxes that goods are shipped in",
     ("A trader wants to send furniture overseas; into which things would it be packed before loading?",)),
    (("house", "tower", "building_ot"), "where people can be safe from rain",
     ("A storm is coming and the people outdoors want a roof over their heads; where could they go?",)),
    (("tree", "bush"), "what turns sunlight into wood",
     ("Which of the things in this scene grow a little thicker every year?",)),
    (("flower",), "what bees would visit",
     ("If a bee flew through this scene in search of nectar, where would it land?",)),
    (("dog", "cow", "bird", "animal_ot"), "living beings that are not human",
     ("Who in this picture has to be fed but cannot ask for it in words?",)),
    (("person", "child"), "who could have made the others",
     ("Which beings in this picture could read what is written here?",)),
    (("pool",), "where one could swim",
     ("It is a hot afternoon in this town; where would the children want to jump in?",)),
    (("court",), "where a match is played",
     ("Two teams have a ball and an hour; on which grounds of this town would they meet?",)),
    (("field",), "where crops are grown",
     ("Bread begins somewhere in this landscape; where are the plants for it sown?",)),
    (("road",), "where wheels run best",
     ("Which part of this picture was made so that traffic can pass?",)),
    (("nucleus",), "what holds the genes",
     ("If a biologist wanted to read the plan of these living units, where would it be stored?",)),
    (("ring",), "what is worn on a finger",
     ("Which of these things could be given at a wedding?",)),
    (("button",), "what keeps a coat closed",
     ("A tailor finds that a shirt stays open; what in this picture would be sewn on?",)),
    (("shell",), "what was once an animal's home",
     ("Which of these things was not formed by rock but built by a living being around itself?",)),
    (("moss", "leaf"), "what was alive and green",
     ("Which parts of this picture grew by themselves and need light and water to do so?",)),
    (("roof",), "what keeps rain out of a house",
     ("Tiles were laid to make this; which parts of the buildings are they on?",)),
    (("wire",), "what conducts electricity",
     ("Which long, thin thing here could carry a current from one end to the other?",
      "In the dark, what in this picture would one trip over or get caught in?")),
    (("water", "pool"), "what could put out a fire",
     ("Something is burning; with what from this picture could it be quenched?",)),
    (("patch",), "what a tailor sews over a hole",
     ("Which pieces here could mend a worn sleeve?",)),
    (("stone",), "what could break a window if thrown",
     ("Which of these are hard, heavy, and older than anything that lives?",)),
    (("cell",), "the smallest living units",
     ("What in this picture can divide and make two of itself?",)),
    (("window",), "what lets daylight into a room",
     ("Somebody indoors wants fresh air; what would be opened?",)),
    (("door",), "how one gets into a house",
     ("A visitor arrives and knocks; on which part of the building?",)),
)  # fmt: skip
_MOST_TARGETS = 8
_SMALLEST = 150


@dataclass(frozen=True)
class Question:
    """A question about a scene.

    Attributes:
        texts: One or several wordings.
        is_sentence: Sentences (True), or a short phrase (False).
        targets: Numbers of the entities that answer it, ascending.
    """

    texts: tuple[str, ...]
    is_sentence: bool
    targets: tuple[int, ...]


def ask(items: Sequence[Item], rng: np.random.Generator) -> list[Question]:
    """Return the questions that a scene answers with one to eight entities, in random order.

    Args:
        items: The entities of the scene.
        rng: Chooses short phrases or sentences.
    """
    found = []
    for names, short, sentences in _ASKED:
        answers = [item for item in items if item.category in names]
        if not 1 <= len(answers) <= _MOST_TARGETS or sum(item.area for item in answers) < _SMALLEST:
            continue
        numbers = {item.number for item in answers}
        if rng.random() < 0.45:
            texts, is_sentence = (short,), False
        else:
            order = rng.permutation(len(sentences)).tolist()
            texts, is_sentence = tuple(sentences[k] for k in order), True
        found.append(Question(texts, is_sentence, tuple(sorted(numbers))))
    return [found[k] for k in rng.permutation(len(found)).tolist()]
