"""Every example in a docstring is run, under the module's installed name."""

from __future__ import annotations

import configparser
import doctest
import importlib
import pkgutil

import pytest

from tests.conftest import CHECKOUT


def _modules() -> list[str]:
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    names = []
    for package in setup["options"]["packages"].split():
        names.append(package)
        # One package at a time: walking from the root misses the mapped folders.
        folder = list(importlib.import_module(package).__path__)
        names += [f"{package}.{m.name}" for m in pkgutil.iter_modules(folder) if not m.ispkg]
    return sorted(name for name in names if not name.endswith("__main__"))


@pytest.mark.parametrize("name", _modules())
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0, f"run `python -m doctest` on {name}"


def test_examples_are_found() -> None:
    assert doctest.testmod(importlib.import_module("entityseg.masks.runlengths")).attempted >= 2
