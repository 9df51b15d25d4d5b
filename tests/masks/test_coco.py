"""COCO's run lengths: equal to pycocotools on what is valid, refused with a reason on what is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from entityseg.errors import Findings, InputError
from entityseg.masks import RunLengths, from_coco, from_counts, from_dense, to_coco, to_counts, to_strings
from entityseg.masks.coco import compress, decode
from tests.strategies import Dense, checked, coco_rles, dense_stacks, pixels_of, wiggly


@given(dense_stacks())
def test_equal_to_pycocotools(dense: Dense) -> None:
    rles = coco_rles(dense)
    size = dense.shape[1:]
    masks = checked(from_coco(rles, size))
    assert np.array_equal(pixels_of(masks), dense)
    assert masks == from_dense(dense)
    assert to_strings(masks) == [rle["counts"] for rle in rles]
    assert to_coco(masks) == [{"size": list(size), "counts": rle["counts"].decode()} for rle in rles]
    assert from_counts(to_counts(masks), size) == masks
    assert [compress(counts) for counts in to_counts(masks)] == [rle["counts"] for rle in rles]


def test_equal_to_pycocotools_on_large_masks() -> None:
    dense = wiggly(np.random.default_rng(1), 12, 400, 310)
    rles = coco_rles(dense)
    masks = checked(from_coco(rles))
    assert to_strings(masks) == [rle["counts"] for rle in rles]
    assert masks.areas.tolist() == coco_mask.area(rles).tolist()
    assert masks.boxes.tolist() == coco_mask.toBbox(rles).astype(int).tolist()
    # Measured while decoding and measured afterwards.
    assert masks.profiles.tolist() == from_coco(rles).profiles.tolist()


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=9))
def test_gigantic_runs(runs: list[int]) -> None:
    """Differences of up to 2^32 take seven characters."""
    total = sum(runs)
    if not 0 < total < 2**32:
        runs = [run // len(runs) for run in runs]
        total = sum(runs)
        if total == 0:
            return
    masks = checked(from_counts([compress(runs)], (total, 1)))
    assert masks == from_counts([runs], (total, 1))
    assert masks.areas[0] == sum(runs[1::2])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_runs_of_length_zero_join_their_neighbours(runs: list[int]) -> None:
    line = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    if not len(line):
        return
    for counts in (runs, compress(runs), compress(runs).decode()):
        masks = checked(from_counts([counts], (len(line), 1)))
        assert pixels_of(masks)[0, :, 0].tolist() == line.tolist()
        assert masks == from_dense(line[None, :, None])


def test_kinds_of_counts_mix() -> None:
    given_counts: list[Any] = ["525", b"525", [5, 2, 5], (5, 2, 5), np.array([5, 2, 5]), [np.int32(5), 2, 5]]
    masks = from_counts(given_counts, (3, 4))
    assert masks.edges.tolist() == [5, 7] * 6
    assert len(from_counts([], (3, 4))) == 0
    assert len(from_coco([], (3, 4))) == 0


SIZE = (40, 50)
RUNS = [100, 200, 300, 400, 1000]


@pytest.mark.parametrize(
    ("counts", "kind", "words"),
    [
        (compress([*RUNS[:-1], 2030]), "rle.total", "add up to 3030"),
        (compress(RUNS[:-1]), "rle.total", "add up to 1000, the image has 40 x 50 = 2000 pixels"),
        (compress(RUNS)[:-1], "rle.cut", "ends inside a number"),
        ("", "rle.total", "add up to 0"),
        (b"", "rle.total", "add up to 0"),
        ([], "rle.total", "add up to 0"),
        (compress([100, -10, 1910]), "rle.negative", "run 1"),
        (compress([-1, 2001]), "rle.negative", "run 0"),
        ([100, -10, 1910], "rle.negative", "run 1"),
        ("\x00" * 8, "rle.character", "position 0"),
        ("52~", "rle.character", "position 2"),
        ("5 2", "rle.character", "position 1"),
        ("52é", "rle.character", "position 2"),
        ("5\uff125", "rle.character", "position 1"),
        (b"\xff\xfe", "rle.character", "position 0"),
        ("o" * 100, "rle.number", "more characters"),
        (compress([2**33, 5]), "rle.number", "more characters"),
        ([2**40], "rle.total", "add up to"),
        ([10**400, 2], "rle.total", "an integer of|add up to"),
        ([100.0, 1900], "rle.type", "not an integer"),
        ([100, "1900"], "rle.type", "not an integer"),
        ([True, 1999], "rle.type", "not an integer"),
        ([float("nan")], "rle.type", "not an integer"),
        ([[100, 1900]], "rle.type", "not an integer"),
        (None, "rle.type", "must be a string or a list"),
        (17, "rle.type", "must be a string or a list"),
        ({"a": 1}, "rle.type", "must be a string or a list"),
    ],
)
def test_malformed_counts(counts: Any, kind: str, words: str) -> None:
    good = compress(RUNS)
    with pytest.raises(InputError, match=words) as caught:
        from_counts([good, counts, good], SIZE)
    (finding,) = caught.value.findings
    assert finding.kind == kind and finding.record == "masks[1]" and finding.field == "counts"
    assert finding.remedy
    # With a collector, the rest is kept and the bad mask is empty.
    findings = Findings()
    masks = from_counts([good, counts, good], SIZE, findings)
    assert findings.errors == 1
    assert masks.areas.tolist() == [600, 0, 600]


@pytest.mark.parametrize(
    "size",
    [[0, 0], [0, 50], [10**6, 10**6], [40], None, [40.0, 50], ["40", "50"], "40", {}, [-40, -50], 2000],
)
def test_malformed_sizes(size: Any) -> None:
    with pytest.raises(InputError) as caught:
        from_coco([{"size": size, "counts": compress(RUNS)}], SIZE)
    assert [finding.kind for finding in caught.value.findings] == ["mask.size"]
    with pytest.raises(InputError):
        from_coco([{"size": size, "counts": compress(RUNS)}])


@pytest.mark.parametrize(
    ("got", "want", "words"),
    [
        ((50, 40), (40, 50), "swapped"),
        ((800, 1066), (3000, 4000), "low-resolution"),
        ((3000, 4000), (800, 1067), "high-res"),
    ],
)
def test_sizes_that_are_recognised(got: tuple[int, int], want: tuple[int, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_coco([{"size": list(got), "counts": [got[0] * got[1]]}], want)


def test_a_record_that_is_no_mapping() -> None:
    with pytest.raises(InputError, match="masks"):
        from_coco(["525"], (3, 4))  # type: ignore[list-item]
    with pytest.raises(InputError, match="counts"):
        from_coco([{"size": [3, 4]}])


def test_all_bad_masks_are_named_up_to_twenty() -> None:
    with pytest.raises(InputError) as caught:
        from_counts(["5"] * 50, SIZE)
    assert len(list(caught.value.findings)) == 20
    assert caught.value.findings.more() == {"rle.total": 30}


def test_long_garbage_is_bounded() -> None:
    with pytest.raises(InputError) as caught:
        from_counts(["o" * 5_000_000, "1" * 5_000_000], SIZE)
    assert len(str(caught.value)) < 2000


def test_decode_from_one_buffer_with_doubled_backslashes() -> None:
    dense = wiggly(np.random.default_rng(3), 30, 90, 60)
    strings = to_strings(from_dense(dense))
    assert any(b"\\" in text for text in strings)
    written = [text.replace(b"\\", b"\\\\") for text in strings]
    stops = np.cumsum([len(text) + 2 for text in written]) - 1
    starts = stops - [len(text) for text in written]
    buffer = np.frombuffer(b"".join(b'"' + text + b'"' for text in written), np.uint8)
    masks, problems = decode(buffer, starts, stops, (90, 60), escaped=True)
    assert not problems.any()
    assert np.array_equal(pixels_of(checked(masks)), dense)


def test_empty_image_of_masks() -> None:
    empty = RunLengths.empty((3, 4), 2)
    assert to_counts(empty) == [[12], [12]]
    assert to_strings(empty) == [compress([12])] * 2
