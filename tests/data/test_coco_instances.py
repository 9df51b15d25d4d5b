"""COCO instances: what is written comes back, pycocotools reads it, and bad input is named."""

import json
import tracemalloc

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from entityseg.data.coco_write import write_coco
from entityseg.data.formats import coco_instances
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, from_dense, to_dense


@pytest.mark.parametrize("encoding", ["rle", "counts"])
def test_comes_back_whole(rich, same, tmp_path, encoding):
    coco_instances.write(rich, tmp_path / "a.json", encoding=encoding)
    same(coco_instances.read(tmp_path / "a.json"), rich)


@pytest.mark.parametrize("encoding", ["rle", "counts", "polygons"])
def test_pycocotools_reads_it(rich, tmp_path, encoding):
    coco_instances.write(rich, tmp_path / "a.json", encoding=encoding)
    coco = COCO(str(tmp_path / "a.json"))
    for one in rich:
        dense = to_dense(one.masks)
        for row, annotation_id in enumerate(one.ids.tolist()):
            record = coco.anns[annotation_id]
            assert record["area"] == dense[row].sum()
            if encoding != "polygons":
                np.testing.assert_array_equal(coco.annToMask(record), dense[row])
                box = coco_mask.toBbox(coco.annToRLE(record)).tolist()
                assert record["bbox"] == box


def test_polygons_lose_holes_and_nothing_else_of_a_plain_shape(tmp_path):
    dense = np.zeros((3, 30, 40), bool)
    dense[0, 5:20, 6:30] = True
    dense[1, 5:20, 6:30] = True
    dense[1, 9:12, 9:14] = False
    image = ImageRecord(1, "a.jpg", 30, 40)
    crowd = np.array([False, False, True])
    one = AnnotatedImage(image, from_dense(dense), np.arange(1, 4), np.ones(3, np.int64), crowd)
    coco_instances.write(Dataset.build([one], [Category(1, "a")]), tmp_path / "p.json", encoding="polygons")
    records = json.loads((tmp_path / "p.json").read_text())["annotations"]
    assert isinstance(records[0]["segmentation"], list)
    assert isinstance(records[2]["segmentation"], dict), "a crowd (here an empty one) stays run-length"
    back = to_dense(coco_instances.read(tmp_path / "p.json").masks(0))
    assert (back[0] ^ dense[0]).sum() <= 2 * (15 + 24), "at most the outline may differ"
    assert back[1, 9:12, 9:14].all()
    assert not coco_instances.holds_of("polygons").holes
    assert coco_instances.holds_of("counts").holes


def test_bytes_do_not_depend_on_threads(rich, tmp_path):
    texts = []
    for threads in (1, 3):
        path = tmp_path / f"{threads}.json"
        coco_instances.write(rich, path, threads=threads)
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]


def test_refuses_to_replace_unless_asked(rich, tmp_path):
    coco_instances.write(rich, tmp_path)
    before = (tmp_path / "annotations.json").read_bytes()
    with pytest.raises(UsageError, match=r"target\.exists"):
        coco_instances.write(rich, tmp_path)
    with pytest.raises(UsageError, match=r"coco\.encoding"):
        coco_instances.write(rich, tmp_path, encoding="png", overwrite=True)
    with pytest.raises(UsageError, match=r"format\.option"):
        coco_instances.write(rich, tmp_path, colour="red", overwrite=True)
    assert (tmp_path / "annotations.json").read_bytes() == before
    coco_instances.write(rich.rebuild([]), tmp_path, overwrite=True)
    assert len(coco_instances.read(tmp_path)) == 0


class Failing:
    """Masks of which those of image 3 cannot be read."""

    def __init__(self, base):
        self.base = base

    def masks(self, index):
        if index == 3:
            raise InputError([])
        return self.base.masks(index)

    def extras(self, index):
        return self.base.extras(index)


def test_an_error_on_the_way_leaves_nothing(rich, tmp_path):
    from dataclasses import replace

    with pytest.raises(InputError):
        coco_instances.write(replace(rich, source=Failing(rich.source)), tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


class Counting:
    """The same masks for every image, with a count of the images."""

    def __init__(self, masks):
        self.one = masks

    def masks(self, index):
        return self.one

    def extras(self, index):
        return ()


def test_writing_keeps_no_records_in_memory(tmp_path):
    n, per_image = 400, 50
    masks = RunLengths((100, 100), np.tile([0, 100], per_image), np.arange(per_image + 1) * 2)
    rows = n * per_image
    dataset = Dataset(
        tuple(ImageRecord(i, f"{i}.jpg", 100, 100) for i in range(n)), (Category(1, "a"),),
        np.arange(n + 1) * per_image, np.arange(rows), np.ones(rows, np.int64), np.zeros(rows, bool),
        Counting(masks),
    )  # fmt: skip
    with open(tmp_path / "a.json", "wb") as file:
        tracemalloc.start()
        write_coco(dataset, file, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (tmp_path / "a.json").stat().st_size > 2_000_000
    assert peak < 500_000


def test_readings_go_by_content(rich, tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "val2017").mkdir()
    coco_instances.write(rich, tmp_path / "annotations" / "instances_val2017.json")
    (tmp_path / "annotations" / "predictions.json").write_text('[{"segmentation": 1}]')
    (tmp_path / "annotations" / "other.json").write_text('{"words": []}')
    (tmp_path / "annotations" / "panoptic.json").write_text(
        '{"images": [], "annotations": [{"segments_info": []}]}'
    )
    (found,) = coco_instances.readings(tmp_path)
    assert (found.split, found.image_root) == ("val2017", tmp_path / "val2017")
    wrong = tmp_path / "without_extension"
    wrong.write_bytes(found.path.read_bytes())
    assert coco_instances.readings(wrong)[0].path == wrong
