"""Pixels shared by two partitions: against the pairwise count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.errors import InputError
from entityseg.masks import RunLengths, from_id_map, intersections
from entityseg.metrics.crossing import crossing


@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 12), width=st.integers(1, 12))
def test_equals_the_pairwise_count(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    sides = []
    for _ in range(2):
        _, masks = from_id_map(rng.integers(0, rng.integers(1, 6), (height, width)))
        empty = RunLengths.empty((height, width), 1)
        sides.append(RunLengths.concatenate([empty, masks, empty])[rng.permutation(len(masks) + 2)])
    np.testing.assert_array_equal(crossing(*sides), intersections(*sides))


def test_sizes_must_be_equal() -> None:
    with pytest.raises(InputError, match="cannot be compared"):
        crossing(RunLengths.empty((1, 2)), RunLengths.empty((2, 1)))
