"""JSON values as pydantic records: everything that is wrong with one is said with its field."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from entityseg.errors import Findings, InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")


def validated(model: type[Model], value: Any, findings: Findings, *, kind: str, remedy: str) -> Model:
    """Return a value as a record.

    Args:
        model: the record's class.
        value: what JSON gave.
        findings: what was found before, to be listed with the rest.
        kind: of the findings.
        remedy: what to do about a value of the wrong type.

    Raises:
        InputError: it is none; all problems are listed.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(value)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            where = ".".join(map(str, one["loc"])) or None
            if one["type"] == "extra_forbidden":
                near = get_close_matches(str(one["loc"][-1]), list(model.model_fields), 1)
                hint = f"Did you mean {near[0]!r}? " if near else ""
                fields = ", ".join(model.model_fields)
                findings.add(kind, "there is no such field", f"{hint}The fields are {fields}.", field=where)
            elif one["type"] == "missing":
                findings.add(kind, "the field is missing", remedy, field=where)
            else:
                findings.add(kind, one["msg"], remedy, field=where, value=one["input"])
        raise InputError(findings) from error
