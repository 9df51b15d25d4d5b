"""The comparison of the tiny models, at a budget at which nothing is learnt: that it runs, resumes, and adds up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from entityseg.baselines.training import compare as module
from entityseg.baselines.training.compare import Figures, compare, markdown
from entityseg.data.mini.write import write_mini
from entityseg.errors import UsageError

SMALL = (
    "schedule.steps=1",
    "views.short_sides=[32]",
    "views.test_short_side=32",
    "views.test_max_side=64",
    "loss.points=32",
    "run.checkpoint_every=1",
)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mini") / "mini"
    write_mini(folder, scenes=6, seed=0)
    return folder


@pytest.mark.slow
def test_it_writes_tables_and_goes_on_where_it_was(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = compare(mini, tmp_path, seeds=(0,), overrides=SMALL, resamples=20)
    assert json.loads((tmp_path / "comparison.json").read_text()) == first
    assert [(row["model"], row["outputs"]) for row in first["rows"]] == [
        ("tiny-mask2former", "I-O"),
        *(("tiny-cropformer", output) for output in ("I-O", "B-O", "B-C", "B-OC")),
    ]
    written = (tmp_path / "comparison.md").read_text()
    assert written == markdown(first)
    assert written.count("\n| ") == len(first["rows"]) + len(first["claims"]) + 1

    def never(*_: object) -> None:
        raise AssertionError("predicted again")

    monkeypatch.setattr(module, "_predict", never)
    assert compare(mini, tmp_path, seeds=(0,), overrides=SMALL, resamples=20) == first
    with pytest.raises(UsageError, match=r"optimizer\.lr"):
        compare(mini, tmp_path, seeds=(0,), overrides=[*SMALL, "optimizer.lr=0.5"], resamples=20)


def test_no_seed_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no seed"):
        compare(tmp_path, tmp_path, seeds=())


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(0)
    scenes = rng.normal(0.3, 0.2, 500)
    rows = {
        (model, output): {track: Figures((0.2 + gain, 0.4 + gain), scenes + gain) for track in module.TRACKS}
        for model, outputs in module.OUTPUTS.items()
        for output, gain in zip(outputs, (0.0, -0.1, 0.05, 0.1), strict=False)
    }
    result = module._result(rows, (0, 1), (), 500, {})
    for claim, expected in zip(result["claims"], (0.1, 0.05, 0.15), strict=True):
        for track in module.TRACKS:
            # Wide intervals of both rows, none of their difference: the same scenes are in both.
            assert claim[track]["difference"] == pytest.approx(expected)
            assert claim[track]["interval"] == pytest.approx([expected, expected])
            assert claim[track]["seeds_that_agree"] == 2
    low, high = result["rows"][0]["H"]["interval"]
    assert high - low > 0.5
    assert "| CropFormer over Mask2Former | +10.0 [+10.0, +10.0] | 2 of 2 |" in markdown(result)
