"""Long lists parsed in stretches: the same values and the same errors as parsing the file whole, in little memory."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entityseg.data import json_lists
from entityseg.data.conversion import convert
from entityseg.data.json_file import parse_json_file
from entityseg.data.json_lists import JsonList, is_list, parse_lists
from entityseg.data.loading import load
from entityseg.data.records import Category, Dataset
from entityseg.errors import InputError, MissingFileError
from tests.data.conftest import assert_same

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every list a long one, of stretches of at least 8 bytes."""
    monkeypatch.setattr(json_lists, "_WHOLE", 0)
    monkeypatch.setattr(json_lists, "_STRETCH", 8)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lists") / "file.json"


def listed(value: Any) -> Any:
    """Return a parsed file with its lists whole."""
    if not isinstance(value, dict):
        return value
    return {key: list(one) if isinstance(one, JsonList) else one for key, one in value.items()}


def outcome(parse: Any, file: Path) -> Any:
    try:
        return json.dumps(listed(parse(file)), default=repr)
    except InputError as error:
        return str(error)


@given(
    st.dictionaries(st.sampled_from(["images", "a", "annotations", "ä", 'a"', "a\\b", "a\tb"]), VALUES),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
    st.sampled_from(["", "\ufeff", " \n"]),
)
def test_values_are_those_of_the_whole_file(file, top, indent, ascii_only, before):
    text = before + json.dumps(top, indent=indent, ensure_ascii=ascii_only)
    file.write_bytes(text.encode("utf-8", "replace"))
    assert outcome(lambda path: parse_lists(path, ("images", "a")), file) == outcome(parse_json_file, file)


TOP = '{"a": [1, {"b": "x,]"}, [2.5e3, null], "\\u00e4\\"", true], "images": [{"id": 1}, {"id": 2}], "c": 3}'


@given(st.integers(0, len(TOP) - 1), st.sampled_from([*'{}[],:"\\0x \n', "", "NaN", "\x0b", "é", "\\ud800"]))
@example(TOP.index("2.5"), "NaN")
@example(len(TOP) - 1, "")
def test_broken_files_are_told_as_before(file, place, put):
    file.write_text(TOP[:place] + put + TOP[place + 1 :], "utf-8")
    assert outcome(lambda path: parse_lists(path, ("images", "a")), file) == outcome(parse_json_file, file)


@pytest.mark.parametrize(
    "raw",
    [b'{"a": [1, "\xff"]}', b'{"a": [1], "a": [2]}', b"[1, 2]", b'{"a": [1]} x', b'{"a": []}', b'{"a": [ ]}',
     b'{"a": [1,]}', b'{"a": [1 2]}', b'{"a": [[' + b"[" * 70 + b"]" * 72 + b"}", b"", b"7"],
)  # fmt: skip
def test_odd_files_are_told_as_before(file, raw):
    file.write_bytes(raw)
    assert outcome(lambda path: parse_lists(path, ("a",)), file) == outcome(parse_json_file, file)


def test_only_named_lists_are_cut_and_can_be_read_again(file):
    file.write_text(TOP)
    top = parse_lists(file, ("images",))
    assert isinstance(top["images"], JsonList) and isinstance(top["a"], list)
    assert is_list(top["images"]) and is_list(top["a"]) and not is_list(top)
    assert list(top["images"]) == list(top["images"]) == [{"id": 1}, {"id": 2}]
    with pytest.raises(MissingFileError):
        parse_lists(file.with_name("none.json"), ())


@pytest.fixture
def known(rich: Dataset) -> Dataset:
    """The rich dataset, all of whose categories are listed."""
    return replace(rich, categories=(*rich.categories, Category(99, "x")))


@pytest.mark.parametrize("to", ["coco-instances", "coco-panoptic", "idmap", "entity"])
def test_datasets_are_those_of_the_whole_file(known: Dataset, tmp_path, monkeypatch, to):
    convert(known, tmp_path / "set", to=to, lossy=True)
    cut = load(tmp_path / "set")
    monkeypatch.undo()
    assert_same(cut, load(tmp_path / "set"))


@pytest.mark.parametrize("to", ["coco-instances", "coco-panoptic", "idmap"])
def test_broken_datasets_are_told_as_before(known: Dataset, tmp_path, monkeypatch, to):
    convert(known, tmp_path / "set", to=to, lossy=True)
    file = max((tmp_path / "set").glob("*.json"), key=lambda one: one.stat().st_size)
    found: list[list[str]] = [[], []]
    raw = file.read_bytes()
    for outcomes in found:
        for place in range(0, len(raw), 97):
            file.write_bytes(raw[:place] + b"#" + raw[place + 1 :])
            try:
                outcomes.append(repr(load(file, format=to, check=False).images))
            except InputError as error:
                outcomes.append(str(error))
        monkeypatch.undo()
    assert found[0] == found[1]


def test_memory_does_not_grow_with_the_list(tmp_path, monkeypatch):
    monkeypatch.undo()

    def peak(records: int) -> int:
        path = tmp_path / f"{records}.json"
        listed = [{"id": k, "name": f"{k:06d}", "on": [k, k]} for k in range(records)]
        path.write_text(json.dumps({"images": listed}))
        tracemalloc.start()
        try:
            images = parse_lists(path, ("images",))["images"]
            assert isinstance(images, JsonList) and sum(one["id"] for one in images) == sum(range(records))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(100_000) < 1.1 * peak(30_000)
