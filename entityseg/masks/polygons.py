"""Polygons to `RunLengths` by COCO's rasterisation rule, and outer contours back.

The rule is that of pycocotools' `frPyObjects`, and the result is equal to it pixel for pixel: corners are
rounded to fifths of a pixel, edges are drawn as lines of such points, and where a line passes the middle of a
pixel column the mask changes there at the row whose middle comes next. Several parts of one mask are a union.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import Findings, shown
from entityseg.masks.algebra import union
from entityseg.masks.runlengths import Int64Array, RunLengths, Size, check_size

Polygon = Sequence[Sequence[float]]
Float64Array = NDArray[np.float64]

MAX_COORDINATE = 1e6
MAX_POINTS = 1_000_000
# What is drawn costs memory for each pixel column that an edge passes. The densest images known need a few
# 100,000.
MAX_CROSSINGS = 5_000_000
_GRID = 5
_FLAT = "Give each part as a flat list of numbers, [x0, y0, x1, y1, ...]."


def from_polygons(polygons: Sequence[Polygon], size: Size, findings: Findings | None = None) -> RunLengths:
    """Rasterise polygons as pycocotools does.

    Args:
        polygons: for each mask its parts, each a flat list [x0, y0, x1, y1, ...] in pixels; (0, 0) is the
        outer
            corner of the top left pixel. Parts may lie outside the image. A mask without parts is empty.
        size: (height, width) of the image.
        findings: where problems go; a mask at fault is then empty. Without it they are raised.

    Raises:
        InputError: a part is no polygon or too large (only without `findings`); all such parts are named.

    >>> from_polygons([[[1, 1, 3, 1, 3, 2, 1, 2]]], (3, 4)).edges.tolist()
    [4, 5, 7, 8]
    """
    size = check_size(size)
    found = Findings() if findings is None else findings
    checked = [_checked_parts(polygon, f"masks[{i}]", found) for i, polygon in enumerate(polygons)]
    points = sum(len(part) // 2 for parts in checked for part in parts)
    if points * size[1] > MAX_CROSSINGS:
        _refuse_huge(checked, size[1], found)
    if findings is None:
        found.raise_errors()
    owners = np.repeat(np.arange(len(checked)), [len(parts) for parts in checked])
    return _join(_rasterise([part for parts in checked for part in parts], size), owners, len(checked))


def to_polygons(masks: RunLengths) -> list[list[list[float]]]:
    """Return the outer contours of each mask as COCO polygons.

    The corners are pixel corners (a pixel at column x and row y has the corners x, y to x + 1, y + 1), and
    only those where the contour turns are given. Each 4-connected component is one part; **holes are lost**.
    `from_polygons` gives back exactly the mask with its holes filled (holes of 8-connected background).

    Returns:
        For each mask a list of parts, each flat, [x0, y0, x1, y1, ...], clockwise on the screen.

    >>> to_polygons(RunLengths((3, 4), [4, 5, 7, 8], [0, 4]))
    [[[1.0, 1.0, 3.0, 1.0, 3.0, 2.0, 1.0, 2.0]]]
    """
    from entityseg.masks import _contours
    from entityseg.masks.regions import components

    polygons = []
    for parts in components(masks, 4):
        corners, stops = _contours.trace(parts.edges, parts.offsets, masks.height, masks.width)
        flat = corners.astype(np.float64)
        polygons.append([flat[stops[i] : stops[i + 1]].tolist() for i in range(len(parts))])
    return polygons


def _checked_parts(polygon: Any, where: str, findings: Findings) -> list[Float64Array]:
    """Return the parts of one mask as arrays; none if one of them is at fault, with findings."""
    if not isinstance(polygon, Sequence | np.ndarray) or isinstance(polygon, str | bytes):
        findings.add(
            "polygon.type", "a mask's polygons must be a list of parts", _FLAT, record=where,
            field="segmentation", value=polygon,
        )  # fmt: skip
        return []
    parts, fine = [], True
    points = 0
    for j, given in enumerate(polygon):
        part, problem = _checked_part(given)
        points += len(part) // 2
        if problem is None and points > MAX_POINTS:
            message = f"the mask has more than {MAX_POINTS:,} polygon points"
            problem = "polygon.size", message, "Give the mask as run lengths instead."
        if problem is not None:
            fine = False
            findings.add(*problem, record=f"{where}[{j}]", field="segmentation", value=given)
            if points > MAX_POINTS:
                break
        parts.append(part)
    return parts if fine else []


def _refuse_huge(checked: list[list[Float64Array]], width: int, findings: Findings) -> None:
    """Empty the masks that take more room than there is, with findings."""
    room = MAX_CROSSINGS
    for i, parts in enumerate(checked):
        needed = sum(_crossings(part, width) for part in parts)
        if needed <= room:
            room -= needed
            continue
        message = f"the polygons of the image up to this mask pass more than {MAX_CROSSINGS:,} pixel columns"
        remedy = "Check the coordinates: real outlines are far simpler."
        findings.add("polygon.size", message, remedy, record=f"masks[{i}]", field="segmentation")
        checked[i] = []


def _checked_part(given: Any) -> tuple[Float64Array, tuple[str, str, str] | None]:
    """Return one part, and (kind, message, remedy) if it is no polygon."""
    nothing = np.empty(0)
    try:
        array = np.asarray(given)
    except ValueError:
        return nothing, ("polygon.type", "a part holds lists of different lengths", _FLAT)
    if array.ndim != 1:
        return nothing, ("polygon.type", "a part is not a flat list of numbers", _FLAT)
    if array.dtype.kind not in "iuf" or (isinstance(given, Sequence) and bool in set(map(type, given))):
        odd = next((value for value in given if not _is_number(value)), None)
        return nothing, ("polygon.type", f"a part holds something that is no number: {shown(odd)}", _FLAT)
    if len(array) % 2:
        return nothing, ("polygon.odd", f"a part has an odd number of coordinates, {len(array)}", _FLAT)
    if len(array) < 6:
        message = f"a part has {len(array) // 2} points; a polygon has at least 3"
        return nothing, ("polygon.points", message, "Leave the part out, or write a box as its four corners.")
    part = array.astype(np.float64)
    if not np.isfinite(part).all():
        k = int(np.flatnonzero(~np.isfinite(part))[0])
        return nothing, ("polygon.number", f"coordinate {k} is {part[k]}", "Write finite numbers, in pixels.")
    if np.abs(part).max() > MAX_COORDINATE:
        k = int(np.abs(part).argmax())
        message = f"coordinate {k} is {part[k]:g}, farther than {MAX_COORDINATE:,.0f} pixels from the image"
        return nothing, ("polygon.number", message, "Write the coordinates in pixels of this image.")
    return part, None


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return not isinstance(value, int) or value.bit_length() < 64


def _on_grid(values: Float64Array) -> Int64Array:
    # Towards zero, as C casts.
    return (_GRID * values + 0.5).astype(np.int64)


def _crossings(part: Float64Array, width: int) -> int:
    """Return how often the part passes the middle of a pixel column of the image."""
    x = _on_grid(part[0::2])
    first, last = _columns(x, np.roll(x, -1), width)
    return int(np.maximum(last - first + 1, 0).sum())


def _columns(x0: Int64Array, x1: Int64Array, width: int) -> tuple[Int64Array, Int64Array]:
    """Return the first and the last pixel column whose middle (5 x + 2 to 5 x + 3) an edge passes."""
    low, high = np.minimum(x0, x1), np.maximum(x0, x1)
    first = np.maximum(-((_GRID // 2 - low) // _GRID), 0)
    last = np.minimum((high - _GRID // 2 - 1) // _GRID, width - 1)
    return first, last


def _rasterise(parts: Sequence[Float64Array], size: Size) -> RunLengths:
    """Return one mask for each part."""
    height, width = size
    if not parts:
        return RunLengths.empty(size)
    lengths = np.array([len(part) // 2 for part in parts])
    points = np.concatenate(parts)
    x0, y0 = _on_grid(points[0::2]), _on_grid(points[1::2])
    following = np.arange(len(x0)) + 1
    ends = np.cumsum(lengths)
    following[ends - 1] = ends - lengths
    x1, y1 = x0[following], y0[following]
    owner = np.repeat(np.arange(len(parts)), lengths)

    # One row for each time that an edge passes the middle of a column.
    first, last = _columns(x0, x1, width)
    times = np.maximum(last - first + 1, 0)
    edge = np.repeat(np.arange(len(x0)), times)
    x = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(times) - times, times)
    x0, y0, x1, y1, owner = x0[edge], y0[edge], x1[edge], y1[edge], owner[edge]

    # Each line is drawn along its longer side, from its lower end there.
    wide = np.abs(x1 - x0) >= np.abs(y1 - y0)
    turned = np.where(wide, x0 > x1, y0 > y1)
    x0, x1 = np.where(turned, x1, x0), np.where(turned, x0, x1)
    y0, y1 = np.where(turned, y1, y0), np.where(turned, y0, y1)
    v = np.empty(len(x), np.int64)
    v[wide] = _wide_lines(x[wide], x0[wide], y0[wide], x1[wide], y1[wide])
    v[~wide] = _tall_lines(x[~wide], x0[~wide], y0[~wide], x1[~wide], y1[~wide])

    # The first row whose middle is not above the line.
    y = np.clip(-((_GRID // 2 - v) // _GRID), 0, height)
    # The parts one after the other on one scan line; an edge that stands twice is none.
    stride = height * width + 1
    places = _odd(np.sort(owner * stride + x * height + y))
    offsets = np.searchsorted(places, np.arange(len(parts) + 1) * stride)
    return RunLengths.trusted(size, (places % stride).astype(np.uint32), offsets.astype(np.int64))


def _wide_lines(x: Int64Array, x0: Int64Array, y0: Int64Array, x1: Int64Array, y1: Int64Array) -> Int64Array:
    """Return the upper of the line's two grid rows on either side of the column's middle."""
    slope = (y1 - y0) / (x1 - x0)
    step = _GRID * x + _GRID // 2 - x0
    before = (y0 + slope * step + 0.5).astype(np.int64)
    after = (y0 + slope * (step + 1) + 0.5).astype(np.int64)
    return np.minimum(before, after)


def _tall_lines(x: Int64Array, x0: Int64Array, y0: Int64Array, x1: Int64Array, y1: Int64Array) -> Int64Array:
    """Return the last grid row before the line passes the column's middle."""
    slope = (x1 - x0) / (y1 - y0)
    rising = slope > 0
    goal = _GRID * x + _GRID // 2 + rising
    # The estimate is off by one at the most, from rounding; the line itself decides.
    guess = np.floor((goal + np.where(rising, -0.5, 0.5) - x0) / slope).astype(np.int64) - 1
    step = guess
    for ahead in range(3, -1, -1):
        column = (x0 + slope * (guess + ahead) + 0.5).astype(np.int64)
        passed = np.where(rising, column >= goal, column <= goal)
        step = np.where(passed, guess + ahead, step)
    return y0 + step - 1


def _odd(places: Int64Array) -> Int64Array:
    """Return each of the sorted places that stands an odd number of times, once."""
    begins = np.flatnonzero(np.diff(places, prepend=-1))
    return places[begins[np.diff(begins, append=len(places)) % 2 == 1]]


def _join(parts: RunLengths, owners: Int64Array, n: int) -> RunLengths:
    """Return the union of the parts of each of n masks; owners ascend."""
    begins = np.searchsorted(owners, np.arange(n + 1))
    counts = np.diff(begins)
    if (counts == 1).all():
        return parts
    nothing = RunLengths.empty(parts.size, 1)
    joined = [nothing]
    for begin, count in zip(begins[:-1].tolist(), counts.tolist(), strict=True):
        if count == 0:
            joined.append(nothing)
        elif count == 1:
            joined.append(parts[begin])
        else:
            joined.append(union(parts[begin : begin + count]))
    return RunLengths.concatenate(joined)[1:]
