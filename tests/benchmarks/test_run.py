"""Runs: perfect oracles, resumption after kills, independence of shards, and what a run refuses."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entityseg.benchmarks.harness.families import FAMILIES, FamilyEntry, is_ready
from entityseg.benchmarks.harness.opening import open_truth
from entityseg.benchmarks.harness.run import run
from entityseg.benchmarks.harness.scoring import predictions_digest, score
from entityseg.benchmarks.results import read_result
from entityseg.benchmarks.tasks import get
from entityseg.data.digests import of_paths
from entityseg.errors import InputError, MissingFileError, UsageError

HERE = Path(__file__).parent


def _bench_run(mini: Path, out: Path, *more: object) -> int:
    command = [
        sys.executable, "-m", "entityseg.cli.main", "bench", "run", "mini-fss-wild", "--data", mini, "--out", out,
        "--shard-size", 3, "--bootstrap", 10, *more,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    return subprocess.run(
        list(map(str, command)), env=environment, check=False, capture_output=True
    ).returncode


def test_killed_in_the_model_it_goes_on(mini: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of a shard: whole shards are kept, the rest is done again, the result is the same."""
    counter, out = tmp_path / "asked", tmp_path / "run"
    model = ("--model", "models:Dying", "--option", f'counter="{counter}"', "--option", "die_at=8")
    assert _bench_run(mini, out, *model) == -signal.SIGKILL
    assert not (out / "result.json").exists()
    whole = sorted(path.name for path in (out / "shards").glob("*.done"))
    assert len(whole) == 2
    assert _bench_run(mini, out, *model) == 0
    units = read_result(out).counts["expected"]
    # Two shards of three were kept; the images after the sixth were asked again.
    assert int(counter.read_text()) == 8 + units - 6
    fresh = run(
        get("mini-fss-wild"), "entityseg.benchmarks.models.superpixels:Superpixels", tmp_path / "fresh",
        data=mini, model_options={"regions": 30}, shard_size=3, bootstrap=10,
    )  # fmt: skip
    assert (out / "predictions.jsonl").read_bytes() == (fresh.folder / "predictions.jsonl").read_bytes()
    assert read_result(out).values == fresh.result.values


def test_damaged_shards_are_done_again(mini: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    task = get("mini-entity-low")
    first = run(task, "oracle", out, data=mini, shard_size=1, bootstrap=0)
    one, other = sorted((out / "shards").glob("*.jsonl"))[:2]
    one.write_bytes(one.read_bytes()[:-9])
    other.with_suffix(".done").write_text("{")
    again = run(task, "oracle", out, data=mini, shard_size=1, bootstrap=0)
    assert (again.predicted, again.reused) == (2, first.predicted - 2)
    assert again.result == first.result


def test_another_run_in_the_folder_is_refused(mini: Path, tmp_path: Path) -> None:
    task, out = get("mini-entity-low"), tmp_path / "run"
    run(task, "oracle", out, data=mini, bootstrap=0)
    with pytest.raises(UsageError, match="different are: model_options"):
        run(task, "oracle", out, data=mini, bootstrap=0, model_options={"noise": 0.5})
    with pytest.raises(UsageError, match="different are: task, task_sha256"):
        run(get("mini-boundary-high"), "oracle", out, data=mini, bootstrap=0)
    done = run(task, "oracle", out, data=mini, bootstrap=0, model_options={"noise": 0.5}, overwrite=True)
    assert done.reused == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no run"):
        run(task, "oracle", tmp_path / "other", data=mini)


def test_other_weights_and_other_code_are_another_run(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions of a model that has changed since are not taken for its own."""
    monkeypatch.syspath_prepend(str(HERE))
    task, out, weights = get("mini-entity-low"), tmp_path / "run", tmp_path / "weights"
    weights.write_text("9")
    options = {"weights": str(weights)}
    first = run(task, "models:Weighty", out, data=mini, bootstrap=0, model_options=options)
    assert run(task, "models:Weighty", out, data=mini, bootstrap=0, model_options=options).predicted == 0
    weights.write_text("90")
    with pytest.raises(UsageError, match="different are: model_sha256"):
        run(task, "models:Weighty", out, data=mini, bootstrap=0, model_options=options)
    again = run(task, "models:Weighty", out, data=mini, bootstrap=0, model_options=options, overwrite=True)
    assert again.predicted == first.predicted and again.result.values != first.result.values
    code = tmp_path / "changing_model.py"
    code.write_text(
        "from entityseg.benchmarks.models.superpixels import Superpixels\nclass Mine(Superpixels): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    out = tmp_path / "code"
    run(task, "changing_model:Mine", out, data=mini, bootstrap=0)
    code.write_text(code.read_text().replace("pass", "threshold = 3"))
    with pytest.raises(UsageError, match="different are: model_sha256"):
        run(task, "changing_model:Mine", out, data=mini, bootstrap=0)


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("mini-entity-low", "images_lr"),
        ("mini-dis5k-vd", "tasks/DIS5K/DIS-VD/im"),
        ("mini-refcoco-val", "tasks/refer_seg/images"),
        ("mini-png-given-phrases", "tasks/png/images"),
        ("mini-reasonseg-val", "tasks/ReasonSeg/val"),
        ("mini-youtubevis-2019", "tasks/ytvis_2019/valid/JPEGImages"),
        ("mini-vipseg", "tasks/VIPSeg/VIPSeg_720P/images"),
    ],
)
def test_other_images_are_another_run(name: str, images: str, mini: Path, tmp_path: Path) -> None:
    """The truth alone does not say what the model saw."""
    copy, out = tmp_path / "mini", tmp_path / "run"
    shutil.copytree(mini, copy)
    run(get(name), "oracle", out, data=copy, bootstrap=0)
    files = [one for one in (copy / images).rglob("*") if one.suffix in (".jpg", ".png")]
    for file in files:
        with Image.open(file) as picture:
            size = picture.size
        Image.new("RGB", size, (200, 10, 10)).save(file)
    with pytest.raises(UsageError, match="different are: images_sha256"):
        run(get(name), "oracle", out, data=copy, bootstrap=0)


def test_missing_images_are_all_said_before_anything_is_predicted(mini: Path, tmp_path: Path) -> None:
    shutil.copytree(mini, tmp_path / "mini")
    for file in list((tmp_path / "mini" / "images_lr").rglob("*.jpg")):
        file.unlink()
    with pytest.raises(InputError, match="the image is not there") as caught:
        run(get("mini-entity-low"), "oracle", tmp_path / "run", data=tmp_path / "mini", bootstrap=0)
    assert caught.value.findings.errors > 1 and not (tmp_path / "run").exists()


def test_overwriting_leaves_nothing_of_the_other_run(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the new run does not come to its end: else the old predictions pass for the new model's."""
    monkeypatch.syspath_prepend(str(HERE))
    for name in ("mini-entity-low", "mini-panoptic", "mini-dis5k-vd"):
        run(get(name), "superpixels", tmp_path / name, data=mini, bootstrap=10)
        with pytest.raises(InputError, match="the model raised"):
            run(get("mini-entity-high"), "models:Raising", tmp_path / name, data=mini, overwrite=True)
        assert sorted(one.name for one in (tmp_path / name).iterdir()) == [".locks", "run.json"]


def test_models_that_break_are_named_with_the_image(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    task = get("mini-entity-low")
    with pytest.raises(
        InputError, match=r"\.jpg: the model raised RuntimeError: no more memory .*models\.py:\d+"
    ):
        run(task, "models:Raising", tmp_path / "raising", data=mini)
    with pytest.raises(UsageError, match=r"cannot be made: KeyError: 'depth' .*models\.py"):
        run(task, "models:Broken", tmp_path / "broken", data=mini)
    for kind, message in (("none", "gave a NoneType"), ("tuple", "gave a tuple")):
        with pytest.raises(InputError, match=message):
            run(task, "models:Odd", tmp_path / kind, data=mini, model_options={"kind": kind})
    texts = get("mini-refcoco-val")
    for kind, message in (("generator", "no list"), ("tuple", "no list"), ("span", "beyond the text")):
        with pytest.raises(InputError, match=message):
            run(texts, "models:Odd", tmp_path / f"text-{kind}", data=mini, model_options={"kind": kind})


@pytest.mark.parametrize("name", ["mini-youtubevis-2019", "mini-vipseg"])
def test_videos_need_known_categories(
    name: str, mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said at the first video, not when all is predicted."""
    monkeypatch.syspath_prepend(str(HERE))
    with pytest.raises(InputError, match="gave a mask no category"):
        run(get(name), "models:Whole", tmp_path / "run", data=mini)
    assert not list((tmp_path / "run" / "shards").glob("*.done"))


def test_pixels_beside_a_panoptic_file_are_in_its_digest(mini: Path, tmp_path: Path) -> None:
    truth = mini / "annotations" / "panoptic_segmentation"
    pngs = tmp_path / "panoptic_maps_val"
    shutil.copytree(truth / "panoptic_maps_val", pngs)
    json = Path(shutil.copy(truth / "entityv2_01_panoptic_val.json", tmp_path))
    task = get("mini-panoptic")
    before = score(task, json, data=mini, bootstrap=0)
    one = sorted(pngs.glob("*.png"))[0]
    with Image.open(one) as picture:
        pixels = np.array(picture)
    pixels[: len(pixels) // 2] = pixels[-1, -1]
    Image.fromarray(pixels).save(one)
    digests = before.identity.predictions, predictions_digest(task, json)
    assert digests[0] != digests[1]
    (tmp_path / "note.txt").write_text("not a prediction")
    assert predictions_digest(task, json) == digests[1]


def test_the_semantic_digest_is_of_the_maps_that_are_read(mini: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mini"
    for part in ("annotations", "images"):
        shutil.copytree(mini / part, copy / part)
    folder = copy / "annotations" / "semantic_segmentation"
    (folder / "maps").mkdir()
    (folder / "maps" / "other.png").write_bytes(b"")
    task = get("mini-semantic")

    def digest() -> str:
        return of_paths(open_truth(task, copy).files)

    first = digest()
    one = sorted((folder / "semantic_maps_val").glob("*.png"))[0]
    with Image.open(one) as picture:
        pixels = np.array(picture)
    pixels[0, 0] = 255 if pixels[0, 0] != 255 else 0
    Image.fromarray(pixels).save(one)
    second = digest()
    categories = folder / "categories.json"
    categories.write_text(categories.read_text() + " ")
    assert len({first, second, digest()}) == 3


def test_what_models_may_not_do(mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    with pytest.raises(InputError, match=r"masks are \(3, 4\)"):
        run(get("mini-entity-low"), "models:WrongSize", tmp_path / "size", data=mini)
    with pytest.raises(InputError, match="gave a mask no category"):
        run(get("mini-instance"), "models:Whole", tmp_path / "class", data=mini)
    with pytest.raises(InputError, match="share pixels"):
        run(get("mini-panoptic"), "models:Overlapping", tmp_path / "pan", data=mini)
    with pytest.raises(UsageError, match="no method `ground`"):
        run(get("mini-refcoco-val"), "models:Nothing", tmp_path / "text", data=mini)
    # Overlapping entities are refused by the evaluator, unless a choice is made.
    with pytest.raises(InputError, match="share"):
        run(get("mini-entity-low"), "models:Overlapping", tmp_path / "e", data=mini, bootstrap=0)
    choice = {"overlap": "resolve"}
    done = run(
        get("mini-entity-low"), "models:Overlapping", tmp_path / "e", data=mini, bootstrap=0, options=choice
    )
    assert done.result.options["overlap"] == "resolve" and done.predicted == 0


def test_nothing_found_is_said_and_counts_zero(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    result = run(get("mini-entity-high"), "models:Nothing", tmp_path / "run", data=mini, bootstrap=0).result
    assert result.values["AP"] == 0
    assert result.counts["missing"] == 0 and result.counts["empty"] == result.counts["expected"]


def test_missing_dataset_is_one_error_with_source_and_tree(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        run(get("coco-panoptic"), "oracle", tmp_path / "run", data=tmp_path)
    text = str(caught.value)
    assert len(caught.value.findings) == 1
    for part in ("cocodataset.org", "coco/annotations/panoptic_val2017.json", "--data", "ENTITYSEG_DATA"):
        assert part in text
    assert not (tmp_path / "run").exists()


def test_incomplete_dataset_says_what_it_lacks(mini: Path, tmp_path: Path) -> None:
    (tmp_path / "coco" / "val2017").mkdir(parents=True)
    with pytest.raises(MissingFileError, match=r"lacks annotations/instances_val2017.json"):
        run(get("coco-instance"), "oracle", tmp_path / "run", data=tmp_path)


def test_wrong_counts_refuse_or_warn(mini: Path, tmp_path: Path) -> None:
    """A part of ADE20K in the real task's place is refused; what is only remembered warns."""
    with pytest.raises(InputError, match="images, ade20k-panoptic@1 expects 2,000"):
        run(get("ade20k-panoptic"), "oracle", tmp_path / "a", data=mini / "tasks")
    result = run(get("dis5k-vd"), "oracle", tmp_path / "b", data=mini / "tasks", bootstrap=0).result
    assert any("expects 470" in line for line in result.warnings)


@pytest.mark.parametrize(
    ("entry", "lacking"),
    [
        (FamilyEntry("entityseg.metrics.scoring_dreams:score_dreams", "x:Y"), "scoring_dreams:score_dreams"),
        (FamilyEntry("entityseg.metrics.scoring:score"), "an adapter of the family entity"),
    ],
)
def test_tasks_that_cannot_run_say_what_is_missing(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: FamilyEntry, lacking: str
) -> None:
    monkeypatch.setitem(FAMILIES, "entity", entry)
    task = get("mini-entity-low")
    assert not is_ready(task)
    with pytest.raises(UsageError, match=f"Missing: .*{lacking}"):
        run(task, "oracle", tmp_path / "run", data=mini)
    assert not (tmp_path / "run").exists()


def test_score_of_a_file_equals_that_of_the_run(mini: Path, tmp_path: Path) -> None:
    done = run(get("mini-panoptic"), "oracle", tmp_path / "run", data=mini, bootstrap=10)
    alone = score(get("mini-panoptic"), tmp_path / "run" / "predictions.json", data=mini, bootstrap=10)
    assert alone.values == done.result.values and alone.identity == done.result.identity
    with pytest.raises(UsageError, match="Its modes are canonical, panopticapi"):
        score(get("mini-panoptic"), tmp_path / "run" / "predictions.json", data=mini, mode="strict")


def test_a_set_without_predictions_counts_zero(mini: Path, tmp_path: Path) -> None:
    task = get("mini-sginw")
    folder = tmp_path / "board"
    folder.mkdir()
    member = get(task.members[0])
    done = run(member, "oracle", tmp_path / "one", data=mini, bootstrap=0)
    name = member.data.images.partition("/")[0]
    (folder / f"seginw_{name}_val.json").write_bytes((done.folder / "predictions.jsonl").read_bytes())
    result = score(task, folder, data=mini, bootstrap=20)
    mean = result.values["mean"]
    assert mean is not None
    np.testing.assert_allclose(mean, (done.result.values["AP"] or 0) / len(task.members))
    assert result.counts["sets_missing"] == len(task.members) - 1
    with pytest.raises(UsageError, match="predictions of no set"):
        score(task, tmp_path, data=mini)
