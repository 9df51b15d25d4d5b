from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entityseg.data import load
from entityseg.data.check import check_masks
from entityseg.data.compare import compare
from entityseg.data.formats import coco_panoptic
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.errors import InputError, MissingFileError, UsageError
from entityseg.masks import from_dense, to_dense


def rgb_ids(path: Path) -> np.ndarray:
    rgb = np.asarray(Image.open(path).convert("RGB")).astype(np.int64)
    return rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]


def write_rgb(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(np.uint8)
    Image.fromarray(rgb).save(path)


IDS = np.array([[0, 5, 5], [70000, 70000, 5]])


def tiny(folder: Path, change=None, ids: np.ndarray = IDS) -> Path:
    """A set of one image with segments 5 and 70000, after `change(json)`."""
    top = {
        "info": {"year": 2018},
        "images": [{"id": 1, "file_name": "a.jpg", "height": 2, "width": 3}],
        "annotations": [
            {
                "image_id": 1,
                "file_name": "a.png",
                "segments_info": [
                    {"id": 70000, "category_id": 1, "area": 2, "bbox": [0, 1, 2, 1], "iscrowd": 0},
                    {"id": 5, "category_id": 2, "area": 3, "bbox": [1, 0, 2, 2], "iscrowd": 1, "note": "n"},
                ],
            }
        ],
        "categories": [{"id": 1, "name": "cat", "isthing": 1}, {"id": 2, "name": "sky", "isthing": 0}],
    }
    if change:
        change(top)
    write_rgb(folder / "val" / "a.png", ids)
    (folder / "val.json").write_text(json.dumps(top))
    return folder / "val.json"


def test_tiny_by_hand(tmp_path):
    dataset = coco_panoptic.read(tiny(tmp_path))
    one = dataset[0]
    assert one.ids.tolist() == [70000, 5]
    assert one.iscrowd.tolist() == [False, True]
    assert to_dense(one.masks).astype(int).tolist() == [[[0, 0, 0], [1, 1, 0]], [[0, 1, 1], [0, 0, 1]]]
    assert one.extra_of(1) == {"note": "n"}
    assert [category.isthing for category in dataset.categories] == [True, False]
    assert dataset.info == {"info": {"year": 2018}}


def test_real_sample_is_what_coco_says(shared_data):
    folder = shared_data / "coco_panoptic_sample"
    dataset = load(folder / "panoptic_examples.json")
    stated = json.loads((folder / "panoptic_examples.json").read_text())["annotations"]
    assert len(dataset) == 2
    assert dataset.iscrowd.sum() == 3
    for record in stated:
        one = dataset.image(record["image_id"])
        ids = rgb_ids(folder / "panoptic_examples" / record["file_name"])
        dense = to_dense(one.masks)
        for row, segment in enumerate(record["segments_info"]):
            assert one.ids[row] == segment["id"]
            assert one.iscrowd[row] == segment["iscrowd"]
            assert one.masks.areas[row] == segment["area"]
            assert one.masks.boxes[row].tolist() == segment["bbox"]
            assert np.array_equal(dense[row], ids == segment["id"])


def test_real_sample_written_again(shared_data, tmp_path):
    folder = shared_data / "coco_panoptic_sample"
    dataset = load(folder / "panoptic_examples.json")
    coco_panoptic.write(dataset, tmp_path / "again.json")
    before = json.loads((folder / "panoptic_examples.json").read_text())
    after = json.loads((tmp_path / "again.json").read_text())
    assert after["annotations"] == before["annotations"]
    assert after["categories"] == before["categories"]
    assert {key: after[key] for key in ("info", "licenses", "images")} == {
        key: before[key] for key in ("info", "licenses", "images")
    }
    for record in before["annotations"]:
        written = rgb_ids(tmp_path / "again" / record["file_name"])
        assert np.array_equal(written, rgb_ids(folder / "panoptic_examples" / record["file_name"]))


def test_there_and_back(made, tmp_path):
    coco_panoptic.write(made.dataset, tmp_path / "set")
    again = load(tmp_path / "set", format="coco-panoptic")
    assert compare(made.dataset, again).lines() == []
    for one, id_map in zip(again, made.maps, strict=True):
        assert np.array_equal(rgb_ids(tmp_path / "set/panoptic" / f"{one.image.file_name[:-4]}.png"), id_map)


def test_threads_do_not_change_a_byte(made, tmp_path):
    for name, threads in (("one", 1), ("many", 4)):
        coco_panoptic.write(made.dataset, tmp_path / name, threads=threads)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 5
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "many" / file).read_bytes()


@pytest.mark.parametrize(
    ("file_name", "png", "folder"),
    [
        ("a.b.jpg", "a.b.png", "panoptic_maps_val"),
        ("a.b.jpg", "a.png", "panoptic_maps_val"),
        ("entity_01_11580/a.jpg", "a.png", "panoptic_maps_val"),
        ("a.JPG", "a.png", "entityseg_panseg_maps_val/panoptic_maps_val"),
        ("a.png", "a.png", "."),
    ],
)
def test_the_release_names_the_image(tmp_path, file_name, png, folder):
    file = tiny(tmp_path, lambda top: top["annotations"][0].update(file_name=file_name))
    target = file.with_name("entityv2_01_panoptic_val.json")
    file.rename(target)
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / "val" / "a.png").rename(tmp_path / folder / png)
    dataset = coco_panoptic.read(target)
    assert dataset.masks(0).areas.tolist() == [2, 3]
    [reading] = coco_panoptic.readings(tmp_path)
    assert (reading.format, reading.split, reading.path) == ("coco-panoptic", "val", target)


def test_string_ids_as_ade20k_has_them(tmp_path):
    def rename(top):
        top["images"][0]["id"] = top["annotations"][0]["image_id"] = "ADE_val_00000001"

    dataset = load(tiny(tmp_path, rename))
    assert dataset.image("ADE_val_00000001").masks.areas.tolist() == [2, 3]
    coco_panoptic.write(dataset, tmp_path / "again")
    assert compare(dataset, load(tmp_path / "again")).lines() == []


def segment(k, **values):
    return lambda top: top["annotations"][0]["segments_info"][k].update(values)


def record(**values):
    return lambda top: top["annotations"][0].update(values)


def drop(key):
    return lambda top: top["annotations"][0].pop(key)


@pytest.mark.parametrize(
    ("change", "kind", "place"),
    [
        (segment(0, id=0), "id.value", "annotations[0].segments_info[0]"),
        (segment(0, id=2**24), "id.value", "annotations[0].segments_info[0]"),
        (segment(1, id=70000), "id.duplicate", "annotations[0].segments_info[1]"),
        (segment(1, id="5"), "id.value", "annotations[0].segments_info[1]"),
        (segment(0, category_id=9), "category.unknown", "annotations[0].segments_info[0]"),
        (segment(0, category_id=None), "id.type", "annotations[0].segments_info[0]"),
        (segment(0, iscrowd=2), "iscrowd.value", "annotations[0].segments_info[0]"),
        (record(image_id=2), "image.unknown", "annotations[0]"),
        (record(image_id=[1]), "image.unknown", "annotations[0]"),
        (record(file_name="../a.png"), "file.name", "annotations[0]"),
        (record(file_name=7), "file.name", "annotations[0]"),
        (record(segments_info={}), "json.shape", "annotations[0]"),
        (drop("segments_info"), "key.missing", "annotations[0]"),
        (drop("image_id"), "key.missing", "annotations[0]"),
        (lambda top: top["annotations"].append(top["annotations"][0]), "id.duplicate", "annotations[1]"),
        (lambda top: top["annotations"].append(3), "record.type", "annotations[1]"),
        (lambda top: top.update(annotations={}), "json.shape", None),
        (lambda top: top["images"][0].update(height=0), "image.size", "images[0]"),
    ],
)
def test_malformed_json_is_named(tmp_path, change, kind, place):
    file = tiny(tmp_path, change)
    with pytest.raises(InputError) as error:
        coco_panoptic.read(file)
    found = {(finding.kind, finding.record) for finding in error.value.findings}
    assert (kind, place) in found
    assert all(finding.file == str(file) and finding.remedy for finding in error.value.findings)


def test_all_problems_are_listed(tmp_path):
    def many(top):
        top["annotations"][0]["segments_info"] = [{"id": 0, "category_id": 1}] * 30

    with pytest.raises(InputError) as error:
        coco_panoptic.read(tiny(tmp_path, many))
    assert error.value.findings.errors == 30
    assert len(list(error.value.findings)) == 20
    assert error.value.findings.more() == {"id.value": 10}


def test_png_and_json_must_agree_both_ways(tmp_path):
    ids = IDS.copy()
    ids[0, 0] = 9
    ids[ids == 70000] = 8
    file = tiny(tmp_path, ids=ids)
    findings = check_masks(coco_panoptic.read(file))
    assert sorted((one.kind, one.value) for one in findings if one.severity == "error") == [
        ("png.ids", "70000"),
        ("png.ids", "8"),
        ("png.ids", "9"),
    ]
    assert all(one.record == "a.png, annotations[0]" for one in findings)
    with pytest.raises(InputError, match="the PNG has no pixel of it"):
        load(file)


def test_area_that_is_not_the_masks_is_a_warning(tmp_path):
    dataset = load(tiny(tmp_path, segment(0, area=99)))
    [warning] = list(dataset.warnings)
    assert (warning.kind, warning.severity, warning.record) == (
        "area.differs",
        "warning",
        "image 1, annotation 70000",
    )
    coco_panoptic.write(dataset, tmp_path / "again")
    written = json.loads((tmp_path / "again/panoptic.json").read_text())
    assert written["annotations"][0]["segments_info"][0]["area"] == 2


@pytest.mark.parametrize("area", ["1e30", '"x"', "null", "[1]", "NaN"])
def test_area_that_is_no_number_is_passed_over(tmp_path, area):
    file = tiny(tmp_path, segment(0, area=4321))
    file.write_text(file.read_text().replace("4321", area))
    assert load(file).masks(0).areas.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda png: png.unlink(), "png.folder"),
        (lambda png: png.write_bytes(png.read_bytes()[:-20]), "png.damaged"),
        (lambda png: png.write_bytes(b"GIF89a"), "png.type"),
        (lambda png: write_rgb(png, np.tile(IDS, (2, 2))), "png.size"),
        (lambda png: write_rgb(png, IDS.T), "png.size"),
    ],
)
def test_bad_png_is_named(tmp_path, spoil, kind):
    file = tiny(tmp_path)
    spoil(tmp_path / "val" / "a.png")
    with pytest.raises(InputError) as error:
        load(file)
    [finding] = list(error.value.findings)
    assert finding.kind == kind
    assert str(tmp_path) in finding.file


def test_one_missing_png_of_two(made, tmp_path):
    coco_panoptic.write(made.dataset, tmp_path / "set")
    (tmp_path / "set/panoptic/photo.1.png").unlink()
    dataset = coco_panoptic.read(tmp_path / "set")
    assert len(dataset.masks(0)) == len(made.dataset.masks(0))
    with pytest.raises(InputError, match=r"photo\.1\.png: annotations\[1\]: there is no such PNG"):
        dataset.masks(1)


def test_image_without_a_record_is_empty_and_said(tmp_path):
    extra = {"id": 2, "file_name": "b.jpg", "height": 2, "width": 3}
    dataset = load(tiny(tmp_path, lambda top: top["images"].append(extra)))
    assert [len(one) for one in dataset] == [2, 0]
    assert [(one.kind, one.record) for one in dataset.warnings] == [("panoptic.no_record", "image 2")]


def test_folder_of_pngs_can_be_given(tmp_path):
    file = tiny(tmp_path)
    (tmp_path / "val").rename(tmp_path / "elsewhere")
    with pytest.raises(MissingFileError, match="looked in"):
        coco_panoptic.read(file)
    assert coco_panoptic.read(file, png_root=tmp_path / "elsewhere").masks(0).areas.tolist() == [2, 3]


def test_own_png_names_and_other_keys_of_a_record_survive(tmp_path):
    def change(top):
        top["annotations"][0].update(file_name="map_7.png", annotator="x")

    file = tiny(tmp_path, change)
    (tmp_path / "val/a.png").rename(tmp_path / "val/map_7.png")
    coco_panoptic.write(load(file), tmp_path / "again")
    written = json.loads((tmp_path / "again/panoptic.json").read_text())
    assert written["annotations"] == json.loads(file.read_text())["annotations"]
    assert written["images"] == json.loads(file.read_text())["images"]
    assert (tmp_path / "again/panoptic/map_7.png").is_file()


def two_squares(ids, *, apart=True, name="a.jpg") -> Dataset:
    masks = np.zeros((2, 4, 8), bool)
    masks[0, :, :4] = True
    masks[1, :, (4 if apart else 3) :] = True
    image = ImageRecord(1, name, 4, 8)
    one = AnnotatedImage(image, from_dense(masks), np.array(ids), np.array([1, 1]), np.zeros(2, bool))
    return Dataset.build([one], [Category(1, "x")])


@pytest.mark.parametrize("ids", [[1, 1], [0, 1], [5, 2**24], [-3, 4]])
def test_ids_that_no_pixel_can_have(tmp_path, ids):
    dataset = two_squares(ids)
    with pytest.raises(UsageError, match="renumber"):
        coco_panoptic.write(dataset, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    coco_panoptic.write(dataset, tmp_path / "set", renumber=True)
    again = load(tmp_path / "set")
    assert again.ids.tolist() == [1, 2]
    assert [one["original_id"] for one in again.source.extras(0)] == ids
    assert again.masks(0) == dataset.masks(0)


def test_overlap_and_empty_masks_are_refused(tmp_path):
    with pytest.raises(InputError, match="pixels"):
        coco_panoptic.write(two_squares([1, 2], apart=False), tmp_path / "set")
    image = ImageRecord(1, "a.jpg", 4, 8)
    nothing = from_dense(np.zeros((1, 4, 8), bool))
    one = AnnotatedImage(image, nothing, np.array([1]), np.array([1]), np.zeros(1, bool))
    with pytest.raises(InputError, match="image 1, annotation 1"):
        coco_panoptic.write(Dataset.build([one], [Category(1, "x")]), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_category_that_is_not_listed_is_refused(tmp_path):
    dataset = two_squares([1, 2])
    stranger = Dataset.build(list(dataset), [Category(5, "y")])
    with pytest.raises(InputError, match="does not list"):
        coco_panoptic.write(stranger, tmp_path / "set")


@pytest.mark.parametrize("target", ["set", "set.json"])
def test_targets_are_not_replaced_unless_asked(tmp_path, target):
    coco_panoptic.write(two_squares([1, 2]), tmp_path / target)
    with pytest.raises(UsageError, match="overwrite"):
        coco_panoptic.write(two_squares([3, 4]), tmp_path / target)
    assert load(tmp_path / target).ids.tolist() == [1, 2]
    coco_panoptic.write(two_squares([3, 4]), tmp_path / target, overwrite=True)
    assert load(tmp_path / target).ids.tolist() == [3, 4]


def test_names_that_leave_the_folder_are_not_followed(tmp_path):
    coco_panoptic.write(two_squares([1, 2], name="../../evil.jpg"), tmp_path / "in" / "set")
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["000000000001.png"]
    assert load(tmp_path / "in" / "set").ids.tolist() == [1, 2]


def test_same_stem_gets_two_pngs(tmp_path):
    images = [
        AnnotatedImage(
            ImageRecord(k, name, 4, 8), two_squares([1, 2]).masks(0), np.array([1, 2]) + k,
            np.array([1, 1]), np.zeros(2, bool),
        )
        for k, name in enumerate(["a.jpg", "a.JPEG", "A.jpg", "sub/a.jpg"])
    ]  # fmt: skip
    dataset = Dataset.build(images, [Category(1, "x")])
    coco_panoptic.write(dataset, tmp_path / "set")
    assert len(list(tmp_path.rglob("*.png"))) == 4
    assert compare(dataset, load(tmp_path / "set"), extras=False).lines() == []


def test_isthing_for_tools_that_need_it(tmp_path):
    coco_panoptic.write(two_squares([1, 2]), tmp_path / "with")
    coco_panoptic.write(two_squares([1, 2]), tmp_path / "without", isthing=False)
    assert load(tmp_path / "with").categories[0].isthing is True
    assert load(tmp_path / "without").categories[0].isthing is None
