"""`score_instance` and `score_boundary` on plain files, and their commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from entityseg.cli.main import run
from entityseg.data import load
from entityseg.errors import InputError, UsageError
from entityseg.metrics.scoring_boundary import score_boundary
from entityseg.metrics.scoring_instance import score_instance
from entityseg.predictions import read_predictions
from tests.metrics.cases import Record, write
from tests.metrics.class_cases import assert_equal, evaluated, random_class_case
from tests.metrics.test_boundary import BoundaryCOCOeval

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def case() -> tuple[Record, list[Record]]:
    return random_class_case(1)


@pytest.mark.parametrize("seed", range(600, 610))
def test_files_give_pycocotools_figures(seed: int, tmp_path: Path) -> None:
    gt, predictions = random_class_case(seed)
    paths = write(tmp_path, gt, predictions)
    instance = score_instance(*paths, mode="pycocotools", bootstrap=0)
    assert_equal(dict(instance.values), evaluated(gt, predictions).stats)
    boundary = score_boundary(*paths, mode="pycocotools", class_aware=True, bootstrap=0)
    assert_equal(dict(boundary.values), evaluated(gt, predictions, BoundaryCOCOeval).stats)


def test_result(case: tuple[Record, list[Record]], tmp_path: Path) -> None:
    gt, predictions = case
    left_out = predictions[0]["image_id"]
    predictions = [p for p in predictions if p["image_id"] != left_out]
    result = score_instance(*write(tmp_path, gt, predictions), bootstrap=20, per_image=True)
    assert result.metric == "instance AP" and result.mode == "canonical"
    assert result.counts.expected == len(gt["images"]) and result.counts.missing >= 1
    assert result.counts["predictions"] == len(predictions)
    found = json.loads(json.dumps(result.to_json()))
    assert [one["id"] for one in found["per_category"]] == [c["id"] for c in gt["categories"]]
    never = found["per_category"][3]
    assert never["AP"] is None and never["gt_masks"] == 0 and never["predictions"] > 0
    defined = [one["AP"] for one in found["per_category"] if one["AP"] is not None]
    assert found["AP"] == pytest.approx(np.mean(defined), abs=1e-12)
    assert len(found["per_image"]) == len(gt["images"]) and found["intervals"]["AP"]


def test_boundary_without_classes_ignores_them(case: tuple[Record, list[Record]], tmp_path: Path) -> None:
    gt, predictions = case
    paths = write(tmp_path, gt, predictions)
    expected = score_boundary(*paths, bootstrap=0)
    for prediction in predictions:
        prediction["category_id"] = 12345
    changed = score_boundary(*write(tmp_path, gt, predictions), bootstrap=0)
    assert changed.values == expected.values and changed.options == {"classes": "agnostic", "ratio": "0.02"}
    assert changed.per_category == ()
    wide = score_boundary(*paths, ratio=1.0, bootstrap=0)
    # A band as wide as the image is the mask.
    dataset = load(paths[0], check=False)
    from entityseg.metrics import evaluate

    table, _ = evaluate(dataset, read_predictions(paths[1], dataset), overlap="allow")
    assert wide.values == table.compute()


def test_unknown_and_missing_categories_are_all_named(
    case: tuple[Record, list[Record]], tmp_path: Path
) -> None:
    gt, predictions = case
    predictions[2]["category_id"] = 77
    del predictions[4]["category_id"]
    paths = write(tmp_path, gt, predictions)
    for score, options in ((score_instance, {}), (score_boundary, {"class_aware": True})):
        with pytest.raises(InputError) as raised:
            score(*paths, **options)  # type: ignore[operator]
        found = {finding.kind: finding for finding in raised.value.findings}
        assert set(found) == {"category.unknown", "category.missing"}
        unknown = found["category.unknown"]
        assert unknown.value == "77" and unknown.field == "category_id" and "pred.json" in str(unknown.file)
        assert unknown.record == f"image {predictions[2]['image_id']}, predictions[2]"
        assert "predictions[4]" in str(found["category.missing"].record)


def test_many_unknown_categories_are_counted(case: tuple[Record, list[Record]], tmp_path: Path) -> None:
    gt, predictions = case
    many = [dict(predictions[0], category_id=k) for k in range(100, 130)]
    with pytest.raises(InputError) as raised:
        score_instance(*write(tmp_path, gt, many))
    assert len(list(raised.value.findings)) == 20 and raised.value.findings.errors == 30


def test_ground_truth_of_unknown_category_is_refused(
    case: tuple[Record, list[Record]], tmp_path: Path
) -> None:
    gt, predictions = case
    gt["annotations"][0]["category_id"] = 999
    with pytest.raises(InputError, match=r"gt\.json.*category\.unknown"):
        score_instance(*write(tmp_path, gt, predictions))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"score": float("nan")}, "score.finite"),
        ({"image_id": 99_999}, "image.unknown"),
        ({"category_id": "cat"}, "category_id"),
        ({"segmentation": {"size": [1, 2], "counts": "02"}}, "mask.size"),
        ({"segmentation": None}, "segmentation"),
    ],
)
def test_malformed_records_are_located(
    case: tuple[Record, list[Record]], tmp_path: Path, change: dict[str, Any], kind: str
) -> None:
    gt, predictions = case
    predictions[1].update(change)
    for score, options in ((score_instance, {}), (score_boundary, {"class_aware": True})):
        with pytest.raises(InputError) as raised:
            score(*write(tmp_path, gt, predictions), **options)  # type: ignore[operator]
        (finding,) = raised.value.findings
        assert kind in str(finding) and "predictions[1]" in str(finding)


def test_empty_predictions_score_zero(case: tuple[Record, list[Record]], tmp_path: Path) -> None:
    gt, _ = case
    for score in (score_instance, score_boundary):
        result = score(*write(tmp_path, gt, []), bootstrap=10)
        assert result["AP"] == 0.0 and result.counts.missing == len(gt["images"])


def test_threads_do_not_change_anything(tmp_path: Path) -> None:
    paths = write(tmp_path, *random_class_case(5, n_images=12))
    for score in (score_instance, score_boundary):
        one, four = (score(*paths, threads=n, per_image=True, bootstrap=30) for n in (1, 4))
        assert one.to_json() == four.to_json()


def test_commands(case: tuple[Record, list[Record]], tmp_path: Path, capsys: Capture) -> None:
    gt_path, pred_path = map(str, write(tmp_path, *case))
    shared = ["--gt", gt_path, "--pred", pred_path, "--bootstrap", "5"]
    assert run(["score", "instance", *shared, "--per-category", "--per-image"]) == 0
    text = capsys.readouterr().out
    assert "instance AP" in text and "ARl" in text and "7 category 7" in text and "5 category 5" in text
    assert run(["score", "instance", *shared, "--mode", "pycocotools", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert_equal({name: found[name] for name in found}, evaluated(*case).stats)
    assert run(["score", "boundary", *shared, "--class-aware", "--ratio", "0.05"]) == 0
    text = capsys.readouterr().out
    assert "boundary AP" in text and "classes: aware; ratio: 0.05" in text
    assert run(["score", "boundary", *shared, "--ratio", "2"]) == 2
    assert run(["score", "boundary", *shared, "--per-category"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_ratio_is_checked_before_files_are_read() -> None:
    with pytest.raises(UsageError, match=r"boundary\.ratio"):
        score_boundary("nowhere.json", "nowhere.json", ratio=0)
