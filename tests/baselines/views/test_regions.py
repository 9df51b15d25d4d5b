"""Where crops lie, and the sizes that views get."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.baselines.views.regions import count_crops, crop_regions, network_size, padded_size
from entityseg.errors import UsageError

SIDES = st.integers(1, 6000)
RATIOS = st.floats(0.5, 0.8)


def released_starts(side: int, ratio: float, stride: float = 0.6) -> list[int]:
    """The released grid along one side: steps of the stride, moved back where the crop would stick out."""
    size, step = int(ratio * side), int(stride * side)
    starts = []
    for start in range(0, side, step):
        starts.append(min(start, side - size))
        if start + size >= side:
            break
    return starts


@given(st.integers(6, 6000), st.integers(6, 6000), RATIOS)
def test_fixed4_is_the_released_grid(height: int, width: int, ratio: float) -> None:
    rows, columns = released_starts(height, ratio), released_starts(width, ratio)
    # Below 10 pixels, truncation makes more than two steps; the corners are what is meant.
    if len(rows) == len(columns) == 2:
        h, w = int(ratio * height), int(ratio * width)
        assert crop_regions(height, width, ratio) == [(x, y, x + w, y + h) for y in rows for x in columns]


@given(SIDES, SIDES, st.floats(0.01, 1), st.sampled_from(["fixed4", "fixed8", "random"]))
def test_crops_lie_inside(height: int, width: int, ratio: float, scheme) -> None:
    regions = crop_regions(height, width, ratio, scheme, np.random.default_rng(0), count=5)
    assert len(regions) == count_crops(scheme, 5)
    sizes = {(x1 - x0, y1 - y0) for x0, y0, x1, y1 in regions}
    assert sizes == {(max(int(ratio * width), 1), max(int(ratio * height), 1))}
    assert all(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height for x0, y0, x1, y1 in regions)


@given(SIDES, SIDES, st.floats(0.51, 0.8))
def test_four_corners_cover_the_image(height: int, width: int, ratio: float) -> None:
    (x0, y0, x1, y1), *_, (a0, b0, a1, b1) = crop_regions(height, width, ratio)
    assert (x0, y0) == (0, 0) and (a1, b1) == (width, height)
    # int() may leave the middle row or column out where two crops hardly overlap.
    assert a0 - x1 <= 1 and b0 - y1 <= 1


def test_hand_made() -> None:
    assert crop_regions(300, 420) == [
        (0, 0, 294, 210), (126, 0, 420, 210), (0, 90, 294, 300), (126, 90, 420, 300)
    ]  # fmt: skip
    assert crop_regions(10, 20, 0.5, "fixed8")[4:] == [
        (5, 0, 15, 5),
        (0, 2, 10, 7),
        (10, 2, 20, 7),
        (5, 5, 15, 10),
    ]
    assert crop_regions(10, 20, scheme="none") == []
    assert set(crop_regions(1, 1)) == {(0, 0, 1, 1)}
    # 0.7 * 90 is 62.99... in floating point, which the released code cuts too.
    assert crop_regions(90, 90)[0] == (0, 0, 62, 62)


def test_random_crops_depend_on_the_seed_alone_and_grow_at_the_end() -> None:
    few, many = (
        crop_regions(100, 80, 0.7, "random", np.random.default_rng(5), count=count) for count in (2, 6)
    )
    assert many[:2] == few and len(set(many)) > 1


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"ratio": 0.0}, "views.ratio"),
        ({"ratio": 1.1}, "views.ratio"),
        ({"scheme": "five"}, "views.scheme"),
        ({"scheme": "random"}, "views.generator"),
        ({"count": 0}, "views.count"),
    ],
)
def test_nonsense_is_refused(options, kind: str) -> None:
    with pytest.raises(UsageError, match=kind):
        crop_regions(10, 10, **options)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2700, 4500), (800, 1333)),
        ((4500, 2700), (1333, 800)),
        ((600, 600), (800, 800)),
        ((480, 640), (800, 1067)),
        ((1, 1), (800, 800)),
        ((3, 5000), (1, 1333)),
        ((1, 15000), (1, 1333)),
    ],
)
def test_network_size(size, expected) -> None:
    assert network_size(*size, 800, 1333) == expected


@given(SIDES, SIDES)
def test_network_size_keeps_its_limits(height: int, width: int) -> None:
    new = network_size(height, width, 800, 1333)
    assert 1 <= min(new) <= 800 and max(new) <= 1333
    assert min(new) == 800 or max(new) == 1333


def test_padding() -> None:
    assert padded_size([(1, 1)]) == (32, 32)
    assert padded_size([(800, 1333)]) == (800, 1344)
