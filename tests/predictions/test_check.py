"""What `check` says of files that can be read: counts, and what somebody may not have meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from entityseg.data.records import Dataset, ImageRecord
from entityseg.masks import from_dense
from entityseg.predictions import Predictions, check, write_predictions
from entityseg.predictions.checking import CheckCounts


def kinds(predictions: Predictions, **options: object) -> list[str]:
    return sorted(finding.kind for finding in check(predictions, **options).findings)  # type: ignore[arg-type]


def one_image(stack: np.ndarray, scores: list[float]) -> Predictions:
    return Predictions.build([ImageRecord(1, "a.jpg", *stack.shape[1:])], [(from_dense(stack), scores)])


def test_good_predictions(disjoint: Predictions, gt: Dataset, tmp_path: Path) -> None:
    report = check(disjoint)
    assert report.ok
    assert report.counts == CheckCounts(
        expected=3, predicted=3, missing=0, empty=1, predictions=3, overlapping=0
    )
    assert len(report.findings) == 0
    write_predictions(disjoint, tmp_path / "p.jsonl", format="jsonl")
    assert check(tmp_path / "p.jsonl", gt).to_json() == report.to_json()


def test_overlap_names_image_masks_and_pixels(overlapping: Predictions, gt: Dataset, tmp_path: Path) -> None:
    write_predictions(overlapping, tmp_path / "p.json", format="coco")
    report = check(tmp_path / "p.json", gt)
    assert not report.ok
    found = [finding for finding in report.findings if finding.kind == "pred.overlap"]
    assert [(finding.record, finding.severity) for finding in found] == [("image 7", "error")] * 3
    assert "predictions[0] and predictions[1] share 60 pixels" in found[0].message
    assert "predictions[1] and predictions[2] share 4 pixels" in found[2].message
    assert report.counts is not None
    assert report.counts.overlapping == 1
    allowed = check(tmp_path / "p.json", gt, overlap=True)
    assert allowed.ok
    # The images without a word are warned of, too.
    assert allowed.findings.warnings == 3 + 1


def test_missing_images_are_counted(overlapping: Predictions) -> None:
    report = check(overlapping, overlap=True)
    missing = [finding for finding in report.findings if finding.kind == "image.missing"]
    assert [finding.record for finding in missing] == ["image 11"]
    assert report.counts is not None
    assert (report.counts.predicted, report.counts.missing, report.counts.empty) == (2, 1, 0)


def test_empty_and_identical_masks() -> None:
    stack = np.zeros((4, 5, 6), bool)
    stack[0, :2] = stack[2, :2] = True
    predictions = one_image(stack, [0.1, 0.2, 0.3, 0.4])
    assert kinds(predictions, overlap=True) == ["mask.duplicate", "mask.empty", "mask.empty", "pred.overlap"]
    duplicate = next(f for f in check(predictions, overlap=True).findings if f.kind == "mask.duplicate")
    assert duplicate.record == "image 1, mask 2"
    assert "mask 0" in duplicate.message


def test_more_masks_than_are_counted() -> None:
    for n, found in [(100, []), (101, ["pred.many"]), (301, ["pred.many"])]:
        stack = np.zeros((n, 20, 20), bool)
        stack.reshape(n, -1)[np.arange(n), np.arange(n)] = True
        predictions = one_image(stack, (np.arange(n) / n).tolist())
        assert kinds(predictions) == found
        for finding in check(predictions).findings:
            assert str(n) in finding.message
            assert ("nothing counts the rest" in finding.message) == (n > 300)


def test_scores_that_are_all_the_same() -> None:
    stack = np.zeros((3, 1, 4), bool)
    stack[np.arange(3), 0, np.arange(3)] = True
    assert kinds(one_image(stack, [1, 1, 1])) == ["score.equal"]
    assert kinds(one_image(stack, [0.25, 0.25, 0.25])) == ["score.equal"]
    assert kinds(one_image(stack, [1, 1, 0.5])) == []
    assert kinds(one_image(stack[:1], [1])) == []
