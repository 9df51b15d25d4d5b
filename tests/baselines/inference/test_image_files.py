"""Which images are predicted, what they are called, and what is said of those that are not there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from entityseg.baselines.inference.image_files import find_images
from entityseg.cli.main import run
from entityseg.errors import InputError, MissingFileError
from entityseg.predictions.read import read_predictions
from tests.baselines.inference.test_predict import photo, predict


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def found_in(path: Path) -> dict[str, str]:
    return {one.path.relative_to(path).as_posix(): one.name for one in find_images(path).files}


def test_every_image_has_a_name_of_its_own(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "a.png",
        "A.jpg",
        "s/b.png",
        "s__b.png",
        "c.png",
        "c.png.png",
        "c.jpg",
        "notes.txt",
        ".d.png",
    )
    names = found_in(tmp_path)
    assert len({one.casefold() for one in names.values()}) == 7
    assert names == {
        "A.jpg": "A.jpg", "a.png": "a.png", "c.jpg": "c.jpg", "c.png": "c.png", "c.png.png": "c.png~2",
        "s/b.png": "s__b.png", "s__b.png": "s__b.png~2",
    }  # fmt: skip


def test_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"file\.missing"):
        find_images(tmp_path / "none")
    (tmp_path / "x.png").mkdir()
    touch(tmp_path, "notes.txt")
    with pytest.raises(MissingFileError, match="no image"):
        find_images(tmp_path)


def test_links(tmp_path: Path) -> None:
    touch(tmp_path, "photos/in/a.png", "photos/z/b.png", "else/c.png")
    photos = tmp_path / "photos"
    (photos / "again").symlink_to("in")  # Seen already.
    (photos / "up").symlink_to("..")
    (photos / "round").symlink_to(".")
    (photos / "other").symlink_to(tmp_path / "else")
    (photos / "d.png").symlink_to("in/a.png")
    (photos / "gone.png").symlink_to("nowhere")
    (photos / "loop.png").symlink_to("loop.png")
    assert found_in(photos) == {
        "d.png": "d", "gone.png": "gone", "loop.png": "loop", "in/a.png": "in__a", "other/c.png": "other__c",
        "z/b.png": "z__b",
    }  # fmt: skip
    (tmp_path / "link").symlink_to(photos)
    assert len(find_images(tmp_path / "link").files) == 6


def test_links_that_lead_nowhere_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo(10, 12).save(tmp_path / "a.png")
    (tmp_path / "gone.png").symlink_to("nowhere")
    (tmp_path / "loop.png").symlink_to("loop.png")
    code, told, err = predict(capsys, "superpixels", tmp_path, "-o", tmp_path / "out")
    assert (code, told["predicted"], told["errors"]) == (1, 1, 2)
    assert "gone.png" in err and "loop.png" in err and "Check where the link leads" in err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="a superuser may read everything")
def test_folders_that_cannot_be_looked_into_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "shut/b.png")
    (tmp_path / "shut").chmod(0)
    try:
        found = find_images(tmp_path)
        assert [one.name for one in found.files] == ["a"] and found.findings.errors == 1
    finally:
        (tmp_path / "shut").chmod(0o700)


def test_a_folder_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.png", "shut/b.png")
    listed = Path.iterdir

    def iterdir(self: Path):
        if self.name == "shut":
            raise PermissionError(13, "Permission denied", str(self))
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = find_images(tmp_path)
    assert [one.name for one in found.files] == ["a"]
    assert "shut: the folder cannot be looked into: Permission denied" in str(next(iter(found.findings)))
    with pytest.raises(InputError, match=r"folder\.unreadable"):
        find_images(tmp_path / "shut")


def test_predictions_below_the_images_are_no_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(10, 12).save(tmp_path / "a.png")
    for out in ("out", "deep/out", "out"):
        code, told, _ = predict(capsys, "superpixels", tmp_path, "-o", tmp_path / out)
        assert (code, told["images"]) == (0, 1)
    # Asked for by name, they are.
    assert [one.name for one in find_images(tmp_path / "out" / "overlays").files] == ["a"]


def test_images_of_a_ground_truth_have_its_ids_and_can_be_scored(
    mini: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out = tmp_path / "images_lr", tmp_path / "out"
    shutil.copytree(mini / "images_lr", images)
    common = ("superpixels", images, "-o", out, "--gt", mini, "--split", "train_lr")
    code, told, _ = predict(capsys, *common)
    truth = json.loads(next(mini.rglob("*entity_train_lr.json")).read_text())
    wanted = {image["id"]: Path(image["file_name"]).stem for image in truth["images"]}
    assert (code, told["images"], told["errors"]) == (0, len(wanted), 0)
    assert len(list(images.rglob("*.jpg"))) > len(wanted)
    assert {one.id for one in read_predictions(out / "predictions.jsonl", None).images} == set(wanted)
    assert {path.stem for path in (out / "overlays").iterdir()} == set(wanted.values())
    scored = []
    for name in ("predictions.jsonl", "id_maps"):
        command = [
            "score",
            "entity",
            "--gt",
            str(mini),
            "--split",
            "train_lr",
            "--pred",
            str(out / name),
            "--json",
        ]
        assert run([*command, "--bootstrap", "0"]) == 0
        scored.append(json.loads(capsys.readouterr().out)["AP"])
    assert scored[0] == scored[1] > 0
    code, told, _ = predict(capsys, *common)
    assert (code, told["predicted"], told["reused"]) == (0, 0, len(wanted))
    some = next(images.rglob(f"{wanted.popitem()[1]}.jpg"))
    Image.new("RGB", (7, 9)).save(some)
    code, told, _ = predict(capsys, *common)
    assert code == 1 and [one["kind"] for one in told["findings"]] == ["image.size"]
    some.unlink()
    code, told, err = predict(capsys, *common)
    assert (code, told["predicted"], told["reused"]) == (1, 0, len(wanted)), err
    assert [one["kind"] for one in told["findings"]] == ["image.missing"]


def test_names_that_repeat_in_a_ground_truth_give_way_to_ids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = []
    for number, name in enumerate(("x/a.png", "y/a.png", "b.png"), start=5):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        photo(20, 30).save(tmp_path / name)
        images.append({"id": number, "file_name": name, "width": 30, "height": 20})
    square = {"bbox": [0, 0, 9, 9], "area": 81, "segmentation": [[0, 0, 9, 0, 9, 9, 0, 9]]}
    annotations = [
        {"id": one["id"], "image_id": one["id"], "category_id": 1, "iscrowd": 0, **square} for one in images
    ]
    gt = tmp_path / "gt.json"
    categories = [{"id": 1, "name": "entity"}]
    gt.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    code, told, err = predict(capsys, "superpixels", tmp_path, "-o", tmp_path / "out", "--gt", gt)
    assert (code, told["images"]) == (0, 3), err
    assert {path.stem for path in (tmp_path / "out" / "overlays").iterdir()} == {"5", "6", "b"}
    command = ["predictions", "check", "--gt", str(gt), str(tmp_path / "out" / "id_maps")]
    assert run(command) == 0, capsys.readouterr().err


def test_usage_errors_of_ground_truths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo(20, 30).save(tmp_path / "a.png")
    for arguments in (
        ("superpixels", tmp_path, "--split", "val"),
        ("superpixels", tmp_path / "a.png", "--gt", tmp_path),
        ("superpixels", tmp_path, "--gt", tmp_path),
    ):
        assert predict(capsys, *arguments, "-o", tmp_path / "out")[0] == 2
    assert not (tmp_path / "out").exists()
