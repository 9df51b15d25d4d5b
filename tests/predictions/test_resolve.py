"""Making masks disjoint: every rule against a dense painter."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import entityseg
from entityseg.cli.main import run
from entityseg.data.records import Dataset, ImageRecord
from entityseg.errors import UsageError
from entityseg.masks import are_disjoint, from_dense, to_dense
from entityseg.predictions import Predictions, resolve


def dense_paint(stack: np.ndarray, order: list[int]) -> np.ndarray:
    """Paint masks onto a canvas in this order and cut them out again."""
    canvas = np.full(stack.shape[1:], -1)
    for i in order:
        canvas[stack[i]] = i
    return np.array([canvas == i for i in range(len(stack))])


def one_image(stack: np.ndarray, scores: list[float]) -> Predictions:
    image = ImageRecord(1, "a.jpg", *stack.shape[1:])
    return Predictions.build([image], [(from_dense(stack), scores)])


def random_stack(seed: int) -> tuple[np.ndarray, list[float]]:
    rng = np.random.default_rng(seed)
    n, height, width = rng.integers(1, 9), *rng.integers(2, 12, 2)
    stack = rng.random((n, height, width)) < rng.random((n, 1, 1))
    # Distinct scores and areas of any kind: ties have a test of their own.
    return stack, (rng.permutation(n) / 10 + 0.05).tolist()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_score_rule_is_the_painter_by_score(seed: int) -> None:
    stack, scores = random_stack(seed)
    resolved, report = resolve(one_image(stack, scores), "score")
    painted = dense_paint(stack, np.argsort(scores).tolist())
    keep = painted.any((1, 2)) | ~stack.any((1, 2))
    assert np.array_equal(to_dense(resolved.masks(0)), painted[keep])
    assert resolved.scores.tolist() == np.array(scores)[keep].tolist()
    change = report.images[0]
    assert change.masks == len(stack)
    assert change.changed == (stack != painted).any((1, 2)).sum()
    assert change.pixels == stack.sum() - painted.sum()
    assert change.emptied == change.dropped == (~keep).sum()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_area_rule_puts_the_smaller_mask_on_top(seed: int) -> None:
    stack, scores = random_stack(seed)
    resolved, _ = resolve(one_image(stack, scores), "area")
    # Largest first; of equal areas the lower score first, so that the higher one keeps the pixels.
    order = sorted(range(len(stack)), key=lambda i: (-stack[i].sum(), scores[i]))
    painted = dense_paint(stack, order)
    keep = painted.any((1, 2)) | ~stack.any((1, 2))
    assert np.array_equal(to_dense(resolved.masks(0)), painted[keep])


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_released_rule(seed: int, keep: int) -> None:
    stack, scores = random_stack(seed)
    resolved, report = resolve(one_image(stack, scores), "released", keep=keep)
    best = np.argsort(scores)[::-1][:keep]
    painted = dense_paint(stack[best], list(range(len(best)))[::-1])
    assert np.array_equal(to_dense(resolved.masks(0)), painted)
    for row, i in enumerate(best):
        area = int(painted[row].sum())
        # sum(sigmoid(p) m) / (sum(m) + 1e-6) with p = 1 inside a binary mask.
        quality = sum(1 / (1 + math.exp(-1.0)) for _ in range(area)) / (area + 1e-6)
        assert resolved.scores[row] == pytest.approx(scores[i] * quality, rel=1e-12)
        assert (resolved.scores[row] == 0) == (area == 0)
    assert report.images[0].dropped == len(stack) - len(best)


def test_hand_computed(overlapping: Predictions) -> None:
    by_score, report = resolve(overlapping, "score")
    # 0.8 takes 60 of the first mask's 120 pixels and all 4 of the third's.
    assert by_score.masks(0).areas.tolist() == [60, 120]
    assert report.to_json() == {
        "rule": "score",
        "images": 3,
        "images_changed": 1,
        "masks": 4,
        "changed": 2,
        "emptied": 1,
        "dropped": 1,
        "pixels": 64,
        "per_image": [{"image_id": 7, "masks": 3, "changed": 2, "emptied": 1, "dropped": 1, "pixels": 64}],
    }
    json.dumps(report.to_json())
    by_area, report = resolve(overlapping, "area")
    # Both large ones lose the small one's 4 pixels; of the two equal ones, the higher score keeps the rest.
    assert by_area.masks(0).areas.tolist() == [60, 116, 4]
    assert (report.total("emptied"), report.total("pixels")) == (0, 64)
    released, report = resolve(overlapping, "released")
    assert released.masks(0).areas.tolist() == [120, 60, 0]
    assert released.scores.tolist() == pytest.approx(
        [0.8 * 0.731059, 0.5 * 0.731059, 0, 0.7 * 0.731059], abs=1e-6
    )
    assert report.total("dropped") == 0


def test_result_does_not_depend_on_the_order_of_masks() -> None:
    rng = np.random.default_rng(5)
    stack = rng.random((8, 7, 9)) < 0.4
    stack[3] = stack[1][::-1]
    scores = np.array([0.5] * 8)
    for rule in ("score", "area", "released"):
        found = []
        for order in (np.arange(8), rng.permutation(8), np.arange(8)[::-1]):
            resolved, _ = resolve(one_image(stack[order], scores[order].tolist()), rule)
            found.append(sorted(mask.tobytes() for mask in to_dense(resolved.masks(0))))
        assert found[0] == found[1] == found[2]


def test_resolving_twice_changes_nothing_more(overlapping: Predictions) -> None:
    for rule in ("score", "area"):
        once, _ = resolve(overlapping, rule)
        twice, report = resolve(once, rule)
        assert report.total("changed") == 0
        assert all(twice.masks(i) == once.masks(i) and are_disjoint(once.masks(i)) for i in range(3))


def test_score_of_the_resolved_file_is_that_of_resolve_overlap(gt: Dataset, overlapping: Predictions) -> None:
    resolved, _ = resolve(overlapping, "score")
    asked = entityseg.score(gt, overlapping, overlap="resolve", bootstrap=0)
    assert dict(entityseg.score(gt, resolved, bootstrap=0).values) == dict(asked.values)
    assert asked.counts["pred_overlapping"] == 1


def test_wrong_rule_and_keep(overlapping: Predictions) -> None:
    with pytest.raises(UsageError, match=r"resolve\.rule"):
        resolve(overlapping, "random")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"resolve\.keep"):
        resolve(overlapping, "released", keep=0)


def test_keep_is_refused_where_it_would_have_no_effect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["predictions", "resolve", "--keep", "2", "--rule", "area"]
    assert run([*line, str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2
    assert "--rule released" in capsys.readouterr().err
