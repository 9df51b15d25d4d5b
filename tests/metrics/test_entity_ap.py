"""AP and AP^e against pycocotools, a dense reference of the canonical definition, and hand-computed cases."""

from __future__ import annotations

import contextlib
import copy
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from entityseg.data.coco_json import read_coco
from entityseg.errors import InputError
from entityseg.masks import RunLengths, from_dense
from entityseg.metrics import EntityAP, evaluate
from entityseg.predictions.coco_results import read_coco_results
from tests.metrics.cases import Record, random_case, write
from tests.metrics.dense_ap import Image, Item, figures

COCO_FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR@1", "AR@10", "AR@100")


def ours(folder: Path, gt: Record, predictions: list[Record], mode: str) -> dict[str, float | None]:
    gt_path, pred_path = write(folder, gt, predictions)
    dataset = read_coco(gt_path)
    pred = read_coco_results(pred_path, dataset, box_areas=mode == "pycocotools")
    table, _ = evaluate(dataset, pred, mode=mode, overlap="allow")
    return table.compute()


def pycocotools_figures(gt: Record, predictions: list[Record]) -> COCOeval:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = copy.deepcopy(gt)
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes(copy.deepcopy(predictions)), "segm")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator


@pytest.mark.parametrize("seed", range(60))
def test_compat_equals_pycocotools(seed: int, tmp_path: Path) -> None:
    gt, predictions = random_case(seed)
    if not predictions:
        pytest.skip("pycocotools does not survive empty results")
    if seed % 5 == 0:  # A box on every prediction moves pycocotools' area ranges.
        rng = np.random.default_rng(seed)
        for prediction in predictions:
            prediction["bbox"] = [0, 0, float(rng.integers(1, 130)), float(rng.integers(1, 130))]
    assert_equal(ours(tmp_path, gt, predictions, "pycocotools"), pycocotools_figures(gt, predictions).stats)


def assert_equal(found: dict[str, float | None], stats: NDArray[np.float64]) -> None:
    """pycocotools says -1 where a figure is undefined."""
    for name, value in zip(COCO_FIGURES, stats, strict=False):
        assert (-1.0 if found[name] is None else found[name]) == pytest.approx(value, abs=1e-12), name


def test_compat_equals_pycocotools_beyond_100_detections(tmp_path: Path) -> None:
    gt, predictions = random_case(7, n_images=3, most_predictions=260)
    assert max(np.bincount([p["image_id"] for p in predictions])) > 100
    evaluator = pycocotools_figures(gt, predictions)
    found = ours(tmp_path, gt, predictions, "pycocotools")
    assert_equal(found, evaluator.stats)
    evaluator.params.maxDets = [1, 10, 300]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator.evaluate()
        evaluator.accumulate()
    precision = evaluator.eval["precision"][:, :, 0, 0, 2]
    assert found["AP@300"] == pytest.approx(precision.mean(), abs=1e-12)
    recall = pycocotools_figures(gt, predictions).eval["recall"][0, 0, 0, 2]
    assert found["AR@100@.5"] == pytest.approx(recall, abs=1e-12)


def items_of(records: list[Record], image_id: int) -> list[Item]:
    return [
        Item(
            coco_mask.decode(one["segmentation"]).astype(bool),
            score=one.get("score", 0.0),
            crowd=bool(one.get("iscrowd", 0)),
        )
        for one in records
        if one["image_id"] == image_id
    ]


@pytest.mark.parametrize("seed", range(100, 115))
def test_canonical_files_equal_the_dense_reference(seed: int, tmp_path: Path) -> None:
    gt, predictions = random_case(seed, n_images=4)
    found = ours(tmp_path, gt, predictions, "canonical")
    ids = [image["id"] for image in gt["images"]]
    expected = figures([Image(items_of(gt["annotations"], i), items_of(predictions, i)) for i in ids])
    for name, value in found.items():
        assert value == (None if expected[name] is None else pytest.approx(expected[name], abs=1e-12)), name


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(200, 10_000), data=st.data())
def test_canonical_does_not_depend_on_order_or_extra_keys(
    seed: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    gt, predictions = random_case(seed)
    for prediction in predictions:
        prediction["score"] = round(prediction["score"], 1)  # Ties everywhere.
    folder = tmp_path_factory.mktemp("order")
    expected = ours(folder, gt, predictions, "canonical")
    shuffled = dict(gt)
    for name in ("images", "annotations"):
        shuffled[name] = data.draw(st.permutations(gt[name]))
    records = [dict(p, bbox=[0, 0, 1e6, 1e6], area=1, id=3) for p in data.draw(st.permutations(predictions))]
    assert ours(folder, shuffled, records, "canonical") == expected


def masks_of(*rows: str) -> RunLengths:
    """One mask a row of letters: row "aab." has masks a = columns 0-1, b = column 2."""
    (row,) = rows
    letters = sorted(set(row) - {"."})
    return from_dense(np.array([[[cell == letter for cell in row]] for letter in letters], bool))


def test_hand_computed_precision() -> None:
    # Two entities; the first prediction hits one (IoU 1), the second nothing, the third the other one.
    metric = EntityAP()
    metric.update(1, masks_of("aabb......"), masks_of("aabb..cc.."), [0.9, 0.7, 0.8])
    # Recall 1/2 at precision 1 (51 of the 101 recalls), recall 1 at precision 2/3 (50 of them).
    expected = (51 * 1 + 50 * 2 / 3) / 101
    assert metric.compute()["AP"] == pytest.approx(expected, abs=1e-15)
    assert metric.compute()["AR@1"] == 0.5
    # With equal scores the three are one point of the curve: recall 1 at precision 2/3.
    tied = EntityAP()
    tied.update(1, masks_of("aabb......"), masks_of("aabb..cc.."), [0.5, 0.5, 0.5])
    assert tied.compute()["AP"] == pytest.approx(2 / 3, abs=1e-15)


def test_undefined_figures_are_none() -> None:
    metric = EntityAP()
    metric.update(1, masks_of("aabb"), masks_of("aabb"), [0.9, 0.8])
    values = metric.compute()
    assert values["AP"] == values["APs"] == 1.0
    assert values["APm"] is None and values["APl"] is None
    empty = EntityAP()
    assert set(empty.compute().values()) == {None}
    assert set(empty.bootstrap(10).values()) == {None}
    assert empty.curves() is None


def test_no_predictions_score_zero() -> None:
    metric = EntityAP()
    metric.update(1, masks_of("aabb"), RunLengths.empty((1, 4)), [])
    assert metric.compute()["AP"] == 0.0


def table_of(seed: int) -> EntityAP:
    rng = np.random.default_rng(seed)
    metric = EntityAP()
    for unit in range(8):
        gt = from_dense(rng.random((3, 12, 14)) < 0.6)
        pred = from_dense(gt_like(rng, gt, 6))
        metric.update(unit, gt, pred, np.round(rng.random(6), 1))
    return metric


def gt_like(rng: np.random.Generator, gt: RunLengths, n: int) -> np.ndarray:
    from entityseg.masks import to_dense

    dense = to_dense(gt)
    return np.array(
        [dense[rng.integers(len(dense))] ^ (rng.random(dense.shape[1:]) < 0.15) for _ in range(n)]
    )


@settings(max_examples=20, deadline=None)
@given(cut=st.lists(st.integers(0, 2), min_size=8, max_size=8))
def test_shards_merge_to_the_same_figures(cut: list[int]) -> None:
    whole = table_of(0)
    shards = [EntityAP() for _ in range(3)]
    for unit, shard in enumerate(cut):
        shards[shard].add(unit, whole.units[unit])
    merged = shards[2].merge(shards[0]).merge(shards[1])
    assert merged.compute() == whole.compute()
    assert merged.bootstrap(20, seed=3) == whole.bootstrap(20, seed=3)


def test_a_unit_seen_twice_is_refused() -> None:
    metric = table_of(0)
    with pytest.raises(InputError, match="unit.duplicate"):
        metric.merge(table_of(1))


def test_weights_are_copies_of_images() -> None:
    table = table_of(1)
    weights = {0: 2, 1: 0, 2: 3, 5: 1}
    copies = EntityAP()
    for unit, weight in weights.items():
        for copy_number in range(weight):
            copies.add(100 * unit + copy_number, table.units[unit])
    found, expected = table.compute(weights), copies.compute()
    for name in ("AP", "AP50", "AP75", "APs", "AR@1", "AR@100"):
        assert found[name] == pytest.approx(expected[name], abs=1e-12)


def test_bootstrap_equals_resampling_one_by_one() -> None:
    table = table_of(2)
    generator = np.random.default_rng(5)
    values = []
    for _ in range(50):
        drawn = np.bincount(generator.integers(0, 8, 8), minlength=8)
        values.append(table.compute(dict(enumerate(drawn.tolist())))["AP"])
    low, high = np.percentile(values, [2.5, 97.5])
    assert table.bootstrap(50, seed=5)["AP"] == (pytest.approx(low), pytest.approx(high))


def test_perfect_predictions_score_exactly_one() -> None:
    rng = np.random.default_rng(0)
    metric = EntityAP()
    for unit in range(5):
        ids = rng.integers(0, 7, (40, 50))
        gt = from_dense(np.array([ids == i for i in range(7)]))
        metric.update(unit, gt, gt, rng.random(7))
    values = metric.compute()
    assert values["AP"] == values["AP50"] == values["AR@100"] == values["AP@300"] == 1.0
    assert metric.bootstrap(50)["AP"] == (1.0, 1.0)


@pytest.mark.parametrize("scores", [[0.1], [0.1, float("nan")], [0.1, float("inf")], [0.1, 0.2, 0.3]])
def test_bad_scores_are_named(scores: list[float]) -> None:
    masks = masks_of("aabb")
    with pytest.raises(InputError, match="score.finite"):
        EntityAP().update(1, masks, masks, scores)


def test_dense_arrays_do_as_well() -> None:
    rng = np.random.default_rng(3)
    gt, pred = rng.random((3, 9, 8)) < 0.5, rng.random((4, 9, 8)) < 0.5
    dense, runs = EntityAP(), EntityAP()
    dense.update(1, gt, pred.tolist(), [0.4, 0.3, 0.2, 0.1])
    runs.update(1, from_dense(gt), from_dense(pred), [0.4, 0.3, 0.2, 0.1])
    assert dense.compute() == runs.compute()
