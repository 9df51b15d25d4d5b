"""Our own JSON: loses nothing, is read by pycocotools, knows its version."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from entityseg.data.formats import coco_instances, entity
from entityseg.data.peek import peek
from entityseg.errors import InputError, UsageError


def test_loses_nothing(rich, same, tmp_path):
    entity.write(rich, tmp_path / "a.json")
    same(entity.read(tmp_path / "a.json"), rich)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), images=st.integers(0, 6))
def test_loses_nothing_of_any_dataset(seed, images, make_rich, same, tmp_path_factory):
    folder = tmp_path_factory.mktemp("entity")
    want = make_rich(seed, images)
    entity.write(want, folder)
    same(entity.read(folder), want)


def test_marker_comes_first_and_stays_out_of_info(rich, tmp_path):
    entity.write(rich, tmp_path)
    path = tmp_path / "annotations.json"
    assert path.read_bytes().startswith(b'{"entityseg":{"format":"entity@1"}')
    assert json.loads(path.read_text())["info"] == {"year": 2022}
    assert "entityseg" not in entity.read(tmp_path).info
    assert peek(path) == "entity"
    assert [one.format for one in entity.readings(tmp_path)] == ["entity"]


def test_pycocotools_reads_it(rich, tmp_path):
    entity.write(rich, tmp_path / "a.json")
    coco = COCO(str(tmp_path / "a.json"))
    assert sorted(coco.anns) == sorted(rich.ids.tolist())


def test_says_isthing_where_nothing_else_says_it(tmp_path):
    from entityseg.data.records import Category, Dataset

    dataset = Dataset.build([], [Category(1, "a", True), Category(2, "b", False), Category(3, "c")])
    entity.write(dataset, tmp_path / "a.json")
    records = json.loads((tmp_path / "a.json").read_text())["categories"]
    assert [record.get("isthing") for record in records] == [1, 0, None]


def test_bytes_are_stable(rich, tmp_path):
    entity.write(rich, tmp_path / "a.json", threads=1)
    entity.write(entity.read(tmp_path / "a.json"), tmp_path / "b.json", threads=2)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_the_marker_does_not_go_into_other_formats(rich, tmp_path):
    entity.write(rich, tmp_path / "a.json")
    coco_instances.write(coco_instances.read(tmp_path / "a.json"), tmp_path / "b.json")
    assert peek(tmp_path / "b.json") == "instances"


def test_another_version_is_refused(tmp_path):
    text = '{"entityseg": {"format": "entity@9"}, "images": [], "annotations": [], "categories": []}'
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"entity@9.*entity\.version"):
        entity.read(tmp_path / "a.json")


def test_reads_plain_coco_too(tmp_path):
    (tmp_path / "a.json").write_text('{"images": [], "annotations": [], "categories": []}')
    assert len(entity.read(tmp_path / "a.json")) == 0


def test_refuses_to_replace(rich, tmp_path):
    entity.write(rich, tmp_path)
    with pytest.raises(UsageError, match=r"target\.exists"):
        entity.write(rich, tmp_path)
