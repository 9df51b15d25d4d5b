from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from entityseg.data import load
from entityseg.data.compare import compare
from entityseg.data.formats import idmap
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.errors import InputError, MissingFileError, UsageError
from entityseg.masks import from_dense


def test_there_and_back(made, tmp_path):
    idmap.write(made.dataset, tmp_path / "set")
    again = load(tmp_path / "set")
    assert compare(made.dataset, again).lines() == []
    for one, id_map in zip(again, made.maps, strict=True):
        pixels = np.asarray(Image.open(tmp_path / "set/maps" / f"{one.image.file_name[:-4]}.png"))
        assert pixels.dtype == np.uint16
        expected = np.zeros_like(id_map)
        for row, entity_id in enumerate(one.ids):
            expected[id_map == entity_id] = row + 1
        assert np.array_equal(pixels, expected)


def test_keys_that_are_called_like_ours_come_back(tmp_path):
    extra = {"map": "town", "entities": 3, "place": "x"}
    image = AnnotatedImage(
        ImageRecord(1, "a.jpg", 1, 2, extra), from_dense(np.array([[[True, False]]])), np.array([5]),
        np.array([1]), np.zeros(1, bool), [{"value": "dear", "note": 2}],
    )  # fmt: skip
    dataset = Dataset.build([image], [Category(1, "x")])
    idmap.write(dataset, tmp_path / "set")
    again = load(tmp_path / "set")
    assert dict(again.images[0].extra) == extra
    assert dict(again[0].extra_of(0)) == {"value": "dear", "note": 2}
    assert compare(dataset, again).lines() == []


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=6),
    st.integers(0, 2**32 - 1),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_any_partition_comes_back(tmp_path_factory, ids, seed, height, width):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(ids) + 2, (height, width))
    dense = np.stack([labels == k for k in range(len(ids))]) if ids else np.zeros((0, height, width), bool)
    one = AnnotatedImage(
        ImageRecord("name", "x.jpg", height, width),
        from_dense(dense),
        np.array(ids, np.int64),
        np.full(len(ids), -5),
        rng.integers(0, 2, len(ids)) > 0,
        [{"score": float(k)} for k in range(len(ids))],
    )
    dataset = Dataset.build([one], [Category(-5, "x")])
    folder = tmp_path_factory.mktemp("idmap") / "set"
    idmap.write(dataset, folder)
    assert compare(dataset, load(folder)).lines() == []


def test_more_than_65535_entities_take_rgb(tmp_path):
    n = 65540
    rows = np.arange(n)
    from entityseg.masks import RunLengths

    masks = RunLengths((n, 2), np.stack([rows * 2, rows * 2 + 1], 1).reshape(-1), np.arange(n + 1) * 2)
    one = AnnotatedImage(
        ImageRecord(1, "x.jpg", n, 2), masks, rows + 1, np.ones(n, np.int64), np.zeros(n, bool)
    )
    idmap.write(Dataset.build([one], [Category(1, "x")]), tmp_path / "set")
    with Image.open(tmp_path / "set/maps/x.png") as image:
        assert image.mode == "RGB"
    assert load(tmp_path / "set").masks(0) == masks


def spoiled(folder, made, change):
    idmap.write(made.dataset, folder)
    index = json.loads((folder / "index.json").read_text())
    change(index)
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def entity(**values):
    return lambda index: index["images"][0]["entities"][0].update(values)


@pytest.mark.parametrize(
    ("change", "kind", "place"),
    [
        (entity(value=0), "idmap.value", "images[0].entities[0]"),
        (entity(value=2), "idmap.value", "images[0].entities[1]"),
        (entity(value=None), "id.type", "images[0].entities[0]"),
        (entity(id=1.5), "id.type", "images[0].entities[0]"),
        (entity(category_id=77), "category.unknown", "images[0].entities[0]"),
        (entity(iscrowd="no"), "iscrowd.value", "images[0].entities[0]"),
        (lambda index: index["images"][1].update(entities=None), "json.shape", "images[1]"),
        (lambda index: index["images"][1].update(map="/etc/x.png"), "file.name", "images[1].map"),
        (lambda index: index["images"][0]["entities"].insert(0, 4), "record.type", "images[0].entities[0]"),
        (lambda index: index.update({"entityseg-idmap": {"format": "idmap@9"}}), "idmap.version", None),
    ],
)
def test_malformed_index_is_named(made, tmp_path, change, kind, place):
    folder = spoiled(tmp_path / "set", made, change)
    with pytest.raises(InputError) as error:
        idmap.read(folder)
    assert (kind, place) in [(finding.kind, finding.record) for finding in error.value.findings]


def test_map_and_index_must_agree(made, tmp_path):
    folder = spoiled(tmp_path / "set", made, entity(value=99))
    with pytest.raises(InputError) as error:
        load(folder)
    assert sorted((one.kind, one.value) for one in error.value.findings) == [
        ("png.ids", "1"),
        ("png.ids", "99"),
    ]


def test_unfinished_set_is_none(made, tmp_path):
    idmap.write(made.dataset, tmp_path / "set")
    (tmp_path / "set/index.json").unlink()
    with pytest.raises(MissingFileError):
        idmap.read(tmp_path / "set")
    with pytest.raises(UsageError, match="no dataset was found"):
        load(tmp_path / "set")


def test_overlap_is_refused_and_leaves_nothing(tmp_path):
    dense = np.ones((2, 3, 3), bool)
    one = AnnotatedImage(
        ImageRecord(1, "x.jpg", 3, 3),
        from_dense(dense),
        np.array([1, 2]),
        np.array([1, 1]),
        np.zeros(2, bool),
    )
    with pytest.raises(InputError, match="9 pixels"):
        idmap.write(Dataset.build([one], [Category(1, "x")]), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_maps_are_not_taken_for_images(made, tmp_path):
    from entityseg.data.images import find_image

    idmap.write(made.dataset, tmp_path / "set")
    dataset = load(tmp_path / "set")
    assert find_image(dataset, dataset.images[0]) is None
