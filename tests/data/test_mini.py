"""The mini dataset on disk: the release's layout, consistent in itself, the same bytes for the same seed."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entityseg.data import find_image, find_readings, load
from entityseg.data.doctor import examine
from entityseg.data.mini.categories import BLUR_ID, CATEGORIES, UNKNOWN_ID
from entityseg.data.mini.scene import Scene, SceneEntity
from entityseg.data.mini.write import share_out, write_mini
from entityseg.errors import UsageError
from entityseg.masks import are_disjoint, resize

N = 9


def small_scene(index: int, seed: int) -> Scene:
    """A quick scene in the shape of the real ones: a ground, an "unknown", a thing, and a thin line."""
    rng = np.random.default_rng([seed, index])
    height, width = 900 + 40 * index, 1100
    id_map = np.ones((height, width), np.uint16)
    id_map[100:300, 50:400] = 2
    id_map[400 : 500 + 10 * index, 500:900] = 3
    id_map[700, 10:1000] = 4
    stuff, thing = (
        next(c for c in CATEGORIES if c["type"] == kind and c["id"] not in (UNKNOWN_ID, BLUR_ID))
        for kind in ("stuff", "thing")
    )
    chosen = [stuff, CATEGORIES[UNKNOWN_ID], thing, thing]
    entities = tuple(
        SceneEntity(k, one["id"], one["name"], one["type"] == "thing", {"colour": "red", "number": k})
        for k, one in enumerate(chosen, start=1)
    )
    image = rng.integers(0, 255, (height, width, 1), np.uint8).repeat(3, 2) // 8 + 100
    return Scene(
        f"{index:03d}_plain", "textures", image, id_map, entities, {"look": "textures", "title": "a test"}
    )


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mini") / "set"
    write_mini(folder, seed=3, scenes=N, jobs=1, make=small_scene)
    return folder


def digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        whole.update(str(path.relative_to(folder)).encode())
        whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.hexdigest()


def test_doctor_finds_nothing(mini):
    report = examine(mini)
    assert report.findings.lines() == []
    assert len(report.datasets) == 13


def test_all_parts_load_without_warnings(mini):
    splits = [one.split for one in find_readings(mini)]
    assert len(splits) == 13
    for split in splits:
        dataset = load(mini, split=split)
        assert len(dataset.warnings) == 0
        assert all(find_image(dataset, image) for image in dataset.images)


def test_same_seed_same_bytes_whatever_the_processes(mini, tmp_path):
    write_mini(tmp_path / "again", seed=3, scenes=N, jobs=2, make=small_scene)
    assert digest(tmp_path / "again") == digest(mini)
    write_mini(tmp_path / "other", seed=4, scenes=N, jobs=1, make=small_scene)
    assert digest(tmp_path / "other") != digest(mini)


def test_subsets_and_halves(mini):
    folders = sorted(path.name for path in (mini / "images").iterdir())
    assert folders == ["entity_01_3", "entity_02_3", "entity_03_3"]
    train, val = load(mini, split="train"), load(mini, split="val")
    assert (len(train), len(val)) == (6, 3)
    names = {image.file_name for image in train.images} | {image.file_name for image in val.images}
    assert len(names) == N
    assert all("/" not in image.file_name for image in load(mini, split="train_02").images)
    # Ids start anew in each file, as in the release.
    assert load(mini, split="train_02").images[0].id == train.images[0].id == 1


def test_every_scene_has_one_place_and_looks_are_mixed():
    places = share_out(64, 0)
    assert [place.index for place in places] == list(range(64))
    for subset in ("01", "02", "03"):
        members = [place for place in places if place.subset == subset]
        assert len(members) in (21, 22)
        assert sum(place.half == "val" for place in members) == 5
        for half in ("train", "val"):
            assert {place.index % 3 for place in members if place.half == half} == {0, 1, 2}


def test_masks_are_the_scenes_in_both_resolutions(mini):
    high, low = load(mini, split="train"), load(mini, split="train_lr")
    for a, b in zip(high, low, strict=True):
        scene = small_scene(int(a.image.file_name[-13:-10]), 3)
        assert a.masks.areas.tolist() == [int((scene.id_map == k).sum()) for k in (1, 2, 3, 4)]
        assert are_disjoint(a.masks) and a.masks.areas.sum() == a.masks.pixels
        assert min(b.image.size) == 800 or max(b.image.size) == 1333
        kept = np.isin(a.ids, b.ids)
        assert b.masks == resize(a.masks, b.image.size)[kept]
        assert (resize(a.masks, b.image.size).areas[~kept] == 0).all()


def test_pictures_are_the_scenes(mini):
    for split in ("val", "val_lr"):
        dataset = load(mini, split=split)
        for image in dataset.images:
            with Image.open(find_image(dataset, image)) as picture:
                assert picture.size[::-1] == image.size
                scene = small_scene(int(image.file_name[-13:-10]), 3)
                assert abs(np.asarray(picture).mean() - scene.image.mean()) < 2


def test_class_aware_parts_leave_out_unknown_and_blur(mini):
    high = load(mini, split="train_01")
    instances, panoptic = load(mini, split="instance_train"), load(mini, split="panoptic_train")
    semantic = load(mini, split="semantic_train")
    for index, one in enumerate(high):
        things = [high.category_of[c].isthing and c != UNKNOWN_ID for c in one.category_ids.tolist()]
        assert instances[index].masks == one.select(np.array(things)).masks
        classes = one.select(one.category_ids != UNKNOWN_ID)
        assert panoptic[index].masks == classes.masks
        assert panoptic[index].category_ids.tolist() == classes.category_ids.tolist()
        assert semantic[index].masks.areas.sum() == classes.masks.areas.sum()
        assert set(semantic[index].category_ids.tolist()) == set(classes.category_ids.tolist())
    assert {UNKNOWN_ID, BLUR_ID}.isdisjoint(panoptic.category_of)
    assert {UNKNOWN_ID, BLUR_ID} <= set(high.category_of)


def test_scenes_say_which_annotation_they_describe(mini):
    about = json.loads((mini / "scenes.json").read_text())
    assert about["seed"] == 3
    assert len(about["scenes"]) == N
    sets = {split: load(mini, split=split) for split in ("train", "val")}
    for scene in about["scenes"]:
        one = sets[scene["split"]].image(scene["image_id"])
        assert one.image.file_name == scene["file_name"]
        assert one.image.size == (scene["height"], scene["width"])
        assert one.ids.tolist() == [entity["annotation_id"] for entity in scene["entities"]]
        assert one.category_ids.tolist() == [entity["category_id"] for entity in scene["entities"]]
        assert scene["title"] == "a test"
        assert [entity["number"] for entity in scene["entities"]] == [1, 2, 3, 4]


def test_nothing_is_replaced_and_nothing_half_made(mini, tmp_path):
    with pytest.raises(UsageError, match=r"target\.exists"):
        write_mini(mini, scenes=N, jobs=1, make=small_scene)
    with pytest.raises(ZeroDivisionError):
        write_mini(tmp_path / "a", scenes=N, jobs=1, make=broken_scene)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="at least 4"):
        write_mini(tmp_path / "a", scenes=3)


def broken_scene(index: int, seed: int) -> Scene:
    if index == 5:
        raise ZeroDivisionError
    return small_scene(index, seed)
