"""Files that are wrong: every problem is named by kind, record, field and remedy, and nothing else is raised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from entityseg.data.records import Dataset
from entityseg.errors import Finding, InputError
from entityseg.predictions import check, read_predictions

# A 6 x 8 image, all background: one run of 48.
SIZE, FULL = [6, 8], "`1"
GOOD = {"image_id": 5, "segmentation": {"size": SIZE, "counts": FULL}, "score": 0.5}


def problems(path: Path, gt: Dataset | None) -> list[Finding]:
    """Return the errors of a file, those inside masks included."""
    report = check(path, gt)
    assert not report.ok
    for finding in report.findings:
        assert finding.message
        assert finding.remedy.endswith(".")
        assert finding.file is not None
    return [finding for finding in report.findings if finding.severity == "error"]


def record(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}


def rle(counts: Any, size: Any = SIZE) -> dict[str, Any]:
    return {"size": size, "counts": counts}


COCO_RECORDS = [
    ("rle.character", "segmentation.counts|counts", record(segmentation=rle("`1 "))),
    ("rle.character", "segmentation.counts|counts", record(segmentation=rle("`1\u00e9"))),
    ("rle.character", "segmentation.counts|counts", record(segmentation=rle("\U0001f600"))),
    ("rle.character", "segmentation.counts|counts", record(segmentation=rle("`1\0"))),
    ("rle.cut", "segmentation.counts|counts", record(segmentation=rle("`"))),
    ("rle.total", "segmentation.counts|counts", record(segmentation=rle("1"))),
    ("rle.total", "segmentation.counts|counts", record(segmentation=rle("`11"))),
    ("rle.total", "segmentation.counts|counts", record(segmentation=rle(""))),
    ("rle.negative", "segmentation.counts|counts", record(segmentation=rle("O"))),
    ("rle.number", "segmentation.counts|counts", record(segmentation=rle("o" * 40))),
    ("rle.number", "segmentation.counts|counts", record(segmentation=rle("o" * 1_000_000))),
    ("rle.type", "segmentation.counts", record(segmentation=rle(None))),
    ("rle.type", "segmentation.counts", record(segmentation=rle([1.5, 46.5]))),
    ("rle.negative", "segmentation.counts", record(segmentation=rle([-1, 49]))),
    ("rle.total", "segmentation.counts", record(segmentation=rle([2**60]))),
    ("rle.type", "segmentation.counts", record(segmentation=rle([10**30]))),
    ("rle.total", "segmentation.counts", record(segmentation=rle([]))),
    ("mask.size", "size", record(segmentation=rle(FULL, [8, 6]))),
    ("mask.size", "size", record(segmentation=rle(FULL, [3, 4]))),
    ("mask.size", "size", record(segmentation=rle(FULL, [12, 16]))),
    ("mask.size", "size", record(segmentation=rle(FULL, [7, 8]))),
    ("mask.size", "segmentation.size", record(segmentation=rle(FULL, [0, 8]))),
    ("mask.size", "segmentation.size", record(segmentation=rle(FULL, [10**6, 10**6]))),
    ("mask.size", "segmentation.size", record(segmentation=rle(FULL, [-6, -8]))),
    ("mask.size", "segmentation.size", record(segmentation=rle(FULL, [6.0, 8.0]))),
    ("mask.size", "segmentation.size", record(segmentation=rle(FULL, "68"))),
    ("mask.size", "segmentation.size", record(segmentation=rle(FULL, None))),
    ("score.finite", "score", record(score=float("nan"))),
    ("score.finite", "score", record(score=float("inf"))),
    ("score.type", "score", record(score="0.5")),
    ("score.type", "score", record(score=True)),
    ("score.type", "score", record(score=None)),
    ("key.missing", "score", record(score=...)),
    ("key.missing", "image_id", record(image_id=...)),
    ("key.missing", "segmentation", record(segmentation=...)),
    ("id.type", "image_id", record(image_id=5.0)),
    ("id.type", "image_id", record(image_id=True)),
    ("image.unknown", "image_id", record(image_id="5")),
    ("image.unknown", "image_id", record(image_id=6)),
    ("id.type", "image_id", record(image_id=2**63)),
    ("id.type", "image_id", record(image_id=10**30)),
    ("segmentation.type", "segmentation", record(segmentation="`1")),
    ("record.type", None, [1, 2]),
    ("record.type", None, None),
]


@pytest.mark.parametrize(("kind", "field", "bad"), COCO_RECORDS)
def test_coco_record(kind: str, field: str | None, bad: Any, gt: Dataset, tmp_path: Path) -> None:
    # Between good records, so that the index must be right.
    (tmp_path / "p.json").write_text(json.dumps([GOOD, bad, GOOD]))
    found = problems(tmp_path / "p.json", gt)
    assert [(finding.kind, finding.record) for finding in found] == [(kind, "predictions[1]")]
    assert found[0].field in (field.split("|") if field else [None])
    with pytest.raises(InputError, match=rf"\[{kind}\]") as caught:
        predictions = read_predictions(tmp_path / "p.json", gt)
        predictions.masks(2)
    assert caught.value.exit_code == 1


def segment(**changes: Any) -> dict[str, Any]:
    return {
        key: value for key, value in {"counts": FULL, "score": 0.5, **changes}.items() if value is not ...
    }


def line(*segments: Any, **changes: Any) -> dict[str, Any]:
    given = {"image_id": 5, "size": SIZE, "segments": list(segments), **changes}
    return {key: value for key, value in given.items() if value is not ...}


IN_SEGMENT = "line 2, segments[1]"
JSONL_LINES = [
    ("rle.character", IN_SEGMENT, "counts", line(segment(), segment(counts="`1 "))),
    ("rle.character", IN_SEGMENT, "counts", line(segment(), segment(counts="`1\u00e9"))),
    ("rle.cut", IN_SEGMENT, "counts", line(segment(), segment(counts="`"))),
    ("rle.total", IN_SEGMENT, "counts", line(segment(), segment(counts="1"))),
    ("rle.negative", IN_SEGMENT, "counts", line(segment(), segment(counts="O"))),
    ("rle.number", IN_SEGMENT, "counts", line(segment(), segment(counts="o" * 1_000_000))),
    ("rle.type", IN_SEGMENT, "counts", line(segment(), segment(counts=5))),
    ("rle.negative", IN_SEGMENT, "counts", line(segment(), segment(counts=[-1, 49]))),
    ("rle.total", IN_SEGMENT, "counts", line(segment(), segment(counts=[47]))),
    ("key.missing", IN_SEGMENT, "counts", line(segment(), segment(counts=...))),
    ("key.missing", IN_SEGMENT, "score", line(segment(), segment(score=...))),
    ("score.finite", IN_SEGMENT, "score", line(segment(), segment(score=float("nan")))),
    ("score.finite", IN_SEGMENT, "score", line(segment(), segment(score=float("-inf")))),
    ("score.type", IN_SEGMENT, "score", line(segment(), segment(score="1"))),
    ("score.type", IN_SEGMENT, "score", line(segment(), segment(score=False))),
    ("record.type", IN_SEGMENT, None, line(segment(), "`1")),
    ("mask.size", "line 2", "size", line(size=[8, 6])),
    ("mask.size", "line 2", "size", line(size=[0, 0])),
    ("mask.size", "line 2", "size", line(size=[10**6, 10**6])),
    ("mask.size", "line 2", "size", line(size=6)),
    ("image.unknown", "line 2", "image_id", line(image_id=6)),
    ("image.unknown", "line 2", "image_id", line(image_id="5")),
    ("image.duplicate", "line 2", "image_id", line(image_id=7, size=[12, 20])),
    ("id.type", "line 2", "image_id", line(image_id=None)),
    ("key.missing", "line 2", "image_id", line(image_id=...)),
    ("key.missing", "line 2", "size", line(size=...)),
    ("key.missing", "line 2", "segments", line(segments=...)),
    ("segments.type", "line 2", "segments", line(segments={})),
    ("record.type", "line 2", None, [1]),
]


@pytest.mark.parametrize(("kind", "place", "field", "bad"), JSONL_LINES)
def test_jsonl_line(kind: str, place: str, field: str | None, bad: Any, gt: Dataset, tmp_path: Path) -> None:
    first, last = line(image_id=7, size=[12, 20]), line(image_id=11, size=[12, 20])
    (tmp_path / "p.jsonl").write_text("\n".join(json.dumps(one) for one in (first, bad, last)))
    found = problems(tmp_path / "p.jsonl", gt)
    assert [(finding.kind, finding.record, finding.field) for finding in found] == [(kind, place, field)]


def test_sizes_that_are_mistaken_are_recognised(gt: Dataset, tmp_path: Path) -> None:
    hints = {"8, 6": "swapped", "3, 4": "low-resolution", "12, 16": "high-resolution"}
    for size, hint in hints.items():
        (tmp_path / "p.json").write_text(
            f'[{{"image_id":5,"segmentation":{{"size":[{size}],"counts":"`1"}},"score":1}}]'
        )
        (tmp_path / "p.jsonl").write_text(f'{{"image_id":5,"size":[{size}],"segments":[]}}')
        for name in ("p.json", "p.jsonl"):
            assert hint in problems(tmp_path / name, gt)[0].message
    maps = tmp_path / "maps"
    maps.mkdir()
    (maps / "scores.json").write_text('{"5": {"1": 0.5}}')
    for (height, width), hint in {
        (8, 6): "swapped",
        (3, 4): "low-resolution",
        (12, 16): "high-resolution",
    }.items():
        Image.fromarray(np.ones((height, width), np.uint8)).save(maps / "c.png")
        assert hint in problems(maps, gt)[0].message


WHOLE_FILES = [
    ("json.invalid", b'[{"image_id": 5, "segmentation": {"size": [6, 8], "counts": "`'),
    ("json.invalid", b"[1, 2,]"),
    ("json.invalid", b"   "),
    ("json.deep", b"[" * 100_000 + b"]" * 100_000),
    ("json.utf8", b'[{"image_id": 5, "x": "\xff\xfe"}]'),
    ("json.invalid", b"[]\x00"),
    ("json.shape", b'"abc"'),
    ("json.shape", b'{"predictions": []}'),
    ("file.empty", b""),
]


@pytest.mark.parametrize(("kind", "data"), WHOLE_FILES)
def test_whole_file(kind: str, data: bytes, gt: Dataset, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(data)
    assert [finding.kind for finding in problems(tmp_path / "p.json", gt)] == [kind]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("json.invalid", b'{"image_id": 5, "size": [6, 8], "segm'),
        ("json.deep", b'{"image_id": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
        ("json.utf8", b'{"image_id": "\xff"}'),
        ("json.invalid", b"{} {}"),
        ("file.empty", b""),
    ],
)
def test_whole_line(kind: str, data: bytes, gt: Dataset, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_bytes(data)
    assert [finding.kind for finding in problems(tmp_path / "p.jsonl", gt)] == [kind]


def test_a_line_that_is_too_long_is_not_parsed(
    gt: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from entityseg.predictions import jsonl

    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 200)
    (tmp_path / "p.jsonl").write_text(json.dumps(line(segment(counts="0" * 300))) + "\n" + json.dumps(line()))
    found = problems(tmp_path / "p.jsonl", gt)
    assert [(finding.kind, finding.record) for finding in found] == [("jsonl.long", "line 1")]


def id_maps(folder: Path, scores: Any, **maps: np.ndarray) -> Path:
    for stem, pixels in maps.items():
        Image.fromarray(pixels).save(folder / f"{stem}.png")
    text = scores if isinstance(scores, str) else json.dumps(scores)
    (folder / "scores.json").write_text(text)
    return folder


ONE = np.ones((6, 8), np.uint8)


@pytest.mark.parametrize(
    ("kind", "place", "scores"),
    [
        ("idmap.ids", "image 5", {"5": {"1": 0.5, "2": 0.5}}),
        ("idmap.ids", "image 5", {"5": {}}),
        ("idmap.ids", "image 5", {}),
        ("score.type", "image 5", {"5": {"1": "0.5"}}),
        ("score.type", "image 5", {"5": {"1": None}}),
        ("score.finite", "image 5", '{"5": {"1": NaN}}'),
        ("image.unknown", "['6']", {"5": {"1": 0.5}, "6": {}}),
        ("file.missing", "image 7", {"5": {"1": 0.5}, "7": {"1": 0.5}}),
        ("record.type", "image 7", {"5": {"1": 0.5}, "7": [0.5]}),
        ("idmap.value", "image 5", {"5": {"1": 0.5, "0": 0.5}}),
        ("idmap.value", "image 5", {"5": {"1": 0.5, "01": 0.5}}),
        ("idmap.value", "image 5", {"5": {"1": 0.5, "x": 0.5}}),
        ("json.shape", None, []),
        ("json.invalid", "line 1, column 4", '{"5'),
    ],
)
def test_scores_of_id_maps(kind: str, place: str | None, scores: Any, gt: Dataset, tmp_path: Path) -> None:
    maps = {"c": ONE, "a": np.zeros((12, 20), np.uint8)} if kind == "record.type" else {"c": ONE}
    found = problems(id_maps(tmp_path, scores, **maps), gt)
    assert [(finding.kind, finding.record) for finding in found] == [(kind, place)]


def test_maps_of_id_maps(gt: Dataset, tmp_path: Path) -> None:
    id_maps(tmp_path, {"5": {"1": 0.5}}, c=ONE, stranger=ONE)
    assert [finding.kind for finding in problems(tmp_path, gt)] == ["image.unknown"]
    (tmp_path / "stranger.png").unlink()
    whole = (tmp_path / "c.png").read_bytes()
    for data in (whole[:-10], b"", b"JFIF" + whole, whole[:50] + b"\xff" + whole[51:]):
        (tmp_path / "c.png").write_bytes(data)
        kinds = {finding.kind for finding in problems(tmp_path, gt)}
        assert kinds <= {"png.damaged", "png.type"}
        assert kinds
    (tmp_path / "c.png").write_bytes(whole)
    (tmp_path / "scores.json").unlink()
    assert [finding.kind for finding in problems(tmp_path, gt)] == ["idmap.scores"]


def test_numbers_beyond_every_type(gt: Dataset, tmp_path: Path) -> None:
    # NaN sends a file to the parser that knows it, which makes integers of any length.
    huge = 10**400
    bad = [
        record(score=float("nan")),
        record(score=huge),
        record(score=-huge, area=huge, bbox=[0, 0, huge, huge]),
    ]
    (tmp_path / "p.json").write_text(json.dumps(bad))
    found = problems(tmp_path / "p.json", gt)
    assert [finding.kind for finding in found] == ["score.finite"] * 3
    with pytest.raises(InputError, match=r"score\.finite"):
        read_predictions(tmp_path / "p.json", gt, box_areas=True)
    (tmp_path / "p.jsonl").write_text(json.dumps(line(segment(score=float("nan")), segment(score=huge))))
    assert [finding.kind for finding in problems(tmp_path / "p.jsonl", gt)] == ["score.finite"] * 2
    (tmp_path / "p.json").write_text(json.dumps([record(score=1, area=huge, x=float("nan"))]))
    assert check(tmp_path / "p.json", gt).ok


def test_twenty_of_a_kind_then_a_count(gt: Dataset, tmp_path: Path) -> None:
    bad = [record(score="x")] * 50 + [record(segmentation=rle("1"))] * 3
    (tmp_path / "p.json").write_text(json.dumps(bad))
    report = check(tmp_path / "p.json", gt)
    assert report.findings.errors == 53
    assert report.findings.more() == {"score.type": 30}
    assert len(list(report.findings)) == 23
    assert report.findings.lines()[-1] == "... and 30 more of kind [score.type]"
    lines = [json.dumps(line(*[segment(score="x")] * 50, segment(counts="1")))]
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    report = check(tmp_path / "p.jsonl", gt)
    assert (report.findings.errors, report.findings.more()) == (51, {"score.type": 30})


def test_problems_in_records_and_in_masks_are_listed_together(gt: Dataset, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(json.dumps(line(segment(counts="1"), segment(score="x"))))
    assert [finding.kind for finding in problems(tmp_path / "p.jsonl", gt)] == ["score.type", "rle.total"]
    (tmp_path / "p.json").write_text(json.dumps([record(segmentation=rle("1")), record(score="x")]))
    assert [finding.kind for finding in problems(tmp_path / "p.json", gt)] == ["rle.total", "score.type"]


def test_without_ground_truth_sizes_of_an_image_must_agree(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps([GOOD, record(segmentation=rle("`1", [8, 6]))]))
    found = problems(tmp_path / "p.json", None)
    assert [(finding.kind, finding.record) for finding in found] == [("mask.size", "predictions[1]")]
    (tmp_path / "p.json").write_text(json.dumps([record(segmentation=[[0, 0, 4, 0, 4, 4]])]))
    assert [finding.kind for finding in problems(tmp_path / "p.json", None)] == ["image.size"]
    maps = tmp_path / "maps"
    maps.mkdir()
    id_maps(maps, {"5": {"1": 0.5}}, c=ONE)
    found = problems(maps, None)
    assert [finding.kind for finding in found] == ["file.missing"]
    assert "--gt" in found[0].remedy


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.just(5)
    | st.just("`1"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["image_id", "size", "segments", "counts", "score", "segmentation", "5", "1"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES, wrong=st.binary(max_size=3), at=st.integers(0, 200))
def test_whatever_the_file_holds_only_findings_come_out(
    value: Any, wrong: bytes, at: int, gt: Dataset, tmp_path: Path
) -> None:
    for content in ([GOOD, value], line(value), line(segments=value), value):
        text = json.dumps(content).encode()
        for data in (text, text[:at] + wrong + text[at:]):
            for name in ("p.json", "p.jsonl"):
                (tmp_path / name).write_bytes(data)
                for truth in (gt, None):
                    check(tmp_path / name, truth).to_json()
    maps = tmp_path / "maps"
    maps.mkdir(exist_ok=True)
    check(id_maps(maps, json.dumps({"5": value}), c=ONE), gt).to_json()
