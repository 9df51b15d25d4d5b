"""`entityseg predict`: what is written, odd and broken images, going on after a kill."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from entityseg.baselines.inference.predicting import predict_images
from entityseg.cli.main import run
from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, are_disjoint, from_dense, from_panoptic_png
from entityseg.predictions.read import read_predictions
from entityseg.protocols import Segmentation
from tests.baselines.inference.conftest import Make

RNG = np.random.default_rng(0)


def photo(height: int, width: int, channels: int = 3) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, channels), dtype=np.uint8))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine images of all kinds, two broken ones, and files that are none."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    photo(50, 80).save(folder / "a.jpg")
    photo(40, 40).save(folder / "sub" / "a.png")
    photo(30, 30).save(folder / "twin.png")
    photo(30, 30).save(folder / "twin.jpg")
    photo(30, 45, 4).save(folder / "alpha.png")
    photo(25, 40).convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(RNG.integers(0, 2**16, (20, 30)).astype(np.uint16)).save(folder / "sixteen.png")
    photo(1, 1).save(folder / "one.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(30, 45).save(folder / "turned.jpg", exif=exif)
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:700])
    (folder / "text.png").write_text("no image")
    (folder / "notes.txt").write_text("not looked at")
    (folder / ".hidden.png").write_text("not looked at")
    return folder


def predict(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any], str]:
    code = run(["predict", *map(str, arguments), "--json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out), captured.err


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


IDS = ["a", "alpha", "cmyk", "one", "sixteen", "sub__a", "turned", "twin.jpg", "twin.png"]


def test_all_that_is_written(
    weights: Make, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, told, err = predict(capsys, weights("cropformer"), photos, "-o", out)
    assert code == 1 and told["predicted"] == 9 and told["images"] == 11 and told["errors"] == 2
    assert {Path(one["file"]).name for one in told["findings"]} == {"broken.jpg", "text.png"}
    assert "broken.jpg" in err and "image.unreadable" in err
    read = read_predictions(out / "predictions.jsonl", None)
    assert sorted(str(image.id) for image in read.images) == IDS
    assert told["masks"] == len(read.scores) > 0
    sizes = {str(image.id): image.size for image in read.images}
    assert sizes["turned"] == (45, 30) and sizes["one"] == (1, 1) and sizes["cmyk"] == (25, 40)
    scores = json.loads((out / "id_maps" / "scores.json").read_text())
    for index, image in enumerate(read.images):
        masks = read.masks(index)
        assert are_disjoint(masks) and (np.diff(read.scores[read.rows(index)]) <= 0).all()
        ids, from_map = from_panoptic_png(out / "id_maps" / f"{image.id}.png")
        assert from_map == masks and ids.tolist() == list(range(1, len(masks) + 1))
        assert list(scores[str(image.id)].values()) == read.scores[read.rows(index)].tolist()
        with Image.open(out / "overlays" / f"{image.id}.png") as picture:
            assert (picture.height, picture.width) == image.size
    for predictions in (out / "predictions.jsonl", out / "id_maps"):
        assert run(["predictions", "check", str(predictions)]) == 0, capsys.readouterr().out
        capsys.readouterr()


def test_a_second_call_does_nothing_and_a_changed_image_is_done_again(
    weights: Make, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    folder = weights("mask2former")
    predict(capsys, folder, photos, "-o", out)
    before = digests(out)
    code, told, _ = predict(capsys, folder, photos, "-o", out, "--batch", 3, "--device", "cpu")
    assert (code, told["predicted"], told["reused"]) == (1, 0, 9)
    assert digests(out) == before
    photo(50, 80).save(photos / "a.jpg")
    photo(20, 20).save(photos / "broken.jpg")
    code, told, _ = predict(capsys, folder, photos, "-o", out)
    assert (code, told["predicted"], told["reused"], told["errors"]) == (1, 2, 8, 1)
    # An image that has become unreadable is no longer said to be predicted.
    (photos / "a.jpg").write_text("gone bad")
    code, told, _ = predict(capsys, folder, photos, "-o", out)
    assert told["errors"] == 2 and '"a"' not in (out / "predictions.jsonl").read_text()


def test_masks_that_others_painted_over_are_written_if_asked_for(
    weights: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo(50, 80).save(folder / "a.png")
    code, told, _ = predict(
        capsys, weights("cropformer"), folder, "-o", tmp_path / "all", "--option", "keep_empty=true"
    )
    assert (code, told["masks"]) == (0, 20)
    read = read_predictions(tmp_path / "all" / "predictions.jsonl", None)
    empty = read.masks(0).areas == 0
    assert 0 < empty.sum() < 20 and (read.scores[empty] == 0).all() and (read.scores[~empty] > 0).all()
    _, told, _ = predict(capsys, weights("cropformer"), folder, "-o", tmp_path / "some")
    assert told["masks"] == 20 - empty.sum()
    assert (tmp_path / "some/id_maps/a.png").read_bytes() == (tmp_path / "all/id_maps/a.png").read_bytes()
    assert (tmp_path / "some/overlays/a.png").read_bytes() == (tmp_path / "all/overlays/a.png").read_bytes()


class Killed(Exception):
    pass


class Halves:
    """Says left and right half; dies at a given image."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.left = dies_at

    def segment(self, image: np.ndarray) -> Segmentation:
        if self.left == 0:
            raise Killed
        self.left = None if self.left is None else self.left - 1
        masks = np.zeros((2, *image.shape[:2]), bool)
        masks[0, :, : image.shape[1] // 2] = True
        masks[1] = ~masks[0]
        return Segmentation(from_dense(masks), np.array([0.4, 0.6]))


def test_killed_at_any_image_it_goes_on(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        photo(10 + number, 20).save(photos / f"{number}.png")
    whole = predict_images(Halves(), photos, tmp_path / "whole")
    assert (whole.predicted, whole.reused) == (4, 0)
    for dies_at in range(4):
        out = tmp_path / str(dies_at)
        with pytest.raises(Killed):
            predict_images(Halves(dies_at), photos, out)
        (out / "json" / ".part-0123456789ab-3.json").write_text("half")
        rest = predict_images(Halves(), photos, out)
        assert (rest.predicted, rest.reused) == (4 - dies_at, dies_at)
        assert digests(out) == digests(tmp_path / "whole")


class Overlapping:
    """The whole image for sure, a corner less so, another corner most surely."""

    def segment(self, image: np.ndarray) -> Segmentation:
        masks = np.ones((3, *image.shape[:2]), bool)
        masks[1, 5:] = False
        masks[2, :, 5:] = False
        return Segmentation(from_dense(masks), np.array([0.5, 0.3, 0.9]), np.array([3, 4, 5]))


def test_overlapping_masks_keep_their_shape_in_json_and_are_painted_in_the_map(tmp_path: Path) -> None:
    photo(20, 30).save(tmp_path / "x.png")
    predict_images(Overlapping(), tmp_path / "x.png", tmp_path / "out")
    read = read_predictions(tmp_path / "out" / "predictions.jsonl", None)
    assert read.scores.tolist() == [0.9, 0.5, 0.3] and read.category_ids.tolist() == [5, 3, 4]
    assert read.masks(0).areas.tolist() == [100, 600, 150]
    ids, masks = from_panoptic_png(tmp_path / "out" / "id_maps" / "x.png")
    assert ids.tolist() == [1, 2] and masks.areas.tolist() == [100, 500]
    assert read_predictions(tmp_path / "out" / "id_maps", None).scores.tolist() == [0.9, 0.5]


class Crowd:
    """A mask a pixel: more than any palette has colours."""

    def segment(self, image: np.ndarray) -> Segmentation:
        count = image.shape[0] * image.shape[1]
        edges = np.stack([np.arange(count), np.arange(count) + 1], axis=1).ravel()
        masks = RunLengths(image.shape[:2], edges, np.arange(0, 2 * count + 1, 2))
        return Segmentation(masks, np.linspace(0.1, 0.9, count))


def test_colours_never_run_out(tmp_path: Path) -> None:
    photo(20, 30).save(tmp_path / "x.png")
    done = predict_images(Crowd(), tmp_path / "x.png", tmp_path / "out")
    assert done.masks == 600
    assert len(from_panoptic_png(tmp_path / "out" / "id_maps" / "x.png")[0]) == 600


class Small:
    def segment(self, image: np.ndarray) -> Segmentation:
        return Segmentation(from_dense(np.ones((1, 5, 5), bool)), np.array([0.5]))


def test_masks_of_another_size_are_refused(tmp_path: Path) -> None:
    photo(20, 30).save(tmp_path / "x.png")
    with pytest.raises(InputError, match=r"\(5, 5\).*\(20, 30\).*model\.size"):
        predict_images(Small(), tmp_path / "x.png", tmp_path / "out", overlays=False)


class Unsure(Overlapping):
    """Scores that are no probabilities, and classes with names."""

    names = {3: "sky", 5: "water"}  # noqa: RUF012

    def segment(self, image: np.ndarray) -> Segmentation:
        found = super().segment(image)
        return Segmentation(found.masks, found.scores - 2, found.labels)


def test_without_a_threshold_every_mask_is_kept_and_classes_are_named(tmp_path: Path) -> None:
    photo(120, 200).save(tmp_path / "x.png")
    done = predict_images(Unsure(), tmp_path / "x.png", tmp_path / "out")
    assert done.masks == 3
    run_file = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run_file["categories"] == {"3": "sky", "5": "water"}
    assert predict_images(Unsure(), tmp_path / "x.png", tmp_path / "none", threshold=0.0).masks == 0
    predict_images(Overlapping(), tmp_path / "x.png", tmp_path / "numbers")
    pictures = [(tmp_path / name / "overlays" / "x.png").read_bytes() for name in ("out", "numbers")]
    assert pictures[0] != pictures[1]


def test_nothing_found_is_said(tmp_path: Path) -> None:
    photo(20, 30).save(tmp_path / "x.png")
    done = predict_images(Halves(), tmp_path / "x.png", tmp_path / "out", threshold=0.99)
    assert done.masks == 0
    assert read_predictions(tmp_path / "out" / "predictions.jsonl", None).listed.tolist() == [True]


def test_usage_errors(tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"target\.file"):
        predict_images(Halves(), photos, tmp_path / "file")
    assert predict(capsys, "cropformr", photos, "-o", tmp_path / "o")[0] == 2
    assert predict(capsys, "superpixels", photos, "-o", tmp_path / "o", "--option", "what=1")[0] == 2
    assert predict(capsys, "superpixels", photos, "-o", tmp_path / "o", "--option", "what")[0] == 2
    assert not (tmp_path / "o").exists()


def test_one_image_and_options_of_the_model(
    weights: Make, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = (photos / "a.jpg", "-o")
    folder = weights("cropformer")
    code, told, _ = predict(capsys, folder, *common, tmp_path / "a", "--outputs", "B-C", "--views-at-once", 2)
    assert code == 0 and told["images"] == 1
    assert json.loads((tmp_path / "a" / "run.json").read_text())["settings"]["options"]["outputs"] == "B-C"
    code, told, _ = predict(
        capsys, "cropformer", *common, tmp_path / "b", "--option", f"path={folder}", "--outputs", "B-C"
    )
    assert code == 0
    same = [(tmp_path / name / "predictions.jsonl").read_bytes() for name in "ab"]
    assert same[0] == same[1]
    code, told, _ = predict(capsys, folder, *common, tmp_path / "c", "--scales", "48,96")
    assert code == 2 and told["findings"][0]["kind"] == "inference.scales"
    assert not (tmp_path / "c").exists(), "a refused command must not claim the folder"
    code, told, _ = predict(capsys, "cropforma", *common, tmp_path / "c")
    assert code == 2 and "neither a folder nor a model" in told["findings"][0]["message"]
    mask2former = weights("mask2former")
    assert predict(capsys, mask2former, *common, tmp_path / "d", "--scales", "48,96", "--amp")[0] == 0
    assert predict(capsys, mask2former, *common, tmp_path / "e", "--scales", "wide")[0] == 2
