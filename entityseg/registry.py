"""Finds models by name: entry points of the group `entityseg.models`, or `module:attr`.

An entry point (or attribute) is called without arguments, or with those that are given, and returns a model: anything
with the methods of `entityseg.protocols`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from traceback import extract_tb
from typing import Any

from entityseg.errors import EntitySegError, usage_error

GROUP = "entityseg.models"


def names() -> list[str]:
    """Return the names of all registered models, sorted."""
    return sorted(_points())


def load(name: str, options: Mapping[str, Any] | None = None) -> Any:
    """Return a model, made from the factory of this name.

    Args:
        name: of an entry point, or `module:attr`; an attribute that is not callable is the model itself.
        options: keyword arguments of the factory.

    Raises:
        UsageError: there is no such model, it cannot be imported, does not take these options, or raises an error.
    """
    made = _find(name)
    given = dict(options or {})
    is_factory = inspect.isclass(made) or (callable(made) and not _is_model(made))
    if not is_factory:
        if given:
            message = "the model is an object already, which takes no options"
            raise usage_error("model.options", message, "Name its class or a function.", value=name)
        return _checked(made, name)
    _check_options(made, given, name)
    try:
        return _checked(made(**given), name)
    except (EntitySegError, OSError, MemoryError):
        raise
    except Exception as error:
        remedy = "Check the options (--option name=value), and the model."
        message = f"the model cannot be made: {raised(error)}"
        raise usage_error("model.made", message, remedy, field="model", value=name) from error


def raised(error: Exception) -> str:
    """Return what code of others raised, and where, for messages."""
    place = extract_tb(error.__traceback__)[-1:]
    return f"{type(error).__name__}: {error}" + "".join(f" ({one.filename}:{one.lineno})" for one in place)


def suggestion(name: str, known: list[str]) -> str:
    """Return what to say about a name that does not exist.

    >>> suggestion("orcale", ["oracle", "superpixels"])
    "Did you mean 'oracle'? There are: oracle, superpixels."
    """
    near = get_close_matches(name, known, 1)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"{hint}There are: {', '.join(known) or 'none'}."


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _find(name: str) -> Any:
    if ":" not in name:
        points = _points()
        if name not in points:
            remedy = f"{suggestion(name, sorted(points))} A model of your own is `module:attr`."
            raise usage_error("model.unknown", "no model has this name", remedy, field="model", value=name)
        try:
            return points[name].load()
        except (ImportError, AttributeError) as error:
            message = f"the model cannot be loaded: {error}"
            remedy = f"Mend or reinstall what provides it ({points[name].value})."
            raise usage_error("model.import", message, remedy, field="model", value=name) from error
    module_name, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        remedy = "Check the name; the module must be importable from here (see PYTHONPATH)."
        raise usage_error(
            "model.import", f"no such module can be imported: {error}", remedy, field="model", value=name
        ) from error
    except (EntitySegError, OSError, MemoryError):
        raise
    except Exception as error:
        message = f"the module cannot be imported: {raised(error)}"
        raise usage_error("model.import", message, "Mend it.", field="model", value=name) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [one for one in vars(found) if not one.startswith("_")]
            message = f"{getattr(found, '__name__', module_name)} has no attribute {part!r}"
            remedy = suggestion(part, known[:30])
            raise usage_error("model.attribute", message, remedy, field="model", value=name)
        found = getattr(found, part)
    return found


def _is_model(value: Any) -> bool:
    return hasattr(value, "segment") or hasattr(value, "ground")


def _checked(model: Any, name: str) -> Any:
    if not _is_model(model):
        message = f"a {type(model).__name__} is no model: it has neither `segment` nor `ground`"
        remedy = "See `entityseg.protocols` for what a model must offer."
        raise usage_error("model.protocol", message, remedy, field="model", value=name)
    return model


def _check_options(factory: Callable[..., Any], options: Mapping[str, Any], name: str) -> None:
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(**options)
    except TypeError as error:
        message = f"the model does not take these options: {error}"
        taken = ", ".join(signature.parameters) or "none"
        raise usage_error(
            "model.options", message, f"Its options are: {taken}.", field="model", value=name
        ) from error
