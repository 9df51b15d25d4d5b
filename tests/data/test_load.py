"""`load`: content decides, several readings are listed, and nothing ends in a traceback."""

import json
import subprocess
import sys

import numpy as np
import pytest

import entityseg
from entityseg.data import find_readings, load
from entityseg.data.formats import coco_instances, entity, parquet, release
from entityseg.data.peek import peek
from entityseg.errors import InputError, MissingFileError, UsageError


@pytest.mark.parametrize("name", ["a.json", "a.txt", "entity", "entityv2_01_entity_train.jsn"])
def test_the_content_decides_not_the_name(rich, same, tmp_path, name):
    entity.write(rich, tmp_path / "a.json")
    (tmp_path / "a.json").rename(tmp_path / name)
    (reading,) = find_readings(tmp_path / name)
    assert reading.format == "entity"
    same(load(tmp_path / name), rich)


def test_a_folder_with_one_reading_just_opens(rich, same, tmp_path):
    coco_instances.write(rich, tmp_path / "data")
    same(entityseg.load(tmp_path / "data"), rich)


def test_every_reading_is_listed_with_its_options(rich, tmp_path):
    coco_instances.write(rich, tmp_path / "instances_val.json")
    entity.write(rich, tmp_path / "train.json")
    parquet.write(rich, tmp_path / "tables")
    release.write(rich, tmp_path, split="val_lr")
    with pytest.raises(UsageError) as caught:
        load(tmp_path)
    text = str(caught.value)
    assert "4 ways" in text
    # One a line, and the kind on the last.
    assert len(text.splitlines()) == 6
    for options in (
        "--from parquet --split tables", "--from entity --split train",
        "--from entityseg-release --split val_lr", "--from coco-instances --split val ",
    ):  # fmt: skip
        assert options in text
    assert caught.value.exit_code == 2
    assert load(tmp_path, format="entity").path == tmp_path / "train.json"
    assert load(tmp_path, split="val_lr").path.name == "entityv2_010203_entity_val_lr.json"
    assert len(load(tmp_path, format="parquet", split="tables")) == len(rich)
    with pytest.raises(UsageError, match=r"val_lr[\s\S]*load\.split"):
        load(tmp_path, split="test")


def test_tables_of_something_else_are_no_dataset(rich, tmp_path):
    parquet.write(rich, tmp_path / "tables")
    (tmp_path / "statistics").mkdir()
    for name in ("images.parquet", "entities.parquet"):
        (tmp_path / "statistics" / name).write_bytes((tmp_path / "tables" / name).read_bytes())
    assert [one.split for one in find_readings(tmp_path)] == ["tables"]
    (tmp_path / "tables" / "dataset.json").unlink()
    with pytest.raises(MissingFileError, match="never finished"):
        load(tmp_path)


def test_two_naming_schemes_beside_each_other_need_the_file(rich, tmp_path):
    for scheme in ("entityv2", "entityseg"):
        release.write(rich, tmp_path, split="val", scheme=scheme)
    with pytest.raises(UsageError, match="Give one of these files"):
        load(tmp_path, split="val")
    assert len(load(tmp_path / "annotations" / "entity_segmentation" / "entityseg_val.json")) == len(rich)


def test_a_named_format_reads_a_file_that_it_would_not_claim(rich, same, tmp_path):
    coco_instances.write(rich, tmp_path / "a.json")
    same(load(tmp_path / "a.json", format="entityseg-release"), rich)


def bad_mask(tmp_path):
    annotation = {"id": 5, "image_id": 1, "category_id": 1, "segmentation": {"size": [2, 2], "counts": "09"}}
    image = {"id": 1, "file_name": "a.jpg", "height": 2, "width": 2}
    text = json.dumps(
        {"images": [image], "annotations": [annotation], "categories": [{"id": 1, "name": "a"}]}
    )
    (tmp_path / "a.json").write_text(text)
    return tmp_path / "a.json"


def test_masks_are_checked_unless_told_otherwise(tmp_path):
    path = bad_mask(tmp_path)
    with pytest.raises(InputError, match=r"annotations\[0\]: counts: .*rle\.total"):
        load(path)
    dataset = load(path, check=False)
    with pytest.raises(InputError, match=r"rle\.total"):
        dataset.masks(0)


def test_parquet_masks_are_checked_when_asked_for(rich, tmp_path, monkeypatch):
    parquet.write(rich, tmp_path / "set")
    opened = load(tmp_path / "set")
    assert len(opened.source._kept) == 0
    assert len(load(tmp_path / "set", check=True).source._kept) == 1


def test_stated_areas_that_are_wrong_warn(rich, tmp_path):
    entity.write(rich, tmp_path / "a.json")
    top = json.loads((tmp_path / "a.json").read_text())
    top["annotations"][0]["area"] += 100
    (tmp_path / "a.json").write_text(json.dumps(top))
    kinds = [finding.kind for finding in load(tmp_path / "a.json").warnings]
    assert "area.differs" in kinds


def test_image_root_can_be_given(rich, tmp_path):
    entity.write(rich, tmp_path / "a.json")
    assert load(tmp_path / "a.json", image_root=tmp_path / "x").image_root == tmp_path / "x"


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("", InputError, r"file\.empty"),
        ('[{"image_id": 1}]', UsageError, "predictions"),
        ('{"words": 1}', UsageError, r"load\.nothing"),
        ("hello", InputError, r"json\.invalid"),
        ('{"images": [], "annotations": [', InputError, r"json\.invalid"),
        ('{"images": [], "annotations": {}, "categories": []}', InputError, r"json\.shape"),
        (
            '{"images": [], "annotations": [' + "[" * 2000 + "]" * 2000 + '], "categories": []}',
            InputError,
            "deep",
        ),
    ],
)
def test_what_is_no_dataset(tmp_path, text, error, match):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(error, match=match):
        load(tmp_path / "a.json")


def test_nothing_there(tmp_path):
    with pytest.raises(MissingFileError, match="no such file or folder"):
        load(tmp_path / "none")
    with pytest.raises(UsageError, match=r"entityseg-release[\s\S]*parquet[\s\S]*load\.nothing"):
        load(tmp_path)
    with pytest.raises(UsageError, match=r"format\.unknown"):
        load(tmp_path, format="voc")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('\ufeff {"entityseg": {"format": "entity@1"}, "images": []}', "entity"),
        ('{"images": [], "annotations": []}', "instances"),
        (
            '{"images": [' + '{"id": 1},' * 300_000 + '{}], "annotations": [{"segments_info": []}]}',
            "panoptic",
        ),
        ('{"annotations": [{"segmentation": 1, "caption": "\\"segments_info\\""}]}', "instances"),
        (
            '{"info": {"task": "segmentation"}, "annotations": [{"segments_info" : []}], "images": []}',
            "panoptic",
        ),
        ('{"images": []}', "other"),
        ('{"format": "entityseg/statistics-run@1", "tools": {"entityseg": "0.1.0"}}', "other"),
        ('{"identity": {"images": 15, "annotations": 599}}', "other"),
        ('{"entityseg": "entity@1", "images": [], "annotations": []}', "entity"),
        (" [1]", "list"),
        ("", "other"),
    ],
)
def test_peek(tmp_path, text, kind):
    (tmp_path / "a").write_text(text, encoding="utf-8")
    assert peek(tmp_path / "a") == kind


def test_peek_finds_keys_across_windows(tmp_path):
    for pad in range(2**20 - 40, 2**20, 3):
        text = '{"images": [], "x": "' + "a" * (pad - 21) + '", "annotations": [{"segments_info": []}]}'
        (tmp_path / "a").write_text(text)
        assert peek(tmp_path / "a") == "panoptic"


def test_public_names_are_all_there_and_cost_nothing_at_first():
    code = (
        "import sys, entityseg.data as d\n"
        "assert not {'pyarrow', 'PIL', 'entityseg.data.loading'} & set(sys.modules), sorted(sys.modules)\n"
        "for name in d.__all__: getattr(d, name)\n"
        "assert callable(d.load) and callable(d.convert)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    with pytest.raises(AttributeError):
        entityseg.data.nothing  # noqa: B018


def test_ids_and_order_are_the_files(rich, tmp_path):
    entity.write(rich, tmp_path / "a.json")
    np.testing.assert_array_equal(load(tmp_path / "a.json").ids, rich.ids)
