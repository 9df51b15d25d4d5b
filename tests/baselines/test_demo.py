"""The demonstration's chapter: two models trained, scored, shown, and kept for the next time."""

from __future__ import annotations

from pathlib import Path

import pytest

from entityseg.baselines import demo, extra
from entityseg.data.mini.write import write_mini
from entityseg.data.threads import no_progress
from entityseg.errors import UsageError
from entityseg.report.page import Page, render


@pytest.mark.slow
def test_chapter_trains_scores_and_shows_both_models(tmp_path: Path) -> None:
    write_mini(tmp_path / "mini", seed=1, scenes=6)
    counted: list[int] = []

    def progress(items, total, label):  # type: ignore[no-untyped-def]
        for item in items:
            counted.append(item)
            yield item
        assert len(counted) == total == 6 and label == "training"

    made = demo.chapter(tmp_path / "mini", tmp_path / "out", seed=0, progress=progress, steps=3)
    assert list(made.results) == ["Mask2Former", "CropFormer"]
    for found in made.results.values():
        assert 0 <= found["AP^e_L"] <= 1 and 0 <= found["AP^e_H"] <= 1 and found["steps"] == 3
    page = render(Page("t", "l", sections=[made.section]))
    assert "CropFormer" in page and page.count("<img") % 3 == 0 and page.count("<img")
    # Kept: nothing is trained again; other steps are another training, and the old one goes.
    again = demo.chapter(tmp_path / "mini", tmp_path / "out", seed=0, progress=no_progress, steps=3)
    assert again.results == made.results
    folder = tmp_path / "out" / "0123456789abcdef"
    folder.mkdir()
    demo._folder(tmp_path / "mini", tmp_path / "out", 0, 3)
    assert not folder.exists() and len(list((tmp_path / "out").iterdir())) == 1


def test_without_torch_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(UsageError, match=r"entityseg\[models\]"):
        demo.chapter(tmp_path, tmp_path, seed=0, progress=no_progress)
