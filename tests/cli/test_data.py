import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entityseg.cli.main import run
from entityseg.data.formats import get_format
from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.masks import from_dense, from_id_map


def dataset(overlap=False):
    """Two images: four stripes, one of them with a hole, and two halves."""
    stripes = np.repeat([[1] * 5 + [2] * 5 + [3] * 5 + [4] * 5], 16, axis=0)
    stripes[4:6, 6:8] = 1
    halves = np.repeat([[1] * 6 + [2] * 6], 12, axis=0)
    made, next_id = [], 1
    for number, id_map in ((1, stripes), (2, halves)):
        ids, masks = from_id_map(id_map)
        if overlap:
            masks = from_dense(np.stack([id_map <= value for value in ids]))
        annotation_ids = np.arange(next_id, next_id + len(ids))
        next_id += len(ids)
        image = ImageRecord(number, f"pic{number}.png", *masks.size)
        made.append(AnnotatedImage(image, masks, annotation_ids, 1 + ids % 2, np.zeros(len(ids), bool)))
    categories = [Category(1, "sky", False, "nature"), Category(2, "house", True, "building")]
    return Dataset.build(made, categories, info={"info": {"license": "CC0-1.0"}})


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder with `val.json` and its images."""
    monkeypatch.chdir(tmp_path)
    get_format("entity").write(dataset(), Path("val.json"))
    for image in dataset().images:
        Image.new("RGB", (image.width, image.height), (200, 100, 50)).save(image.file_name)
    return tmp_path


@pytest.fixture
def cli(capsys):
    def call(*arguments):
        code = run(["data", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_info_as_text_and_json(here, cli):
    code, out, _ = cli("info", "val.json")
    assert code == 0 and "3.0 on average, 2.0 to 4.0" in out and "CC0-1.0" in out and "100.00 %" in out
    code, out, err = cli("info", "val.json", "--json")
    figures = json.loads(out)
    assert code == 0 and err == ""
    assert (figures["format"], figures["images"], figures["annotations"]) == ("entity", 2, 6)
    assert (figures["things"], figures["stuff"], figures["overlapping_images"]) == (3, 3, 0)
    assert figures["coverage"]["mean"] == 1.0 and figures["categories_used"] == 2


def test_info_lists_the_readings_where_there_are_several(here, cli):
    get_format("coco-instances").write(dataset(), here / "more" / "instances_train.json")
    get_format("coco-instances").write(dataset(), here / "more" / "instances_val.json")
    code, out, _ = cli("info", "more")
    assert code == 0 and "2 ways" in out and "train" in out and "val" in out
    listed = json.loads(cli("info", "more", "--json")[1])["readings"]
    assert [one["split"] for one in listed] == ["train", "val"]
    assert json.loads(cli("info", "more", "--split", "val", "--json")[1])["images"] == 2


def test_info_of_nothing_and_of_nonsense(here, cli):
    code, _, err = cli("info", "nowhere")
    assert code == 1 and "no such file" in err
    Path("bad.json").write_text('{"images": [], "annotations": [{"segmentation": 3')
    code, out, err = cli("info", "bad.json", "--json")
    assert code == 1 and json.loads(out)["errors"] >= 1 and "Traceback" not in err


def test_convert_to_panoptic_and_back_loses_nothing(here, cli):
    from entityseg import load
    from entityseg.data.compare import compare

    assert cli("convert", "val.json", "panoptic", "--to", "coco-panoptic")[0] == 0
    code, out, _ = cli("convert", "--from", "coco-panoptic", "--to", "entity", "panoptic", "back", "--json")
    assert code == 0 and json.loads(out)["lossless"] is True
    assert len(compare(load("val.json"), load("back"))) == 0


def test_convert_refuses_losses_and_says_what_they_are(here, cli):
    code, _, err = cli("convert", "val.json", "p.json", "--to", "coco-instances", "--encoding", "polygons")
    assert code == 2 and "holes" in err and not Path("p.json").exists()
    code, out, _ = cli(
        "convert", "val.json", "p.json", "--to", "coco-instances", "--encoding", "polygons", "--lossy"
    )
    assert code == 0 and "lost: 1 hole" in out
    code, out, _ = cli(
        "convert", "val.json", "p.json", "--to", "coco-instances", "--encoding", "polygons", "--lossy",
        "--overwrite", "--json",
    )  # fmt: skip
    assert code == 0 and json.loads(out)["masks"]["holes_lost"] == 1


def test_only_the_release_has_parts(here, cli):
    code, _, err = cli("convert", "val.json", "copy", "--to", "entity", "--part", "val")
    assert code == 2 and "--part" in err and "only the release has parts" in err and not Path("copy").exists()


def test_show_does_not_replace_the_image(here, cli):
    before = Path("pic1.png").read_bytes()
    code, _, err = cli("show", "val.json", "1", "-o", "pic1.png")
    assert code == 2 and "would replace the image" in err
    assert Path("pic1.png").read_bytes() == before


def test_convert_does_not_replace_unless_asked(here, cli):
    assert cli("convert", "val.json", "copy", "--to", "entity")[0] == 0
    code, _, err = cli("convert", "val.json", "copy", "--to", "entity")
    assert code == 2 and "--overwrite" in err
    assert cli("convert", "val.json", "copy", "--to", "entity", "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("which", "annotations", "categories"),
    [("things", 3, 1), ("stuff", 3, 1), ("top-1", 3, 1), ("top-1-pixels", 3, 1), ("2", 3, 1), ("1, 2", 6, 2)],
)
def test_subsets(here, cli, which, annotations, categories):
    from entityseg import load

    assert cli("convert", "val.json", "part", "--to", "entity", "--subset", which)[0] == 0
    part = load("part")
    assert (part.n_annotations, len(part.categories)) == (annotations, categories)


@pytest.mark.parametrize("which", ["bottom-3", "top-", "top-x", "-1", "", "1,,2", "9" * 30])
def test_subsets_that_there_are_not(here, cli, which):
    code, _, err = cli("convert", "val.json", "part", "--to", "entity", f"--subset={which}")
    assert code == 2 and "--subset" in err and not Path("part").exists()


def test_agnostic_and_back(here, cli):
    from entityseg import load
    from entityseg.data.compare import compare

    assert cli("convert", "val.json", "one", "--to", "entity", "--agnostic")[0] == 0
    assert [category.name for category in load("one").categories] == ["entity"]
    assert cli("convert", "one", "many", "--to", "entity", "--class-aware")[0] == 0
    assert len(compare(load("val.json"), load("many"), extras=False)) == 0


def test_low_resolution_with_images(here, cli):
    from entityseg import load

    get_format("entity").write(_large(), here / "large.json")
    Image.new("RGB", (2000, 1000)).save("large.png")
    code, _, _ = cli(
        "convert", "large.json", "lr", "--to", "entity", "--low-resolution", "--images-out", "small"
    )
    assert code == 0 and load("lr").images[0].size == (667, 1333)
    with Image.open("small/large.png") as small:
        assert small.size == (1333, 667)
    code, _, err = cli("convert", "large.json", "lr2", "--to", "entity", "--images-out", "small2")
    assert code == 2 and "--low-resolution" in err


def _large():
    ids, masks = from_id_map(np.repeat([[1] * 1000 + [2] * 1000], 1000, axis=0))
    image = ImageRecord(1, "large.png", 1000, 2000)
    return Dataset.build([AnnotatedImage(image, masks, ids, ids, np.zeros(2, bool))], dataset().categories)


def test_compat_is_coco_entity_as_published(here, cli):
    assert cli("convert", "val.json", "panoptic", "--to", "coco-panoptic")[0] == 0
    assert cli("convert", "panoptic", "compat.json", "--to", "entity", "--compat")[0] == 0
    records = json.loads(Path("compat.json").read_bytes())["annotations"]
    assert [record["id"] for record in records] == list(range(6))
    assert records[1]["bbox"] == [5, 0, 4, 15] and records[1]["area"] == 60


def test_doctor_is_content_or_finds_something(here, cli):
    code, out, _ = cli("doctor", "val.json")
    assert code == 0 and "nothing is wrong" in out
    Path("pic1.png").unlink()
    code, out, _ = cli("doctor", "val.json", "--json")
    report = json.loads(out)
    assert code == 1 and report["errors"] + report["warnings"] >= 1 and "pic1.png" in out
    get_format("entity").write(dataset(overlap=True), here / "overlap" / "annotations.json")
    code, out, _ = cli("doctor", "overlap")
    assert code == 1 and "overlap" in out


@pytest.mark.parametrize("which", [["1"], ["pic1.png"], ["--index", "0"]])
def test_show_by_id_name_and_position(here, cli, which):
    code, out, err = cli("show", "val.json", *which, "-o", "out.png", "--labels", "--ids")
    assert code == 0 and "20 x 16 pixels" in out and err == ""
    with Image.open("out.png") as picture:
        assert picture.size == (20, 16) and picture.mode == "RGB"


def test_show_on_grey_and_with_predictions(here, cli):
    Path("pic2.png").unlink()
    code, out, err = cli("show", "val.json", "2", "-o", "out.png", "--json")
    assert code == 0 and json.loads(out)["image_found"] is False and "on grey" in err
    record = {"image_id": 2, "score": 0.5, "segmentation": {"size": [12, 12], "counts": "0d24"}}
    Path("pred.json").write_text(json.dumps([record]))
    code, out, err = cli("show", "val.json", "2", "--pred", "pred.json", "-o", "three.png")
    assert code == 1 and "counts" in err
    record["segmentation"] = {"size": [12, 12], "counts": [0, 72, 72]}
    Path("pred.json").write_text(json.dumps([record]))
    code, out, _ = cli("show", "val.json", "2", "--pred", "pred.json", "-o", "three.png", "--json")
    assert code == 0 and json.loads(out)["width"] == 3 * 12 + 2 * 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one image must be chosen"),
        (["1", "--index", "0"], "one image must be chosen"),
        (["77"], "such as 1, 2"),
        (["--index", "2"], "2 images"),
        (["1", "-o", "out.jpg"], ".png"),
    ],
)
def test_show_wrongly(here, cli, arguments, message):
    code, _, err = cli("show", "val.json", *arguments)
    assert code == 2 and message in err


def test_mini_makes_a_set_that_doctor_finds_nothing_wrong_with(tmp_path, cli):
    code, out, _ = cli("mini", tmp_path / "mini", "--scenes", 4, "--seed", 3, "--jobs", 1, "--json")
    made = json.loads(out)
    assert code == 0 and made["scenes"] == 4 and {"train", "val", "val_lr"} <= set(made["splits"])
    assert cli("doctor", tmp_path / "mini")[0] == 0
    code, _, err = cli("mini", tmp_path / "mini", "--scenes", 4)
    assert code == 2 and "not empty" in err
    assert cli("mini", tmp_path / "few", "--scenes", 3)[0] == 2


def test_mini_adds_the_sets_of_other_tasks(tmp_path, cli):
    code, out, _ = cli("mini", tmp_path / "mini", "--scenes", 6, "--seed", 1, "--tasks", "--json")
    made = json.loads(out)
    assert code == 0 and made["tasks"] == str(tmp_path / "mini" / "tasks")
    assert (tmp_path / "mini" / "tasks" / "tasks.json").is_file()
    assert cli("doctor", tmp_path / "mini")[0] == 0
    code, _, err = cli("mini", tmp_path / "few", "--scenes", 5, "--tasks")
    assert code == 2 and "at least 6 scenes" in err and not (tmp_path / "few").exists()


@pytest.mark.parametrize("verb", ["info", "convert", "doctor", "show", "mini"])
def test_help_ends_with_examples(cli, verb):
    code, out, _ = cli(verb, "--help")
    lines = [line.strip() for line in out.splitlines() if line.strip()]
    assert code == 0 and "Examples:" in lines
    assert all(line.startswith(f"entityseg data {verb}") for line in lines[lines.index("Examples:") + 1 :])
