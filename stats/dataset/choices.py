"""Choices that move the statistics of a dataset: how stuff and crowds count, and how shapes are measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from entityseg.errors import usage_error
from entityseg.stats.shape import ShapeChoices

Stuff = Literal["annotated", "joined", "parts"]
Crowd = Literal["covers", "ignored", "entity"]


@dataclass(frozen=True)
class DatasetChoices:
    """What counts as an entity, and how its shape is measured.

    Attributes:
        stuff: `annotated` takes stuff as it is annotated; `joined` makes one entity of all stuff of a category in an
            image ("we treat each uncountable stuff region as one segment although it is disconnected", Qi et al. 2023,
            section 3.2; COCO and ADE20K are annotated so); `parts` makes an entity of each 8-connected part.
        crowd: crowd regions are no entities; with `covers` they count in the valid area, with `ignored` not;
            `entity` makes each an entity like all others.
        shape: of the shape figures.

    Raises:
        UsageError: a value is none of these.
    """

    stuff: Stuff = "annotated"
    crowd: Crowd = "covers"
    shape: ShapeChoices = field(default_factory=ShapeChoices)

    def __post_init__(self) -> None:
        for name, allowed in (("stuff", get_args(Stuff)), ("crowd", get_args(Crowd))):
            if getattr(self, name) not in allowed:
                message = f"there is no such choice of {name}"
                remedy = f"Choose one of {', '.join(allowed)}."
                raise usage_error("stats.choice", message, remedy, field=name, value=getattr(self, name))

    def to_json(self) -> dict[str, str | bool | int]:
        """Return all choices as one flat JSON object.

        >>> DatasetChoices(stuff="joined").to_json()["stuff"]
        'joined'
        """
        return {"stuff": self.stuff, "crowd": self.crowd, **asdict(self.shape)}
