"""Intersections and IoU, against pixels and pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from entityseg.errors import InputError
from entityseg.masks import RunLengths, from_dense, intersections, iou_matrix
from tests.strategies import Dense, coco_rles, dense_stacks, wiggly


@given(dense_stacks(most=6), st.data())
def test_against_pixels_and_pycocotools(dense: Dense, data: st.DataObject) -> None:
    split = data.draw(st.integers(0, len(dense)))
    crowd = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(dense) - split, max_size=len(dense) - split)), bool
    )
    a, b = from_dense(dense[:split]), from_dense(dense[split:])
    want = np.einsum("ihw,jhw->ij", dense[:split].astype(int), dense[split:].astype(int))
    assert np.array_equal(intersections(a, b), want)
    if 0 < split < len(dense):
        reference = coco_mask.iou(coco_rles(dense[:split]), coco_rles(dense[split:]), crowd.tolist())
        # pycocotools divides 0 by 0 where both are empty, and by 0 for an empty mask and a crowd.
        reference = np.where(want == 0, 0.0, reference)
        assert np.array_equal(iou_matrix(a, b, crowd=crowd), reference)


@pytest.mark.parametrize("least", [0.0, 0.3, 0.5, 0.75, 1.0])
def test_pairs_that_are_left_out_cannot_reach_the_bound(least: float) -> None:
    rng = np.random.default_rng(0)
    dense = wiggly(rng, 14, 80, 70)
    near = dense ^ (rng.random(dense.shape) < 0.05)
    a, b = from_dense(dense), from_dense(near)
    crowd = rng.random(14) < 0.3
    exact, some = iou_matrix(a, b, crowd=crowd), iou_matrix(a, b, crowd=crowd, least_iou=least)
    assert np.array_equal(some[exact >= least], exact[exact >= least])
    assert ((some == exact) | (some == 0)).all()


def test_hand_computed() -> None:
    a = RunLengths((1, 10), [0, 6, 0, 10], [0, 2, 4])
    b = RunLengths((1, 10), [4, 10], [0, 2])
    assert intersections(a, b).tolist() == [[2], [6]]
    assert iou_matrix(a, b).tolist() == [[0.2], [0.6]]
    assert iou_matrix(a, b, crowd=np.array([True])).tolist() == [[2 / 6], [0.6]]


def test_empty_masks_and_none() -> None:
    empty = RunLengths.empty((4, 4), 2)
    assert iou_matrix(empty, empty).tolist() == [[0, 0], [0, 0]]
    assert iou_matrix(empty, RunLengths.empty((4, 4))).shape == (2, 0)


def test_images_of_two_sizes() -> None:
    with pytest.raises(InputError, match="compared"):
        iou_matrix(RunLengths.empty((4, 4)), RunLengths.empty((4, 5)))
