"""How much outlines bend, against a plain numpy version on scikit-image's outlines, and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.errors import UsageError
from entityseg.masks import RunLengths, from_dense
from entityseg.masks.outlines import REACH, bending
from tests.masks.level_lines import level_lines
from tests.strategies import Dense, dense_stacks, far_corner, wiggly


def reference(mask: Dense, reach: int) -> tuple[float, float]:
    turn = length = 0.0
    for line in level_lines(mask):
        w = min(reach, len(line) // 8)
        s = max(w, 1)
        smooth = np.mean([np.roll(line, k, axis=0) for k in range(-w, w + 1)], axis=0)
        chords = np.roll(smooth, -s, axis=0) - smooth
        norms = np.linalg.norm(chords, axis=1, keepdims=True)
        # In the kernel's unit, no chord but one without length is shorter than 1.
        units = np.divide(chords, norms, out=np.zeros_like(chords), where=norms > 1e-12)
        turn += float(np.linalg.norm(np.roll(units, -s, axis=0) - units, axis=1).sum()) / s
        length += float(norms.sum()) / s
    return turn, length


def check(dense: Dense, reach: int) -> None:
    turns, lengths = bending(from_dense(dense), reach)
    expected = np.array([reference(mask, reach) for mask in dense]).reshape(-1, 2)
    np.testing.assert_allclose(turns, expected[:, 0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(lengths, expected[:, 1], rtol=1e-9, atol=1e-9)


@given(dense_stacks(), st.integers(1, 10))
def test_against_numpy(dense: Dense, reach: int) -> None:
    check(dense, reach)


@pytest.mark.parametrize("seed", range(6))
def test_rough_masks_against_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(20, 120, 2))
    dense = np.concatenate([wiggly(rng, 4, height, width), rng.random((2, height, width)) < 0.99])
    check(dense, int(rng.integers(1, 12)))


def test_long_straight_sides_are_not_walked_but_count() -> None:
    """Ways beyond 8 x reach are left out in the columns, not in the rows."""
    dense = np.zeros((3, 260, 40), bool)
    dense[0, 5:255, 10:30] = True
    dense[1, :, ::2] = True
    dense[2, 3:200, 4:9] = dense[2, 100:258, 20:39] = dense[2, 150:155] = True
    for reach in (1, 2, 8):
        check(dense, reach)
        check(np.ascontiguousarray(dense.transpose(0, 2, 1)), reach)


@given(dense_stacks(least=1))
def test_turned_mirrored_and_moved_masks_bend_alike(dense: Dense) -> None:
    expected = np.array(bending(from_dense(dense)))
    for other in (np.rot90(dense, axes=(1, 2)), dense[:, ::-1], dense[:, :, ::-1]):
        np.testing.assert_allclose(bending(from_dense(np.ascontiguousarray(other))), expected, rtol=1e-12)
    np.testing.assert_allclose(bending(far_corner(dense)), expected, rtol=1e-12)


@pytest.mark.parametrize("radius", [3, 5, 10, 20, 50, 100, 200, 500])
def test_a_disc_bends_by_its_radius(radius: int) -> None:
    rng = np.random.default_rng(radius)
    for _ in range(3):
        y, x = np.mgrid[-radius - 2 : radius + 3, -radius - 2 : radius + 3] - rng.random((2, 1, 1))
        disc = x**2 + y**2 <= radius**2
        ((turn,), (length,)) = bending(from_dense(disc[None]))
        assert turn == pytest.approx(2 * math.pi, rel=0.25)
        assert turn / length * radius == pytest.approx(1, rel=0.05 if 20 <= radius <= 200 else 0.25)


def test_a_square_turns_once_around() -> None:
    ((turn,), (length,)) = bending(RunLengths((1000, 500), [0, 500_000], [0, 2]))
    assert turn == pytest.approx(2 * math.pi, rel=0.02)
    assert length == pytest.approx(3000, rel=0.02)


def test_the_whole_of_the_largest_image_takes_no_memory_for_its_pixels() -> None:
    side = 65535
    ((turn,), (length,)) = bending(RunLengths((side, side), [0, side**2], [0, 2]))
    assert turn == pytest.approx(2 * math.pi, rel=0.02) and length == pytest.approx(4 * side, rel=1e-3)


@pytest.mark.parametrize("reach", [0, -1, 1001, 2.0, True])
def test_what_is_refused(reach: int) -> None:
    with pytest.raises(UsageError, match="from 1 to 1,000"):
        bending(RunLengths.empty((3, 3), 1), reach)
    assert REACH == 8
