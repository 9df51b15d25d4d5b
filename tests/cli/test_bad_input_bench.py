"""Hostile predictions under a benchmark task: the same findings as of `entityseg score`, and no result is written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from entityseg.cli.main import run

# Tasks whose predictions are a JSON list; and those that want something else.
LISTS = (
    "mini-boundary-high", "mini-instance", "mini-semantic", "mini-panoptic", "mini-refcoco-val", "mini-grefcoco-val",
    "mini-png-given-phrases", "mini-png-end-to-end", "mini-reasonseg-val", "mini-ocid-wild", "mini-youtubevis-2019",
    "mini-uvo",
)  # fmt: skip
OTHERS = {"mini-vipseg": 1, "mini-dis5k-vd": 1, "mini-sginw": 2, "mini-wild": 2}
SPOILED = {
    b"": "file.empty",
    b'[{"image_id": 5, "seg': "json.invalid",
    gzip.compress(b"[]"): "json.utf8",
    b"[" * 10_000: "json.deep",
    b"{}": "json.shape",
    b"5": "json.shape",
}


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mini dataset with the sets of all tasks."""
    from entityseg.data.mini.write import write_mini
    from entityseg.data.mini.write_tasks import LEAST_SCENES, write_mini_tasks

    folder = tmp_path_factory.mktemp("bench") / "mini"
    write_mini(folder, scenes=LEAST_SCENES, jobs=1)
    write_mini_tasks(folder)
    return folder


class Bench:
    """Scores predictions under a task."""

    def __init__(self, mini: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.mini, self.folder, self.capsys = mini, folder, capsys

    def score(self, task: str, pred: Path) -> tuple[int, Any]:
        out = self.folder / "result.json"
        out.unlink(missing_ok=True)
        code = run(
            [
                *("bench", "score", task, "--pred", str(pred), "--data", str(self.mini), "--out", str(out)),
                *("--bootstrap", "0", "--json"),
            ]
        )
        shown = self.capsys.readouterr()
        assert code in (0, 1, 2), shown.err
        assert "Traceback" not in shown.err
        assert out.exists() == (code == 0)
        return code, json.loads(shown.out)


@pytest.fixture
def bench(mini: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(mini, tmp_path, capsys)


@pytest.mark.parametrize("task", LISTS)
def test_predictions_that_are_wrong_are_named_and_no_result_is_written(task: str, bench: Bench) -> None:
    pred = bench.folder / "pred.json"
    for data, kind in SPOILED.items():
        pred.write_bytes(data)
        code, value = bench.score(task, pred)
        found = value["findings"]
        assert (code, found[0]["kind"], found[0]["file"]) == (1, kind, str(pred))
    pred.write_text(json.dumps([5] * 30 + [{"image_id": [1]}]))
    code, value = bench.score(task, pred)
    assert code == 1
    assert value["errors"] >= 31
    assert sum(value["not_shown"].values()) == 10
    pred.write_text("[]")
    code, value = bench.score(task, pred)
    assert (code, value["counts"]["missing"]) == (0, value["counts"]["expected"])
    pred.unlink()
    assert bench.score(task, pred)[1]["findings"][0]["kind"] == "file.missing"


@pytest.mark.parametrize(("task", "exit_code"), OTHERS.items())
def test_files_where_folders_are_due_are_named(task: str, exit_code: int, bench: Bench) -> None:
    pred = bench.folder / "pred.json"
    pred.write_bytes(b"5")
    code, value = bench.score(task, pred)
    assert code == exit_code
    assert value["findings"][0]["file"] == str(pred)
    pred.unlink()
    pred.mkdir()
    code, value = bench.score(task, pred)
    assert code in (1, 2)
    assert value["findings"][0]["remedy"]


def test_a_result_replaces_results_only(
    mini: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pred.json").write_text("[]")
    (tmp_path / "val.json").write_text('{"images": []}')
    line = ["bench", "score", "mini-entity-low", "--pred", str(tmp_path / "pred.json"), "--data", str(mini)]
    line += ["--bootstrap", "0"]
    for path in (tmp_path / "val.json", tmp_path):
        assert run([*line, "--out", str(path)]) == 2
        assert "target." in capsys.readouterr().err
    assert (tmp_path / "val.json").read_text() == '{"images": []}'
    for _ in range(2):
        assert run([*line, "--out", str(tmp_path / "result.json")]) == 0
    capsys.readouterr()
    page = tmp_path / "page.html"
    assert (
        run(
            ["bench", "report", str(tmp_path / "result.json"), "--data", str(mini), "-o", str(page), "--json"]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out) == {"page": str(page)}
    assert run(["bench", "report", str(tmp_path / "result.json"), "-o", str(tmp_path / "val.json")]) == 2


def test_an_overlap_that_there_is_not_and_a_file_for_a_run(
    mini: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["bench", "run", "mini-entity-low", "--model", "superpixels", "--data", str(mini), "--out"]
    assert run([*line, str(tmp_path / "run"), "--overlap", "maybe"]) == 2
    assert "refuse, resolve, allow" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert run([*line, str(tmp_path / "file")]) == 2
    assert "Name a folder" in capsys.readouterr().err
