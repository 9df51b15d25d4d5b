"""Boundary IoU and boundary AP against iterated erosion and pycocotools, and hand-computed cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval
from scipy import ndimage

from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, from_dense
from entityseg.metrics.boundary import (
    BoundaryAP,
    BoundaryInstanceAP,
    BoundaryIoU,
    boundary_iou,
    boundary_radius,
)
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.mask_matching import match_classes, match_image
from tests.metrics.cases import Record
from tests.metrics.class_cases import assert_equal, evaluated, random_class_case
from tests.metrics.test_instance_ap import masks_of
from tests.strategies import wiggly

SQUARE = np.ones((3, 3), bool)


def dense_band(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """As boundary-iou-api: numpy's rounding of the radius, a border of background, erosions by 3 x 3."""
    height, width = mask.shape
    radius = max(1, int(np.round(0.02 * np.sqrt(height**2 + width**2))))
    return mask & ~ndimage.binary_erosion(np.pad(mask, 1), SQUARE, iterations=radius)[1:-1, 1:-1]


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 0.0


@pytest.mark.parametrize(
    ("size", "radius"),
    [
        ((375, 500), 12), ((345, 460), 12), ((500, 375), 12), ((300, 400), 10), ((1, 1), 1), ((25, 30), 1),
        ((1977, 2637), 66), ((480, 640), 16),
    ],
)  # fmt: skip
def test_radius(size: tuple[int, int], radius: int) -> None:
    assert boundary_radius(size) == radius


@pytest.mark.parametrize("ratio", [0.0, -0.1, 1.5, float("nan")])
def test_ratios_that_are_none(ratio: float) -> None:
    for make in (BoundaryAP, BoundaryInstanceAP):
        with pytest.raises(UsageError, match=r"boundary\.ratio"):
            make(ratio=ratio)


@pytest.mark.parametrize("size", [(60, 80), (150, 110), (345, 460)])
def test_boundary_iou_equals_iterated_erosion(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(size[0])
    a, b = wiggly(rng, 3, *size), wiggly(rng, 3, *size)
    a[0], b[0], b[1] = False, False, a[1] ^ (rng.random(size) < 0.01)
    found = boundary_iou(from_dense(a), from_dense(b))
    expected = [[iou(dense_band(one), dense_band(other)) for other in b] for one in a]
    assert found.tolist() == expected and found[0, 0] == 0.0


def test_boundary_iou_is_computed_where_masks_could_match() -> None:
    rng = np.random.default_rng(0)
    gt = wiggly(rng, 4, 90, 70)
    pred = np.concatenate([gt ^ (rng.random(gt.shape) < 0.05), wiggly(rng, 2, 90, 70)])
    crowd = np.array([False, True, False, False])
    least = 0.5
    found = BoundaryIoU()(from_dense(pred), from_dense(gt), crowd=crowd, least_iou=least)
    for i, one in enumerate(pred):
        for j, other in enumerate(gt):
            mask_iou = (one & other).sum() / one.sum() if crowd[j] else iou(one, other)
            value = mask_iou if crowd[j] else min(mask_iou, iou(dense_band(one), dense_band(other)))
            if value >= least:
                assert found[i, j] == value
            else:
                assert found[i, j] < least


class BoundaryCOCOeval(COCOeval):  # type: ignore[misc]
    """pycocotools with the smaller one of mask and boundary IoU, the bands by dense erosion."""

    def computeIoU(self, image_id: int, category_id: int) -> Any:
        ious = super().computeIoU(image_id, category_id)
        if len(ious) == 0:
            return ious
        categories = self.params.catIds if self.params.useCats else [category_id]
        gt = [a for c in categories for a in self._gts[image_id, c] if category_id in (c, -1)]
        found = [d for c in categories for d in self._dts[image_id, c] if category_id in (c, -1)]
        found = [found[i] for i in np.argsort([-d["score"] for d in found], kind="mergesort")]
        for i, prediction in enumerate(found[: self.params.maxDets[-1]]):
            for j, annotation in enumerate(gt):
                if not annotation["iscrowd"]:
                    masks = [coco_mask.decode(a["segmentation"]) > 0 for a in (prediction, annotation)]
                    ious[i, j] = min(ious[i, j], iou(*map(dense_band, masks)))
        return ious


def fed(gt: Record, predictions: list[Record], *, with_classes: bool) -> BoundaryAP | BoundaryInstanceAP:
    metric = BoundaryInstanceAP("pycocotools") if with_classes else BoundaryAP("pycocotools")
    for image in gt["images"]:
        truth = [a for a in gt["annotations"] if a["image_id"] == image["id"]]
        found = [p for p in predictions if p["image_id"] == image["id"]]
        size = image["height"], image["width"]
        categories = [np.array([a["category_id"] for a in side], np.int64) for side in (truth, found)]
        scores = np.array([p["score"] for p in found], np.float64)
        masks = masks_of(truth, size), masks_of(found, size)
        options: dict[str, Any] = {
            "crowd": np.array([a["iscrowd"] for a in truth], bool),
            "gt_ids": np.array([a["id"] for a in truth], np.int64),
            "gt_areas": np.array([a["area"] for a in truth], np.float64),
            "mode": "pycocotools",
            "iou": BoundaryIoU(),
        }
        if isinstance(metric, BoundaryInstanceAP):
            metric.add(image["id"], match_classes(*masks, scores, *categories, **options))
        else:
            metric.add(image["id"], match_image(*masks, scores, **options))
    return metric


@pytest.mark.parametrize("with_classes", [False, True])
@pytest.mark.parametrize("seed", range(500, 514))
def test_boundary_ap_equals_pycocotools_with_boundary_iou(seed: int, with_classes: bool) -> None:
    gt, predictions = random_class_case(seed)
    if not predictions:
        pytest.skip("pycocotools does not survive empty results")
    gt["images"].sort(key=lambda image: image["id"])
    if not with_classes:
        gt["categories"] = [{"id": 1, "name": "entity"}]
        for record in (*gt["annotations"], *predictions):
            record["category_id"] = 1
    found: dict[str, float | None] = fed(gt, predictions, with_classes=with_classes).compute()
    stats = evaluated(gt, predictions, BoundaryCOCOeval).stats
    if with_classes:
        assert_equal(found, stats)
    else:
        assert_equal({**found, **dict(zip(("ARs", "ARm", "ARl"), stats[9:], strict=True))}, stats)
    plain = evaluated(gt, predictions).stats
    assert stats[0] <= plain[0]


def test_hand_computed() -> None:
    # 40 x 40 and its upper half: mask IoU .5; radius 1, so bands of 156 and 116 pixels, 78 of them in both.
    dense = np.zeros((2, 50, 50), bool)
    dense[0, :40, :40] = True
    dense[1, :20, :40] = True
    whole, half = from_dense(dense[:1]), from_dense(dense[1:])
    common = 40 + 2 * 19
    expected = common / (156 + 116 - common)
    assert boundary_iou(whole, half).tolist() == [[expected]] and expected < 0.5
    metric, plain = BoundaryAP(), EntityAP()
    for one in (metric, plain):
        one.update(1, whole, half, [0.9])
    assert plain.compute()["AP50"] == 1.0 and metric.compute()["AP50"] == 0.0
    crowd = BoundaryAP()
    # Of a crowd the mask IoU alone counts: the half lies inside, so it counts neither way.
    crowd.update(1, whole, half, [0.9], crowd=np.array([True]))
    crowd.update(2, half, half, [0.8])
    assert crowd.compute()["AP"] == 1.0


def test_perfect_predictions_score_one_with_any_ratio() -> None:
    masks = from_dense(wiggly(np.random.default_rng(1), 5, 70, 50))
    for ratio in (0.001, 0.02, 1.0):
        metric = BoundaryAP(ratio=ratio)
        metric.update(1, masks, masks, np.arange(5) / 5)
        assert metric.compute()["AP"] == metric.compute()["AR@100"] == 1.0
        classes = BoundaryInstanceAP(ratio=ratio)
        classes.update(
            1, masks, masks, [0.5] * 5, gt_categories=[1, 1, 2, 2, 3], pred_categories=[1, 1, 2, 2, 3]
        )
        assert classes.compute()["AP"] == 1.0


def test_dense_arrays_and_images_of_other_sizes() -> None:
    rng = np.random.default_rng(2)
    gt, pred = rng.random((2, 9, 8)) < 0.8, rng.random((3, 9, 8)) < 0.8
    dense, runs = BoundaryAP(), BoundaryAP()
    dense.update(1, gt, pred.tolist(), [0.3, 0.2, 0.1])
    runs.update(1, from_dense(gt), from_dense(pred), [0.3, 0.2, 0.1])
    assert dense.compute() == runs.compute()
    with pytest.raises(InputError, match=r"mask\.size"):
        dense.update(2, from_dense(gt), RunLengths.empty((8, 9), 1), [0.5])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 5000), data=st.data())
def test_shards_and_order_do_not_matter(seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    whole, shards = BoundaryAP(), [BoundaryAP(), BoundaryAP()]
    for unit in range(5):
        gt = wiggly(rng, 3, 40, 30)
        pred = np.array([gt[rng.integers(3)] ^ (rng.random((40, 30)) < 0.02) for _ in range(4)])
        scores = np.round(rng.random(4), 1)
        whole.update(unit, gt, pred, scores)
        order = data.draw(st.permutations(range(4)))
        shards[data.draw(st.integers(0, 1))].update(unit, gt[::-1], pred[order], scores[order])
    merged = shards[1].merge(shards[0])
    assert merged.compute() == whole.compute()
    assert merged.bootstrap(20) == whole.bootstrap(20)
