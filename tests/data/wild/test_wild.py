"""LVIS, OCID and FSS-1000 in trees written by hand: what is read, and what is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from entityseg.data.wild.fss import read_fss
from entityseg.data.wild.lvis import read_lvis
from entityseg.data.wild.ocid import read_ocid
from entityseg.errors import InputError, MissingFileError


def put_png(path: Path, values: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)
    return path


def test_ocid_drops_what_things_stand_on(tmp_path: Path) -> None:
    labels = [[0, 1, 2, 2], [0, 1, 3, 3]]
    put_png(tmp_path / "ARID20" / "table" / "top" / "seq01" / "label" / "a.png", labels)
    put_png(tmp_path / "ARID20" / "floor" / "top" / "seq02" / "label" / "b.png", labels)
    put_png(tmp_path / "YCB10" / "floor" / "top" / "mixed" / "seq03" / "label" / "c.png", labels)
    put_png(tmp_path / "ARID20" / "floor" / "top" / "notes" / "label" / "d.png", labels)
    dataset, files = read_ocid(tmp_path)
    assert [image.file_name for image in dataset.images] == [
        "ARID20/floor/top/seq02/rgb/b.png",
        "ARID20/table/top/seq01/rgb/a.png",
        "YCB10/floor/top/mixed/seq03/rgb/c.png",
    ]
    assert [one.masks.areas.tolist() for one in dataset] == [[2, 2], [2], [2, 2]]
    assert dataset.ids.tolist() == [1, 2, 3, 4, 5]
    assert [path.name for path in files] == ["b.png", "a.png", "c.png"]


def test_fss_takes_the_listed_classes_in_order(tmp_path: Path) -> None:
    for name in ("owl", "ant", "spare"):
        for number in (10, 2):
            put_png(tmp_path / "fewshot_data" / name / f"{number}.png", [[128, 129], [255, 0]])
    put_png(tmp_path / "fewshot_data" / "ant" / "3.png", np.full((2, 2, 3), [[[0] * 3, [200] * 3]], np.uint8))
    put_png(tmp_path / "fewshot_data" / "ant" / "4.png", [[0, 0], [0, 0]])
    (tmp_path / "fss_test_set.txt").write_text("owl\n\nant\n")
    dataset, files, classes = read_fss(tmp_path)
    names = [image.file_name.removeprefix("fewshot_data/") for image in dataset.images]
    assert names == ["owl/2.jpg", "owl/10.jpg", "ant/2.jpg", "ant/3.jpg", "ant/4.jpg", "ant/10.jpg"]
    assert [one.masks.areas.tolist() for one in dataset] == [[2], [2], [2], [2], [], [2]]
    assert (classes, len(files)) == (2, 7)


def lvis(**changes: Any) -> dict[str, Any]:
    image = {"id": 5, "coco_url": "http://x.org/train2017/000000000005.jpg", "height": 4, "width": 6}
    square = {"id": 1, "image_id": 5, "category_id": 3, "segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]]}
    category = {"id": 3, "name": "cup", "frequency": "r"}
    return {"images": [image], "annotations": [square], "categories": [category], **changes}


def test_lvis_takes_names_from_urls(tmp_path: Path) -> None:
    path = tmp_path / "lvis" / "lvis_v1_val.json"
    path.parent.mkdir()
    path.write_text(json.dumps(lvis()))
    dataset = read_lvis(path)
    assert dataset.images[0].file_name == "train2017/000000000005.jpg"
    assert dataset.image_root == tmp_path / "coco"
    assert dataset[0].masks.areas.tolist() == [4] and not dataset.iscrowd.any()
    assert read_lvis(path, tmp_path).image_root == tmp_path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, "`images`"),
        ({"images": [{"id": 5, "height": 4, "width": 6}]}, "file_name"),
        ({"annotations": {}}, "`annotations`"),
        ({"annotations": [{"id": 1, "image_id": 6, "category_id": 3, "segmentation": []}]}, "annotations.0."),
        ({"categories": [{"id": "3"}]}, "categories.0."),
    ],
)
def test_lvis_refuses(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "lvis_v1_val.json"
    path.write_text(json.dumps(lvis(**changes)))
    with pytest.raises(InputError, match=message):
        read_lvis(path)


def test_pictures_that_are_no_labels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no pictures label/\*.png"):
        read_ocid(tmp_path)
    label = tmp_path / "floor" / "seq01" / "label" / "a.png"
    put_png(label, np.dstack([np.zeros((2, 2)), np.ones((2, 2)), np.ones((2, 2))]))
    with pytest.raises(InputError, match="the channels differ"):
        read_ocid(tmp_path)
    label.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match="cannot be read"):
        read_ocid(tmp_path)


def test_fss_lists(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_fss(tmp_path)
    listed = tmp_path / "fss_test_set.txt"
    listed.write_text("\n")
    with pytest.raises(InputError, match="names of classes"):
        read_fss(tmp_path)
    listed.write_bytes(b"\xff\xfea")
    with pytest.raises(InputError, match="not UTF-8"):
        read_fss(tmp_path)
    listed.write_text("../../etc\n")
    with pytest.raises(InputError, match="not a path"):
        read_fss(tmp_path)
    listed.write_text("owl\nant\n")
    with pytest.raises(InputError) as caught:
        read_fss(tmp_path)
    assert caught.value.findings.errors == 2
