"""The loop: it learns, it resumes bit for bit, and it survives what may happen to it."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from entityseg.baselines.models import load_model
from entityseg.baselines.training.building import open_data
from entityseg.baselines.training.checkpoints import find_checkpoints
from entityseg.baselines.training.loop import train
from entityseg.baselines.training.outcome import CHECKPOINTS
from entityseg.baselines.training.step import Stepper
from entityseg.baselines.training.trackers import LOG, read_log
from entityseg.baselines.views import load_processor
from entityseg.errors import InputError, UsageError
from entityseg.files import hold_folder


class Killed(BaseException):
    """What no handler catches, as when a process dies."""


def weights(folder: Path, file: str = "model.safetensors") -> dict[str, torch.Tensor]:
    return load_file(folder / file)


def assert_same_bits(one: Path, other: Path, file: str = "model.safetensors") -> None:
    assert (one / file).read_bytes() == (other / file).read_bytes()


def losses(folder: Path) -> list[tuple[int, float, float]]:
    return [
        (line["step"], line["loss"], line["grad_norm"]) for line in read_log(folder / LOG) if "loss" in line
    ]


def kill_before(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the process die when a step begins."""
    seed = Stepper._seed

    def dying(stepper, at: int, part: int):
        if at == step:
            raise Killed
        return seed(stepper, at, part)

    monkeypatch.setattr(Stepper, "_seed", dying)


@pytest.mark.parametrize("family", ["cropformer", "mask2former", "vita"])
def test_killed_and_resumed_equals_uninterrupted_bit_for_bit(
    small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    config = small(family)
    train(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        # Two steps are done after the checkpoint, and lost.
        kill_before(patch, 7)
        with pytest.raises(Killed):
            train(config, tmp_path / "parts")
    assert [step for step, _ in find_checkpoints(tmp_path / "parts" / CHECKPOINTS)] == [5]
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    assert train(config, tmp_path / "parts").status == "finished"
    assert_same_bits(tmp_path / "whole", tmp_path / "parts")
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")
    assert len(losses(tmp_path / "parts")) == 10
    before = weights(tmp_path / "parts" / CHECKPOINTS / "step-00000005")
    assert any(not torch.equal(before[name], found) for name, found in weights(tmp_path / "parts").items())


def test_average_accumulation_and_workers_resume_bit_for_bit(
    small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["run.ema=0.9", "run.accumulate=2", "run.batch=2", "run.log_every=4", "evaluation.every=5"]
    whole = small("cropformer", *settings, "data.workers=2")
    train(whole, tmp_path / "whole")
    with monkeypatch.context() as patch:
        kill_before(patch, 6)
        with pytest.raises(Killed):
            train(whole, tmp_path / "parts")
    # Workers are no part of what is computed: it goes on with another number of them.
    train(small("cropformer", *settings, "data.workers=0"), tmp_path / "parts")
    assert_same_bits(tmp_path / "whole", tmp_path / "parts")
    last = "checkpoints/step-00000010"
    assert_same_bits(tmp_path / "whole" / last, tmp_path / "parts" / last, "average/model.safetensors")
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")
    average, now = weights(tmp_path / "whole" / last / "average"), weights(tmp_path / "whole" / last)
    assert any(not torch.equal(average[name], now[name]) for name in now)
    assert_same_bits(tmp_path / "whole", tmp_path / "whole" / last / "average")


def test_equal_seeds_give_equal_runs_and_other_seeds_do_not(small, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(small("cropformer", f"run.seed={seed}", "schedule.steps=3"), tmp_path / name)
    assert_same_bits(tmp_path / "a", tmp_path / "b")
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    assert losses(tmp_path / "a") != losses(tmp_path / "c")


def test_callers_random_numbers_stay_as_they_are(small, tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train(small("mask2former", "schedule.steps=2", "data.validation=null"), tmp_path)
    assert torch.equal(torch.rand(2), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_accumulation_changes_only_the_norms_of_the_parts(small, tmp_path: Path) -> None:
    first: dict[int, float] = {}
    for parts in (1, 2):
        config = small(
            "cropformer", f"run.accumulate={parts}", "schedule.steps=1", "run.batch=4", "data.validation=null"
        )
        train(config, tmp_path / str(parts))
        first[parts] = losses(tmp_path / str(parts))[0][1]
    # Other random points and other paddings, yet the same loss but for them.
    assert first[1] == pytest.approx(first[2], rel=0.2)


def test_result_loads_and_says_what_it_is(small, tmp_path: Path) -> None:
    config = small("cropformer", "schedule.steps=2")
    outcome = train(config, tmp_path)
    assert outcome.status == "finished"
    assert next(iter(outcome.figures)) == "AP^e"
    model, processor = load_model(tmp_path), load_processor(tmp_path)
    assert type(model).__name__ == "CropFormer"
    assert processor.view_count == 5
    result = json.loads((tmp_path / "training_result.json").read_text())
    settings = json.loads((tmp_path / "training_config.json").read_text())
    assert result["sha256"] == settings["sha256"] == config.digest()
    assert settings["config"] == config.resolved()
    assert result["environment"]["torch"] == torch.__version__.split("+")[0] or result["environment"]["torch"]
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert train(config, tmp_path) == outcome
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before


def test_a_folder_of_another_training_is_refused_with_what_differs(small, tmp_path: Path) -> None:
    train(small("mask2former", "schedule.steps=1", "data.validation=null"), tmp_path / "a")
    with pytest.raises(UsageError, match=r"optimizer\.lr: 0\.001 there, 0\.1 here"):
        train(
            small("mask2former", "schedule.steps=1", "data.validation=null", "optimizer.lr=0.1"),
            tmp_path / "a",
        )
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.tex").touch()
    with pytest.raises(UsageError, match="holds no training"):
        train(small("mask2former"), tmp_path / "b")


def test_a_loss_that_is_not_finite_ends_with_the_batch_named_and_the_last_good_state_kept(
    small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small("cropformer", "data.validation=null")
    original = Stepper._losses
    done = itertools.count()

    def poisoned(stepper, batch, generator):
        if next(done) == 7:
            batch.pixel_values[:] = float("nan")
        return original(stepper, batch, generator)

    monkeypatch.setattr(Stepper, "_losses", poisoned)
    with pytest.raises(InputError) as caught:
        train(config, tmp_path)
    text = str(caught.value)
    assert "the loss of step 8 is not finite" in text
    assert "train_" in text and "step-00000005" in text
    ((step, path),) = find_checkpoints(tmp_path / CHECKPOINTS)
    assert step == 5
    assert all(torch.isfinite(found).all() for found in weights(path).values() if found.is_floating_point())
    monkeypatch.undo()
    assert train(config, tmp_path).status == "finished"


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(
    small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> torch.Tensor:
        return torch.tensor(float("nan"))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", broken)
    with pytest.raises(InputError, match="the gradient of step 1 is not finite"):
        train(small("mask2former"), tmp_path)


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_next_run_goes_on(
    small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: signal.Signals
) -> None:
    config = small("mask2former", "data.validation=null")
    train(config, tmp_path / "whole")
    seed = Stepper._seed

    def interrupted(stepper, at: int, part: int):
        if at == 3:
            os.kill(os.getpid(), which)
        return seed(stepper, at, part)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "_seed", interrupted)
        before = signal.getsignal(which)
        outcome = train(config, tmp_path / "parts")
    assert signal.getsignal(which) is before
    assert (outcome.status, outcome.signal) == ("stopped", which)
    assert 3 < outcome.step < 10
    assert find_checkpoints(tmp_path / "parts" / CHECKPOINTS)[-1][0] == outcome.step
    assert train(config, tmp_path / "parts").status == "finished"
    assert_same_bits(tmp_path / "whole", tmp_path / "parts")


def test_a_folder_in_which_another_process_trains_is_refused(small, tmp_path: Path) -> None:
    config = small("mask2former", "data.validation=null")
    with hold_folder(tmp_path) as alone, pytest.raises(UsageError, match="another process trains"):
        assert alone
        train(config, tmp_path)
    assert not find_checkpoints(tmp_path / CHECKPOINTS)
    assert train(config, tmp_path).status == "finished"


@pytest.mark.parametrize("what", ["weights", "state"])
def test_a_full_disk_leaves_the_last_good_state(
    small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    import resource

    config = small("mask2former", "data.validation=null")
    with monkeypatch.context() as patch:
        kill_before(patch, 9)
        with pytest.raises(Killed):
            train(config, tmp_path)
    checkpoint = tmp_path / CHECKPOINTS / "step-00000005"
    sizes = {file.name: file.stat().st_size for file in checkpoint.iterdir()}
    small_file, large_file = sizes["model.safetensors"], sizes["state.pt"]
    assert small_file < large_file
    limit = small_file // 2 if what == "weights" else (small_file + large_file) // 2
    before = {file: file.read_bytes() for file in checkpoint.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError) as caught:
            train(config, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert caught.value.errno in (errno.EFBIG, errno.ENOSPC)
    assert {file: file.read_bytes() for file in checkpoint.iterdir()} == before
    assert [path.name for path in (tmp_path / CHECKPOINTS).iterdir()] == ["step-00000005"]
    assert train(config, tmp_path).status == "finished"


def test_the_last_checkpoints_and_the_best_are_kept(
    small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from entityseg.baselines.training.evaluation import Evaluation

    figures = iter([0.1, 0.7, 0.3, 0.2, 0.1])
    monkeypatch.setattr(Evaluation, "figures", lambda evaluation, table: {"AP^e": next(figures)})
    config = small("mask2former", "evaluation.every=2", "run.keep=1", "run.checkpoint_every=100")
    outcome = train(config, tmp_path)
    assert outcome.figures == {"AP^e": 0.1}
    assert [step for step, _ in find_checkpoints(tmp_path / CHECKPOINTS)] == [4, 10]
    result = json.loads((tmp_path / "training_result.json").read_text())
    assert result["best"] == {"step": 4, "figure": 0.7}


def test_a_damaged_checkpoint_is_named(small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small("mask2former", "data.validation=null")
    with monkeypatch.context() as patch:
        kill_before(patch, 6)
        with pytest.raises(Killed):
            train(config, tmp_path)
    state = tmp_path / CHECKPOINTS / "step-00000005" / "state.pt"
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"state\.pt.*cannot be read"):
        train(config, tmp_path)


def test_a_checkpoint_with_code_is_not_run(small, tmp_path: Path) -> None:
    import pickle

    from entityseg.baselines.training.checkpoints import load_state

    class Attack:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/attacked",)

    torch.save({"position": Attack(), "optimizer": {}, "scaler": {}}, tmp_path / "state.pt")
    with pytest.raises(InputError, match="cannot be read"):
        load_state(tmp_path)
    (tmp_path / "state.pt").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(InputError, match="cannot be read"):
        load_state(tmp_path)
    assert not (tmp_path / "attacked").exists()


def test_killed_while_the_result_is_written(small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small("mask2former", "schedule.steps=2")
    expected = train(config, tmp_path / "whole").figures
    replace = Path.replace

    def dying(path: Path, target: Path) -> Path:
        if path.parent.name == "finished" and path.name == "model.safetensors":
            raise Killed
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        with pytest.raises(Killed):
            train(config, tmp_path / "parts")
    assert not (tmp_path / "parts" / "training_result.json").exists()
    assert train(config, tmp_path / "parts").figures == expected
    assert_same_bits(tmp_path / "whole", tmp_path / "parts")
    assert not (tmp_path / "parts" / "finished").exists()


def test_a_start_that_failed_may_be_mended(small, tmp_path: Path) -> None:
    settings = ["schedule.steps=1", "data.validation=null"]
    with pytest.raises(UsageError, match=r"model\.weights=FOLDER"):
        train(small("mask2former", *settings, "model.pretraining=coco"), tmp_path / "a")
    assert not (tmp_path / "a").exists()
    train(small("mask2former", *settings), tmp_path / "a")
    weights = [f"model.weights={tmp_path / 'a'}", "model.pretraining=coco", "run.seed=3"]
    train(small("cropformer", *settings, *weights), tmp_path / "b")
    start = read_log(tmp_path / "b" / LOG)[0]["start"]
    assert start["unused"] == 0
    assert start["fresh"] >= len(start["fresh_names"]) > 0
    assert all(name.startswith("association") for name in start["fresh_names"])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_image_ends_with_its_name(small, data: Path, tmp_path: Path, workers: int) -> None:
    import shutil

    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "data" / "images" / "train_3.png").write_bytes(b"no image")
    paths = [f"data.train.path={tmp_path}/data/train.json", f"data.train.images={tmp_path}/data/images"]
    config = small("mask2former", *paths, f"data.workers={workers}", "data.validation=null")
    with pytest.raises(InputError, match=r"train_3\.png"):
        train(config, tmp_path / "out")


def test_training_images_without_entities(tmp_path: Path, small, split_writer) -> None:
    split_writer(tmp_path, "empty", 2, 5, empty=0)
    paths = [f"data.train.path={tmp_path}/empty.json", f"data.train.images={tmp_path}/images"]
    settings = [*paths, "data.validation=null", "schedule.steps=4", "run.batch=1"]
    for skip in ("true", "false"):
        train(small("cropformer", *settings, f"data.skip_empty={skip}"), tmp_path / skip)
    skipped, taken = losses(tmp_path / "true"), losses(tmp_path / "false")
    assert all(np.isfinite([value for line in (*skipped, *taken) for value in line]))
    masks = [line["loss.batch.mask"] for line in read_log(tmp_path / "false" / LOG) if "loss" in line]
    assert masks.count(0.0) == 2
    assert 0.0 not in [
        line["loss.batch.mask"] for line in read_log(tmp_path / "true" / LOG) if "loss" in line
    ]


def test_images_with_nothing_but_crowds_are_left_out(tmp_path: Path, small, split_writer) -> None:
    split_writer(tmp_path, "crowds", 3, 5)
    value = json.loads((tmp_path / "crowds.json").read_text())
    for annotation in value["annotations"]:
        annotation["iscrowd"] = int(annotation["image_id"] == 2)
    (tmp_path / "crowds.json").write_text(json.dumps(value))
    paths = [f"data.train.path={tmp_path}/crowds.json", f"data.train.images={tmp_path}/images"]
    for skip, names in (("true", ["0", "2"]), ("false", ["0", "1", "2"])):
        config = small("cropformer", *paths, "data.validation=null", f"data.skip_empty={skip}")
        taken = [image.file_name for image in open_data(config).train.images]
        assert taken == [f"crowds_{name}.png" for name in names]


@pytest.mark.parametrize("family", ["vmask2former", "vita"])
def test_the_peers_train_too(small, tmp_path: Path, family: str) -> None:
    outcome = train(small(family, "schedule.steps=2"), tmp_path)
    assert outcome.status == "finished"
    assert type(load_model(tmp_path)).__name__ == {"vmask2former": "VMask2Former", "vita": "VITA"}[family]


@pytest.mark.parametrize("task", ["instance", "semantic", "panoptic"])
def test_classes_are_learnt_and_scored(small, tmp_path: Path, task: str) -> None:
    outcome = train(small("mask2former", f"task={task}", "schedule.steps=2"), tmp_path)
    name = {"instance": "AP", "semantic": "mIoU", "panoptic": "PQ"}[task]
    assert next(iter(outcome.figures)) == name
    model = load_model(tmp_path)
    assert model.config.num_labels == 2
    assert model.config.category_ids == [3, 7]
    assert model.config.id2label == {0: "box", 1: "wall"}


def test_half_precision_trains(small, tmp_path: Path) -> None:
    train(small("cropformer", "run.precision=bfloat16", "schedule.steps=3", "data.validation=null"), tmp_path)
    assert all(np.isfinite(loss) for _, loss, _ in losses(tmp_path))
    assert all(found.dtype == torch.float32 for found in weights(tmp_path).values())


@pytest.mark.slow
def test_tiny_cropformer_learns_its_images(small, tmp_path: Path) -> None:
    settings = [
        "model.options.hidden_size=64", "model.options.pixel_size=64", "model.options.mask_size=64",
        "model.options.queries=10", "model.options.decoder_layers=3", "model.backbone.embed_dim=24",
        "model.backbone.num_heads=[1, 2, 4, 8]", "model.backbone.drop_path_rate=0", "schedule.steps=150",
        "views.short_sides=[64]", "views.max_side=128", "views.test_short_side=64", "views.test_max_side=128",
        "loss.points=512", "run.checkpoint_every=150", "views.flip=0",
    ]  # fmt: skip
    config = small("cropformer", *settings)
    outcome = train(
        config.model_copy(update={"data": config.data.model_copy(update={"validation": config.data.train})}),
        tmp_path,
    )
    found = [loss for _, loss, _ in losses(tmp_path)]
    assert np.mean(found[-20:]) < 0.6 * np.mean(found[:10])
    assert outcome.figures["AP^e"] is not None
    assert outcome.figures["AP^e"] > 0.3
