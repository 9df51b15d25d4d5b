"""`doctor`: every kind of damage is named once, with the remedy; a whole tree has no findings."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from entityseg.data.doctor import examine
from entityseg.data.formats import coco_instances, entity, parquet, release
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.errors import MissingFileError, UsageError
from entityseg.masks import RunLengths, from_dense, from_id_map

NAMES = ("a.jpg", "b.jpg")
SIZE = (120, 160)


def covering(names=NAMES, size=SIZE) -> Dataset:
    made = []
    for k, name in enumerate(names):
        id_map = np.ones(size, np.uint8)
        id_map[20:70, 30:90] = 2
        ids, masks = from_id_map(id_map)
        made.append(
            AnnotatedImage(
                ImageRecord(k, name, *size), masks, ids + 2 * k, np.array([1, 2]), np.zeros(2, bool)
            )
        )
    return Dataset.build(made, [Category(1, "sky", False), Category(2, "man", True)])


def save(path, size=SIZE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size[1], size[0]), (30, 90, 200)).save(path, **options)


def kinds(report):
    return sorted({finding.kind for finding in report.findings})


@pytest.fixture
def tree(tmp_path):
    """An entity file with its two images."""
    entity.write(covering(), tmp_path / "set.json")
    for name in NAMES:
        save(tmp_path / name)
    return tmp_path


def test_a_whole_set_has_no_findings(tree):
    report = examine(tree)
    assert report.clean and report.exit_code == 0
    assert report.datasets[0]["images_found"] == 2
    assert report.datasets[0]["mean_coverage"] == 1.0
    assert report.lines()[-1] == "nothing is wrong"
    assert json.loads(json.dumps(report.to_json()))["errors"] == 0


def test_missing_image(tree):
    (tree / "a.jpg").unlink()
    report = examine(tree)
    assert kinds(report) == ["images.missing"]
    assert "1 of 2 images are missing" in report.lines()[2]
    assert report.exit_code == 1


def test_misplaced_and_renamed(tree):
    (tree / "other").mkdir()
    (tree / "a.jpg").rename(tree / "other" / "a.jpg")
    (tree / "b.jpg").rename(tree / "b.JPEG")
    assert kinds(examine(tree)) == ["images.moved", "images.renamed"]


def test_ambiguous(tree):
    (tree / "x").mkdir()
    (tree / "y").mkdir()
    shutil.copy(tree / "a.jpg", tree / "x" / "a.jpg")
    (tree / "a.jpg").rename(tree / "y" / "a.jpg")
    assert kinds(examine(tree)) == ["images.ambiguous"]


@pytest.mark.parametrize(
    ("size", "exif", "kind", "word"),
    [
        ((160, 120), None, "image.swapped", "swapped"),
        ((160, 120), 6, "image.exif", "after turning"),
        ((120, 160), 6, "image.exif", "viewers turn it"),
        ((60, 80), None, "image.resolution", "low-resolution image with high-resolution annotations"),
        ((480, 640), None, "image.resolution", "high-resolution image with low-resolution annotations"),
        ((100, 160), None, "image.size", "another picture"),
    ],
)
def test_sizes(tree, size, exif, kind, word):
    options = {}
    if exif:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = exif
    save(tree / "a.jpg", size, **options)
    report = examine(tree)
    assert kinds(report) == [kind]
    assert word in str(next(iter(report.findings)))


def test_cut_and_unreadable_images(tree):
    data = (tree / "a.jpg").read_bytes()
    (tree / "a.jpg").write_bytes(data[:-30])
    (tree / "b.jpg").write_bytes(b"no picture")
    assert kinds(examine(tree)) == ["image.cut", "image.unreadable"]


def masks_report(tmp_path, dense, **changes):
    n = len(dense)
    image = ImageRecord(4, "a.jpg", *dense.shape[1:])
    one = AnnotatedImage(
        image, from_dense(dense), np.arange(11, 11 + n), np.ones(n, np.int64), np.zeros(n, bool)
    )
    entity.write(Dataset.build([one], [Category(1, "a")]), tmp_path / "set.json")
    save(tmp_path / "a.jpg", dense.shape[1:])
    return examine(tmp_path, **changes)


def test_overlap_names_pairs_and_pixels(tmp_path):
    dense = np.zeros((3, 20, 20), bool)
    dense[0] = True
    dense[1, :4, :5] = True
    dense[2, 3:6, :5] = True
    report = masks_report(tmp_path, dense)
    (finding,) = report.findings
    assert finding.kind == "mask.overlap"
    assert finding.record == "image 4 (a.jpg)"
    for words in (
        "11 and 12 share 20 pixels",
        "11 and 13 share 15 pixels",
        "12 and 13 share 5 pixels",
        "35 pixels in all",
    ):
        assert words in finding.message
    assert report.datasets[0]["images_with_overlap"] == 1


def test_uncovered_and_empty(tmp_path):
    dense = np.zeros((2, 20, 20), bool)
    dense[0, :, :19] = True
    report = masks_report(tmp_path, dense)
    assert kinds(report) == ["mask.empty", "mask.uncovered"]
    assert "95.00%" in " ".join(report.lines())
    assert kinds(examine(tmp_path, min_coverage=0.9)) == ["mask.empty"]
    assert examine(tmp_path, quick=True).clean
    assert "mean_coverage" not in examine(tmp_path, quick=True).datasets[0]


def edit(path, change):
    top = json.loads(path.read_text())
    change(top)
    path.write_text(json.dumps(top))


def test_areas_that_are_the_boxes(tree):
    def boxes(top):
        for record in top["annotations"]:
            record["area"] = record["bbox"][2] * record["bbox"][3]

    edit(tree / "set.json", boxes)
    report = examine(tree)
    assert kinds(report) == ["area.differs"]
    assert "areas of the boxes" in next(iter(report.findings)).message


def test_duplicate_ids_unknown_categories_and_bad_masks(tree):
    def repeat_an_id(top):
        top["annotations"][0]["segmentation"]["counts"] = good
        top["annotations"][1]["id"] = top["annotations"][0]["id"]

    good = json.loads((tree / "set.json").read_text())["annotations"][0]["segmentation"]["counts"]
    edit(tree / "set.json", lambda top: top["annotations"][0].update(category_id=77))
    assert kinds(examine(tree)) == ["category.unknown"]
    edit(tree / "set.json", lambda top: top["annotations"][0]["segmentation"].update(counts="0"))
    assert "rle.total" in kinds(examine(tree))
    edit(tree / "set.json", repeat_an_id)
    report = examine(tree)
    assert "id.duplicate" in kinds(report)
    assert report.datasets[0]["readable"] is False
    assert any("cannot be read" in line for line in report.lines())


def release_tree(root):
    """A release with all of its parts for one image a subset."""
    subsets = {"01": "entity_01_1", "02": "entity_02_1", "03": "entity_03_1"}
    for tree_name, size in (("images", SIZE), ("images_lr", (60, 80))):
        for subset, folder in subsets.items():
            save(root / tree_name / folder / f"{subset}.jpg", size)
    full = [f"{folder}/{subset}.jpg" for subset, folder in subsets.items()]
    parts = {"train": covering(full), "val": covering(full), "train_lr": covering(full, (60, 80))}
    parts["val_lr"] = parts["train_lr"]
    parts |= {f"train_{subset}": covering([f"{subset}.jpg"]) for subset in subsets}
    for half in ("train", "val"):
        parts[f"instance_{half}"] = parts[f"panoptic_{half}"] = covering(["01.jpg"])
    release.write_tree(parts, root)
    for half in ("train", "val"):
        folder = root / "annotations" / "semantic_segmentation"
        (folder / f"semantic_maps_{half}").mkdir(parents=True)
        Image.new("L", (SIZE[1], SIZE[0]), 3).save(folder / f"semantic_maps_{half}" / "01.png")
        (folder / f"{half}.txt").write_text("01.jpg 01.png\n")


def test_a_whole_release_has_no_findings_and_tells_of_the_panoptic_names(tmp_path):
    release_tree(tmp_path)
    report = examine(tmp_path)
    assert report.findings.lines() == []
    assert len(report.datasets) == 13
    assert [note for note in report.notes if "file_name names the image (01.jpg)" in note] == report.notes
    assert len(report.notes) == 2


def test_what_a_release_lacks_is_listed_with_its_source(tmp_path):
    release_tree(tmp_path)
    shutil.rmtree(tmp_path / "images_lr")
    shutil.rmtree(tmp_path / "annotations" / "instance_segmentation")
    (tmp_path / "images" / "entity_02_1" / "02.jpg").unlink()
    report = examine(tmp_path, quick=True)
    text = "\n".join(report.lines())
    assert kinds(report) == ["images.missing", "release.annotations", "release.count", "release.images"]
    assert "instance_train" in text and "entityseg_insseg_val.json" in text
    assert "Adobe Research License" in text and "qqlu1992/Adobe_EntitySeg" in text
    assert "should hold 1 images by its name and holds 0" in text


def test_images_alone_are_told_what_is_missing(tmp_path):
    save(tmp_path / "images" / "entity_01_1" / "a.jpg")
    report = examine(tmp_path)
    assert report.datasets == []
    assert [finding.kind for finding in report.findings].count("release.annotations") == 13


def test_archive_folders_and_low_resolution_maps(tmp_path):
    release_tree(tmp_path)
    folder = tmp_path / "images" / "entity_03_1"
    (folder / "images_03_1").mkdir()
    (folder / "03.jpg").rename(folder / "images_03_1" / "03.jpg")
    maps = tmp_path / "annotations" / "semantic_segmentation" / "semantic_maps_val"
    Image.new("L", (80, 60), 3).save(maps / "01.png")
    report = examine(tmp_path)
    assert kinds(report) == ["images.archive", "map.size"]
    assert "move them there" in "\n".join(report.lines())


@pytest.mark.parametrize("module", [coco_instances, parquet])
def test_other_formats(tmp_path, module):
    module.write(covering(), tmp_path / "set")
    for name in NAMES:
        save(tmp_path / "set" / name)
    assert examine(tmp_path / "set").clean


def test_limits(tmp_path):
    release_tree(tmp_path)
    report = examine(tmp_path, split="val")
    assert [one["split"] for one in report.datasets] == ["val"]
    with pytest.raises(UsageError, match=r"load\.split"):
        examine(tmp_path, split="test")


def test_linked_folders_count_and_hidden_files_do_not(tmp_path):
    release_tree(tmp_path)
    folder = tmp_path / "images" / "entity_03_1"
    folder.rename(tmp_path / "disk")
    folder.mkdir()
    (folder / "images_03_1").symlink_to(tmp_path / "disk")
    (tmp_path / "images" / "entity_02_1" / "._02.jpg").write_bytes(b"x")
    assert kinds(examine(tmp_path)) == ["images.archive"]


def test_images_that_come_later_are_found(tmp_path):
    entity.write(covering(), tmp_path / "set.json")
    assert kinds(examine(tmp_path)) == ["images.missing"]
    for name in NAMES:
        save(tmp_path / "deep" / name)
    assert kinds(examine(tmp_path)) == ["images.moved"]


@pytest.mark.parametrize("annotations", [5, {"segments_info": 1}, [{"segments_info": 1}, 3]])
def test_a_broken_panoptic_part_is_said(tmp_path, annotations):
    file = tmp_path / "entityseg_panseg_val.json"
    file.write_text(json.dumps({"images": [], "annotations": annotations}))
    report = examine(file, format="entityseg-release")
    assert report.findings.errors and report.datasets[0]["readable"] is False and report.notes == []


def test_a_file_of_another_name_read_as_the_release(tree):
    report = examine(tree / "set.json", format="entityseg-release")
    assert [one["readable"] for one in report.datasets] == [True]


def test_nothing_to_examine(tmp_path):
    with pytest.raises(UsageError, match=r"load\.nothing"):
        examine(tmp_path)
    with pytest.raises(MissingFileError):
        examine(tmp_path / "none")


def test_many_findings_are_counted(tmp_path):
    names = [f"{k}.jpg" for k in range(30)]
    made = [
        AnnotatedImage(
            ImageRecord(k, name, 8, 8),
            RunLengths((8, 8), [0, 8], [0, 2]),
            np.array([k]),
            np.array([1]),
            np.array([False]),
        )
        for k, name in enumerate(names)
    ]
    entity.write(Dataset.build(made, [Category(1, "a")]), tmp_path / "set.json")
    report = examine(tmp_path)
    assert report.to_json()["not_shown"] == {"mask.uncovered": 10}
    assert report.findings.warnings == 30
    assert [finding.kind for finding in report.findings].count("images.missing") == 1
