from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.errors import InputError
from entityseg.stats.dataset.averages import DatasetAverages, image_row
from entityseg.stats.dataset.image import AVERAGED


def row(width: int, height: int, entities: int, covered: int, convexity: list[float]) -> np.ndarray:
    total, count = math.fsum(convexity), len(convexity)
    return image_row(width, height, entities, covered, (total,) * len(AVERAGED), (count,) * len(AVERAGED))


def test_by_hand():
    table = DatasetAverages()
    table.add(0, row(2000, 500, 3, 1_000_000, [0.5, 1.0, 0.6]))
    table.add(1, row(1000, 4000, 1, 2_000_000, [0.2]))
    table.add(2, row(999, 999, 0, 0, []))
    found = table.compute()
    assert found["root of area/images"] == pytest.approx((1000 + 2000 + 999) / 3)
    assert found["longer side/images"] == pytest.approx((2000 + 4000 + 999) / 3)
    assert found["shorter side/images"] == pytest.approx((500 + 1000 + 999) / 3)
    assert found["entities/images"] == pytest.approx(4 / 3)
    assert found["convexity/entities"] == pytest.approx(2.3 / 4)
    # The image without entities has no mean.
    assert found["convexity/images"] == pytest.approx((0.7 + 0.2) / 2)
    assert found["valid area/images"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert found["valid area/pixels"] == pytest.approx(3_000_000 / (5_000_000 + 999**2))
    assert found["both sides 1000/images"] == pytest.approx(1 / 3)
    assert found["both sides 2000/images"] == 0
    assert found["area 1000/images"] == pytest.approx(2 / 3)
    assert found["any side 1000/images"] == pytest.approx(2 / 3)
    assert found["area 2000/images"] == pytest.approx(1 / 3)


def test_nothing_is_undefined_and_not_zero():
    assert set(DatasetAverages().compute().values()) == {None}
    table = DatasetAverages()
    table.add(0, row(4, 4, 0, 0, []))
    found = table.compute()
    assert found["convexity/entities"] is None and found["convexity/images"] is None
    assert found["entities/images"] == 0


def test_an_image_twice_is_refused():
    table = DatasetAverages()
    table.add(0, row(4, 4, 0, 0, []))
    with pytest.raises(InputError, match="added before"):
        table.add(0, row(4, 4, 0, 0, []))


def test_a_resample_does_not_depend_on_those_computed_with_it():
    """To the last bit, which the linear algebra libraries do not promise."""
    rng = np.random.default_rng(0)
    table = DatasetAverages()
    for number in range(200):
        table.add(number, row(*rng.integers(100, 4000, 2).tolist(), 9, 99, rng.random(9).tolist()))
    figures = table.figures(table.sorted_units())
    weights = rng.integers(0, 5, (16, 200))
    together = figures(weights)
    for size in range(2, 16):
        for name, values in figures(weights[:size]).items():
            assert values.tolist() == together[name][:size].tolist(), (name, size)


rows = st.lists(
    st.tuples(
        st.integers(1, 15_000),
        st.integers(1, 15_000),
        st.lists(st.floats(0.001, 1), max_size=5),
        st.floats(0, 1),
    ).map(lambda one: row(one[0], one[1], len(one[2]), int(one[0] * one[1] * one[3]), one[2])),
    min_size=1,
    max_size=12,
)


@given(rows, st.randoms())
def test_cut_and_order_do_not_matter(images, random):
    whole = DatasetAverages()
    for index, one in enumerate(images):
        whole.add(index, one)
    order = list(range(len(images)))
    random.shuffle(order)
    parts = [DatasetAverages(), DatasetAverages()]
    for index in order:
        parts[random.randrange(2)].add(index, images[index])
    merged = parts[0].merge(parts[1])
    assert merged.compute() == whole.compute()
    assert merged.bootstrap(20, seed=3) == whole.bootstrap(20, seed=3)


@given(rows)
def test_a_weight_of_two_is_the_image_twice(images):
    once, twice = DatasetAverages(), DatasetAverages()
    for index, one in enumerate(images):
        once.add(index, one)
        twice.add(index, one)
    twice.add(len(images), images[0])
    weights = {index: 1 + (index == 0) for index in range(len(images))}
    weighted, doubled = once.compute(weights), twice.compute()
    for name, value in doubled.items():
        assert weighted[name] == (value if value is None else pytest.approx(value, rel=1e-12)), name


def test_interval_of_a_mean_is_that_of_plain_resampling():
    rng = np.random.default_rng(5)
    table = DatasetAverages()
    counts = rng.integers(0, 40, 200)
    for index, count in enumerate(counts.tolist()):
        table.add(index, row(100, 100, count, 0, []))
    low, high = table.bootstrap(2000, seed=1)["entities/images"]
    means = [rng.choice(counts, 200).mean() for _ in range(2000)]
    assert (low, high) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.25)
    assert table.bootstrap(50, seed=1) == table.bootstrap(50, seed=1) != table.bootstrap(50, seed=2)
