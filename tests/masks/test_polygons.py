"""Polygons: pycocotools' rasterisation pixel for pixel, what is refused, and contours that come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from entityseg.errors import Findings, InputError
from entityseg.masks import (
    RunLengths,
    count_components,
    fill_holes,
    from_dense,
    from_polygons,
    iou_matrix,
    to_polygons,
    to_strings,
)
from entityseg.masks.polygons import MAX_POINTS
from tests.strategies import Dense, checked, dense_stacks, pixels_of, wiggly


def _reference(parts: list[list[float]], height: int, width: int) -> bytes:
    return coco_mask.merge(coco_mask.frPyObjects(parts, height, width), intersect=False)["counts"]


def _points(rng: np.random.Generator, kind: str, height: int, width: int) -> np.ndarray:
    count = int(rng.integers(3, 14))
    points = rng.random((count, 2)) * [width, height]
    return {
        "inside": points,
        "pixel corners": np.round(points),
        "half outside": points * 3 - [width, height],
        "grid": np.round(points * 5) / 5 + rng.choice([0, 0.1, 0.3, 0.5]),
        "doubled": np.repeat(points, 2, axis=0),
        "sliver, upright": points * [0, 1] + [points[0, 0], 0] + rng.random((count, 2)) * [0.3, 0],
        "sliver, flat": points * [1, 0] + [0, points[0, 1]] + rng.random((count, 2)) * [0, 0.3],
        "far outside": (points - [width / 2, height / 2]) * rng.choice([10, 1000]),
        "one point": np.repeat(points[:1], count, axis=0),
    }[kind]


KINDS = [
    "inside",
    "pixel corners",
    "half outside",
    "grid",
    "doubled",
    "sliver, upright",
    "sliver, flat",
    "far outside",
    "one point",
]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_pycocotools(kind: str) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    for _ in range(400):
        height, width = (int(side) for side in rng.integers(1, 70, 2))
        parts = [_points(rng, kind, height, width).ravel().tolist() for _ in range(rng.integers(1, 4))]
        masks = checked(from_polygons([parts], (height, width)))
        assert to_strings(masks) == [_reference(parts, height, width)]


coordinates = st.one_of(
    st.integers(-20, 40), st.floats(-20, 40, width=32), st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9, 2.5, -0.5])
)


@given(
    st.lists(
        st.lists(coordinates, min_size=6, max_size=16).map(lambda p: p[: len(p) // 2 * 2]),
        min_size=1,
        max_size=3,
    ),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_equal_to_pycocotools_on_adversarial_points(parts: list[list[float]], size: tuple[int, int]) -> None:
    floats = [[float(value) for value in part] for part in parts]
    assert to_strings(checked(from_polygons([parts], size))) == [_reference(floats, *size)]


def test_several_masks_at_once_are_the_same_one_by_one() -> None:
    rng = np.random.default_rng(0)
    polygons = [
        [_points(rng, kind, 30, 40).ravel().tolist() for _ in range(k % 3)] for k, kind in enumerate(KINDS)
    ]
    masks = checked(from_polygons(polygons, (30, 40)))
    assert masks == RunLengths.concatenate([from_polygons([parts], (30, 40)) for parts in polygons])
    assert masks.areas[0] == 0
    assert from_polygons([], (30, 40)) == RunLengths.empty((30, 40))
    assert from_polygons([np.array(polygons[1][0])[None]], (30, 40)) == masks[1]


def test_parts_are_a_union_and_never_a_sum() -> None:
    square, inner = [1, 1, 5, 1, 5, 5, 1, 5], [2, 2, 4, 2, 4, 4, 2, 4]
    assert from_polygons([[square, inner]], (6, 6)).areas.tolist() == [16]
    assert from_polygons([[square, square]], (6, 6)).areas.tolist() == [16]


def test_hand_computed() -> None:
    masks = from_polygons([[[1, 1, 3, 1, 3, 2, 1, 2]], [[0, 0, 4, 0, 4, 3, 0, 3]]], (3, 4))
    assert masks == RunLengths((3, 4), [4, 5, 7, 8, 0, 12], [0, 4, 6])
    assert to_polygons(masks) == [[[1, 1, 3, 1, 3, 2, 1, 2]], [[0, 0, 4, 0, 4, 3, 0, 3]]]


@pytest.mark.parametrize(
    ("part", "kind", "words"),
    [
        ([1, 1, 2, 2, 3], "polygon.odd", "odd number of coordinates, 5"),
        ([1, 1, 2, 2], "polygon.points", "2 points"),
        ([], "polygon.points|polygon.type", "0 points|no number"),
        ([1, 1, 2, float("nan"), 3, 3], "polygon.number", "coordinate 3 is nan"),
        ([1, 1, 2, float("inf"), 3, 3], "polygon.number", "coordinate 3 is inf"),
        ([1, 1, 2, 1e7, 3, 3], "polygon.number", "coordinate 3 is 1e[+]07"),
        ([1, 1, 2, -1e300, 3, 3], "polygon.number", "farther than 1,000,000"),
        ([1, 1, 2, 10**400, 3, 3], "polygon.type", "integer of"),
        (["1", "1", "2", "2", "3", "3"], "polygon.type", "no number: '1'"),
        ([1, 1, 2, "2", 3, 3], "polygon.type", "no number: '2'"),
        ([1, 1, 2, None, 3, 3], "polygon.type", "no number"),
        ([1, 1, 2, True, 3, 3], "polygon.type", "no number: True"),
        ([1.5, 1, 2, True, 3, 3], "polygon.type", "no number: True"),
        ([[1, 1], [2, 2], [3, 3]], "polygon.type", "not a flat list"),
        ([[1, 1], [2, 2], [3]], "polygon.type", "different lengths"),
        ([1, 1j, 2, 2, 3, 3], "polygon.type", "no number: 1j"),
        ("1, 1, 2, 2, 3, 3", "polygon.type", "not a flat list"),
        (7, "polygon.type", "not a flat list"),
        (None, "polygon.type", "not a flat list"),
        ({"x": 1}, "polygon.type", "not a flat list"),
    ],
)
def test_parts_that_are_no_polygons(part: Any, kind: str, words: str) -> None:
    good = [1, 1, 3, 1, 3, 2, 1, 2]
    with pytest.raises(InputError, match=words) as caught:
        from_polygons([[good], [good, part], [good]], (3, 4))
    (finding,) = caught.value.findings
    assert finding.kind in kind.split("|") and finding.record == "masks[1][1]" and finding.remedy
    findings = Findings()
    assert from_polygons([[good], [good, part], [good]], (3, 4), findings).areas.tolist() == [2, 0, 2]
    assert findings.errors == 1


@pytest.mark.parametrize("polygon", ["525", None, 7, {"counts": "525"}])
def test_masks_that_are_no_polygons(polygon: Any) -> None:
    with pytest.raises(InputError, match="list of parts"):
        from_polygons([polygon], (3, 4))


def test_bounded_in_points_and_in_what_they_draw() -> None:
    with pytest.raises(InputError, match="more than 1,000,000 polygon points"):
        from_polygons([[np.zeros(2 * MAX_POINTS + 2)]], (3, 4))
    back_and_forth = np.tile([-1e6, 0, 1e6, 3], 20_000)
    with pytest.raises(InputError, match="pass more than"):
        from_polygons([[back_and_forth]], (3, 4000))
    # Large and simple is fine.
    assert (
        from_polygons([[[-1e6, -1e6, 1e6, -1e6, 1e6, 1e6, -1e6, 1e6]]], (60_000, 60_000)).areas[0]
        == 60_000**2
    )


@given(dense_stacks(max_side=8))
def test_contours_come_back_without_the_holes(dense: Dense) -> None:
    masks = from_dense(dense)
    polygons = to_polygons(masks)
    assert [len(parts) for parts in polygons] == count_components(masks, 4).tolist()
    assert checked(from_polygons(polygons, masks.size)) == fill_holes(masks, 8)


def test_contours_of_wiggly_masks() -> None:
    """Exact where there is no hole; pycocotools reads the polygons as we do."""
    dense = wiggly(np.random.default_rng(0), 25, 120, 150)
    masks = from_dense(dense)
    polygons = to_polygons(masks)
    back = from_polygons(polygons, masks.size)
    filled = fill_holes(masks, 8)
    assert back == filled
    assert (np.diag(iou_matrix(back, filled)) == 1).all()
    for parts, text in zip(polygons, to_strings(back), strict=True):
        assert _reference(parts, 120, 150) == text
        for part in parts:
            corners = np.array(part).reshape(-1, 2)
            steps = np.diff(corners, axis=0, append=corners[:1])
            # Every corner is a turn: steps go along x and y by turns.
            assert ((steps == 0).sum(axis=1) == 1).all() and (
                (steps[:, 0] == 0) == (np.roll(steps, 1, 0)[:, 1] == 0)
            ).all()


def test_a_component_that_touches_itself_at_a_corner() -> None:
    picture = ["####.", "#..#.", "#.#..", "####."]
    mask = np.array([[[character == "#" for character in row] for row in picture]])
    masks = from_dense(mask)
    assert np.array_equal(pixels_of(from_polygons(to_polygons(masks), masks.size)), mask)


def test_real_annotations_are_read_as_pycocotools_reads_them(shared_data: Any) -> None:
    import json

    path = shared_data / "coco_panoptic_sample" / "panoptic_examples.json"
    images = {image["id"]: image for image in json.loads(path.read_text())["images"]}
    assert images
    # The sample's own masks, through polygons: what pycocotools draws and what we draw is the same.
    from entityseg.masks import from_panoptic_png

    for png in sorted((shared_data / "coco_panoptic_sample" / "panoptic_examples").glob("*.png")):
        _, masks = from_panoptic_png(png)
        polygons = to_polygons(masks)
        back = from_polygons(polygons, masks.size)
        assert to_strings(back) == [_reference(parts, *masks.size) for parts in polygons]
