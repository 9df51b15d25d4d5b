"""The mini dataset's categories: our own, in the shape of the real list (ids from 0, names that repeat)."""

from collections.abc import Iterator
from typing import TypedDict


class Category(TypedDict):
    """One category as a release file lists it: `id` is the key, `type` is "thing" or "stuff"."""

    id: int
    name: str
    supercategory: str
    type: str


# Like the real list, `blur` stands in the middle, `_ot` names are the "other" of their supercategory,
# and one name ("crane": the bird and the machine) stands under two ids.
_THINGS_FIRST = (
    ("entity", "unknown"),
    ("person", "person child"),
    ("animal", "dog cow bird crane animal_ot"),
    ("building", "house roof window door tower building_ot"),
    ("barrier", "fence ladder"),
    ("vehicle", "car truck boat ship"),
    ("machine", "crane"),
    ("equipment", "mast wire lamp container"),
)
_STUFF_FIRST = (
    ("entity", "blur"),
    ("nature", "sky hills grass sand water"),
    ("ground", "road pavement floor soil"),
    ("structure", "wall"),
    ("material", "marble wood moss rust felt ice material_ot"),
)
_THINGS_SECOND = (
    ("plant", "tree bush flower leaf"),
    ("nature", "sun cloud stone shell"),
    ("object", "ring button patch object_ot"),
    ("furniture", "table shelf vase picture book"),
    ("site", "court pool field"),
    ("microscopic", "cell nucleus"),
)


def _listed() -> Iterator[Category]:
    number = 0
    for groups, kind in ((_THINGS_FIRST, "thing"), (_STUFF_FIRST, "stuff"), (_THINGS_SECOND, "thing")):
        for supercategory, names in groups:
            for name in names.split():
                yield {"id": number, "name": name, "supercategory": supercategory, "type": kind}
                number += 1


CATEGORIES: tuple[Category, ...] = tuple(_listed())

UNKNOWN_ID = 0
BLUR_ID = next(c["id"] for c in CATEGORIES if c["name"] == "blur")


def category(name: str) -> Category:
    """The category of a name, or of ``supercategory/name`` where the name stands under several ids.

    Raises:
        KeyError: No category, or more than one, answers to the name.

    >>> category("unknown")["id"], category("animal/crane")["id"] != category("machine/crane")["id"]
    (0, True)
    """
    supercategory, _, short = name.rpartition("/")
    found = [c for c in CATEGORIES if c["name"] == short and supercategory in ("", c["supercategory"])]
    if len(found) != 1:
        raise KeyError(f"category name {name!r} has {len(found)} answers; write supercategory/name")
    return found[0]
