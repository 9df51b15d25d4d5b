"""Id maps of any integer type to runs and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, from_dense, from_id_map, to_id_map
from tests.strategies import checked, partition, pixels_of

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">u2", ">i4", ">u8"]


@st.composite
def id_maps(draw: st.DrawFn) -> NDArray[np.integer]:
    kind = np.dtype(draw(st.sampled_from(TYPES)))
    limits = np.iinfo(kind)
    values = st.integers(int(limits.min), min(int(limits.max), 2**63 - 1))
    palette = [0, *draw(st.lists(values, min_size=1, max_size=5))]
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    pixels = draw(
        st.lists(st.sampled_from(palette), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    )
    return np.array(pixels, dtype=kind).reshape(shape)


@given(id_maps(), st.booleans())
def test_split_against_pixels(ids: NDArray[np.integer], keep_background: bool) -> None:
    found, masks = from_id_map(ids, background=None if keep_background else 0)
    want = [value for value in np.unique(ids).tolist() if keep_background or value != 0]
    assert found.dtype == np.int64 and found.tolist() == want
    assert np.array_equal(
        pixels_of(checked(masks)), np.array([ids == v for v in want], bool).reshape(-1, *ids.shape)
    )
    background = 0 if not keep_background else next(k for k in range(8) if k not in want)
    assert np.array_equal(to_id_map(masks, found, ids.dtype, background=background), ids)


@pytest.mark.parametrize("kind", ["u1", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("shape", [(201, 307), (1, 900), (900, 1), (97, 24)])
def test_large_maps(kind: str, shape: tuple[int, int]) -> None:
    ids = partition(np.random.default_rng(0), 7, *shape).astype(kind)
    found, masks = from_id_map(ids)
    assert np.array_equal(found, np.unique(ids))
    assert np.array_equal(pixels_of(checked(masks)), [ids == value for value in found])
    assert np.array_equal(to_id_map(masks, found, kind), ids)
    # A view that is not contiguous is the same map.
    assert from_id_map(np.asfortranarray(ids))[1] == masks
    assert from_id_map(np.repeat(ids, 2, axis=1)[:, ::2])[1] == masks


def test_as_many_ids_as_pixels() -> None:
    """The table of ids grows many times, and the list of changes too."""
    ids = np.random.default_rng(0).permutation(200 * 300).reshape(200, 300) * 7919 + 1
    found, masks = from_id_map(ids)
    assert np.array_equal(found, np.sort(ids.ravel())) and (masks.areas == 1).all()
    assert np.array_equal(to_id_map(masks, found, np.int64), ids)
    # Ids that differ only in high bits, which a poor hash would put in one place.
    found, masks = from_id_map((np.arange(4096, dtype=np.uint64) << np.uint64(50)).reshape(64, 64))
    assert len(found) == 4095 and found[1] == 2 << 50


def test_hand_computed() -> None:
    ids, masks = from_id_map(np.array([[0, 7], [7, 300]]))
    assert ids.tolist() == [7, 300]
    assert masks == RunLengths((2, 2), [1, 3, 3, 4], [0, 2, 4])
    assert to_id_map(masks).tolist() == [[0, 1], [1, 2]]
    assert to_id_map(masks, [5, 5], np.uint8, background=255).tolist() == [[255, 5], [5, 5]]
    assert from_id_map(np.array([[True, False]]))[0].tolist() == [1]


def test_overlap() -> None:
    masks = from_dense(np.array([[[1, 1, 0]], [[0, 1, 1]]], bool))
    with pytest.raises(InputError, match=r"overlap by 1 pixels: 0 and 1 \(1 pixels\)"):
        to_id_map(masks)
    assert to_id_map(masks, overlap="later").tolist() == [[1, 2, 2]]
    with pytest.raises(UsageError, match="overlap"):
        to_id_map(masks, overlap="earlier")  # type: ignore[arg-type]


def test_empty_masks_leave_the_background() -> None:
    assert (to_id_map(RunLengths.empty((3, 4), 2), background=9) == 9).all()
    assert (to_id_map(RunLengths.empty((3, 4)), background=9) == 9).all()
    ids, masks = from_id_map(np.zeros((3, 4), int))
    assert len(ids) == 0 and masks == RunLengths.empty((3, 4))


@pytest.mark.parametrize(
    ("ids", "dtype", "background", "words"),
    [
        ([1], np.uint32, 0, "as many"),
        ([1.0, 2.0], np.uint32, 0, "as many"),
        (["1", "2"], np.uint32, 0, "as many"),
        ([0, 1], np.uint32, 0, "background"),
        ([1, 256], np.uint8, 0, "within 0 and 255"),
        ([1, -1], np.uint8, 0, "within 0 and 255"),
        ([1, 2], np.uint8, 256, "within 0 and 255"),
    ],
)
def test_ids_that_do_not_fit(ids: list[int], dtype: type, background: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        to_id_map(RunLengths.empty((3, 4), 2), ids, dtype, background=background)


def test_what_is_no_map() -> None:
    for array in (np.zeros((3, 4)), np.zeros((3, 4, 3), int), np.zeros((0, 4), int), np.array(["a"]), None):
        with pytest.raises(InputError):
            from_id_map(array)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="above"):
        from_id_map(np.array([[2**63]], np.uint64))
    with pytest.raises(UsageError, match="integer type"):
        to_id_map(RunLengths.empty((3, 4)), dtype=np.float32)
