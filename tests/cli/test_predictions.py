"""`entityseg predictions check | convert | resolve`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from entityseg.cli.main import run

Capture = pytest.CaptureFixture[str]
SIZE = [2, 4]
# Columns 0-1, columns 1-2 (shares column 1), column 3.
LEFT, MIDDLE, RIGHT = "044", "242", "62"
TRUTH = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "height": 2, "width": 4},
        {"id": 2, "file_name": "b.jpg", "height": 2, "width": 4},
    ],
    "annotations": [],
    "categories": [],
}


def record(counts: str, score: float, image_id: int = 1) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "category_id": 1,
        "segmentation": {"size": SIZE, "counts": counts},
        "score": score,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gt.json").write_text(json.dumps(TRUTH))
    (tmp_path / "good.json").write_text(
        json.dumps([record(LEFT, 0.9), record(RIGHT, 0.8), record(LEFT, 0.7, 2)])
    )
    (tmp_path / "overlap.json").write_text(
        json.dumps([record(LEFT, 0.5), record(MIDDLE, 0.9), record(RIGHT, 0.8), record(LEFT, 0.7, 2)])
    )
    return tmp_path


def test_check_good(folder: Path, capsys: Capture) -> None:
    for options in ([], ["--gt", str(folder / "gt.json")]):
        assert run(["predictions", "check", *options, str(folder / "good.json")]) == 0
        shown = capsys.readouterr()
        assert shown.out.splitlines()[-1] == "fine: 0 errors, 0 warnings"
        assert "images: 2 expected, 2 predicted, 0 missing, 0 empty" in shown.out
        assert shown.err == ""


def test_check_overlap(folder: Path, capsys: Capture) -> None:
    path = str(folder / "overlap.json")
    assert run(["predictions", "check", path]) == 1
    shown = capsys.readouterr().out
    assert "image 1: predictions[0] and predictions[1] share 2 pixels" in shown
    assert shown.splitlines()[-1] == "NOT fine: 1 error, 0 warnings"
    assert run(["predictions", "check", "--json", path]) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["ok"], result["errors"], result["counts"]["overlapping"]) == (False, 1, 1)
    assert run(["predictions", "check", "--json", "--allow-overlap", path]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_check_lists_twenty_of_a_kind(folder: Path, capsys: Capture) -> None:
    (folder / "bad.json").write_text(json.dumps([{**record(LEFT, 0.5), "score": "x"}] * 33))
    assert run(["predictions", "check", str(folder / "bad.json"), "--gt", str(folder / "gt.json")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 22
    assert lines[0] == (
        f"error: {folder / 'bad.json'}: predictions[0]: score: score must be a number (got 'x'). "
        "Write it without quotes. [score.type]"
    )
    assert lines[20] == "... and 13 more of kind [score.type]"
    assert (
        run(["predictions", "check", "--json", str(folder / "bad.json"), "--gt", str(folder / "gt.json")])
        == 1
    )
    result = json.loads(capsys.readouterr().out)
    assert (result["errors"], len(result["findings"]), result["not_shown"]) == (33, 20, {"score.type": 13})
    assert result["counts"] is None


def test_convert_there_and_back(folder: Path, capsys: Capture) -> None:
    gt = ["--gt", str(folder / "gt.json")]
    steps = [("good.json", "p.jsonl", "jsonl"), ("p.jsonl", "maps", "idmap"), ("maps", "back.json", "coco")]
    for source, target, name in steps:
        line = [
            "predictions",
            "convert",
            *gt,
            "--to",
            name,
            str(folder / source),
            str(folder / target),
            "--json",
        ]
        assert run(line) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["format"], result["images"], result["predictions"]) == (name, 2, 3)
    assert json.loads((folder / "back.json").read_text()) == json.loads((folder / "good.json").read_text())


def test_convert_from_a_named_format_without_ground_truth(folder: Path, capsys: Capture) -> None:
    (folder / "good.json").rename(folder / "good.data")
    line = [
        "predictions",
        "convert",
        "--from",
        "coco",
        "--to",
        "jsonl",
        str(folder / "good.data"),
        str(folder / "p"),
    ]
    assert run(line) == 0
    assert "3 predictions for 2 images, as jsonl" in capsys.readouterr().out
    assert run(line) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run([*line, "--overwrite"]) == 0


def test_convert_refuses_what_the_target_cannot_hold(folder: Path, capsys: Capture) -> None:
    line = ["predictions", "convert", "--to", "idmap", str(folder / "overlap.json"), str(folder / "maps")]
    assert run(line) == 2
    assert "predictions resolve" in capsys.readouterr().err
    assert not (folder / "maps").exists()
    (folder / "p.jsonl").write_text('{"image_id": 1, "size": [2, 4], "segments": []}')
    line = ["predictions", "convert", "--to", "coco", str(folder / "p.jsonl"), str(folder / "p.json")]
    assert run(line) == 2
    assert "--lossy" in capsys.readouterr().err
    assert run([*line, "--lossy"]) == 0
    assert json.loads((folder / "p.json").read_text()) == []


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("score", [("042", 0.5), (MIDDLE, 0.9), (RIGHT, 0.8), (LEFT, 0.7)]),
        # Both have four pixels: the higher score keeps them.
        ("area", [("042", 0.5), (MIDDLE, 0.9), (RIGHT, 0.8), (LEFT, 0.7)]),
    ],
)
def test_resolve(rule: str, kept: list[tuple[str, float]], folder: Path, capsys: Capture) -> None:
    target = folder / "disjoint.json"
    assert (
        run(["predictions", "resolve", "--rule", rule, str(folder / "overlap.json"), str(target), "--json"])
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    want = {
        "rule": rule,
        "masks": 4,
        "changed": 1,
        "emptied": 0,
        "dropped": 0,
        "pixels": 2,
        "images_changed": 1,
    }
    assert {name: report[name] for name in want} == want
    assert report["format"] == "coco"
    written = json.loads(target.read_text())
    areas = {"042": 2, LEFT: 4, MIDDLE: 4, RIGHT: 2}
    from entityseg.masks import from_coco

    assert [(int(from_coco([r["segmentation"]]).areas[0]), r["score"]) for r in written] == [
        (areas[counts], score) for counts, score in kept
    ]
    assert run(["predictions", "check", str(target)]) == 0


def test_resolve_released_and_its_text(folder: Path, capsys: Capture) -> None:
    line = ["predictions", "resolve", "--rule", "released", "--keep", "2", "--to", "jsonl"]
    assert run([*line, str(folder / "overlap.json"), str(folder / "d.jsonl")]) == 0
    shown = capsys.readouterr().out
    assert (
        "rule released; of 4 masks in 2 images, 0 lost pixels (0 in all), 0 of them every one; 1 dropped"
        in shown
    )
    assert "image  masks  changed  emptied  dropped  pixels" in shown
    lines = [json.loads(line) for line in (folder / "d.jsonl").read_text().splitlines()]
    scores = [[segment["score"] for segment in line["segments"]] for line in lines]
    # sigmoid(1) = 0.7310585786300049
    assert scores == [
        pytest.approx([0.9 * 0.7310585786, 0.8 * 0.7310585786], rel=1e-6),
        pytest.approx([0.7 * 0.7310585786], rel=1e-6),
    ]


def test_split_without_ground_truth_is_wrong_usage(folder: Path, capsys: Capture) -> None:
    assert run(["predictions", "check", "--split", "val", str(folder / "good.json")]) == 2
    assert "--gt" in capsys.readouterr().err


def test_a_dataset_or_a_run_in_place_of_predictions(folder: Path, capsys: Capture) -> None:
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"size": SIZE, "counts": LEFT}}
    (folder / "full.json").write_text(json.dumps({**TRUTH, "annotations": [annotation]}))
    assert run(["predictions", "check", "--gt", str(folder / "gt.json"), str(folder / "full.json")]) == 1
    shown = capsys.readouterr().out
    assert shown.count("error: ") == 1 and "a ground truth goes to `--gt`" in shown
    (folder / "run").mkdir()
    assert run(["predictions", "check", str(folder / "run")]) == 1
    assert "Write scores.json" in capsys.readouterr().out
    (folder / "run" / "predictions.jsonl").write_text("")
    assert run(["predictions", "check", str(folder / "run")]) == 1
    assert f"give {folder / 'run' / 'predictions.jsonl'}" in capsys.readouterr().out


def test_a_target_that_cannot_be_written(folder: Path, capsys: Capture) -> None:
    (folder / "file").write_text("")
    line = [
        "predictions",
        "convert",
        "--to",
        "jsonl",
        str(folder / "good.json"),
        str(folder / "file" / "p.jsonl"),
    ]
    assert run(line) == 1
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert shown.err.startswith("error: ")


def test_as_a_process_from_an_empty_folder(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    line = [sys.executable, "-m", "entityseg.cli.main", "predictions", "convert", "--to", "idmap"]
    done = subprocess.run(
        [*line, str(folder / "good.json"), "maps"],
        cwd=empty,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in (empty / "maps").iterdir()) == ["1.png", "2.png", "scores.json"]
