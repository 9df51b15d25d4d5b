"""The value type: what its arrays may be, indexing, equality, measures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.errors import InputError
from entityseg.masks import MAX_PIXELS, RunLengths, from_dense
from tests.strategies import Dense, checked, dense_stacks, pixels_of, wiggly


def test_hand_computed() -> None:
    # Columns of 4: rows 1-2 of column 1, rows 1-2 of column 2.
    masks = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    assert len(masks) == 1 and masks.height == 4 and masks.width == 4 and masks.pixels == 16
    assert masks.areas.tolist() == [4]
    assert masks.boxes.tolist() == [[1, 1, 2, 2]]
    assert masks.run_counts.tolist() == [2]
    # 16 pixels, 16 stretches of one pixel each.
    assert masks.profiles.tolist() == [[0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0]]
    assert repr(masks) == "RunLengths(1 masks, size=(4, 4), 2 runs)"


def test_a_run_over_the_end_of_a_column_takes_the_whole_height() -> None:
    masks = RunLengths((4, 3), [3, 5], [0, 2])
    assert masks.boxes.tolist() == [[0, 0, 2, 4]]
    # Exactly one column is no more than that.
    assert RunLengths((4, 3), [4, 8], [0, 2]).boxes.tolist() == [[1, 0, 1, 4]]


@pytest.mark.parametrize(
    ("edges", "offsets", "words"),
    [
        ([5, 5], [0, 2], "strictly increase"),
        ([7, 5], [0, 2], "strictly increase"),
        ([1, 2, 2, 3], [0, 4], "strictly increase"),
        ([1, 2, 3], [0, 3], "even number"),
        ([1, 2, 3, 4], [0, 1, 4], "even number"),
        ([1, 13], [0, 2], "outside the image"),
        ([-1, 3], [0, 2], "outside the image"),
        ([1.5, 3.0], [0, 2], "integers"),
        ([[1, 3]], [0, 1], "flat array"),
        ([1, 3], [0, 1], "offsets"),
        ([1, 3], [1, 2], "offsets"),
        ([1, 3], [], "offsets"),
        ([1, 2, 3, 4], [0, 4, 2, 4], "even number"),
    ],
)
def test_arrays_that_are_no_masks(edges: list[float], offsets: list[int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        RunLengths((3, 4), np.array(edges), np.array(offsets))


def test_a_border_between_masks_need_not_increase() -> None:
    assert RunLengths((3, 4), [6, 12, 0, 6, 2, 3], [0, 2, 2, 4, 6]).areas.tolist() == [6, 0, 6, 1]


@pytest.mark.parametrize(
    "size",
    [
        (0, 4),
        (4, 0),
        (-1, 4),
        (4,),
        (4, 4, 4),
        (4.0, 4),
        ("4", 4),
        None,
        "44",
        (True, 4),
        (10**6, 10**6),
        (2**32, 1),
    ],
)
def test_sizes_that_are_none(size: object) -> None:
    with pytest.raises(InputError, match=r"size|pixels"):
        RunLengths(size, [], [0])  # type: ignore[arg-type]


def test_the_largest_images() -> None:
    for size in [(65535, 65535), (MAX_PIXELS, 1), (1, MAX_PIXELS)]:
        pixels = size[0] * size[1]
        masks = RunLengths(size, np.array([0, 1, pixels - 1, pixels, 0, pixels]), [0, 4, 6])
        assert masks.areas.tolist() == [2, pixels]
        assert masks.boxes.tolist() == [[0, 0, size[1], size[0]]] * 2
        assert masks.profiles.sum(axis=1).tolist() == [2, pixels]


@given(dense_stacks())
def test_measures(dense: Dense) -> None:
    masks = from_dense(dense)
    assert masks.areas.tolist() == dense.sum(axis=(1, 2)).tolist()
    for mask, box in zip(dense, masks.boxes.tolist(), strict=True):
        rows, columns = np.nonzero(mask)
        tight = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1] if rows.size else [0] * 4
        assert box == tight
    pixels = masks.pixels
    stretch = -(-pixels // 16)
    for mask, profile in zip(dense, masks.profiles.tolist(), strict=True):
        line = mask.T.ravel()
        assert profile == [int(line[k * stretch : (k + 1) * stretch].sum()) for k in range(16)]


def test_measures_of_large_masks() -> None:
    dense = wiggly(np.random.default_rng(0), 8, 301, 257)
    masks = from_dense(dense)
    assert masks.areas.tolist() == dense.sum(axis=(1, 2)).tolist()
    stretch = -(-masks.pixels // 16)
    for mask, box, profile in zip(dense, masks.boxes, masks.profiles, strict=True):
        rows, columns = np.nonzero(mask)
        assert box.tolist() == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        line = np.pad(mask.T.ravel(), (0, 16 * stretch - masks.pixels))
        assert profile.tolist() == line.reshape(16, stretch).sum(axis=1).tolist()


@given(dense_stacks(least=1, most=5), st.data())
def test_indexing_is_numpys(dense: Dense, data: st.DataObject) -> None:
    masks = from_dense(dense)
    n = len(dense)
    i = data.draw(st.integers(-n, n - 1))
    assert np.array_equal(pixels_of(checked(masks[i])), dense[i][None])
    cut = data.draw(st.slices(n))
    assert np.array_equal(pixels_of(checked(masks[cut])), dense[cut])
    some = data.draw(st.lists(st.integers(-n, n - 1), max_size=7))
    assert np.array_equal(pixels_of(checked(masks[some])), dense[np.array(some, int)])
    flags = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    assert np.array_equal(pixels_of(checked(masks[flags])), dense[flags])
    assert [one == masks[k] for k, one in enumerate(masks)] == [True] * n
    assert RunLengths.concatenate(list(masks)) == masks
    with pytest.raises(IndexError):
        masks[n]


def test_equality_is_of_pixels_and_size() -> None:
    a = RunLengths((2, 3), [1, 3], [0, 2])
    assert a == RunLengths((2, 3), np.array([1, 3], np.int16), [0, 2])
    assert a != RunLengths((3, 2), [1, 3], [0, 2])
    assert a != RunLengths((2, 3), [1, 4], [0, 2])
    assert a != "masks"
    with pytest.raises(TypeError):
        hash(a)


def test_a_value_never_changes() -> None:
    masks = RunLengths((2, 3), [1, 3], [0, 2])
    with pytest.raises(ValueError, match="read-only"):
        masks.edges[0] = 0
    with pytest.raises(AttributeError):
        masks.size = (1, 1)  # type: ignore[misc]


def test_empty_and_concatenate() -> None:
    assert len(RunLengths.empty((2, 2))) == 0
    assert RunLengths.empty((2, 2), 3).areas.tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="image sizes"):
        RunLengths.concatenate([RunLengths.empty((2, 2)), RunLengths.empty((2, 3))])
    with pytest.raises(InputError, match="image sizes"):
        RunLengths.concatenate([])
