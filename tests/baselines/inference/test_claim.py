"""A folder of predictions is for one process, one model and one set of images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from entityseg.baselines.inference.claim import held
from entityseg.baselines.inference.predicting import predict_images
from entityseg.cli.main import run
from entityseg.errors import UsageError
from entityseg.masks import from_dense
from entityseg.predictions.read import read_predictions
from entityseg.protocols import Segmentation
from tests.baselines.inference.conftest import Make
from tests.baselines.inference.test_predict import digests, photo, photos, predict

__all__ = ["photos"]


class Whole:
    """One mask, the whole image; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def segment(self, image: np.ndarray) -> Segmentation:
        self.asked += 1
        return Segmentation(from_dense(np.ones((1, *image.shape[:2]), bool)), np.array([0.6]))


@pytest.fixture
def three(tmp_path: Path) -> Path:
    folder = tmp_path / "three"
    folder.mkdir()
    for name in "abc":
        photo(10, 20).save(folder / f"{name}.png")
    return folder


def test_other_settings_are_not_mixed(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert predict(capsys, "superpixels", photos, "-o", out, "--no-overlays")[0] == 1
    code, told, _ = predict(capsys, "superpixels", photos, "-o", out, "--no-overlays", "--threshold", 0.5)
    assert code == 2 and told["findings"][0]["kind"] == "target.settings"
    assert "threshold was not given, is 0.5" in told["findings"][0]["message"]
    code, told, _ = predict(
        capsys, "superpixels", photos, "-o", out, "--no-overlays", "--threshold", 0.5, "--overwrite"
    )
    assert code == 1 and told["predicted"] == 9 and not any((out / "overlays").iterdir())
    assert (read_predictions(out / "predictions.jsonl", None).scores >= 0.5).all()
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.tex").write_text("precious")
    code, told, _ = predict(capsys, "superpixels", photos, "-o", strange, "--overwrite")
    assert code == 2 and told["findings"][0]["kind"] == "target.exists"
    assert (strange / "thesis.tex").read_text() == "precious"
    # Other commands' folders have a `run.json`, too.
    (strange / "run.json").write_text('{"format": "entityseg/run@1", "settings": {}, "images": {}}')
    (strange / "json").mkdir()
    (strange / "json" / "precious.json").write_text("{}")
    assert predict(capsys, "superpixels", photos, "-o", strange, "--overwrite")[0] == 2
    assert (strange / "json" / "precious.json").is_file()


def test_the_folder_of_the_weights_may_move(
    weights: Make, three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(weights("mask2former"), moved)
    out = str(tmp_path / "out")
    for folder in (weights("mask2former"), moved, f"{moved}/"):
        assert run(["predict", str(folder), str(three), "-o", out, "--json"]) == 0
    file = moved / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "short_side": 60}))
    assert run(["predict", str(moved), str(three), "-o", out]) == 2
    assert "weights.preprocessor_config.json was" in capsys.readouterr().err


def test_two_processes_do_not_share_a_folder(
    three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with held(out):
        code, told, _ = predict(capsys, "superpixels", three, "-o", out)
    assert code == 2 and told["findings"][0]["kind"] == "target.busy"
    assert predict(capsys, "superpixels", three, "-o", out)[0] == 0


def test_other_images_are_not_mixed(three: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict_images(Whole(), three, out)
    (three / "b.png").unlink()
    photo(10, 20).save(three / "c.jpg")  # So that `c.png` is called `c.png`, and no longer `c`.
    with pytest.raises(
        UsageError, match=r"2 images that were not asked for.*'b'.*--overwrite.*target\.images"
    ):
        predict_images(Whole(), three, out)
    assert len(read_predictions(out / "predictions.jsonl", None).images) == 3
    done = predict_images(Whole(), three, out, overwrite=True)
    assert (done.images, done.predicted, done.reused) == (3, 2, 1)
    predict_images(Whole(), three, tmp_path / "fresh")
    assert digests(out) == digests(tmp_path / "fresh")
    for name in ("predictions.jsonl", "id_maps"):
        assert run(["predictions", "check", str(out / name)]) == 0


@pytest.mark.parametrize("lost", ["overlays/b.png", "id_maps/b.png", "json/b.json"])
def test_what_was_lost_is_made_again(three: Path, tmp_path: Path, lost: str) -> None:
    out = tmp_path / "out"
    predict_images(Whole(), three, out)
    before = digests(out)
    (out / lost).unlink()
    model = Whole()
    assert predict_images(model, three, out).predicted == model.asked == 1
    assert digests(out) == before
    (out / "json" / "b.json").write_bytes(b"")
    assert predict_images(Whole(), three, out).predicted == 1
    assert digests(out) == before


def test_nothing_is_left_of_an_image_that_has_gone_bad(three: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict_images(Whole(), three, out)
    (three / "b.png").write_text("no image")
    done = predict_images(Whole(), three, out)
    assert (done.predicted, done.reused, done.findings.errors) == (0, 2, 1)
    assert not list(out.rglob("b.*"))
    for name in ("predictions.jsonl", "id_maps"):
        assert run(["predictions", "check", str(out / name)]) == 0
