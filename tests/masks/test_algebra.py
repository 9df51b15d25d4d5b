"""Set operations, overlap and painting, against pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.errors import InputError, UsageError
from entityseg.masks import (
    RunLengths,
    are_disjoint,
    complement,
    coverage,
    difference,
    from_dense,
    from_id_map,
    intersection,
    overlaps,
    paint,
    union,
    union_area,
)
from entityseg.masks.algebra import overlap_error
from tests.strategies import Dense, checked, dense_stacks, partition, pixels_of, wiggly


def _painted(dense: Dense, order: list[int]) -> Dense:
    result = np.zeros_like(dense)
    taken = np.zeros(dense.shape[1:], bool)
    for k in reversed(order):
        result[k] = dense[k] & ~taken
        taken |= dense[k]
    return result


@given(dense_stacks(most=5), st.data())
def test_against_pixels(dense: Dense, data: st.DataObject) -> None:
    masks = from_dense(dense)
    assert np.array_equal(pixels_of(checked(union(masks)))[0], dense.any(axis=0))
    assert np.array_equal(pixels_of(checked(intersection(masks)))[0], dense.all(axis=0))
    assert np.array_equal(pixels_of(checked(complement(masks))), ~dense)
    assert union_area(masks) == dense.any(axis=0).sum()
    assert coverage(masks) == dense.any(axis=0).mean()
    assert are_disjoint(masks) == bool((dense.sum(axis=0) <= 1).all())
    other = dense[data.draw(st.permutations(range(len(dense))))]
    assert np.array_equal(pixels_of(checked(difference(masks, from_dense(other)))), dense & ~other)
    if len(dense):
        assert np.array_equal(pixels_of(checked(difference(masks, masks[0]))), dense & ~dense[0])


@given(dense_stacks(most=5))
def test_overlaps_against_pixels(dense: Dense) -> None:
    found = overlaps(from_dense(dense))
    want = {}
    for i in range(len(dense)):
        for j in range(i + 1, len(dense)):
            if (dense[i] & dense[j]).any():
                want[i, j] = int((dense[i] & dense[j]).sum())
    assert {
        tuple(pair): pixels for pair, pixels in zip(found.pairs.tolist(), found.pixels, strict=True)
    } == want
    assert found.total == dense.sum() - dense.any(axis=0).sum()
    assert len(found) == len(want)


@given(dense_stacks(most=5), st.data())
def test_paint_against_pixels(dense: Dense, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(dense))))
    kept = order[: data.draw(st.integers(0, len(order)))]
    painted = checked(paint(from_dense(dense), kept))
    assert np.array_equal(pixels_of(painted), _painted(dense, kept))
    assert are_disjoint(painted)
    # What is disjoint already stays as it is, whatever the order.
    assert paint(painted, list(range(len(dense)))) == painted


def test_wiggly_masks_against_pixels() -> None:
    """Large enough for runs that span several words of the bit sets."""
    rng = np.random.default_rng(5)
    for height, width in [(300, 211), (1, 1000), (1000, 1), (64, 64), (63, 129)]:
        dense = wiggly(rng, 7, height, width)
        masks = from_dense(dense)
        order = rng.permutation(7).tolist()
        assert np.array_equal(pixels_of(checked(paint(masks, order))), _painted(dense, order))
        assert union_area(masks) == dense.any(axis=0).sum()
        assert np.array_equal(pixels_of(checked(intersection(masks[:3])))[0], dense[:3].all(axis=0))
        assert np.array_equal(pixels_of(checked(difference(masks, masks[2]))), dense & ~dense[2])
        cells = from_id_map(partition(rng, 5, height, width))[1]
        assert are_disjoint(cells) and coverage(cells) == 1.0


def test_one_common_pixel_is_found_wherever_it_lies() -> None:
    rng = np.random.default_rng(6)
    ids = partition(rng, 6, 90, 75)
    masks = from_id_map(ids)[1]
    for _ in range(200):
        y, x = int(rng.integers(90)), int(rng.integers(75))
        pixel = RunLengths((90, 75), [x * 90 + y, x * 90 + y + 1], [0, 2])
        assert not are_disjoint(RunLengths.concatenate([masks, pixel]))
        others = masks[np.arange(len(masks)) != ids[y, x] - 1]
        assert are_disjoint(RunLengths.concatenate([others, pixel]))


def test_areas_above_the_images_are_no_disjoint_masks() -> None:
    full = from_dense(np.ones((2, 5, 5), bool))
    assert full.areas.tolist() == [25, 25]
    assert not are_disjoint(full)


def test_hand_computed() -> None:
    masks = RunLengths((1, 9), [0, 4, 2, 6, 7, 9], [0, 2, 4, 6])
    assert union(masks).edges.tolist() == [0, 6, 7, 9]
    assert union(RunLengths((1, 9), [0, 4, 4, 6], [0, 2, 4])).edges.tolist() == [0, 6]
    assert overlaps(masks).pairs.tolist() == [[0, 1]]
    assert paint(masks, [1, 0, 2]).edges.tolist() == [0, 4, 4, 6, 7, 9]
    error = overlap_error(masks, "Mend it.", file="a.json")
    assert "masks overlap by 2 pixels: 0 and 1 (2 pixels)" in str(error) and "a.json" in str(error)


def test_no_masks() -> None:
    none = RunLengths.empty((3, 3))
    assert union(none) == RunLengths.empty((3, 3), 1)
    assert intersection(none).edges.tolist() == [0, 9]
    assert union_area(none) == 0 and coverage(none) == 0.0 and are_disjoint(none)
    assert len(overlaps(none)) == 0 and len(paint(none, [])) == 0
    assert len(complement(none)) == 0 and len(difference(none, none)) == 0


@pytest.mark.parametrize("order", [[0, 0], [2], [-1], [0.5], [[0, 1]], ["a"]])
def test_painting_orders_that_are_none(order: list[int]) -> None:
    with pytest.raises(UsageError, match="order"):
        paint(RunLengths.empty((3, 3), 2), order)


def test_operands_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="combined"):
        difference(RunLengths.empty((3, 3), 2), RunLengths.empty((3, 4), 2))
    with pytest.raises(InputError, match="3 masks"):
        difference(RunLengths.empty((3, 3), 2), RunLengths.empty((3, 3), 3))
