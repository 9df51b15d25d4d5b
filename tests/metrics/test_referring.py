"""Referring: figures against dense numpy, the modes, files good and bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from entityseg.cli.main import run
from entityseg.errors import InputError, UsageError
from entityseg.masks import from_dense
from entityseg.metrics.referring import Mode, Referring
from entityseg.metrics.rows import once, row_intersections
from entityseg.metrics.scoring_referring import score_referring
from entityseg.predictions.referring import write_referring as write_predictions
from tests.metrics.texts import expression, rle, write_json, write_referring
from tests.strategies import dense_stacks, pixels_of, wiggly

SIZE = (6, 8)
# Two polygons of 24 pixels that share 12: 36 together, 24 of them covered once.
TWO_POLYGONS = [[0, 0, 4, 0, 4, 6, 0, 6], [2, 0, 6, 0, 6, 6, 2, 6]]


def columns(start: int, stop: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[:, start:stop] = True
    return mask


def dense_figures(pairs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    common = [int((g & p).sum()) for g, p in pairs]
    union = [int((g | p).sum()) for g, p in pairs]
    ious = np.array([1.0 if u == 0 else i / u for i, u in zip(common, union, strict=True)])
    return {
        "cIoU": sum(common) / sum(union),
        "gIoU": ious.mean(),
        "mIoU": ious.mean(),
        **{f"P@.{k}": (ious >= k / 10).mean() for k in range(5, 10)},
    }


@given(dense_stacks(most=6))
def test_row_intersections_are_those_of_pixels(stack: np.ndarray) -> None:
    masks, other = from_dense(stack), from_dense(stack[::-1].copy())
    assert row_intersections(masks, other).tolist() == (stack & stack[::-1]).sum(axis=(1, 2)).tolist()


@given(dense_stacks(most=5))
def test_once_is_a_count_of_one(stack: np.ndarray) -> None:
    assert (pixels_of(once(from_dense(stack)))[0] == (stack.sum(axis=0) == 1)).all()


def test_figures_agree_with_pixels() -> None:
    rng = np.random.default_rng(0)
    metric, pairs = Referring(), []
    for i in range(40):
        gt, pred = wiggly(rng, 2, 31, 23)
        pred = gt ^ (pred & (rng.random() < 0.7))
        pairs.append((gt, pred))
        metric.update(i // 3, i, gt, from_dense(pred[None]))
    values = metric.compute()
    for name, value in dense_figures(pairs).items():
        assert values[name] == pytest.approx(value, abs=1e-12), name


def squashed(mask: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((480, 480), Image.Resampling.NEAREST)) > 0


@pytest.mark.parametrize("mode", ["lisa-poly", "lavt480", "cris-mean"])
def test_compat_figures_agree_with_pixels(mode: Mode) -> None:
    """Published loops over pixels, on targets of up to three polygons, some of them empty."""
    rng = np.random.default_rng(4)
    metric, common, union = Referring(mode), [], []
    for i in range(60):
        polygons = wiggly(rng, 1 + i % 3, 47, 61) & (i % 10 != 9)
        pred = (polygons.any(axis=0) ^ (wiggly(rng, 1, 47, 61)[0] & (rng.random() < 0.6))) & (i % 20 != 19)
        metric.update(i // 4, i, polygons, pred)
        gt = polygons.any(axis=0) if mode == "cris-mean" else polygons.sum(axis=0, dtype=np.uint8) == 1
        if mode == "lavt480":
            gt, pred = squashed(gt), squashed(pred)
        common.append(int((gt & pred).sum()))
        union.append(int((gt | pred).sum()))
    assert 0 in union
    i, u = np.array(common), np.array(union)
    values = metric.compute()
    if mode == "lisa-poly":
        ious = np.where(u == 0, 1.0, 0.0) + i / (u + 1e-5)
        expected = {"cIoU": i.sum() / (u.sum() + 1e-10), "gIoU": ious.sum() / (60 + 1e-5)}
    else:
        ious = (
            i / (u + 1e-6)
            if mode == "cris-mean"
            else np.array([a / b if b else 0.0 for a, b in zip(i, u, strict=True)])
        )
        expected = {"mIoU": ious.mean()} | ({"cIoU": i.sum() / u.sum()} if mode == "lavt480" else {})
        for k in range(5, 10):
            expected[f"P@.{k}"] = (ious > k / 10 if mode == "cris-mean" else ious >= k / 10).mean()
    assert values == {name: pytest.approx(value, abs=1e-12) for name, value in expected.items()}


@given(st.permutations(range(9)), st.integers(0, 9))
def test_neither_order_nor_shards_matter(order: list[int], cut: int) -> None:
    rng = np.random.default_rng(1)
    stack = wiggly(rng, 18, 7, 9)
    parts = Referring(), Referring()
    for place, i in enumerate(order):
        parts[place < cut].update(i // 2, i, stack[i], stack[9 + i])
    whole = Referring()
    for i in range(9):
        whole.update(i // 2, i, stack[i], stack[9 + i])
    merged = parts[0].merge(parts[1])
    assert merged.compute() == whole.compute() and merged.bootstrap(20) == whole.bootstrap(20)


def test_intervals_are_over_images() -> None:
    metric = Referring()
    for expr_id in range(50):
        metric.update(1, expr_id, columns(0, 4), columns(0, expr_id % 8 + 1))
    # One image: every resample is the same.
    low, high = metric.bootstrap(50)["mIoU"] or (0, 1)
    assert low == high == metric.compute()["mIoU"]


def test_no_target_expressions() -> None:
    metric = Referring()
    nothing = columns(0, 0)
    metric.update(1, 1, nothing, nothing, has_target=False)  # Right.
    metric.update(1, 2, nothing, columns(0, 1), has_target=False)  # 6 pixels too many.
    metric.update(1, 3, columns(0, 2), columns(0, 2))
    metric.update(1, 4, columns(0, 2), None)
    values = metric.compute()
    assert values["N_acc"] == 0.5 and values["T_acc"] == 0.5
    assert values["gIoU"] == 0.5 and values["P@.7"] == 0.5
    assert values["cIoU"] == 12 / (6 + 12 + 12)


def test_nothing_is_undefined() -> None:
    assert set(Referring().compute().values()) == {None}


def test_unknown_mode() -> None:
    with pytest.raises(UsageError):
        Referring("lisa")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "name", "value"),
    [
        ("canonical", "cIoU", 1.0),
        ("lisa-poly", "cIoU", 24 / 36),
        ("lavt480", "cIoU", 24 / 36),
        ("cris-mean", "mIoU", 36 / (36 + 1e-6)),
    ],
)
def test_overlapping_polygons_of_one_annotation(tmp_path: Path, mode: Mode, name: str, value: float) -> None:
    gt = write_referring(tmp_path, {5: (1, TWO_POLYGONS)}, [expression(1, 1, 5)])
    pred = write_json(
        tmp_path / "p.json", [{"expr_id": 1, "image_id": 1, "segmentation": rle(columns(0, 6))}]
    )
    assert score_referring(gt, pred, mode=mode, bootstrap=0)[name] == pytest.approx(value, abs=1e-9)


def test_lisa_counts_polygons_of_an_annotation_and_joins_annotations(tmp_path: Path) -> None:
    # Annotation 5 has the value 2 in columns 2 and 3; 6 covers column 3 once more, which is 3 by bits, still not 1.
    masks = {5: (1, TWO_POLYGONS), 6: (1, rle(columns(3, 4))), 7: (1, rle(columns(0, 1)))}
    gt = write_referring(tmp_path, masks, [expression(1, 1, 5, 6), expression(2, 1, 5, 7)])
    records = [{"expr_id": k, "image_id": 1, "segmentation": rle(columns(0, 6))} for k in (1, 2)]
    score = score_referring(gt, write_json(tmp_path / "p.json", records), mode="lisa-poly", bootstrap=0)
    assert score["cIoU"] == pytest.approx(48 / 72)


def test_compat_formulas() -> None:
    half = columns(0, 4), columns(0, 2)
    for mode, name, value in [
        ("lisa-poly", "gIoU", (12 / (24 + 1e-5) + 1) / (2 + 1e-5)),
        ("lisa-poly", "cIoU", 12 / (24 + 1e-10)),
        ("lavt480", "mIoU", 0.25),
        ("cris-mean", "mIoU", 12 / (24 + 1e-6) / 2),
    ]:
        metric = Referring(mode)  # type: ignore[arg-type]
        metric.update(1, 1, *half)
        metric.update(1, 2, columns(0, 0), columns(0, 0), has_target=False)
        assert metric.compute()[name] == pytest.approx(value, abs=1e-15), mode
    strict, loose = Referring("cris-mean"), Referring("lavt480")
    for metric in (strict, loose):
        metric.update(1, 1, *half)
    assert strict.compute()["P@.5"] == 0.0 and loose.compute()["P@.5"] == 1.0


def test_missing_null_and_flagged_predictions(tmp_path: Path) -> None:
    masks = {1: (1, rle(columns(0, 4))), 2: (2, rle(columns(0, 4)))}
    expressions = [
        expression(1, 1, 1),
        expression(2, 1, 1),
        expression(3, 2, 2),
        expression(4, 2),
        expression(5, 2, -1),
    ]
    gt = write_referring(tmp_path, masks, expressions)
    full = rle(columns(0, 4))
    records: list[dict[str, Any]] = [
        {"expr_id": 1, "image_id": 1, "segmentation": full, "score": 0.5},
        {"expr_id": 2, "image_id": 1, "segmentation": None},
        {"expr_id": 4, "image_id": 2, "segmentation": full, "no_target": True},
    ]
    score = score_referring(gt, write_json(tmp_path / "p.json", records), bootstrap=10, per_image=True)
    assert score.counts.to_json() == {
        "expected": 5, "predicted": 3, "missing": 2, "empty": 2, "images": 2,
        "without_target": 2, "said_no_target": 1, "masks_overridden": 1,
    }  # fmt: skip
    assert score["cIoU"] == 24 / 72 and score["gIoU"] == 3 / 5 and score["N_acc"] == 1.0
    assert score.per_image is not None and score.per_image[1]["cIoU"] == 0.5


BAD = [
    ([{"expr_id": 9, "image_id": 1, "segmentation": None}], "expression.unknown"),
    ([{"expr_id": "1", "image_id": 1, "segmentation": None}], "id.type"),
    ([{"expr_id": 1, "image_id": 2, "segmentation": None}], "image.other"),
    ([{"expr_id": 1, "image_id": 1, "segmentation": None}] * 2, "expression.duplicate"),
    ([{"expr_id": 1, "image_id": 1}], "key.missing"),
    ([{"expr_id": 1, "image_id": 1, "segmentation": None, "mask": 1}], "key.unknown"),
    ([{"expr_id": 1, "image_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]}], "segmentation.type"),
    ([{"expr_id": 1, "image_id": 1, "segmentation": {"size": [8, 6], "counts": "5"}}], "mask.size"),
    ([{"expr_id": 1, "image_id": 1, "segmentation": {"size": [6, 8], "counts": "5"}}], "rle.total"),
    ([{"expr_id": 1, "image_id": 1, "segmentation": {"size": [6, 8], "counts": [5]}}], "rle.total"),
    ([{"expr_id": 1, "image_id": 1, "segmentation": {"size": [6, 8], "counts": None}}], "rle.type"),
    ([{"expr_id": 1, "image_id": 1, "segmentation": None, "score": float("nan")}], "score.finite"),
    ([{"expr_id": 1, "image_id": 1, "segmentation": None, "score": "1"}], "score.type"),
    ([{"expr_id": 1, "image_id": 1, "segmentation": None, "no_target": 1}], "flag.type"),
    ([3], "record.type"),
    ({"predictions": []}, "json.shape"),
]


@pytest.mark.parametrize(("records", "kind"), BAD)
def test_bad_predictions_are_named(tmp_path: Path, records: Any, kind: str) -> None:
    gt = write_referring(
        tmp_path,
        {1: (1, rle(columns(0, 4))), 2: (2, rle(columns(0, 4)))},
        [expression(1, 1, 1), expression(2, 2, 2)],
    )
    with pytest.raises(InputError) as raised:
        score_referring(gt, write_json(tmp_path / "p.json", records), bootstrap=0)
    findings = list(raised.value.findings)
    assert [one.kind for one in findings] == [kind]
    assert findings[0].file == str(tmp_path / "p.json") and findings[0].remedy
    assert kind == "json.shape" or (findings[0].record or "").startswith("predictions[")


def test_all_problems_are_listed(tmp_path: Path) -> None:
    gt = write_referring(tmp_path, {1: (1, rle(columns(0, 4)))}, [expression(k, 1, 1) for k in range(30)])
    short = {"size": [6, 8], "counts": "5"}
    records = [{"expr_id": k, "image_id": 1, "segmentation": short} for k in range(30)]
    records.append({"expr_id": 77, "image_id": 1, "segmentation": None})  # type: ignore[dict-item]
    with pytest.raises(InputError) as raised:
        score_referring(gt, write_json(tmp_path / "p.json", records), bootstrap=0)
    assert raised.value.findings.errors == 31 and raised.value.findings.more() == {"rle.total": 10}


@pytest.mark.parametrize(
    ("masks", "expressions", "kind"),
    [
        ({1: (1, rle(columns(0, 4)))}, [expression(1, 1, 2)], "annotation.unknown"),
        ({1: (1, rle(columns(0, 4)))}, [expression(1, 2, 1)], "image.other"),
        ({1: (1, rle(columns(0, 4)))}, [expression(1, 1, 1), expression(1, 1, 1)], "id.duplicate"),
        ({1: (1, rle(columns(0, 4)))}, [expression(1, 1, 1, -1)], "id.duplicate"),
        ({1: (1, [[0, 0, 1]])}, [expression(1, 1, 1)], "polygon.odd"),
        ({1: (1, "x")}, [expression(1, 1, 1)], "segmentation.type"),
        ({1: (1, {"size": [8, 6], "counts": "0"})}, [expression(1, 1, 1)], "mask.size"),
        ({}, [], "expressions.empty"),
    ],
)
def test_bad_ground_truth_is_named(tmp_path: Path, masks: Any, expressions: Any, kind: str) -> None:
    gt = write_referring(tmp_path, masks, expressions)
    with pytest.raises(InputError) as raised:
        score_referring(gt, write_json(tmp_path / "p.json", []), bootstrap=0)
    assert kind in [one.kind for one in raised.value.findings]


def test_threads_change_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    masks = {k: (k // 4, rle(m)) for k, m in enumerate(wiggly(rng, 40, *SIZE))}
    gt = write_referring(tmp_path, masks, [expression(k, k // 4, k) for k in masks])
    guesses = from_dense(wiggly(rng, 40, *SIZE))
    write_predictions(tmp_path / "p.json", [(k, k // 4, guesses[k]) for k in range(0, 40, 2)])
    one, four = (
        score_referring(gt, tmp_path / "p.json", threads=n, per_image=True, bootstrap=20) for n in (1, 4)
    )
    assert one.to_json() == four.to_json() and one.counts.missing == 20


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gt = write_referring(tmp_path, {1: (1, rle(columns(0, 4)))}, [expression(1, 1, 1)])
    write_predictions(tmp_path / "p.json", [(1, 1, from_dense(columns(0, 4)[None]), False)])
    command = ["score", "referring", "--gt", str(gt), "--pred", str(tmp_path / "p.json"), "--bootstrap", "10"]
    assert run([*command, "--json", "--per-image"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["cIoU"] == 1.0 and value["mode"] == "canonical" and value["N_acc"] is None
    assert value["per_image"][0]["image_id"] == 1 and value["counts"]["expected"] == 1
    assert run([*command, "--mode", "lisa-poly"]) == 0
    assert "cIoU     100.00" in capsys.readouterr().out
    (gt.parent / "instances.json").unlink()
    assert run(command) == 1 and "--instances" in capsys.readouterr().err
