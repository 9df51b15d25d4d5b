"""Reasoning: figures by hand, ignored pixels, texts, files good and bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from entityseg.cli.main import run
from entityseg.data.grounding.reasonseg import read_reasonseg
from entityseg.errors import InputError
from entityseg.masks import from_dense, to_dense
from entityseg.metrics.reasoning import Reasoning
from entityseg.metrics.scoring_reasoning import score_reasoning
from entityseg.predictions.reasoning import write_reasoning
from tests.metrics.texts import rle, write_json, write_reason
from tests.strategies import dense_stacks, wiggly

SIZE = (8, 10)


def box(left: int, top: int, right: int, bottom: int) -> list[list[float]]:
    """Corners of a box whose pixels go from left to right, both included."""
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def pixels(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top : bottom + 1, left : right + 1] = True
    return mask


@pytest.fixture
def gt(tmp_path: Path) -> Path:
    folder = tmp_path / "val"
    write_reason(folder, "a", SIZE, ["the cup", "what to drink from"], [("target", box(0, 0, 3, 3))])
    # The ignored box lies in the target, and counts as it is smaller.
    shapes = [("ignore", box(2, 0, 3, 3)), ("target", box(0, 0, 3, 3)), ("flag", box(0, 0, 9, 7))]
    write_reason(folder, "b", SIZE, ["Where would one sit?"], shapes, long=True)
    write_reason(folder, "c", SIZE, ["nothing drawn"], [("flag", box(0, 0, 1, 1))])
    return folder


@given(dense_stacks(least=3, most=3))
def test_agrees_with_pixels(stack: np.ndarray) -> None:
    gt, pred, ignore = stack
    metric = Reasoning()
    metric.update("a", 0, gt, pred, ignore=ignore)
    common, union = int((gt & pred & ~ignore).sum()), int(((gt | pred) & ~ignore).sum())
    values = metric.compute()
    assert values["gIoU"] == (common / union if union else 1.0)
    assert values["cIoU"] == (common / union if union else None)


def test_all_figures_agree_with_pixels() -> None:
    rng = np.random.default_rng(1)
    metric, rows = Reasoning(), []
    for i in range(25):
        gt, ignore = wiggly(rng, 2, 21, 17)
        gt &= i != 7
        for text_idx in range(1 + i % 3):
            pred = (gt ^ (rng.random(gt.shape) < rng.choice([0.0, 0.2, 0.6]))) & (i != 7)
            metric.update(f"image {i}", text_idx, gt, pred, ignore=ignore, is_long=i % 4 == 0)
            kept = ~ignore
            rows.append((i, text_idx, int((gt & pred & kept).sum()), int(((gt | pred) & kept).sum())))
    groups = {
        "": [row for row in rows if row[1] == 0],
        "_short": [row for row in rows if row[1] == 0 and row[0] % 4],
        "_long": [row for row in rows if row[1] == 0 and row[0] % 4 == 0],
        "_all_texts": rows,
    }
    expected = {}
    for suffix, some in groups.items():
        ious = [common / union if union else 1.0 for *_, common, union in some]
        expected["gIoU" + suffix] = sum(ious) / len(ious)
        expected["cIoU" + suffix] = sum(row[2] for row in some) / sum(row[3] for row in some)
    assert metric.compute() == {name: pytest.approx(value, abs=1e-12) for name, value in expected.items()}


def test_ground_truth_is_painted_by_area(gt: Path) -> None:
    truth = read_reasonseg(gt)
    assert [image.name for image in truth.images] == ["a", "b"] and truth.excluded == ("c",)
    target, ignore = truth.images[1].masks()
    assert (to_dense(target)[0] == pixels(0, 0, 1, 3)).all() and (
        to_dense(ignore)[0] == pixels(2, 0, 3, 3)
    ).all()


def test_a_larger_ignored_shape_does_not_hide_a_target(tmp_path: Path) -> None:
    write_reason(tmp_path, "a", SIZE, ["x"], [("target", box(1, 1, 2, 2)), ("ignored area", box(0, 0, 9, 7))])
    target, ignore = read_reasonseg(tmp_path).images[0].masks()
    assert target.areas[0] == 4 and ignore.areas[0] == 76


def test_figures_by_hand(gt: Path, tmp_path: Path) -> None:
    records = [
        {"image": "a", "text_idx": 0, "segmentation": rle(pixels(0, 0, 3, 7))},  # 16 of 32.
        {"image": "a", "text_idx": 1, "segmentation": rle(pixels(0, 0, 3, 3))},  # 16 of 16.
        {
            "image": "b",
            "text_idx": 0,
            "segmentation": rle(pixels(1, 0, 3, 3)),
        },  # 4 of 8: the rest is ignored.
        {"image": "c", "text_idx": 0, "segmentation": None},  # Not scored.
    ]
    score = score_reasoning(gt, write_json(tmp_path / "p.json", records), bootstrap=10, per_image=True)
    assert score["gIoU"] == 0.5 and score["cIoU"] == 20 / 40
    assert score["gIoU_short"] == 0.5 and score["gIoU_long"] == 0.5 and score["cIoU_long"] == 4 / 8
    assert score["gIoU_all_texts"] == 2 / 3 and score["cIoU_all_texts"] == 36 / 56
    assert score.counts.to_json() == {
        "expected": 3, "predicted": 3, "missing": 0, "empty": 0, "images": 2, "images_excluded": 1,
        "first_texts_missing": 0, "long": 1,
    }  # fmt: skip
    assert "gt.empty" in [one.kind for one in score.warnings]


def test_missing_and_null_count_as_empty(gt: Path, tmp_path: Path) -> None:
    records = [{"image": "a", "text_idx": 0, "segmentation": None}]
    score = score_reasoning(gt, write_json(tmp_path / "p.json", records), bootstrap=0)
    assert score["gIoU"] == 0.0 and score["cIoU"] == 0.0
    assert (score.counts.missing, score.counts.empty, score.counts["first_texts_missing"]) == (2, 1, 1)


def test_cp1252_is_read(tmp_path: Path) -> None:
    write_reason(
        tmp_path, "a", SIZE, ["the caf\u00e9\u2019s door"], [("target", box(0, 0, 3, 3))], encoding="cp1252"
    )
    assert read_reasonseg(tmp_path).images[0].texts == ("the caf\u00e9\u2019s door",)


@pytest.mark.parametrize(
    ("records", "kind"),
    [
        ([{"image": "z", "text_idx": 0, "segmentation": None}], "image.unknown"),
        ([{"image": "a", "text_idx": 2, "segmentation": None}], "text.unknown"),
        ([{"image": "a", "text_idx": 0, "segmentation": None}] * 2, "text.duplicate"),
        ([{"image": 1, "text_idx": 0, "segmentation": None}], "text.type"),
        ([{"image": "a", "text_idx": 0.0, "segmentation": None}], "id.type"),
        ([{"image": "a", "text_idx": 0, "segmentation": rle(np.ones((10, 8), bool))}], "mask.size"),
        ([{"image": "a", "text_idx": 0, "segmentation": None, "score": 1}], "key.unknown"),
    ],
)
def test_bad_predictions_are_named(gt: Path, tmp_path: Path, records: Any, kind: str) -> None:
    with pytest.raises(InputError) as raised:
        score_reasoning(gt, write_json(tmp_path / "p.json", records), bootstrap=0)
    (finding,) = raised.value.findings
    assert finding.kind == kind and finding.record == f"predictions[{len(records) - 1}]"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"text": []}, "text.type"),
        ({"is_sentence": "no"}, "flag.type"),
        ({"shapes": None}, "json.shape"),
        ({"shapes": [{"label": "target", "points": [[0, 0, 0]]}]}, "polygon.number"),
        ({"shapes": [{"label": "target", "points": [[0, float("nan")]]}]}, "polygon.number"),
        ({"shapes": [{"label": "target", "points": [[0, 1e300]]}]}, "polygon.number"),
        ({"shapes": [{"label": "target", "points": []}]}, "polygon.points"),
        ({"shapes": [{"points": []}]}, "record.type"),
    ],
)
def test_bad_ground_truth_is_named(gt: Path, change: dict[str, Any], kind: str) -> None:
    file = gt / "a.json"
    write_json(file, json.loads(file.read_text()) | change)
    with pytest.raises(InputError) as raised:
        read_reasonseg(gt)
    (finding,) = (one for one in raised.value.findings if one.severity == "error")
    assert finding.kind == kind and finding.file == str(file)


def test_missing_images_and_counts(gt: Path) -> None:
    with pytest.raises(InputError, match="split has 3 files, the published one 200"):
        read_reasonseg(gt, check_counts=True)
    (gt / "a.jpg").unlink()
    with pytest.raises(InputError, match="a.jpg"):
        read_reasonseg(gt)
    with pytest.raises(InputError, match="no such folder"):
        read_reasonseg(gt / "nowhere")


def test_command_line(gt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = from_dense(pixels(0, 0, 3, 3)[None])
    write_reasoning(tmp_path / "p.json", [("a", 0, mask), ("a", 1, None)])
    command = ["score", "reasoning", "--gt", str(gt), "--pred", str(tmp_path / "p.json"), "--bootstrap", "5"]
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gIoU"] == 0.5
    assert run(command) == 0 and "cIoU_short" in capsys.readouterr().out
