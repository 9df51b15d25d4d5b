"""Scoring files: what is counted, refused, resolved and warned of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import entityseg
from entityseg.errors import InputError, UsageError
from tests.metrics.cases import Record, encode

SIZE = (6, 8)


def mask(columns: slice, rows: slice = slice(None)) -> Record:
    dense = np.zeros(SIZE, bool)
    dense[rows, columns] = True
    return encode(dense)


def truth(*masks: Record, images: int = 1) -> Record:
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "height": 6, "width": 8} for i in range(1, images + 1)],
        "annotations": [
            {
                "id": i,
                "image_id": 1,
                "category_id": 1,
                "iscrowd": 0,
                "area": 1,
                "bbox": [0, 0, 1, 1],
                "segmentation": m,
            }
            for i, m in enumerate(masks, 1)
        ],
        "categories": [{"id": 1, "name": "entity"}],
    }


def predicted(*pairs: tuple[Record, Any], image_id: int = 1) -> list[Record]:
    return [{"image_id": image_id, "segmentation": m, "score": score} for m, score in pairs]


def score(folder: Path, gt: Record, pred: Any, **options: Any) -> entityseg.metrics.Score:  # type: ignore[name-defined]
    (folder / "gt.json").write_text(json.dumps(gt))
    (folder / "pred.json").write_text(json.dumps(pred))
    return entityseg.score(folder / "gt.json", folder / "pred.json", **{"bootstrap": 0, **options})


LEFT, RIGHT, MIDDLE = mask(slice(0, 4)), mask(slice(4, 8)), mask(slice(2, 6))


def test_ground_truth_against_itself_is_one(tmp_path: Path) -> None:
    result = score(tmp_path, truth(LEFT, RIGHT), predicted((LEFT, 0.9), (RIGHT, 0.8)), bootstrap=100)
    assert result["AP"] == 1.0 and result.metric == "AP^e" and result.intervals["AP"] == (1.0, 1.0)
    assert result.values["APl"] is None and json.loads(json.dumps(result.to_json()))["APl"] is None


def test_counts(tmp_path: Path) -> None:
    empty = mask(slice(0, 0))
    result = score(
        tmp_path, truth(LEFT, images=4), predicted((LEFT, 0.9)) + predicted((empty, 0.1), image_id=3)
    )
    counts = result.counts
    assert (counts.expected, counts.predicted, counts.missing, counts.empty) == (4, 2, 2, 1)
    assert (counts["gt_masks"], counts["predictions"]) == (1, 2)


def test_overlap_is_refused_with_image_masks_and_pixels(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        score(tmp_path, truth(LEFT, RIGHT), predicted((LEFT, 0.9), (RIGHT, 0.8), (MIDDLE, 0.7)))
    findings = list(raised.value.findings)
    assert [finding.kind for finding in findings] == ["pred.overlap"] * 2
    assert findings[0].record == "image 1"
    assert "predictions[0] and predictions[2] share 12 pixels" in findings[0].message
    assert "--resolve-overlap" in findings[0].remedy


def test_a_way_with_overlap_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="refuse, resolve, allow"):
        score(tmp_path, truth(), [], overlap="alow")


def test_overlap_allowed_is_plain_ap(tmp_path: Path) -> None:
    result = score(
        tmp_path, truth(LEFT, RIGHT), predicted((LEFT, 0.9), (RIGHT, 0.8), (MIDDLE, 0.7)), overlap="allow"
    )
    assert result.metric == "AP" and result["AP"] == 1.0


def test_overlap_resolved_gives_pixels_to_the_higher_score(tmp_path: Path) -> None:
    pairs = [(MIDDLE, 0.9), (LEFT, 0.8), (RIGHT, 0.7)]
    # The middle takes half of each: their IoU falls to 12/24 = .5, and the middle's with each is 12/36.
    result = score(tmp_path, truth(LEFT, RIGHT), predicted(*pairs), overlap="resolve")
    assert result["AR@100@.5"] == 1.0 and result["AP75"] == 0.0
    assert result.counts["pred_overlapping"] == 1


def test_a_prediction_that_is_painted_over_is_gone(tmp_path: Path) -> None:
    result = score(tmp_path, truth(LEFT), predicted((LEFT, 0.9), (LEFT, 0.8)), overlap="resolve")
    assert result["AP"] == 1.0


def test_overlapping_ground_truth_is_scored_with_a_warning(tmp_path: Path) -> None:
    result = score(tmp_path, truth(LEFT, MIDDLE), predicted((LEFT, 0.9)))
    (warning,) = result.warnings
    assert warning.kind == "gt.overlap" and "share 12 pixels" in warning.message
    assert result.counts["gt_overlapping"] == 1 and result["AR@100@.5"] == 0.5


def test_crowds_may_overlap(tmp_path: Path) -> None:
    gt = truth(LEFT, MIDDLE)
    gt["annotations"][1]["iscrowd"] = 1
    result = score(tmp_path, gt, predicted((LEFT, 0.9)))
    assert not len(result.warnings) and result["AP"] == 1.0


def test_malformed_masks_are_all_named(tmp_path: Path) -> None:
    bad = {"size": [6, 8], "counts": "5"}
    with pytest.raises(InputError) as raised:
        score(tmp_path, truth(LEFT), predicted((bad, 0.9), (LEFT, 0.8), (bad, 0.7)))
    assert [finding.record for finding in raised.value.findings] == ["predictions[0]", "predictions[2]"]


@pytest.mark.parametrize(
    ("size", "words"),
    [([8, 6], "swapped"), ([3, 4], "low-resolution"), ([12, 16], "high-resolution"), ([5, 8], "size")],
)
def test_wrong_sizes_are_recognised(tmp_path: Path, size: list[int], words: str) -> None:
    other = encode(np.ones(size, bool))
    with pytest.raises(InputError, match=words) as raised:
        score(tmp_path, truth(LEFT), predicted((other, 0.9)))
    assert [finding.kind for finding in raised.value.findings] == ["mask.size"]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (float("nan"), "score.finite"),
        (float("inf"), "score.finite"),
        ("0.5", "score.type"),
        (True, "score.type"),
    ],
)
def test_bad_scores_are_named(tmp_path: Path, value: Any, kind: str) -> None:
    with pytest.raises(InputError) as raised:
        score(tmp_path, truth(LEFT), predicted((LEFT, 0.9), (RIGHT, value)))
    (finding,) = raised.value.findings
    assert finding.kind == kind and finding.record == "predictions[1]" and finding.field == "score"


def test_unknown_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"predictions\[0\].*image_id.*no image has this id \(got 9\)"):
        score(tmp_path, truth(LEFT), predicted((LEFT, 0.9), image_id=9))


def test_threads_do_not_change_anything(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gt = truth(images=12)
    pred: list[Record] = []
    for image_id in range(1, 13):
        ids = rng.integers(0, 4, SIZE)
        for i in range(4):
            number = len(gt["annotations"]) + 1
            record = {"id": number, "image_id": image_id, "category_id": 1, "segmentation": encode(ids == i)}
            gt["annotations"].append(record)
            noisy = (ids == i) & (rng.random(SIZE) < 0.9)
            pred += predicted((encode(noisy), float(rng.random())), image_id=image_id)
    one = score(tmp_path, gt, pred, threads=1, per_image=True, bootstrap=50)
    four = score(tmp_path, gt, pred, threads=4, per_image=True, bootstrap=50)
    assert one.to_json() == four.to_json()
    assert one.per_image is not None and list(one.per_image) == list(range(1, 13))
