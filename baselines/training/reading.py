"""Reads training configs: strict YAML, files that others are based on, overrides, and errors that say what to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entityseg.baselines.training.config import TrainingConfig
from entityseg.errors import Finding, Findings, MissingFileError, UsageError, input_error, usage_error

if TYPE_CHECKING:
    from pydantic import BaseModel

RECIPES = Path(__file__).parent / "recipes"
# A config is some kilobytes; aliases could blow a small file up, so there are none (`_loader`).
_LARGEST = 1 << 20
_DEEPEST = 8


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package, sorted; not the parts that they share."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml") if not path.stem.startswith("_"))


def read_config(source: str | Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a config.

    Args:
        source: a YAML file, or the name of a recipe.
        overrides: `key.sub=value`, the value in YAML; a key of `model.options` and `model.backbone` may be new, any
            other must be one that there is.

    Raises:
        MissingFileError: there is no such file or recipe.
        InputError: the YAML is malformed, has a key twice, or is based on itself.
        UsageError: keys that there are not, or values that do not fit; all are listed.

    >>> read_config("tiny-cropformer", ["run.seed=3", "loss.image_level=1"]).run.seed
    3
    """
    path = _find(source)
    tree = _load(path, ())
    for override in overrides:
        _apply(tree, override)
    return _checked(tree, str(path), overrides)


def data_at(path: str | Path) -> str:
    """Return the override that says where the data is, whatever characters the path has.

    >>> data_at("a b/#1")
    'data.path="a b/#1"'
    """
    return f"data.path={json.dumps(str(path))}"


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _find(source: str | Path) -> Path:
    path = Path(source)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise MissingFileError(
            Finding("config.missing", "there is no such file", _listed(path.stem), file=str(path))
        )
    recipe = RECIPES / f"{source}.yaml"
    if "/" not in str(source) and recipe.is_file():
        return recipe
    if path.is_file():
        return path
    remedy = _listed(str(source))
    raise usage_error("config.recipe", "no recipe has this name, and no file", remedy, value=str(source))


def _listed(name: str) -> str:
    near = get_close_matches(name, recipe_names(), 1)
    hint = f"Did you mean the recipe '{near[0]}'? " if near else ""
    return f"{hint}Name a YAML file or a recipe (`entityseg train --list`)."


def _load(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """Return the settings of a file, those that it is based on beneath them."""
    import yaml

    if path.resolve() in above or len(above) > _DEEPEST:
        message = (
            "the file is based on itself" if path.resolve() in above else "files are based on too many others"
        )
        raise input_error("config.base", message, "Take one `base` out.", file=str(path), field="base")
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            message = f"a config of {size:,} bytes"
            raise input_error("config.size", message, "Give a YAML file of settings.", file=str(path))
        tree = yaml.load(path.read_text("utf-8"), Loader=_loader())  # noqa: S506 - a SafeLoader
    except UnicodeDecodeError as error:
        raise input_error(
            "config.encoding", f"not UTF-8: {error}", "Save it as UTF-8.", file=str(path)
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else None
        message = getattr(error, "problem", None) or str(error)
        remedy = getattr(error, "note", None) or "Mend the YAML there."
        raise input_error("config.yaml", message, remedy, file=str(path), record=where) from None
    except (RecursionError, ValueError) as error:
        # Lists in lists without end; a date or a number that is none.
        message = f"the YAML cannot be read: {error}"
        raise input_error("config.yaml", message, "Write plain values.", file=str(path)) from None
    if not isinstance(tree, dict):
        message = f"the file holds {'nothing' if tree is None else 'a ' + type(tree).__name__}, no settings"
        raise input_error("config.yaml", message, "Write `key: value` lines.", file=str(path))
    bases = tree.pop("base", [])
    merged: dict[str, Any] = {}
    for base in bases if isinstance(bases, list) else [bases]:
        beneath = path.parent / f"{base}.yaml"
        if not beneath.is_file():
            beneath = RECIPES / f"{base}.yaml"
        if not isinstance(base, str) or not beneath.is_file():
            remedy = "Name files beside this one, or recipes, without `.yaml`."
            raise input_error(
                "config.base", "there is no such base", remedy, file=str(path), field="base", value=base
            )
        merged = _merged(merged, _load(beneath, (*above, path.resolve())))
    return _merged(merged, tree)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return both trees as one; where both have a value, the upper one's.

    >>> _merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    """
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        # A backbone of another kind shares no setting with the one beneath it.
        other_kind = both and merged[key].get("model_type") != value.get(
            "model_type", merged[key].get("model_type")
        )
        merged[key] = _merged(merged[key], value) if both and not other_kind else value
    return merged


@cache
def _loader() -> Any:
    """Return a SafeLoader that refuses a key that comes twice, and aliases."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Takes plain values only."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                event: Any = self.get_event()  # type: ignore[no-untyped-call]
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    "aliases (`*name`) are not taken here",
                    event.start_mark,
                    "Write the value out.",
                )
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                name = getattr(key, "value", None)
                if not isinstance(name, str) or name in seen:
                    problem = (
                        f"the key {name!r} comes twice" if isinstance(name, str) else "a key is no plain word"
                    )
                    raise yaml.constructor.ConstructorError(
                        None, None, problem, key.start_mark, "Leave one of them."
                    )
                seen.add(name)
            return {str(key): value for key, value in super().construct_mapping(node, deep).items()}

    return Loader


def _apply(tree: dict[str, Any], override: str) -> None:
    """Set one `key.sub=value` in a tree."""
    import yaml

    name, separator, text = override.partition("=")
    parts = name.split(".")
    if not separator or not all(parts):
        remedy = "Write `key.sub=value`, such as `optimizer.lr=2e-4`."
        raise usage_error("config.override", "an override is `key=value`", remedy, value=override)
    try:
        value = yaml.load(text, Loader=_loader())  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        message = f"the value is no YAML: {getattr(error, 'problem', None) or error}"
        raise usage_error("config.override", message, "Quote it.", field=name, value=text) from None
    except (RecursionError, ValueError) as error:
        message = f"the value cannot be read: {error}"
        raise usage_error("config.override", message, "Quote it.", field=name, value=text) from None
    place: Any = tree
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(place, list):
            if not part.isdecimal() or int(part) >= len(place):
                message = f"{'.'.join(parts[:index])} is a list of {len(place)}"
                remedy = "Name an item by its number from 0."
                raise usage_error("config.override", message, remedy, field=name, value=part)
            key: Any = int(part)
        else:
            key = part
        if last:
            place[key] = value
        else:
            below = place[key] if isinstance(place, list) else place.get(key)
            if not isinstance(below, dict | list):
                below = {}
                place[key] = below
            place = below


def _checked(tree: dict[str, Any], file: str, overrides: Sequence[str]) -> TrainingConfig:
    """Return the config of a tree; every problem is listed."""
    from pydantic import ValidationError

    overridden = {override.partition("=")[0] for override in overrides}
    try:
        return TrainingConfig.model_validate(tree)
    except ValidationError as error:
        findings = Findings()
        for problem in error.errors():
            field = ".".join(str(part) for part in problem["loc"])
            where = "(override)" if any(field.startswith(name) for name in overridden) else None
            if problem["type"] == "extra_forbidden":
                kind, message, remedy = "config.key", "there is no such setting", _suggestion(problem["loc"])
            elif problem["type"] == "missing":
                kind, message, remedy = "config.missing", "the setting is missing", "Add it."
            else:
                kind = "config.value"
                message = str(problem["msg"]).removeprefix("Value error, ")
                remedy = "Give a value that fits (docs/training.md)."
            value = None if problem["type"] == "missing" or not field else problem["input"]
            findings.add(kind, message, remedy, file=file, record=where, field=field or None, value=value)
        raise UsageError(findings) from None


def _suggestion(place: Sequence[int | str]) -> str:
    """Return what settings there are where one was not found."""
    section: Any = TrainingConfig
    for part in place[:-1]:
        if isinstance(part, str) and section is not None:
            section = _section(section, part)
    if section is None:
        return "Take it out."
    known = sorted(section.model_fields)
    near = get_close_matches(str(place[-1]), known, 1)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"{hint}There are: {', '.join(known)}."


def _section(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the section that a field holds, in a tuple or optional too."""
    from typing import get_args

    from pydantic import BaseModel

    def inner(kind: Any) -> type[BaseModel] | None:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
        return next((found for part in get_args(kind) if (found := inner(part))), None)

    field = model.model_fields.get(name)
    return None if field is None else inner(field.annotation)
