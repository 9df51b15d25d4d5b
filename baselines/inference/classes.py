"""Which category of the data each class of a model is, and what it is called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from entityseg.data.json_file import is_integer
from entityseg.data.records import Category
from entityseg.errors import usage_error
from entityseg.masks.runlengths import Int64Array

if TYPE_CHECKING:
    from entityseg.baselines.models import SegmenterConfig

# What a configuration calls classes of which it knows no names.
_UNNAMED = re.compile(r"(LABEL_)?\d+")


@dataclass(frozen=True)
class Classes:
    """The classes of a model.

    Attributes:
        names: of each class.
        category_ids: of each class; None where the classes are not those of a dataset.
    """

    names: tuple[str, ...]
    category_ids: tuple[int, ...] | None = None

    @classmethod
    def of(cls, config: SegmenterConfig, category_ids: object = None) -> Classes:
        """Return the classes of a configuration.

        Args:
            config: of the model.
            category_ids: other ids than the configuration's, one a class.

        Raises:
            UsageError: these are not whole numbers, one for each class.
        """
        names = tuple(config.id2label[index] for index in range(config.num_labels))
        given = config.category_ids if category_ids is None else category_ids
        if given is None:
            return cls(names)
        ids: Any = given.tolist() if isinstance(given, np.ndarray) else given
        where: dict[str, Any] = {"field": "category_ids", "value": ids}
        is_list = isinstance(ids, list | tuple)
        if not is_list or not all(is_integer(one) and 0 <= one < 2**63 for one in ids):
            message, remedy = "this is no list of ids", "Give a list of whole numbers from 0 on."
            raise usage_error("model.categories", message, remedy, **where)
        if len(ids) != len(names):
            message = f"{len(ids)} categories for {len(names)} classes"
            raise usage_error("model.categories", message, "Give one for each class.", **where)
        return cls(names, tuple(ids))

    def among(self, categories: Sequence[Category]) -> Classes:
        """Return the classes as categories of a task, by id, else by name, else by position.

        Raises:
            UsageError: they do not fit.
        """
        ids = self.category_ids
        if ids is None:
            ids = tuple(match_categories(dict(enumerate(self.names)), categories))
        name_of = {category.id: category.name for category in categories}
        for one in ids:
            if one not in name_of:
                message = "the model was made for a category that the task does not have"
                remedy = "Take the model trained for this task, or give the category of each class (`category_ids`)."
                raise usage_error("model.categories", message, remedy, field="category_ids", value=one)
        return replace(self, category_ids=ids, names=tuple(name_of[one] for one in ids))

    def labels(self, indices: Int64Array) -> Int64Array:
        """Return the category ids of class indices, or the indices where there are none."""
        return indices if self.category_ids is None else np.array(self.category_ids, np.int64)[indices]

    @property
    def label_names(self) -> dict[int, str]:
        """The name of each label; empty where classes have no names.

        >>> Classes(("dog", "cat"), (7, 9)).label_names, Classes(("0", "1")).label_names
        ({7: 'dog', 9: 'cat'}, {})
        """
        if all(map(_UNNAMED.fullmatch, self.names)):
            return {}
        return dict(zip(self.category_ids or range(len(self.names)), self.names, strict=True))


def match_categories(names: Mapping[int, str], categories: Sequence[Category]) -> list[int]:
    """Return the category id of each class.

    Classes that have the categories' names in the categories' order (names repeat in EntitySeg) are those; else names
    must be unique and each be found; classes without names (`LABEL_0`) must be as many as categories.

    Raises:
        UsageError: they do not fit.

    >>> match_categories({0: "dog", 1: "cat"}, [Category(7, "cat"), Category(9, "dog"), Category(3, "sky")])
    [9, 7]
    """
    known = [category.name for category in categories]
    wanted = [names[index] for index in range(len(names))]
    in_order = wanted == known
    unnamed = all(_UNNAMED.fullmatch(name) for name in wanted)
    if in_order or (unnamed and len(wanted) == len(known)):
        return [category.id for category in categories]
    if unnamed:
        message = f"the model has {len(wanted)} classes without names, the task {len(known)} categories"
        remedy = "Give the category of each class (`category_ids`)."
        raise usage_error("model.categories", message, remedy, field="category_ids")
    for name in wanted:
        if known.count(name) != 1 or wanted.count(name) != 1:
            often = "no" if name not in known else "more than one"
            message = f"the task has {often} category of a class's name, or the model has the name twice"
            remedy = "Give the category of each class (`category_ids`), or the model that was trained for this task."
            raise usage_error("model.categories", message, remedy, field="category_ids", value=name)
    id_of = {category.name: category.id for category in categories}
    return [id_of[name] for name in wanted]
