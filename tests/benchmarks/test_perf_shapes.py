"""The shapes benchmark: what is compared agrees, what is not installed is named, its table says what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entityseg.benchmarks.perf import shapes
from entityseg.benchmarks.perf.__main__ import main
from entityseg.benchmarks.perf.generate import generate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("shapes"), 2, [], 0, long_sides=(120, 260), predictions=2)[0]


def test_ours_and_scikit_image(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tools = "ours;ours, scikit-image's perimeter;scikit-image;scikit-image, Crofton"
    assert main(["shapes", str(folder), "--tools", tools, "--repeat", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["seconds"]) == tools.split(";") and min(report["seconds"].values()) > 0
    assert (report["images"], report["missing"]) == (2, []) and report["masks"] > 2
    assert "scikit-image, Crofton 0." in shapes.table(report)
    assert main(["shapes", str(folder), "--tools", "other"]) == 1


def test_what_is_not_installed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(shapes, "import_module", missing)
    report = shapes.compare(folder, ["ours", "OpenCV"], repeat=1)
    assert report["missing"] == ["OpenCV"] and "OpenCV is not installed" in shapes.table(report)


def test_no_table_if_figures_differ(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def a_little_more(given: shapes.Input) -> shapes.Figures:
        return shapes._regionprops("perimeter_crofton")(given) * (1 + 1e-7)

    monkeypatch.setitem(shapes.TOOLS, "scikit-image, Crofton", lambda: a_little_more)
    with pytest.raises(RuntimeError, match="ours: the perimeter of mask"):
        shapes.compare(folder, ["ours", "scikit-image, Crofton"], repeat=1)


def test_opencv_agrees(folder: Path) -> None:
    pytest.importorskip("cv2", reason="OpenCV is in the extra `perf`")
    tools = ["ours, OpenCV's contour and hull", "OpenCV", "OpenCV, decoding counted"]
    assert list(shapes.compare(folder, tools, repeat=1)["seconds"]) == tools
