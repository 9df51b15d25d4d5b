"""Class-aware AP against pycocotools, `EntityAP` of each category, and hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from entityseg.errors import InputError
from entityseg.masks import RunLengths, from_dense
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.instance_ap import InstanceAP
from entityseg.metrics.mask_matching import match_classes
from entityseg.metrics.matching import ImageMatches
from tests.metrics.cases import Record
from tests.metrics.class_cases import assert_equal, evaluated, random_class_case


def masks_of(records: list[Record], size: tuple[int, int]) -> RunLengths:
    dense = [coco_mask.decode(record["segmentation"]).astype(bool) for record in records]
    return from_dense(np.array(dense, bool).reshape(-1, *size))


def fed(metric: InstanceAP, gt: Record, predictions: list[Record], *, boxes: bool = False) -> InstanceAP:
    """Feed the records image by image, as a training loop would, with the file's areas for compat."""
    for image in gt["images"]:
        truth = [a for a in gt["annotations"] if a["image_id"] == image["id"]]
        found = [p for p in predictions if p["image_id"] == image["id"]]
        size = image["height"], image["width"]
        row = match_classes(
            masks_of(truth, size),
            masks_of(found, size),
            np.array([p["score"] for p in found], np.float64),
            np.array([a["category_id"] for a in truth], np.int64),
            np.array([p["category_id"] for p in found], np.int64),
            crowd=np.array([a["iscrowd"] for a in truth], bool),
            mode=metric.mode,
            gt_ids=np.array([a["id"] for a in truth], np.int64),
            gt_areas=np.array([a["area"] for a in truth], np.float64),
            pred_areas=np.array([p["bbox"][2] * p["bbox"][3] for p in found], float) if boxes else None,
        )
        metric.add(image["id"], row)
    return metric


@pytest.mark.parametrize("seed", range(40))
def test_compat_equals_pycocotools(seed: int) -> None:
    gt, predictions = random_class_case(seed, most_predictions=20)
    if not predictions:
        pytest.skip("pycocotools does not survive empty results")
    boxes = seed % 4 == 0  # A box on every prediction moves pycocotools' area ranges.
    if boxes:
        rng = np.random.default_rng(seed)
        for prediction in predictions:
            prediction["bbox"] = [0, 0, float(rng.integers(1, 130)), float(rng.integers(1, 130))]
    # pycocotools takes images by id.
    gt["images"].sort(key=lambda image: image["id"])
    metric = fed(InstanceAP("pycocotools"), gt, predictions, boxes=boxes)
    stats = evaluated(gt, predictions).stats
    assert_equal(metric.compute(), stats)


def test_compat_equals_pycocotools_beyond_100_detections_a_category() -> None:
    gt, predictions = random_class_case(7, n_images=2, most_predictions=700)
    pairs = [(p["image_id"], p["category_id"]) for p in predictions]
    assert max(map(pairs.count, set(pairs))) > 100
    metric = fed(InstanceAP("pycocotools"), gt, predictions)
    assert_equal(metric.compute(), evaluated(gt, predictions).stats)
    precision = []

    class Most(type(evaluated(gt, predictions))):  # type: ignore[misc]
        def summarize(self) -> None:
            found = self.eval["precision"][:, :, :, 0, 2]
            precision.append(found[found > -1].mean())

    evaluated(gt, predictions, Most, maxDets=[1, 10, 300])
    assert metric.compute()["AP@300"] == pytest.approx(precision[0], abs=1e-12)


def test_more_than_300_of_a_category_keep_the_best_300() -> None:
    gt = from_dense(np.ones((1, 2, 2), bool))
    pred = from_dense(np.ones((640, 2, 2), bool))
    scores = np.linspace(0, 1, 640)
    categories = np.arange(640) % 2
    row = match_classes(gt, pred, scores, np.array([1]), categories)
    assert row.categories.tolist() == [0, 1] and np.diff(row.offsets).tolist() == [300, 300]
    assert row.scores[0] == scores[638] and row.scores[300] == scores[639]


@pytest.mark.parametrize("seed", range(200, 208))
@pytest.mark.parametrize("mode", ["canonical", "pycocotools"])
def test_mean_of_entity_ap_of_each_category(seed: int, mode: str) -> None:
    gt, predictions = random_class_case(seed)
    metric = fed(InstanceAP(mode), gt, predictions)  # type: ignore[arg-type]
    values = []
    for category in (0, 2, 7):
        own = EntityAP(mode)  # type: ignore[arg-type]
        part = {**gt, "annotations": [a for a in gt["annotations"] if a["category_id"] == category]}
        single = fed(InstanceAP(mode), part, [p for p in predictions if p["category_id"] == category])  # type: ignore[arg-type]
        for unit, row in single.units.items():
            if len(row.categories):
                own.add(unit, ImageMatches(row.n_gt[0], row.scores, row.hits, row.ignored))
        values.append(own.compute())
        if values[-1]["AP"] is None:
            assert category not in metric.per_category()
            continue
        for name, value in values[-1].items():
            expected = None if value is None else pytest.approx(value, abs=1e-12)
            assert metric.per_category()[category][name] == expected, name
    defined = [value["AP"] for value in values if value["AP"] is not None]
    assert metric.compute()["AP"] == pytest.approx(np.mean(defined), abs=1e-12)


def row_of(*letters: str) -> RunLengths:
    return from_dense(np.array([[[cell == "x" for cell in row]] for row in letters], bool))


def test_hand_computed() -> None:
    metric = InstanceAP()
    truth, found = row_of("xx....", "..xx.."), row_of("xx....", "..xx..", "....xx")
    # Category 1 is found at once; of category 2 the better prediction is wrong, precision 1/2 at all recalls.
    metric.update(1, truth, found, [0.9, 0.5, 0.8], gt_categories=[1, 2], pred_categories=[1, 2, 2])
    assert metric.compute()["AP"] == pytest.approx((1 + 0.5) / 2, abs=1e-15)
    assert metric.compute()["AR@1"] == (1 + 0) / 2
    assert metric.per_category()[2]["AP"] == pytest.approx(0.5, abs=1e-15)
    # A category that the ground truth never has takes no part in the mean, whatever is predicted for it.
    metric.update(2, row_of("......")[:0], found, [0.9] * 3, gt_categories=[], pred_categories=[3, 3, 4])
    assert metric.compute()["AP"] == pytest.approx(0.75, abs=1e-15)
    assert set(metric.per_category()) == {1, 2}


def test_the_right_mask_with_the_wrong_category_is_wrong() -> None:
    metric = InstanceAP()
    metric.update(1, row_of("xx.."), row_of("xx.."), [0.9], gt_categories=[1], pred_categories=[2])
    assert metric.compute()["AP"] == 0.0


def test_undefined_is_none() -> None:
    assert set(InstanceAP().compute().values()) == {None}
    assert set(InstanceAP().bootstrap(5).values()) == {None}
    only_crowd = InstanceAP()
    only_crowd.update(
        1, row_of("xx"), row_of("xx"), [1.0], gt_categories=[1], pred_categories=[1], crowd=np.array([True])
    )
    assert only_crowd.compute()["AP"] is None and only_crowd.per_category() == {}


def test_no_predictions_score_zero() -> None:
    metric = InstanceAP()
    metric.update(1, row_of("xx"), RunLengths.empty((1, 2)), [], gt_categories=[1], pred_categories=[])
    assert metric.compute()["AP"] == 0.0 and metric.bootstrap(5)["AP"] == (0.0, 0.0)


def test_bootstrap_equals_resampling_one_by_one() -> None:
    gt, predictions = random_class_case(11, n_images=8)
    metric = fed(InstanceAP(), gt, predictions)
    samples = metric.resample(70, seed=5)
    generator = np.random.default_rng(5)
    units = list(metric.sorted_units())
    drawn = np.concatenate([generator.integers(0, 8, (size, 8)) for size in (64, 6)])
    for k in (0, 1, 30, 64, 69):
        weights = dict(zip(units, np.bincount(drawn[k], minlength=8).tolist(), strict=True))
        copies = InstanceAP()
        for unit, weight in weights.items():
            for number in range(weight):
                copies.add((unit, number), metric.units[unit])
        for name, value in copies.compute().items():
            expected = np.nan if value is None else value
            assert samples[name][k] == pytest.approx(expected, abs=1e-12, nan_ok=True), name


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(300, 5000), cut=st.lists(st.integers(0, 2), min_size=6, max_size=6), data=st.data())
def test_shards_and_order_do_not_matter(seed: int, cut: list[int], data: st.DataObject) -> None:
    gt, predictions = random_class_case(seed)
    for prediction in predictions:
        prediction["score"] = round(prediction["score"], 1)  # Ties everywhere.
    whole = fed(InstanceAP(), gt, predictions)
    shuffled = {**gt, "annotations": data.draw(st.permutations(gt["annotations"]))}
    other = fed(InstanceAP(), shuffled, data.draw(st.permutations(predictions)))
    shards = [InstanceAP() for _ in range(3)]
    for (unit, row), shard in zip(other.units.items(), cut, strict=True):
        shards[shard].add(unit, row)
    merged = shards[2].merge(shards[0]).merge(shards[1])
    assert merged.compute() == whole.compute()
    assert merged.bootstrap(10, seed=1) == whole.bootstrap(10, seed=1)


@pytest.mark.parametrize("categories", [[1], [1, 2, 3], [1.5, 2.0], ["a", "b"]])
def test_categories_that_do_not_fit_are_named(categories: list[object]) -> None:
    masks = row_of("xx..", "..xx")
    with pytest.raises(InputError, match=r"category\.shape"):
        InstanceAP().update(1, masks, masks, [0.1, 0.2], gt_categories=[1, 1], pred_categories=categories)


def test_a_row_is_small() -> None:
    """24 bytes a detection, 48 a category of the image, and the arrays' own heads."""
    gt, predictions = random_class_case(3, n_images=2, most_predictions=200)
    for row in fed(InstanceAP(), gt, predictions).units.values():
        arrays = (row.categories, row.offsets, row.n_gt, row.scores, row.hits, row.ignored)
        assert sum(array.nbytes for array in arrays) <= 24 * len(row.scores) + 48 * len(row.categories) + 8
        assert all(array.base is None or array.base.nbytes <= 2 * array.nbytes for array in arrays)
