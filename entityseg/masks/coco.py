"""COCO's run lengths to `RunLengths` and back, through the one strict decoder.

Format: pycocotools' `rleToString` / `rleFrString`. Every mask of outside data passes here before anything else sees
it. Interior runs of length zero are accepted and joined with their neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import Findings, shown
from entityseg.masks import _decode, _encode
from entityseg.masks.runlengths import Int64Array, RunLengths, Size, UInt32Array, check_size
from entityseg.masks.size import size_problem

_AGAIN = "Encode the mask again with `entityseg.masks.to_coco` or pycocotools' `encode`."
_RESOLUTION = (
    "Use masks and images of one resolution (LR predictions with LR ground truth), or resize the masks."
)
UInt8Array = NDArray[np.uint8]


def from_coco(rles: Sequence[Mapping[str, Any]], size: Size | None = None) -> RunLengths:
    """Decode COCO masks of one image, compressed strings and uncompressed lists mixed as they come.

    Args:
        rles: mappings with `size` [height, width] and `counts` (str, bytes or list of run lengths).
        size: (height, width) that every mask must have; the first mask's where it is not given.

    Raises:
        InputError: a mask is malformed or of another size; all bad masks are named.

    >>> from_coco([{"size": [3, 4], "counts": "5221"}]).edges.tolist()
    [5, 7, 9, 12]
    """
    findings = Findings()
    for i, rle in enumerate(rles):
        if not isinstance(rle, Mapping):
            message = "a mask must be an object with size and counts"
            findings.add("rle.type", message, _AGAIN, record=f"masks[{i}]", value=rle)
    findings.raise_errors()
    if size is None:
        size = check_size(rles[0].get("size") if rles else None, record="masks[0]")
    size = check_size(size)
    want = list(size)
    for i, rle in enumerate(rles):
        got = rle.get("size")
        if type(got) is list and got == want and type(got[0]) is type(got[1]) is int:
            continue
        where = f"masks[{i}]"
        problem = size_problem(got)
        if problem:
            findings.add("mask.size", *problem, record=where, field="size", value=got)
        elif tuple(int(side) for side in got) != size:  # type: ignore[union-attr]
            add_size_finding(findings, tuple(got), size, record=where)  # type: ignore[arg-type]
    findings.raise_errors()
    return from_counts([rle.get("counts") for rle in rles], size)


def from_counts(counts: Sequence[Any], size: Size, findings: Findings | None = None) -> RunLengths:
    """Decode the `counts` of COCO masks: compressed (str or bytes) or uncompressed (run lengths).

    With `findings`, problems are added there and a malformed mask becomes an empty one; without, they are raised.

    Raises:
        InputError: a mask is malformed (only without `findings`); all bad masks are named.
    """
    size = check_size(size)
    found = Findings() if findings is None else findings
    given = [_as_bytes(value, i, size, found) for i, value in enumerate(counts)]
    texts = [b"" if text is None else text for text in given]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    stops = np.cumsum(lengths)
    text = np.frombuffer(b"".join(texts), np.uint8)
    masks, problems = decode(text, stops - lengths, stops, size, measured=False)
    if not problems.any() and None not in given:
        return masks
    for i in np.flatnonzero(problems[:, 0]).tolist():
        if given[i] is not None:
            code, detail = problems[i].tolist()
            found.add(*explain(code, detail, size), record=f"masks[{i}]", field="counts", value=counts[i])
    if findings is None:
        found.raise_errors()
    return masks


def decode(
    text: UInt8Array,
    starts: Int64Array,
    stops: Int64Array,
    size: Size,
    *,
    escaped: bool = False,
    measured: bool = True,
) -> tuple[RunLengths, Int64Array]:
    """Decode compressed masks that lie in one buffer, without an object for each.

    Args:
        text: uint8 [N], the buffer.
        starts, stops: int64 [n], where each mask's string lies.
        size: (height, width) of the image.
        escaped: backslashes are doubled, as in a JSON file.
        measured: measure areas and boxes on the way; otherwise that is done when they are first asked for.

    Returns:
        The masks (empty where malformed), and int64 [n, 2] with a problem code (0 is none) and its detail, which
        `explain` puts into words.
    """
    n = len(starts)
    edges = np.empty(int((stops - starts).sum()) + 1, np.uint32)
    offsets = np.empty(n + 1, np.int64)
    areas, boxes = np.empty(n, np.int64), np.zeros((n, 4), np.int64)
    profiles = np.zeros((n, _decode.STRETCHES), np.uint32)
    problems = np.zeros((n, 2), np.int64)
    _decode.decode(
        text, starts, stops, escaped, measured, size[0], size[1],
        edges, offsets, areas, boxes, profiles, problems,
    )  # fmt: skip
    masks = RunLengths.trusted(size, _fitting(edges, int(offsets[-1])), offsets)
    return (masks.keep_measures(areas, boxes, profiles) if measured else masks), problems


def _fitting(edges: UInt32Array, count: int) -> UInt32Array:
    """Return the first `count` edges; a view unless that would keep much more memory alive than it needs."""
    return edges[:count] if 2 * count > len(edges) else edges[:count].copy()


def explain(code: int, detail: int, size: Size) -> tuple[str, str, str]:
    """Return (kind, message, remedy) of a problem code of `decode`."""
    pixels = size[0] * size[1]
    return {
        _decode.BAD_CHARACTER: (
            "rle.character",
            f"counts has a character outside '0'..'o' at position {detail}",
            _AGAIN,
        ),
        _decode.CUT_NUMBER: (
            "rle.cut",
            "counts ends inside a number",
            "The string was cut: write the file again.",
        ),
        _decode.LONG_NUMBER: (
            "rle.number",
            f"counts has a number of more characters than any run of this image needs, at position {detail}",
            _AGAIN,
        ),
        _decode.NEGATIVE_RUN: ("rle.negative", f"run {detail} of counts is negative", _AGAIN),
        _decode.TOO_MANY_PIXELS: (
            "rle.total",
            f"the runs add up to {detail} or more, the image has {size[0]} x {size[1]} = {pixels} pixels",
            "Check that size is [height, width] of the mask that was encoded.",
        ),
        _decode.TOO_FEW_PIXELS: (
            "rle.total",
            f"the runs add up to {detail}, the image has {size[0]} x {size[1]} = {pixels} pixels",
            "Check that the string is whole and that size is [height, width] of the mask that was encoded.",
        ),
    }[code]


def to_coco(masks: RunLengths) -> list[dict[str, Any]]:
    """Return each mask as a COCO compressed RLE: `size` [height, width] and `counts` as str.

    >>> to_coco(RunLengths((3, 4), [5, 7], [0, 2]))
    [{'size': [3, 4], 'counts': '525'}]
    """
    size = list(masks.size)
    return [{"size": size, "counts": counts.decode("ascii")} for counts in to_strings(masks)]


def to_strings(masks: RunLengths) -> list[bytes]:
    """Return each mask's compressed counts, byte for byte as pycocotools encodes them."""
    # A number takes at most 7 characters; two thirds of the room go unused, but only for one image at a time.
    text = np.empty(_decode.MAX_CHARACTERS * (len(masks.edges) + len(masks)), np.uint8)
    stops = np.empty(len(masks) + 1, np.int64)
    _encode.encode(masks.edges, masks.offsets, masks.pixels, text, stops)
    data = text[: stops[-1]].tobytes()
    return [data[stops[i] : stops[i + 1]] for i in range(len(masks))]


def to_counts(masks: RunLengths) -> list[list[int]]:
    """Return each mask's uncompressed run lengths, background first, as pycocotools writes them.

    >>> to_counts(RunLengths((3, 4), [0, 2, 9, 12], [0, 4]))
    [[0, 2, 7, 3]]
    """
    result = []
    for i in range(len(masks)):
        edges = masks.edges_of(i).astype(np.int64)
        tail = [] if len(edges) and edges[-1] == masks.pixels else [masks.pixels]
        result.append(np.diff(np.concatenate([[0], edges, tail])).astype(np.int64).tolist())
    return result


def add_size_finding(findings: Findings, got: Size, want: Size, **where: Any) -> None:
    """Add a finding for a mask of the wrong size, which recognises swapped sides and low-resolution masks."""
    height, width = want
    message = f"the mask's size is {got[0]} x {got[1]}, the image's is {height} x {width} (height x width)"
    remedy = "Give masks at the image's own resolution."
    if tuple(got) == (width, height):
        message += "; height and width look swapped"
        remedy = "Write size as [height, width], and check that the mask was not transposed."
    elif max(got) < max(want) and abs(got[0] * width - got[1] * height) <= max(want):
        message += "; it looks like the low-resolution version of the image"
        remedy = _RESOLUTION
    elif max(got) > max(want) and abs(got[0] * width - got[1] * height) <= max(got):
        message += "; it looks like the high-resolution version of the image"
        remedy = _RESOLUTION
    findings.add("mask.size", message, remedy, **{"field": "size", "value": list(got), **where})


def _as_bytes(counts: Any, index: int, size: Size, findings: Findings) -> bytes | None:
    """Return compressed counts; None if there is no such thing, with a finding."""
    if isinstance(counts, str):
        try:
            return counts.encode("ascii")
        except UnicodeEncodeError as error:
            message = f"counts has a character outside '0'..'o' at position {error.start}"
            findings.add(
                "rle.character", message, _AGAIN, record=f"masks[{index}]", field="counts", value=counts
            )
            return None
    if isinstance(counts, bytes):
        return counts
    where = f"masks[{index}]"
    if isinstance(counts, Iterable) and not isinstance(counts, Mapping):
        problem = runs_problem(list(counts), size)
        if problem is None:
            return compress(list(counts))
        findings.add(*problem, record=where, field="counts", value=counts)
        return None
    message = "counts must be a string or a list of run lengths"
    findings.add("rle.type", message, _AGAIN, record=where, field="counts", value=counts)
    return None


def runs_problem(runs: Sequence[Any], size: Size) -> tuple[str, str, str] | None:
    """Return (kind, message, remedy) if uncompressed run lengths are no mask of this size, else None."""
    pixels = size[0] * size[1]
    for i, run in enumerate(runs):
        if isinstance(run, bool) or not isinstance(run, int | np.integer):
            return "rle.type", f"run {i} of counts is not an integer: {shown(run)}", _AGAIN
        if run < 0:
            return explain(_decode.NEGATIVE_RUN, i, size)
        if run > pixels:
            return explain(_decode.TOO_MANY_PIXELS, int(run), size)
    total = sum(int(run) for run in runs)
    if total != pixels:
        return explain(_decode.TOO_MANY_PIXELS if total > pixels else _decode.TOO_FEW_PIXELS, total, size)
    return None


def compress(runs: Sequence[int]) -> bytes:
    """Return run lengths as a compressed string, as pycocotools writes it.

    >>> compress([5, 2, 5])
    b'525'
    """
    text = bytearray()
    for i, run in enumerate(runs):
        value = int(run) - (int(runs[i - 2]) if i > 2 else 0)
        while True:
            bits = value & 31
            value >>= 5
            done = value == (-1 if bits & 16 else 0)
            text.append(48 + bits + (0 if done else 32))
            if done:
                break
    return bytes(text)
