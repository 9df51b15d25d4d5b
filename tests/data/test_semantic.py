from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from entityseg.data import load
from entityseg.data.compare import compare
from entityseg.data.formats import semantic
from entityseg.data.formats._semantic_list import split_line
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.errors import InputError, MissingFileError, UsageError
from entityseg.masks import from_dense, to_dense

LABELS = np.array([[0, 0, 255], [2, 1, 1]], np.uint8)


def release(folder, labels=LABELS, line="a.jpg a.png", categories=None):
    """A list `val.txt` with one map in the release's folder."""
    maps = folder / "semantic_maps_val"
    maps.mkdir(parents=True)
    Image.fromarray(labels).save(maps / "a.png")
    (folder / "val.txt").write_text(line + "\n")
    if categories is not None:
        (folder / "categories.json").write_text(json.dumps({"categories": categories}))
    return folder / "val.txt"


THREE = [{"id": 0, "name": "wall"}, {"id": 1, "name": "sky"}, {"id": 2, "name": "wall"}]


def test_by_hand(tmp_path):
    dataset = load(release(tmp_path, categories=THREE))
    one = dataset[0]
    assert (one.image.file_name, one.image.size) == ("a.jpg", (2, 3))
    assert one.category_ids.tolist() == [0, 1, 2]
    assert one.ids.tolist() == [1, 2, 3]
    dense = to_dense(one.masks)
    for row, label in enumerate([0, 1, 2]):
        assert np.array_equal(dense[row], label == LABELS)
    assert [category.name for category in dataset.categories] == ["wall", "sky", "wall"]


def test_without_categories_labels_are_named_by_number(tmp_path):
    dataset = load(release(tmp_path))
    assert [(one.id, one.name) for one in dataset.categories] == [
        (0, "class_0"),
        (1, "class_1"),
        (2, "class_2"),
    ]


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ([{"id": 5, "name": "x"}, {"id": 9, "name": "y"}, {"id": 7, "name": "z"}], [5, 9, 7]),
        ([{"id": 2, "name": "x"}, {"id": 1, "name": "y"}, {"id": 0, "name": "z"}], [0, 1, 2]),
        ([{"id": k, "name": "x", "label": 2 - k} for k in range(3)], [2, 1, 0]),
    ],
)
def test_which_category_a_label_is(tmp_path, categories, expected):
    dataset = load(release(tmp_path, categories=categories))
    # Rows are in the order of the labels 0, 1, 2.
    assert dataset.category_ids.tolist() == expected


def test_label_maps_of_16_bits_and_palettes(tmp_path):
    wide = LABELS.astype(np.uint16)
    wide[LABELS == 255] = 65535
    many = [{"id": k, "name": f"c{k}"} for k in range(300)]
    wide[0, 0] = 255
    dataset = load(release(tmp_path / "wide", wide, categories=many))
    assert dataset.category_ids.tolist() == [0, 1, 2, 255]
    file = release(tmp_path / "palette")
    image = Image.fromarray(LABELS, mode="L").convert("P")
    image.putdata(LABELS.reshape(-1).tolist())
    image.save(tmp_path / "palette/semantic_maps_val/a.png")
    assert load(file).masks(0).areas.tolist() == [2, 2, 1]


def test_other_label_to_ignore(tmp_path):
    dataset = semantic.read(release(tmp_path), ignore=0)
    assert dataset.category_ids.tolist() == [1, 2, 255]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("a.jpg a.png", ("a.jpg", "a.png")),
        ("my cat.jpg my cat.png", ("my cat.jpg", "my cat.png")),
        ("my cat.jpg 17.png", ("my cat.jpg", "17.png")),
        ("a.png a.PNG", ("a.png", "a.PNG")),
        ("d/a b.jpg m/a b.png", ("d/a b.jpg", "m/a b.png")),
        ("a.jpg", None),
        ("a.jpg a.jpg", None),
        (" a.png", None),
    ],
)
def test_lines(line, names):
    assert split_line(line) == names


def test_low_resolution_maps_with_high_resolution_images_are_said(tmp_path):
    file = release(tmp_path)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (9, 6)).save(tmp_path / "images/a.jpg")
    dataset = load(file)
    assert dataset.images[0].size == (2, 3)
    [warning] = list(dataset.warnings)
    assert (warning.kind, warning.record) == ("map.size", "line 1")
    assert "the map is 2 x 3, the image 6 x 9" in warning.message
    Image.new("RGB", (3, 2)).save(tmp_path / "images/a.jpg")
    assert list(load(file).warnings) == []


def test_maps_of_the_assets_are_nested(tmp_path):
    file = release(tmp_path)
    nested = tmp_path / "entityseg_semseg_maps_val"
    nested.mkdir()
    (tmp_path / "semantic_maps_val").rename(nested / "semantic_maps_val")
    file = file.rename(tmp_path / "entityseg_semseg_val.txt")
    [reading] = semantic.readings(tmp_path)
    assert (reading.split, reading.path) == ("val", file)
    assert semantic.read(file).n_annotations == 3


@pytest.mark.parametrize(
    ("line", "kind", "place"),
    [
        ("a.jpg", "list.line", "line 1"),
        ("a.jpg a.png\nb.jpg ../b.png", "file.name", "line 2"),
        ("a.jpg a.png\n\na.jpg a.png", "list.duplicate", "line 3"),
        ("a.jpg a.png\nb.jpg b.png", "png.missing", "line 2"),
    ],
)
def test_malformed_lists_are_named(tmp_path, line, kind, place):
    with pytest.raises(InputError) as error:
        semantic.read(release(tmp_path, line=line))
    assert [(one.kind, one.record) for one in error.value.findings] == [(kind, place)]


def test_malformed_maps_are_named(tmp_path):
    two = THREE[:2]
    with pytest.raises(InputError, match="labels are 0 to 1") as error:
        semantic.read(release(tmp_path / "label", categories=two))
    [finding] = list(error.value.findings)
    assert (finding.kind, finding.record, finding.value) == ("label.unknown", "line 1", "2")
    colour = np.zeros((2, 3, 4), np.uint8)
    with pytest.raises(InputError, match="holds no ids"):
        semantic.read(release(tmp_path / "colour", colour))
    file = release(tmp_path / "cut")
    path = tmp_path / "cut/semantic_maps_val/a.png"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="cut"):
        semantic.read(file)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\xff" * 40)
    with pytest.raises(InputError, match="more than the limit"):
        semantic.read(file)
    path.unlink()
    with pytest.raises(MissingFileError, match="looked in"):
        semantic.read(file)
    file.write_bytes(b"\xff\xfe\n")
    with pytest.raises(InputError, match="UTF-8"):
        semantic.read(file)


def partition(seed=0, images=3, ids=(3, 7, 9), first=1):
    """A dataset with one annotation a class, numbered as the format numbers them."""
    rng = np.random.default_rng(seed)
    annotated, total = [], first - 1
    for i in range(images):
        labels = rng.integers(0, len(ids) + 1, (8 + i, 11))
        n = len(ids) if i else 0
        masks = from_dense(np.stack([labels == k for k in range(len(ids))])[:n])
        rows = np.arange(total + 1, total + 1 + n)
        total += n
        image = ImageRecord(40 + i, f"a b/photo {i}.jpg", 8 + i, 11, {"license": 3})
        annotated.append(AnnotatedImage(image, masks, rows, np.array(ids[:n], np.int64), np.zeros(n, bool)))
    categories = [Category(one, f"c{one}", one > 3, extra={"color": [one]}) for one in ids]
    return Dataset.build(annotated, categories, info={"info": {"year": 2022}})


def test_there_and_back(tmp_path):
    dataset = partition()
    semantic.write(dataset, tmp_path / "set")
    again = load(tmp_path / "set")
    assert compare(dataset, again).lines() == []
    assert (tmp_path / "set/list.txt").read_text().splitlines()[0] == "a b/photo 0.jpg a_b/photo_0.png"
    assert np.asarray(Image.open(tmp_path / "set/maps/a_b/photo_0.png")).tolist() == [[255] * 11] * 8


def test_more_than_255_classes_take_16_bits(tmp_path):
    dataset = partition(ids=tuple(range(10, 311)), images=2)
    semantic.write(dataset, tmp_path / "set")
    with Image.open(tmp_path / "set/maps/a_b/photo_1.png") as image:
        assert image.mode == "I;16"
        # Nobody has the last label of the random map.
        assert set(np.unique(np.asarray(image))) <= {*range(301), 65535}
    full = dataset[1].select(dataset[1].masks.areas > 0)
    assert load(tmp_path / "set")[1].masks == full.masks


def test_annotations_of_a_class_are_joined(made, tmp_path):
    semantic.write(made.dataset, tmp_path / "set")
    again = load(tmp_path / "set")
    for one, before, id_map in zip(again, made.dataset, made.maps, strict=True):
        for row, category in enumerate(one.category_ids):
            wanted = np.isin(id_map, before.ids[before.category_ids == category])
            assert np.array_equal(to_dense(one.masks[row])[0], wanted)


def test_names_that_a_list_cannot_hold(tmp_path):
    for names in (["a\nb.jpg"], ["a.jpg", "a.jpg"], [" a.jpg"], [""], []):
        masks = from_dense(np.zeros((0, 2, 2), bool))
        none = np.empty(0, np.int64)
        images = [
            AnnotatedImage(ImageRecord(k, name, 2, 2), masks, none, none, none.astype(bool))
            for k, name in enumerate(names)
        ]
        with pytest.raises(UsageError, match=r"semantic\.names"):
            semantic.write(Dataset.build(images, []), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_targets_are_not_replaced_unless_asked(tmp_path):
    semantic.write(partition(0), tmp_path / "set")
    with pytest.raises(UsageError, match="overwrite"):
        semantic.write(partition(1), tmp_path / "set")
    semantic.write(partition(1), tmp_path / "set", overwrite=True)
    assert compare(partition(1), load(tmp_path / "set")).lines() == []
