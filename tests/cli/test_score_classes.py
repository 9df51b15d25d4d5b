"""`entityseg score panoptic` and `score semantic`: what they print, what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from entityseg.cli.main import run
from tests.metrics.panoptic_cases import random_cases, write_side

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def panoptic_files(tmp_path: Path) -> list[str]:
    cases = random_cases(3, n=5)
    gt = write_side(tmp_path, "gt", cases, pred=False)
    return ["--gt", str(gt), "--pred", str(write_side(tmp_path, "pred", cases[:4], pred=True))]


def printed(arguments: list[str], capsys: Capture) -> str:
    assert run(arguments) == 0
    return capsys.readouterr().out


def test_panoptic_text_and_json(panoptic_files: list[str], capsys: Capture) -> None:
    command = ["score", "panoptic", *panoptic_files, "--bootstrap", "20"]
    text = printed([*command, "--per-category", "--per-image"], capsys)
    assert "images: 5 expected, 4 predicted, 1 missing, 0 empty" in text
    assert (
        "mode: canonical" in text
        and "3 cat" in text
        and "categories: 4 of 4 occur (2 things, 2 stuff)" in text
    )
    report: dict[str, Any] = json.loads(printed([*command, "--json"], capsys))
    assert {"PQ", "SQ_things", "RQ_stuff", "intervals", "per_category", "counts", "warnings"} <= report.keys()
    assert f"{100 * report['PQ']:.2f}" in text.splitlines()[2]
    low, high = report["intervals"]["PQ"]
    assert low <= report["PQ"] <= high and report["counts"]["gt_areas_differ"] > 0


def test_panoptic_refuses_with_all_findings(panoptic_files: list[str], capsys: Capture) -> None:
    assert run(["score", "panoptic", *panoptic_files, "--mode", "panopticapi"]) == 1
    caught = capsys.readouterr()
    assert "image.missing" in caught.err and "Traceback" not in caught.err and not caught.out
    assert run(["score", "panoptic", *panoptic_files, "--mode", "other"]) == 2


def test_semantic(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "pred").mkdir()
    for name in ("a", "b"):
        labels = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], np.uint8)
        Image.fromarray(labels).save(tmp_path / "maps" / f"{name}.png")
        Image.fromarray(np.where(labels == 1, 0, labels).astype(np.uint8)).save(
            tmp_path / "pred" / f"{name}.png"
        )
    (tmp_path / "list.txt").write_text("a.jpg a.png\nb.jpg b.png\n")
    command = ["score", "semantic", "--gt", str(tmp_path / "list.txt"), "--pred", str(tmp_path / "pred")]
    text = printed([*command, "--per-category", "--bootstrap", "0"], capsys)
    assert "mIoU   28.57" in text and "class_1" in text and "categories: 2 of 2" in text
    report = json.loads(printed([*command, "--json", "--per-image"], capsys))
    assert report["mIoU"] == pytest.approx(2 / 7) and report["pACC"] == pytest.approx(4 / 7)
    assert [one["image_id"] for one in report["per_image"]] == [1, 2]
    for mode in ("d2-semseg", "mmseg"):
        assert json.loads(printed([*command, "--mode", mode, "--json"], capsys))["mode"] == mode
    (tmp_path / "pred" / "c.png").write_bytes(b"")
    assert run(command) == 1
    assert "image.unknown" in capsys.readouterr().err


def test_help_ends_with_examples(capsys: Capture) -> None:
    for name in ("panoptic", "semantic"):
        assert "Examples:" in printed(["score", name, "--help"], capsys)
