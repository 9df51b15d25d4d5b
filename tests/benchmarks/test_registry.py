"""Models are found by entry point or module:attr, and every mistake says what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from entityseg import registry
from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths
from entityseg.protocols import GroundedPhrase, Grounder, Oracle, Segmentation, Segmenter


@pytest.fixture(autouse=True)
def own_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield
    sys.modules.pop("models", None)


def test_entry_points() -> None:
    assert {"oracle", "superpixels"} <= set(registry.names())
    oracle = registry.load("oracle", {"noise": 0.25})
    assert oracle.noise == 0.25
    assert isinstance(oracle, Segmenter) and isinstance(oracle, Grounder) and isinstance(oracle, Oracle)
    assert not isinstance(registry.load("superpixels"), Oracle)


def test_module_and_attribute() -> None:
    assert isinstance(registry.load("models:Nothing"), Segmenter)
    assert registry.load("entityseg.benchmarks.models.superpixels:Superpixels", {"regions": 9}).regions == 9


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("orcale", {}, "Did you mean 'oracle'"),
        ("models:Noting", {}, "Did you mean 'Nothing'"),
        ("no.such.module:Model", {}, "no such module can be imported"),
        ("models:no_model", {}, "neither `segment` nor `ground`"),
        ("oracle", {"nois": 1}, "Its options are: noise, seed"),
        ("oracle", {"noise": 2}, "noise is from 0 to 1"),
    ],
)
def test_mistakes(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        registry.load(name, options)


def test_results_of_models_are_checked() -> None:
    one = RunLengths((2, 2), [0, 1], [0, 2])
    with pytest.raises(InputError, match="as many scores"):
        Segmentation(one, np.ones(2))
    with pytest.raises(InputError, match="not finite"):
        Segmentation(one, np.array([np.nan]))
    with pytest.raises(InputError, match="whole number"):
        Segmentation(one, np.ones(1), np.array([1.5]))
    with pytest.raises(InputError, match="no numbers"):
        Segmentation(one, np.array(["sure"]))
    with pytest.raises(InputError, match="ndarray, not `RunLengths`"):
        Segmentation(np.ones((1, 2, 2), bool), np.ones(1))  # type: ignore[arg-type]
    assert Segmentation(one, [1], [3.0]).labels.tolist() == [3]  # type: ignore[arg-type]
    with pytest.raises(InputError, match="one mask, not 2"):
        GroundedPhrase("a", RunLengths.concatenate([one, one]))
    for score in (np.nan, np.inf, np.ones(2), "sure"):
        with pytest.raises(InputError, match="number"):
            GroundedPhrase("a", one, score=score)  # type: ignore[arg-type]
    for span in ((5, 2), (-1, 2), (0, 1, 2), (0.5, 1)):
        with pytest.raises(InputError, match=r"span|whole"):
            GroundedPhrase("a", one, span=span)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="text of a phrase"):
        GroundedPhrase(None, one)  # type: ignore[arg-type]
    good = GroundedPhrase("a", one, (np.int64(0), np.int64(1)), np.float32(0.5))  # type: ignore[arg-type]
    assert good == GroundedPhrase("a", one, (0, 1), 0.5)
