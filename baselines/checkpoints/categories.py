"""What the classes of a class-aware model are called in the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entityseg.baselines.models.config import SegmenterConfig
from entityseg.data.json_file import is_integer, parse_json_file
from entityseg.errors import Findings, input_error, usage_error


@dataclass(frozen=True)
class Categories:
    """The categories of a dataset in the order of a model's classes.

    Attributes:
        ids: category ids.
        names: as the file spells them.
        things: whether each is a thing; None where the file does not say.
        file: where they were read.
    """

    ids: tuple[int, ...]
    names: tuple[str, ...]
    things: tuple[bool | None, ...]
    file: str

    def put_into(self, config: SegmenterConfig) -> None:
        """Name the classes of a configuration.

        Raises:
            UsageError: there are more or fewer categories than classes.
        """
        if len(self.ids) != config.num_labels:
            message = f"there are {len(self.ids)} categories for {config.num_labels} classes"
            remedy = "Give the categories that the model was trained with, in that order."
            raise usage_error("checkpoint.categories", message, remedy, file=self.file, field="categories")
        config.id2label = dict(enumerate(self.names))
        config.label2id = {name: index for index, name in enumerate(self.names)}
        config.category_ids = list(self.ids)
        if None not in self.things:
            config.things = [index for index, thing in enumerate(self.things) if thing]


def read_categories(path: str | Path, *, task: str | None = None) -> Categories:
    """Return the categories of a JSON file, in its order, which is that of the released models' classes.

    Args:
        path: a list of `{"id", "name"}`, or an object with such a list under `categories` (COCO) or under the task.
        task: which list to take, where there is one a task.

    Raises:
        InputError: the file is broken, has no such list, or an entry without an id or name; ids repeat.
    """
    file = str(path)
    held = parse_json_file(path)
    if isinstance(held, dict):
        held = held.get("categories", held.get(task or "", None))
    if not isinstance(held, list) or not held:
        message = "there is no list of categories"
        remedy = (
            'Give a list of {"id", "name"}, or an object that has it under `categories` or under the task.'
        )
        raise input_error("categories.content", message, remedy, file=file)
    findings = Findings(file)
    ids: dict[int, str] = {}
    things: list[bool | None] = []
    for index, entry in enumerate(held):
        record = f"categories[{index}]"
        number, name = (entry.get("id"), entry.get("name")) if isinstance(entry, dict) else (None, None)
        if not is_integer(number) or not isinstance(name, str):
            message = "a category needs an integer id and a name"
            findings.add("categories.entry", message, "Mend the entry.", record=record, value=entry)
        elif number in ids:
            message = "another category has this id"
            findings.add(
                "categories.twice", message, "Ids tell categories apart.", record=record, value=number
            )
        else:
            ids[number] = name
            things.append(_is_thing(entry))
    findings.raise_errors()
    return Categories(tuple(ids), tuple(ids.values()), tuple(things), file)


def _is_thing(entry: dict[str, Any]) -> bool | None:
    """Return whether a category is a thing: COCO says `isthing`, EntitySeg's lists of instances `type`."""
    if "isthing" in entry:
        return bool(entry["isthing"])
    kind = entry.get("type")
    return None if kind not in ("thing", "stuff") else bool(kind == "thing")
