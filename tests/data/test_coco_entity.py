from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from entityseg.data import load
from entityseg.data.coco_entity import entity_to_panoptic, keeps_segment_ids, panoptic_to_entity, write_compat
from entityseg.data.compare import compare
from entityseg.data.formats import coco_panoptic, get_format
from entityseg.data.records import Dataset
from entityseg.data.views import with_extras
from entityseg.errors import InputError
from entityseg.masks import from_coco, to_dense


@pytest.mark.parametrize("middle", ["entity", "coco-instances", "parquet"])
def test_real_images_come_back_segment_by_segment(shared_data, tmp_path, middle):
    source = shared_data / "coco_panoptic_sample" / "panoptic_examples.json"
    before = load(source)
    entities = panoptic_to_entity(before)
    get_format(middle).write(entities, tmp_path / "entity")
    read = load(tmp_path / "entity", format=middle)
    assert read.ids.tolist() == list(range(1, 51))
    assert read.iscrowd.sum() == 3
    assert [one["segment_id"] for i in range(2) for one in read.source.extras(i)] == before.ids.tolist()
    coco_panoptic.write(entity_to_panoptic(read), tmp_path / "again.json")
    after = load(tmp_path / "again.json")
    assert compare(before, after).lines() == []
    # And by eyes that are not ours: the pixels of the PNGs, and the segments of the JSON.
    for png in sorted((source.parent / "panoptic_examples").glob("*.png")):
        with Image.open(png) as a, Image.open(tmp_path / "again" / png.name) as b:
            assert np.array_equal(np.asarray(a), np.asarray(b))
    old, new = (json.loads(path.read_text())["annotations"] for path in (source, tmp_path / "again.json"))
    assert old == new


def repeat_ids(dataset: Dataset) -> Dataset:
    """Number the segments of each image from 1, so that ids repeat in the file."""
    ids = np.concatenate([np.arange(1, n + 1) for n in np.diff(dataset.offsets)])
    return with_extras(dataset, lambda index, records: records, ids=ids)


def test_ids_that_repeat_from_image_to_image(made):
    panoptic = repeat_ids(made.dataset)
    entities = panoptic_to_entity(panoptic)
    assert entities.ids.tolist() == list(range(1, panoptic.n_annotations + 1))
    assert keeps_segment_ids(entities)
    assert not keeps_segment_ids(panoptic)
    assert compare(panoptic, entity_to_panoptic(entities)).lines() == []


def test_way_back_without_segment_ids(made):
    assert entity_to_panoptic(made.dataset).ids.tolist() == made.dataset.ids.tolist()
    large = with_extras(made.dataset, lambda i, records: records, ids=made.dataset.ids + 2**24)
    first = entity_to_panoptic(large)
    assert first.ids[: first.rows(0).stop].tolist() == list(range(1, first.rows(0).stop + 1))


@pytest.mark.parametrize("bad", [0, 2**24, "7", None, True])
def test_segment_ids_that_no_pixel_can_have_are_not_used(made, bad):
    def spoil(index, records):
        return [{**record, "segment_id": 3 + k} for k, record in enumerate(records[:-1])] + [
            {"segment_id": bad} for _ in records[-1:]
        ]

    spoiled = with_extras(made.dataset, spoil)
    assert entity_to_panoptic(spoiled).ids.tolist() == made.dataset.ids.tolist()


def test_compat_has_the_published_quirks(made, tmp_path):
    write_compat(made.dataset, tmp_path / "entity_val2017.json")
    file = json.loads((tmp_path / "entity_val2017.json").read_text())
    kept = [(i, row) for i, one in enumerate(made.dataset) for row in range(len(one)) if not one.iscrowd[row]]
    assert made.dataset.iscrowd.any()
    assert [record["id"] for record in file["annotations"]] == list(range(len(kept)))
    assert [(one["id"], one["name"]) for one in file["categories"]] == [
        (0, "person"),
        (1, "sky"),
        (2, " folder"),
    ]
    contiguous = {3: 0, 7: 1, 9: 2}
    for record, (i, row) in zip(file["annotations"], kept, strict=True):
        one = made.dataset[i]
        y, x = np.nonzero(made.maps[i] == one.ids[row])
        x1, y1, x2, y2 = (int(v) for v in (x.min(), y.min(), x.max(), y.max()))
        assert record["bbox"] == [x1, y1, x2 - x1, y2 - y1]
        assert record["area"] == (y2 - y1) * (x2 - x1)
        assert record["iscrowd"] == 0
        assert record["image_id"] == one.image.id
        assert record["category_id"] == contiguous[int(one.category_ids[row])]
        assert np.array_equal(to_dense(from_coco([record["segmentation"]]))[0], made.maps[i] == one.ids[row])


def test_compat_of_the_real_sample(shared_data, tmp_path):
    source = load(shared_data / "coco_panoptic_sample" / "panoptic_examples.json")
    write_compat(source, tmp_path)
    file = json.loads((tmp_path / "annotations.json").read_text())
    assert len(file["annotations"]) == 47
    assert [one["id"] for one in file["categories"]] == list(range(133))
    read = load(tmp_path / "annotations.json")
    assert read.warnings.warnings == 47


def test_compat_needs_known_categories(made):
    fewer = Dataset.build(list(made.dataset), made.dataset.categories[:1])
    with pytest.raises(InputError, match="does not list"):
        panoptic_to_entity(fewer, compat=True)
