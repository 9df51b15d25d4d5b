"""The EntitySeg release: both naming schemes, the layouts seen in the wild, its `file_name` conventions."""

import json
from dataclasses import replace

import numpy as np
import pytest

from entityseg.data.formats import release
from entityseg.data.images import find_image
from entityseg.data.layout import PARTS, find_parts, part_of
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.errors import InputError, UsageError
from entityseg.masks import from_id_map

# Written down from DATA.md and the assets of release v1.0, on purpose not taken from the code.
DATA_MD = {
    "train_01": "entity_segmentation/entityv2_01_entity_train.json",
    "train_02": "entity_segmentation/entityv2_02_entity_train.json",
    "train_03": "entity_segmentation/entityv2_03_entity_train.json",
    "train": "entity_segmentation/entityv2_010203_entity_train.json",
    "val": "entity_segmentation/entityv2_010203_entity_val.json",
    "train_lr": "entity_segmentation/entityv2_010203_entity_train_lr.json",
    "val_lr": "entity_segmentation/entityv2_010203_entity_val_lr.json",
    "instance_train": "instance_segmentation/entityv2_01_instances_train.json",
    "instance_val": "instance_segmentation/entityv2_01_instances_val.json",
    "panoptic_train": "panoptic_segmentation/entityv2_01_panoptic_train.json",
    "panoptic_val": "panoptic_segmentation/entityv2_01_panoptic_val.json",
}
ASSETS = {
    "train_01": "entityseg_train_01.json", "train_02": "entityseg_train_02.json",
    "train_03": "entityseg_train_03.json", "train": "entityseg_train.json", "val": "entityseg_val.json",
    "train_lr": "entityseg_train_lr.json", "val_lr": "entityseg_val_lr.json",
    "instance_train": "entityseg_insseg_train.json", "instance_val": "entityseg_insseg_val_annotations.json",
    "panoptic_train": "entityseg_panseg_train.json", "panoptic_val": "entityseg_panseg_val.json",
}  # fmt: skip


def disjoint(names, size=(12, 16)) -> Dataset:
    """Three quarters-like entities an image; ids are small enough for panoptic maps."""
    made = []
    for k, name in enumerate(names):
        id_map = np.ones(size, np.uint8)
        id_map[2:7, 3:9] = 2
        id_map[8:, k : k + 5] = 3
        ids, masks = from_id_map(id_map)
        crowd = np.zeros(3, bool)
        image = ImageRecord(k, name, *size)
        made.append(AnnotatedImage(image, masks, ids + 3 * k, np.array([1, 2, 1]), crowd))
    categories = [
        Category(1, "man", True, "person", {"type": "thing"}),
        Category(2, "sky", False, "sky", {"type": "stuff"}),
    ]
    return Dataset.build(made, categories, info={"info": {"version": "1.0"}})


@pytest.mark.parametrize("names", [DATA_MD, ASSETS], ids=["DATA.md", "assets"])
def test_every_name_is_known(names, tmp_path):
    for split, name in names.items():
        assert part_of(tmp_path / name).split == split
        assert part_of(tmp_path / name.upper()).split == split


@pytest.mark.parametrize("scheme", ["entityv2", "entityseg"])
@pytest.mark.parametrize("split", ["train", "val_lr", "train_02", "instance_val", "panoptic_train"])
def test_written_parts_come_back(same, tmp_path, scheme, split):
    want = disjoint(["entity_01_2/a.jpg", "entity_01_2/b.jpg"])
    release.write(want, tmp_path, split=split, scheme=scheme)
    (reading,) = release.readings(tmp_path)
    expected = (
        DATA_MD[split] if scheme == "entityv2" else f"{PARTS[split].folder}/{PARTS[split].entityseg[0]}"
    )
    assert reading.split == split
    assert reading.path == tmp_path / "annotations" / expected
    got = release.read(reading.path)
    if split.startswith("panoptic"):
        got = replace(got, categories=want.categories)
    same(got, want)


def test_categories_keep_type_and_gain_it_where_it_was_not_said(tmp_path):
    dataset = Dataset.build([], [Category(1, "a", True), Category(2, "b", False)])
    release.write(dataset, tmp_path / "x.json")
    records = json.loads((tmp_path / "x.json").read_text())["categories"]
    assert [record["type"] for record in records] == ["thing", "stuff"]


def test_old_keys_and_unknown_categories_are_kept(tmp_path):
    """The first README has `category_id_ori` and image sources; 02 and 03 may have ids without a class."""
    annotation = {
        "id": 0, "image_id": 0, "category_id": 777, "category_id_ori": "man", "attribute": ["x"], "area": 5,
        "bbox": [0, 0, 1, 1], "segmentation": {"size": [2, 2], "counts": "013"},
    }  # fmt: skip
    image = {
        "id": 0,
        "file_name": "a.jpg",
        "height": 2,
        "width": 2,
        "img_source": "coco",
        "url_image": "http",
    }
    text = json.dumps({"images": [image], "annotations": [annotation], "categories": []})
    (tmp_path / "entityseg_train_02.json").write_text(text)
    dataset = release.read(tmp_path / "entityseg_train_02.json")
    assert dataset.category_ids.tolist() == [777]
    assert dataset.warnings.warnings == 1
    assert dataset.images[0].extra == {"img_source": "coco", "url_image": "http"}
    assert dataset[0].extra_of(0) == {"category_id_ori": "man", "attribute": ["x"]}
    assert dataset[0].masks.areas.tolist() == [1]


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


LAYOUTS = {
    "DATA.md": ("annotations/entity_segmentation", "images/entity_01_11580/a.jpg"),
    "flat": (".", "images/entity_01_11580/a.jpg"),
    "archive": ("annotations/entity_segmentation", "images/entity_01_11580/images_merge/a.jpg"),
    "no images folder": ("annotations", "entity_01_11580/images_merge/a.jpg"),
    "nested": ("entityseg/annotations/entity_segmentation", "entityseg/images/entity_01_11580/a.jpg"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("split", ["train", "train_01"])
@pytest.mark.parametrize("scheme", ["entityv2", "entityseg"])
@pytest.mark.parametrize("from_file", [False, True])
def test_images_are_found_in_every_layout(tmp_path, layout, split, scheme, from_file):
    folder, image = LAYOUTS[layout]
    path = touch(tmp_path / image)
    name = "a.jpg" if split == "train_01" else "entity_01_11580/a.jpg"
    file = tmp_path / folder / PARTS[split].name(scheme)
    release.write(disjoint([name]), file, split=split, scheme=scheme)
    (reading,) = release.readings(file if from_file else tmp_path)
    dataset = release.read(reading.path, image_root=reading.image_root)
    assert find_image(dataset, dataset.images[0]) == path


def test_high_and_low_resolution_do_not_mix(tmp_path):
    for tree in ("images", "images_lr"):
        touch(tmp_path / tree / "entity_01_11580" / "a.jpg")
    release.write_tree({split: disjoint(["entity_01_11580/a.jpg"]) for split in ("val", "val_lr")}, tmp_path)
    roots = {one.split: one.image_root for one in release.readings(tmp_path)}
    assert roots == {"val": tmp_path / "images", "val_lr": tmp_path / "images_lr"}


def test_missing_images_leave_the_root_open(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "data" / "annotations").mkdir(parents=True)
    release.write(disjoint(["a.jpg"]), tmp_path / "data" / "annotations" / "entityseg_val.json", split="val")
    (reading,) = release.readings(tmp_path / "data")
    assert reading.image_root is None, "a stranger's `images` folder above is not taken"


def test_panoptic_part_names_images_and_maps_nested_by_the_archive(tmp_path):
    release.write(disjoint(["a.jpg", "b.c.jpg"]), tmp_path, split="panoptic_val")
    file = tmp_path / "annotations" / DATA_MD["panoptic_val"]
    names = [record["file_name"] for record in json.loads(file.read_text())["annotations"]]
    assert names == ["a.jpg", "b.c.jpg"]
    maps = file.parent / "panoptic_maps_val"
    assert sorted(path.name for path in maps.iterdir()) == ["a.png", "b.png"]
    outer = file.parent / "entityseg_panseg_maps_val"
    outer.mkdir()
    maps.rename(outer / "panoptic_maps_val")
    file.rename(file.with_name("entityseg_panseg_val.json"))
    (found,) = find_parts(tmp_path)
    assert found.maps == outer / "panoptic_maps_val"
    assert release.read(found.path).masks(1) == disjoint(["a", "b"]).masks(1)


def test_panoptic_names_that_the_release_would_mix_up_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"first dot.*panoptic\.name"):
        release.write(disjoint(["a.1.jpg", "a.2.jpg"]), tmp_path, split="panoptic_val")
    assert not (tmp_path / "annotations" / DATA_MD["panoptic_val"]).exists()


def test_semantic_lists_with_maps_under_both_names(tmp_path):
    from PIL import Image

    for name, maps in (
        ("train.txt", "semantic_maps_train"),
        ("entityseg_semseg_val.txt", "entityseg_semseg_maps_val/semantic_maps_val"),
    ):
        folder = tmp_path / "semantic_segmentation"
        (folder / maps).mkdir(parents=True)
        labels = np.full((6, 8), 255, np.uint8)
        labels[:3] = 4
        Image.fromarray(labels).save(folder / maps / "a.png")
        (folder / name).write_text("a.jpg a.png\n")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "train.txt").write_text("anything\n")
    readings = {one.split: one for one in release.readings(tmp_path)}
    assert list(readings) == ["semantic_train", "semantic_val"]
    for reading in readings.values():
        dataset = release.read(reading.path)
        assert dataset.category_ids.tolist() == [4]
        assert dataset.masks(0).areas.tolist() == [24]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"split": "test"}, "release.split"),
        ({"scheme": "v3"}, "release.scheme"),
        ({"split": "semantic_val"}, "release.semantic"),
        ({"x": 1}, "format.option"),
    ],
)
def test_senseless_targets(tmp_path, options, kind):
    with pytest.raises(UsageError, match=kind):
        release.write(disjoint(["a.jpg"]), tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_other_parts_stay_when_one_is_added(tmp_path):
    release.write(disjoint(["a.jpg"]), tmp_path, split="train")
    release.write(disjoint(["b.jpg"]), tmp_path, split="val")
    assert [one.split for one in release.readings(tmp_path)] == ["train", "val"]
    with pytest.raises(UsageError, match=r"target\.exists"):
        release.write(disjoint(["c.jpg"]), tmp_path, split="val")
