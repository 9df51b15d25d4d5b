"""The COCO reader: the scanner against a JSON parser, every legal spelling of a mask, every kind of bad record."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from entityseg.data import coco_scan
from entityseg.data.coco_json import read_coco
from entityseg.data.records import Dataset
from entityseg.errors import InputError, MissingFileError
from entityseg.masks import RunLengths, coco, to_counts

SIZE = [3, 4]


def annotation(number: int, **changes: Any) -> dict[str, Any]:
    record = {
        "id": number,
        "image_id": 7,
        "category_id": 2,
        "iscrowd": 0,
        "area": 2.5,
        "bbox": [1, 1, 1, 2],
        "segmentation": {"size": SIZE, "counts": "525"},
    }
    record.update(changes)
    return {key: value for key, value in record.items() if value is not ...}


def dataset(*annotations: Any, **changes: Any) -> dict[str, Any]:
    return {
        "info": {"year": 2023},
        "images": [{"id": 7, "file_name": "a.jpg", "height": 3, "width": 4, "license": 1}],
        "annotations": list(annotations),
        "categories": [
            {"id": 2, "name": " sky", "type": "stuff", "c_name": "天空"},
            {"id": 3, "name": "sky", "isthing": 1, "supercategory": "entity"},
        ],
        **changes,
    }


def read(tmp_path: Path, content: Any, **dump: Any) -> Dataset:
    path = tmp_path / "gt.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content, **dump).encode())
    return read_coco(path)


def is_fast(data: Dataset) -> bool:
    return bool(data.source.escaped)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "dump", [{}, {"indent": 1}, {"separators": (",", ":")}, {"sort_keys": True}, {"ensure_ascii": False}]
)
def test_reads_what_was_written(tmp_path: Path, dump: dict[str, Any]) -> None:
    # A backslash is a character of the alphabet, doubled in JSON: 44 = 0b101100 in the first of two characters.
    long = to_string([44, 2000 - 44])
    assert "\\" in long
    content = dataset(
        annotation(5, attribute="x"),
        annotation(0, iscrowd=1, area=...),
        annotation(9, image_id=8, segmentation={"counts": long, "size": [40, 50]}),
    )
    content["images"].append({"id": 8, "file_name": "b/c.png", "height": 40, "width": 50})
    data = read(tmp_path, content, **dump)
    assert is_fast(data)
    first, second = data
    assert first.ids.tolist() == [5, 0] and first.iscrowd.tolist() == [False, True]
    assert first.masks.edges.tolist() == [5, 7, 5, 7]
    assert first.extras == [{"attribute": "x"}, {}]
    assert to_counts(second.masks) == [[44, 1956]]
    assert data.info == {"info": {"year": 2023}}
    assert [category.isthing for category in data.categories] == [False, True]
    assert data.categories[0].name == " sky" and data.categories[0].extra["c_name"] == "天空"
    assert data.images[0].extra == {"license": 1}
    assert data.file_areas is not None
    np.testing.assert_array_equal(data.file_areas, [2.5, np.nan, 2.5])


def to_string(runs: list[int]) -> str:
    from entityseg.masks.coco import compress

    return compress(runs).decode()


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": SIZE, "counts": [5, 2, 5]},
        {"size": SIZE, "counts": [5, 1, 0, 1, 5]},
        {"size": SIZE, "counts": "\\u0035" + "25"},
        [[1, 2, 2, 2, 2, 3, 1, 3], [2, 0, 3, 0, 3, 1, 2, 1]],
    ],
)
def test_takes_every_legal_spelling(tmp_path: Path, segmentation: Any) -> None:
    text = json.dumps(dataset(annotation(1, segmentation=segmentation))).replace("\\\\u", "\\u")
    masks = read(tmp_path, text.encode())[0].masks
    expected = [5, 7] if isinstance(segmentation, dict) else masks.edges.tolist()
    assert masks.edges.tolist() == expected and masks.areas.tolist() == [2]


def test_rows_are_grouped_by_image_in_file_order(tmp_path: Path) -> None:
    content = dataset(*(annotation(i, image_id=7 + i % 2) for i in range(6)))
    content["images"].insert(0, {"id": 8, "file_name": "b.jpg", "height": 3, "width": 4})
    content["images"].append({"id": 1, "file_name": "empty.jpg", "height": 3, "width": 4})
    data = read(tmp_path, content)
    assert [one.ids.tolist() for one in data] == [[1, 3, 5], [0, 2, 4], []]
    assert data.image(1).masks == RunLengths.empty((3, 4))


BAD_RECORDS = {
    "key.missing segmentation": annotation(1, segmentation=...),
    "key.missing image_id": annotation(1, image_id=...),
    "key.missing id": annotation(1, id=...),
    "key.missing category_id": annotation(1, category_id=...),
    "image.unknown image_id": annotation(1, image_id=70),
    "id.type image_id": annotation(1, image_id=7.5),
    "id.type id": annotation(1, id="1"),
    "iscrowd.value iscrowd": annotation(1, iscrowd=2),
    "mask.size size": annotation(1, segmentation={"size": [4, 3], "counts": "525"}),
    "mask.size segmentation.size": annotation(1, segmentation={"size": [0, 3], "counts": "525"}),
    "rle.type segmentation.counts": annotation(1, segmentation={"size": SIZE}),
    "rle.total segmentation.counts": annotation(1, segmentation={"size": SIZE, "counts": [5, 2, 6]}),
    "rle.negative segmentation.counts": annotation(1, segmentation={"size": SIZE, "counts": [5, -2, 9]}),
    "segmentation.type segmentation": annotation(1, segmentation="525"),
    "record.type": 17,
}


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_bad_records_are_named(tmp_path: Path, name: str) -> None:
    kind, *field = name.split()
    with pytest.raises(InputError) as raised:
        read(tmp_path, dataset(annotation(0), BAD_RECORDS[name]))
    findings = list(raised.value.findings)
    assert [finding.kind for finding in findings] == [kind]
    assert findings[0].record == "annotations[1]" and findings[0].remedy
    assert findings[0].field == (field[0] if field else None)
    assert findings[0].file is not None and findings[0].file.endswith("gt.json")


BAD_COUNTS = {
    "rle.character": ["5 25", "52\x7f", "5é5", "5\t25"],
    "rle.cut": ["5", "52S", "U"],
    "rle.total": ["", "52", "526", "0"],
    "rle.negative": ["52O", "O"],
    "rle.number": ["5PPPPPPP0", "ooooooooooooooooo"],
}


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        (kind, text)
        for kind, texts in BAD_COUNTS.items()
        for text in texts
        if not (kind == "rle.cut" and text == "5")
    ],
)
def test_bad_counts_are_named_when_asked_for(tmp_path: Path, kind: str, counts: str) -> None:
    bad = annotation(1, segmentation={"size": SIZE, "counts": counts})
    with pytest.raises(InputError) as raised:
        _ = read(tmp_path, dataset(annotation(0), bad))[0]
    (finding,) = raised.value.findings
    assert finding.kind == kind and finding.record == "annotations[1]"


def test_all_findings_are_listed_and_then_counted(tmp_path: Path) -> None:
    bad = [annotation(i, image_id=99) for i in range(30)] + [annotation(40, iscrowd=5)]
    with pytest.raises(InputError) as raised:
        read(tmp_path, dataset(*bad))
    findings = raised.value.findings
    assert findings.errors == 31 and len(list(findings)) == 21
    assert findings.more() == {"image.unknown": 10}
    assert "and 10 more of kind [image.unknown]" in str(raised.value)


def test_duplicate_ids_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"annotations\[1\].*that of annotations\[0\] too"):
        read(tmp_path, dataset(annotation(1), annotation(1)))
    twice = dataset()
    twice["images"] *= 2
    with pytest.raises(InputError, match=r"images\[1\].*images\[0\]"):
        read(tmp_path, twice)


def test_unknown_categories_are_a_warning(tmp_path: Path) -> None:
    data = read(tmp_path, dataset(annotation(1, category_id=77)))
    (warning,) = data.warnings
    assert warning.kind == "category.unknown" and warning.record == "annotations[0]"
    many = read(tmp_path, dataset(*(annotation(k, category_id=77) for k in range(1, 31))))
    assert (len(many.warnings), len(list(many.warnings)), many.warnings.warnings) == (30, 20, 30)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "file.empty"),
        (b"[1, 2]", "json.shape"),
        (b'{"images": []}', "json.shape"),
        (b'{"images": [], "annotations": [', "json.invalid"),
        (b'{"images": [], "annotations": []} trailing', "json.invalid"),
        (b"[" * 100_000, "json.deep"),
        (b'{"images": [], "annotations": ["\xff"]}', "json.utf8"),
        (b"PK\x03\x04 no json", "json.invalid"),
        (
            b'{"annotations": [], "images": [{"id": 1, "file_name": "a", "height": 0, "width": 4}]}',
            "image.size",
        ),
        (
            b'{"annotations": [], "images": [{"id": 1, "file_name": "a", "height": 1000000, "width": 1000000}]}',
            "image.size",
        ),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: bytes, kind: str) -> None:
    with pytest.raises(InputError) as raised:
        read(tmp_path, content)
    assert [finding.kind for finding in raised.value.findings] == [kind]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"file\.missing"):
        read_coco(tmp_path / "no.json")


def test_scanner_never_differs_from_a_parser() -> None:
    """Mutated JSON: what the scanner accepts, a JSON parser accepts too, with the same values."""
    rng = random.Random(0)
    records = [
        annotation(1, extra={"a": [1, {"b": None}], "c": 'x\\y"z'}, score=0.5),
        annotation(2, area=1e-3, flag=True, score=-2),
        annotation(3, segmentation={"counts": to_string([44, 2000 - 44]), "size": [40, 50]}, score=12),
    ]
    base = json.dumps(records).encode()
    accepted = 0
    alphabet = b'{}[]",:\\ \n0123456789-+.eE' + b"truefalsn" + bytes([0, 31, 127, 200])
    for _ in range(20_000):
        data = bytearray(base)
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(data))
            kind = rng.randrange(3)
            if kind == 0:
                data[at] = rng.choice(alphabet)
            elif kind == 1:
                del data[at : at + rng.randrange(1, 4)]
            else:
                data[at:at] = bytes([rng.choice(alphabet)])
        if not data.startswith(b"["):
            continue
        text = np.frombuffer(bytes(data), np.uint8)
        scanned = coco_scan.scan_list(text, 0, SCORED)
        if scanned is None or bytes(data[scanned.end :]).strip():
            continue
        found = scanned.columns
        try:
            parsed = orjson.loads(bytes(data))
        except orjson.JSONDecodeError:
            # Only inside counts, which the mask decoder checks character by character.
            assert any(is_bad_counts(text, found, row) for row in range(len(found.ids))), bytes(data)
            continue
        accepted += 1
        assert len(parsed) == len(found.ids)
        assert found.scores is not None and found.spans is not None
        for row, record in enumerate(parsed):
            for key, column in (("id", found.ids), ("image_id", found.image_ids), ("iscrowd", found.crowd)):
                assert record.get(key, -1) == column[row] or (key == "iscrowd" and column[row] == 2)
            np.testing.assert_equal(found.scores[row], as_number(record.get("score")))
            start, stop = found.spans[row]
            others = record.keys() - coco_scan.ANNOTATION_KEYS - {"score"}
            assert orjson.loads(text[start:stop].tobytes()) == record if others else start == stop
    assert accepted > 2000


SCORED = coco_scan.Wanted("records", scores=True, known=coco_scan.ANNOTATION_KEYS | {"score"})


def as_number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def is_bad_counts(text: np.ndarray, found: coco_scan.Columns, row: int) -> bool:
    start, stop = found.starts[row : row + 1], found.stops[row : row + 1]
    height, width = found.sizes[row].tolist()
    return bool(coco.decode(text, start, stop, (height, width), escaped=True)[1].any())


def test_a_score_of_the_ground_truth_is_kept(tmp_path: Path) -> None:
    # No key of the record is unknown to the scanner, yet it is no key of an annotation.
    data = read(tmp_path, dataset(annotation(1, score=0.5), annotation(2), annotation(3, note="x")))
    assert is_fast(data)
    assert [data[0].extra_of(row) for row in range(3)] == [{"score": 0.5}, {}, {"note": "x"}]


def test_two_threads_scan_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_scan, "_SPLIT_BYTES", 10)
    records = [annotation(i, note='}, {"id": 3}, {') for i in range(40)]
    text = np.frombuffer(json.dumps(records).encode(), np.uint8)
    one = coco_scan.scan_list(text, 0, SCORED, threads=1)
    two = coco_scan.scan_list(text, 0, SCORED, threads=2)
    assert one is not None and two is not None
    for field in dataclasses.fields(coco_scan.Columns):
        np.testing.assert_array_equal(getattr(one.columns, field.name), getattr(two.columns, field.name))
    assert one.end == two.end == len(text)
