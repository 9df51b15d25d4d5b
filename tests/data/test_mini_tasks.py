"""The mini dataset of all tasks on disk: the real sets' layouts, texts that are true, the same bytes again."""

import hashlib
import json
import pickle
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entityseg.data import find_image, find_readings, load
from entityseg.data.doctor import examine
from entityseg.data.grounding.grefcoco import read_grefcoco
from entityseg.data.grounding.png import read_png
from entityseg.data.grounding.reasonseg import read_reasonseg
from entityseg.data.grounding.refer import read_refer
from entityseg.data.mini.categories import CATEGORIES
from entityseg.data.mini.clips import film
from entityseg.data.mini.task_scenes import read_scenes
from entityseg.data.mini.write import write_mini
from entityseg.data.mini.write_clips import tubes
from entityseg.data.mini.write_reasoning import inner_outlines
from entityseg.data.mini.write_tasks import SET_FOLDERS, write_mini_tasks
from entityseg.data.video.vipseg import read_vipseg
from entityseg.data.video.ytvis import read_ytvis
from entityseg.errors import Findings, UsageError
from entityseg.masks import from_coco, from_dense, from_polygons, iou_matrix, to_dense

N = 12
NAMES = {one["name"] for one in CATEGORIES}


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mini") / "set"
    write_mini(folder, seed=0, scenes=N, jobs=2)
    write_mini_tasks(folder)
    return folder


@pytest.fixture(scope="module")
def tasks(mini):
    return mini / "tasks"


@pytest.fixture(scope="module")
def scenes(mini):
    return {scene.image_id: scene for scene in read_scenes(mini)}


def read(path):
    return json.loads(Path(path).read_text("utf-8"))


def ids_of(path):
    with Image.open(path) as png:
        rgb = np.asarray(png.convert("RGB")).astype(np.int64)
    return rgb @ (1, 256, 65536)


def mask_of(record, size):
    shape = record["segmentation"]
    return from_coco([shape], size) if isinstance(shape, dict) else from_polygons([shape], size)


def numbers_of_annotations(instances, scenes):
    """Annotation id -> the scene's entity whose mask is most alike, which must be so at IoU > 0.9."""
    found = {}
    for image in instances["images"]:
        scene = scenes[image["id"]]
        own = [one for one in instances["annotations"] if one["image_id"] == image["id"]]
        for one in own:
            ious = iou_matrix(mask_of(one, scene.masks.size), scene.masks)[0]
            assert ious.max() > 0.9
            found[one["id"]] = scene.items[int(ious.argmax())].number
        assert len({found[one["id"]] for one in own}) == len(own)
    return found


def digest(folder):
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        whole.update(str(path.relative_to(folder)).encode())
        whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.hexdigest()


# An independent reading of the expressions: the words against what `scenes.json` says, without the grammar.
_ORDER = {"leftmost": ("x", 1), "rightmost": ("x", -1), "topmost": ("y", 1), "lowest": ("y", -1)}
_SIZE = {"largest": -1, "smallest": 1}
_PLACE = {"left": ("x", -1), "right": ("x", 1), "top": ("y", -1), "bottom": ("y", 1)}
_SIDE = {"to the left of": ("x", -1), "to the right of": ("x", 1), "above": ("y", -1), "below": ("y", 1)}
_PARENT = {"of": "part of", "on": "on", "in": "in", "in front of": "in front of"}
_PLURALS = {
    "person": "people",
    "child": "children",
    "leaf": "leaves",
    "shelf": "shelves",
    "nucleus": "nuclei",
    "hills": "hills",
}
_COLOURS = "red|orange|yellow|green|turquoise|blue|purple|pink|black|white|grey|brown|olive|beige"
_PHRASE = re.compile(
    r"(?:the|an?) (?:(leftmost|rightmost|topmost|lowest|largest|smallest|second|third) )?"
    rf"(?:(striped|chequered|speckled|veined) )?(?:({_COLOURS}) )?(\w+?)"
    r"(?: from the left)?(?: (?:in|on|at) the ((?:top|bottom)? ?(?:left|right)?|top|bottom))?"
    r"(?: (to the left of|to the right of|above|below|of|on|in front of|in) ((?:the|an?) .+))?"
)


def entities(scene, words):
    """Entities of a scene that a phrase fits, judged from its words alone."""
    match = _PHRASE.fullmatch(words)
    assert match, words
    rank, texture, colour, word, place, relation, other = match.groups()
    seen = {number: row for row, number in enumerate(one.number for one in scene.items)}

    def called(item):
        name = item.category.removesuffix("_ot")
        return word in (name, _PLURALS.get(name, f"{name}s"), f"{name}es")

    found = [one for one in scene.items if called(one)]
    found = [one for one in found if not colour or one.colours[0] == colour]
    found = [one for one in found if not texture or one.texture == texture]
    for side in (place or "").split():
        axis, sign = _PLACE[side]
        found = [one for one in found if sign * (getattr(one, axis) - 0.5) > 0]
    if relation in _SIDE:
        axis, sign = _SIDE[relation]
        (anchor,) = entities(scene, other)
        at = getattr(scene.items[seen[anchor]], axis)
        found = [one for one in found if one.number != anchor and sign * (getattr(one, axis) - at) > 0]
    elif relation:
        (anchor,) = entities(scene, other)
        found = [one for one in found if one.parent == anchor and one.relation == _PARENT[relation]]
    if rank in _ORDER:
        axis, sign = _ORDER[rank]
        found = sorted(found, key=lambda one: sign * getattr(one, axis))[:1]
    elif rank in _SIZE:
        found = sorted(found, key=lambda one: _SIZE[rank] * int(scene.masks.areas[seen[one.number]]))[:1]
    elif rank:
        found = sorted(found, key=lambda one: one.x)[{"second": 1, "third": 2}[rank] :][:1]
    return {one.number for one in found}


def test_the_release_reads_as_before(mini):
    assert len(find_readings(mini)) == 13
    report = examine(mini)
    assert report.findings.lines() == []
    assert len(report.datasets) == 13
    told = read(mini / "tasks" / "tasks.json")
    assert sorted(told["sets"]) == sorted(SET_FOLDERS)
    folders = sorted(path.name for path in (mini / "tasks").iterdir() if path.is_dir())
    assert folders == sorted(SET_FOLDERS)


def test_all_json_and_pictures_open(tasks):
    kinds = Counter(path.suffix for path in tasks.rglob("*") if path.is_file())
    assert set(kinds) == {".jpg", ".png", ".json", ".p", ".txt"}
    for path in tasks.rglob("*.json"):
        assert read(path)
    for path in [*tasks.rglob("*.jpg"), *tasks.rglob("*.png")]:
        with Image.open(path) as picture:
            picture.load()


@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_coco(tasks, scenes, split):
    annotations = tasks / "coco" / "annotations"
    panoptic = read(annotations / f"panoptic_{split}.json")
    classes = {one["id"]: one for one in panoptic["categories"]}
    for image, record in zip(panoptic["images"], panoptic["annotations"], strict=True):
        assert (tasks / "coco" / split / f"{image['id']:012d}.jpg").is_file()
        ids = ids_of(annotations / f"panoptic_{split}" / record["file_name"])
        assert ids.shape == (image["height"], image["width"])
        areas = dict(zip(*(one.tolist() for one in np.unique(ids, return_counts=True)), strict=True))
        areas.pop(0, None)
        assert areas == {one["id"]: one["area"] for one in record["segments_info"]}
        crowds = Counter(one["category_id"] for one in record["segments_info"] if one["iscrowd"])
        assert all(classes[k]["isthing"] and count == 1 for k, count in crowds.items())
    for name in ("panoptic", "instances"):
        dataset = load(annotations / f"{name}_{split}.json")
        assert dataset.warnings.lines() == []
        assert all(find_image(dataset, image) for image in dataset.images)
    instances = load(annotations / f"instances_{split}.json")
    both = load(annotations / f"panoptic_{split}.json")
    for one, segments in zip(instances, both, strict=True):
        things = np.array([bool(classes[k]["isthing"]) for k in segments.category_ids.tolist()])
        assert one.iscrowd.tolist() == segments.iscrowd[things].tolist()
        ious = [iou_matrix(a, b)[0, 0] for a, b in zip(one.masks, segments.masks[things], strict=True)]
        assert min(ious, default=1) > 0.9


def test_some_crowds_and_void(tasks):
    found = Counter()
    for split in ("train2017", "val2017"):
        for one in load(tasks / "coco" / "annotations" / f"panoptic_{split}.json"):
            found["crowd"] += int(one.iscrowd.sum())
            found["void"] += one.masks.pixels - int(one.masks.areas.sum())
            found["large ids"] += int((one.ids > 65535).sum())
    assert min(found.values()) > 0


@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_narratives(tasks, scenes, split):
    annotations = tasks / "png" / "annotations"
    panoptic = {one["image_id"]: one for one in read(annotations / f"panoptic_{split}.json")["annotations"]}
    number_words = dict(
        zip(
            ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
            range(2, 11),
            strict=True,
        )
    )
    narratives = read(annotations / f"png_coco_{split}.json")
    told = 0
    for one in narratives:
        assert set(one) == {"image_id", "caption", "segments"}
        assert " ".join(part["utterance"] for part in one["segments"]) == one["caption"]
        assert one["caption"].endswith(".")
        record = panoptic[int(one["image_id"])]
        segments = {str(part["id"]): part for part in record["segments_info"]}
        scene = scenes[int(one["image_id"])]
        for part in one["segments"]:
            assert set(part) == {"utterance", "segment_ids", "noun", "plural"}
            assert set(part["segment_ids"]) <= set(segments)
            assert part["noun"] or not part["segment_ids"]
            words = part["utterance"].split()
            crowd = any(segments[k]["iscrowd"] for k in part["segment_ids"])
            if part["segment_ids"] and words[0] in number_words and not crowd:
                assert len(part["segment_ids"]) == number_words[words[0]]
                if "of" not in words:
                    fit = entities(scene, f"the {' '.join(words[1:])}")
                    assert len(fit) >= number_words[words[0]]
                    told += 1
    assert told > 3
    truth = read_png(annotations / f"png_coco_{split}.json")
    assert truth.warnings.lines() == []
    assert all(phrase.span is not None for one in truth.narratives for phrase in one.phrases)
    assert all((annotations.parent / "images" / split / f"{k:012d}.jpg").is_file() for k in truth.image_ids)


def test_narratives_have_all_kinds_of_phrases(tasks):
    found = Counter()
    for split in ("train2017", "val2017"):
        truth = read_png(tasks / "png" / "annotations" / f"png_coco_{split}.json")
        for one in truth.narratives:
            kinds = dict(zip(*(v.tolist() for v in _columns(truth.panoptic, one.image_id)), strict=True))
            for phrase in one.nouns:
                found["plural" if len(phrase.segment_ids) > 1 else "singular"] += 1
                things = {truth.panoptic.category_of[kinds[k]].isthing for k in phrase.segment_ids}
                found["mixed" if len(things) == 2 else "thing" if True in things else "stuff"] += 1
        raw = read(tasks / "png" / "annotations" / f"png_coco_{split}.json")
        found["no grounding"] += sum(
            p["noun"] and not p["segment_ids"] for one in raw for p in one["segments"]
        )
        if split == "val2017":
            assert max(Counter(one["image_id"] for one in raw).values()) == 2
    assert all(found[k] > 5 for k in ("singular", "plural", "thing", "stuff", "no grounding")), found
    assert found["mixed"] > 0


def _columns(dataset, image_id):
    one = dataset.image(image_id)
    return one.ids, one.category_ids


@pytest.mark.parametrize(
    ("name", "split_by", "splits"),
    [
        ("refcoco", "unc", ("train", "val", "testA", "testB")),
        ("refcoco+", "unc", ("train", "val", "testA", "testB")),
        ("refcocog", "umd", ("train", "val", "test")),
    ],
)
def test_every_expression_is_of_one_entity(tasks, scenes, name, split_by, splits):
    folder = tasks / "refer_seg" / name
    data = (folder / f"refs({split_by}).p").read_bytes()
    assert data[:2] == b"\x80\x02"  # Protocol 2.
    refs = pickle.loads(data)
    instances = read(folder / "instances.json")
    numbers = numbers_of_annotations(instances, scenes)
    categories = {one["id"]: one["category_id"] for one in instances["annotations"]}
    pictures = tasks / "refer_seg" / "images" / "mscoco" / "images" / "train2014"
    assert all((pictures / one["file_name"]).is_file() for one in instances["images"])
    sentence_ids = [k for ref in refs for k in ref["sent_ids"]]
    assert sentence_ids == list(range(len(sentence_ids)))
    assert [ref["ref_id"] for ref in refs] == list(range(len(refs)))
    needed = Counter()
    for ref in refs:
        assert categories[ref["ann_id"]] == ref["category_id"]
        assert ref["sent_ids"] == [one["sent_id"] for one in ref["sentences"]]
        scene = scenes[ref["image_id"]]
        target = numbers[ref["ann_id"]]
        own = next(item for item in scene.items if item.number == target)
        for one in ref["sentences"]:
            assert one["tokens"] == one["sent"].split()
            assert entities(scene, one["sent"]) == {target}
            place = re.search(r"left|right|top|bottom|lowest|above|below|from the", one["sent"])
            needed["place" if place else "attribute"] += 1
            # The noun alone would not do.
            assert sum(item.category == own.category for item in scene.items) > 1 or own.category in (
                "crane", "person", "ship", "boat", "bush", "shell", "bird", "truck", "car", "object_ot", "animal_ot",
                "building_ot",
            )  # fmt: skip
    if name == "refcoco+":
        assert needed["place"] == 0
    assert needed["attribute" if name == "refcoco+" else "place"] > 20
    for split in splits:
        truth = read_refer(folder, split, check_counts=False)
        assert truth.warnings.lines() == []
        halves = {scenes[k].half for k in truth.image_ids}
        assert halves == {"train" if split == "train" else "val"}


def test_expressions_for_several_and_for_nothing(tasks, scenes):
    folder = tasks / "refer_seg" / "grefcoco"
    refs = read(folder / "grefs(unc).json")
    numbers = numbers_of_annotations(read(folder / "instances.json"), scenes)
    kinds = Counter()
    for ref in refs:
        scene = scenes[ref["image_id"]]
        assert len(ref["ann_id"]) == len(ref["category_id"]) == len(set(ref["ann_id"]))
        target = set() if ref["ann_id"] == [-1] else {numbers[k] for k in ref["ann_id"]}
        kinds[min(len(target), 2)] += 1
        for one in ref["sentences"]:
            parts = one["sent"].split(" and ")
            assert set().union(*(entities(scene, part) for part in parts)) == target
    assert min(kinds[0], kinds[1], kinds[2]) > 5
    for split in ("train", "val", "testA", "testB"):
        assert read_grefcoco(folder, split).warnings.lines() == []


def test_questions(tasks, scenes):
    by_name = {scene.name: scene for scene in scenes.values()}
    found = Counter()
    for split in ("train", "val", "test"):
        truth = read_reasonseg(tasks / "ReasonSeg" / split)
        assert truth.images
        assert truth.excluded == ()
        for one in truth.images:
            scene = by_name[one.name.rsplit("_", 1)[0]]
            assert scene.half == ("train" if split == "train" else "val")
            assert one.size == scene.masks.size
            found[one.is_sentence] += 1
            found["ignore"] += any(shape.ignore for shape in one.shapes)
            target, ignored = (to_dense(mask)[0] for mask in one.masks())
            # The answer is all entities of some categories, whose names the text does not have.
            covered = [float(target[to_dense(mask)[0]].mean()) for mask in scene.masks]
            chosen = [k for k, share in enumerate(covered) if share > 0.5]
            names = {scene.items[k].category for k in chosen}
            assert {k for k, item in enumerate(scene.items) if item.category in names} == set(chosen)
            assert not names & set(" ".join(one.texts).lower().split())
            truth_mask = to_dense(scene.masks[chosen]).any(0)
            kept = ~ignored
            assert (target & truth_mask & kept).sum() / ((target | truth_mask) & kept).sum() > 0.9
    assert found[True] > 2
    assert found[False] > 2
    train = read(tasks / "ReasonSeg" / "explanatory" / "train.json")
    assert all((tasks / "ReasonSeg" / "train" / one["image"]).is_file() for one in train)
    assert all(set(one) == {"image", "query", "outputs"} for one in train)


def test_inner_outlines_fill_to_the_mask():
    from PIL import ImageDraw

    rng = np.random.default_rng(0)
    for _ in range(20):
        dense = np.kron(rng.random((6, 7)) < 0.6, np.ones((5, 4), bool))
        canvas = Image.new("1", dense.shape[::-1])
        draw = ImageDraw.Draw(canvas)
        for points in inner_outlines(from_dense(dense[None])):
            draw.polygon([tuple(point) for point in points], fill=1, outline=1)
        filled = np.asarray(canvas)
        polygons = from_polygons([[np.array(p).ravel() for p in _corners(dense)]], dense.shape)
        assert (filled == to_dense(polygons)[0]).all()


def _corners(dense):
    from entityseg.masks import to_polygons

    return to_polygons(from_dense(dense[None]))[0]


def test_open_vocabulary_has_unseen_names(tasks, scenes):
    root = tasks / "ADEChallengeData2016"
    panoptic = read(root / "ade20k_panoptic_val.json")
    names = [one["name"] for one in panoptic["categories"]]
    trained = {
        one["name"] for one in read(tasks / "coco" / "annotations" / "panoptic_train2017.json")["categories"]
    }
    assert not set(names) & (trained | NAMES)
    assert [one["id"] for one in panoptic["categories"]] == list(range(len(names)))
    lines = (root / "mini_vocabulary.txt").read_text().splitlines()
    assert [line.split(":")[1].split(",")[0] for line in lines] == ["invalid_class_id", *names]
    for image, record in zip(panoptic["images"], panoptic["annotations"], strict=True):
        assert image["id"] == record["image_id"] == Path(image["file_name"]).stem
        assert re.fullmatch(r"ADE_val_\d{8}", image["id"])
        assert (root / "images" / "validation" / image["file_name"]).is_file()
        assert scenes[int(image["id"][-8:])].half == "val"
        ids = ids_of(root / "ade20k_panoptic_val" / record["file_name"])
        assert set(np.unique(ids).tolist()) - {0} == {one["id"] for one in record["segments_info"]}
        assert not any(one["iscrowd"] for one in record["segments_info"])
    assert len(load(root / "ade20k_panoptic_val.json")) == len(load(root / "ade20k_instance_val.json"))


def test_small_sets_of_themes(tasks):
    folders = sorted((tasks / "seginw").iterdir())
    assert len(folders) >= 5
    for folder in folders:
        file = folder / "valid" / "_annotations_min1cat.coco.json"
        data = read(file)
        for key in ("images", "annotations", "categories"):
            assert [one["id"] for one in data[key]] == list(range(len(data[key])))
            assert data[key]
        assert not {one["name"] for one in data["categories"]} & NAMES
        dataset = load(file)
        assert dataset.warnings.lines() == []
        assert all(find_image(dataset, image) for image in dataset.images)


def test_federated_labels(tasks, scenes):
    data = read(tasks / "lvis" / "lvis_v1_val.json")
    counted = Counter(one["category_id"] for one in data["annotations"])
    for one in data["categories"]:
        assert one["instance_count"] == counted[one["id"]]
        assert one["frequency"] in "rcf"
    for image in data["images"]:
        scene = scenes[image["id"]]
        assert (tasks / "coco" / "/".join(image["coco_url"].split("/")[-2:])).is_file()
        own = Counter(one["category_id"] for one in data["annotations"] if one["image_id"] == image["id"])
        there = Counter(item.category_id for item in scene.items)
        assert not set(image["neg_category_ids"]) & set(there)
        for category_id, count in own.items():
            partly = category_id in image["not_exhaustive_category_ids"]
            assert count < there[category_id] if partly else count == there[category_id]
    for one in data["annotations"]:
        scene = scenes[one["image_id"]]
        assert iou_matrix(mask_of(one, scene.masks.size), scene.masks).max() > 0.9


def test_label_pictures(tasks):
    labels = sorted((tasks / "OCID-dataset").rglob("label/*.png"))
    assert len(labels) >= 6
    for path in labels:
        with Image.open(path) as png:
            assert png.mode == "L"
            values = np.unique(np.asarray(png)).tolist()
            size = png.size
        with Image.open(path.parents[1] / "rgb" / path.name) as picture:
            assert picture.size == size
        assert re.fullmatch(r"seq\d\d", path.parents[1].name)
        assert path.parents[3].name in ("floor", "table")
        # At least one thing beside what it stands on.
        assert max(values) >= (3 if path.parents[3].name == "table" else 2)


def test_few_shot_and_camouflaged(tasks):
    names = (tasks / "FSS-1000" / "fss_test_set.txt").read_text().split()
    root = tasks / "FSS-1000" / "fewshot_data"
    assert sorted(path.name for path in root.iterdir()) == names
    assert len(names) >= 8
    for path in root.rglob("*.png"):
        with Image.open(path) as mask, Image.open(path.with_suffix(".jpg")) as picture:
            assert mask.size == picture.size == (224, 224)
            assert set(np.unique(np.asarray(mask)).tolist()) == {0, 255}
    camouflaged = load(tasks / "CAMO++" / "instances_test.json")
    assert camouflaged.warnings.lines() == []
    assert all(find_image(camouflaged, image) for image in camouflaged.images)


def test_thin_structures(tasks):
    intricacy = []
    for name in ("DIS-VD", "DIS-TE1", "DIS-TE2", "DIS-TE3", "DIS-TE4"):
        found = sorted((tasks / "DIS5K" / name / "gt").glob("*.png"))
        assert found
        assert [path.stem for path in found] == [
            path.stem for path in sorted((tasks / "DIS5K" / name / "im").glob("*.jpg"))
        ]
        values = []
        for path in found:
            with Image.open(path) as gt, Image.open(path.parents[1] / "im" / f"{path.stem}.jpg") as im:
                assert gt.size == im.size
                assert gt.mode == "L"
                mask = np.asarray(gt)
            assert set(np.unique(mask).tolist()) == {0, 255}
            on = np.pad(mask > 0, 1)
            inner = on[1:-1, :-2] & on[1:-1, 2:] & on[:-2, 1:-1] & on[2:, 1:-1]
            edge = int((on[1:-1, 1:-1] & ~inner).sum())
            values.append(edge**2 / int((mask > 0).sum()))
        intricacy.append(np.mean(values))
    assert intricacy[1] < intricacy[4]
    assert min(intricacy) > 4 * np.pi  # A disc's.


@pytest.mark.parametrize(
    ("json_path", "frames"),
    [
        ("ytvis_2019/train.json", "ytvis_2019/train/JPEGImages"),
        ("ytvis_2019/valid.json", "ytvis_2019/valid/JPEGImages"),
        ("UVO/UVO_video_train_dense.json", "UVO/uvo_videos_dense_frames"),
        ("UVO/UVO_video_val_dense.json", "UVO/uvo_videos_dense_frames"),
    ],
)
def test_tubes(tasks, json_path, frames):
    data = read(tasks / json_path)
    lengths = {one["id"]: one for one in data["videos"]}
    known = {one["id"] for one in data["categories"]}
    covered = {k: np.zeros((v["length"], v["height"], v["width"]), int) for k, v in lengths.items()}
    for video in data["videos"]:
        assert 6 <= video["length"] == len(video["file_names"]) <= 10
        assert max(video["height"], video["width"]) == 480
        for name in video["file_names"]:
            with Image.open(tasks / frames / name) as frame:
                assert frame.size == (video["width"], video["height"])
    nulls = 0
    for one in data["annotations"]:
        video = lengths[one["video_id"]]
        assert one["category_id"] in known
        assert len(one["segmentations"]) == len(one["areas"]) == len(one["bboxes"]) == video["length"]
        for t, (shape, area, box) in enumerate(
            zip(one["segmentations"], one["areas"], one["bboxes"], strict=True)
        ):
            assert (shape is None) == (area is None) == (box is None)
            if shape is None:
                nulls += 1
                continue
            mask = from_coco([shape], (video["height"], video["width"]))
            assert mask.areas[0] == area > 0
            assert mask.boxes[0].tolist() == box
            covered[one["video_id"]][t] += to_dense(mask)[0]
    assert nulls > 0
    assert all(one.max() == 1 for one in covered.values())
    found = Findings(str(tasks / json_path))
    truth = read_ytvis(tasks / json_path)
    assert sum(len(truth.tubes(k, found).masks) for k in range(len(truth.videos))) == len(data["annotations"])
    assert found.lines() == truth.warnings.lines() == []


@pytest.mark.parametrize("half", ["train", "val"])
def test_video_partitions(tasks, half):
    base = tasks / "VIPSeg" / "VIPSeg_720P"
    data = read(base / f"panoptic_gt_VIPSeg_{half}.json")
    assert [one["id"] for one in data["categories"]] == list(range(len(data["categories"])))
    assert (base / f"{half}.txt").read_text().split() == [one["video_id"] for one in data["videos"]]
    for video, record in zip(data["videos"], data["annotations"], strict=True):
        assert video["video_id"] == record["video_id"]
        category = {}
        lives = Counter()
        for image, frame in zip(video["images"], record["annotations"], strict=True):
            assert image["id"] == frame["image_id"]
            assert (base / "images" / video["video_id"] / image["file_name"]).is_file()
            ids = ids_of(base / "panomasksRGB" / video["video_id"] / frame["file_name"])
            assert ids.shape == (image["height"], image["width"])
            areas = dict(zip(*(one.tolist() for one in np.unique(ids, return_counts=True)), strict=True))
            areas.pop(0, None)
            assert areas == {one["id"]: one["area"] for one in frame["segments_info"]}
            for one in frame["segments_info"]:
                assert category.setdefault(one["id"], one["category_id"]) == one["category_id"]
                lives[one["id"]] += 1
        assert max(lives.values()) == len(video["images"])
    truth = read_vipseg(base / f"panoptic_gt_VIPSeg_{half}.json")
    found = Findings(str(base))
    decoded = [truth.decode(k, found) for k in range(len(truth.videos))]
    assert found.lines() == []
    assert all(len(one.ids) > 1 for one in decoded)


def test_clips_show_what_they_say(scenes):
    moved = 0
    for scene in list(scenes.values())[:6]:
        clip = film(scene, np.random.default_rng(3))
        numbers = {item.number for item in scene.every}
        assert 6 <= len(clip.frames) <= 10
        for frame in clip.frames:
            assert frame.picture.shape == (*frame.numbers.shape, 3)
            assert set(np.unique(frame.numbers).tolist()) <= numbers | {0}
        still = [t for t in tubes(clip) if t.item.number not in clip.moving and t.item.isthing]
        moving = [t for t in tubes(clip) if t.item.number in clip.moving]
        whole = [t for t in (*still, *moving) if None not in t.masks and t.largest > 100]
        moved += bool(moving)
        assert whole
    assert moved >= 4


def test_equal_seeds_give_equal_bytes(mini, tasks, tmp_path):
    kept = tasks.rename(tmp_path / "kept")
    try:
        found = []
        for k, seed in enumerate((0, 0, 1)):
            write_mini_tasks(mini, seed=seed, scenes=6)
            found.append(digest(tasks))
            tasks.rename(tmp_path / str(k))
        assert found[0] == found[1] != found[2]
    finally:
        kept.rename(tasks)


def test_refused_and_nothing_half_made(mini, tasks, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"mini\.tasks"):
        write_mini_tasks(mini)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"mini\.missing"):
        write_mini_tasks(tmp_path / "empty")
    kept = tasks.rename(tmp_path / "kept")
    try:
        with pytest.raises(UsageError, match=r"mini\.scenes"):
            write_mini_tasks(mini, scenes=5)
        monkeypatch.setattr("entityseg.data.mini.write_tasks.write_clips", broken)
        with pytest.raises(ZeroDivisionError):
            write_mini_tasks(mini, scenes=6)
        assert sorted(path.name for path in mini.iterdir()) == [
            "LICENSE.txt", "annotations", "images", "images_lr", "scenes.json",
        ]  # fmt: skip
    finally:
        kept.rename(tasks)


def broken(*_args):
    raise ZeroDivisionError
