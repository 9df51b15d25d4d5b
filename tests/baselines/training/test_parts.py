"""The parts of the loop alone: order, learning rates, groups, average, logs, starting weights, stopping."""

from __future__ import annotations

import json
import os
import signal
import sys
import types
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from entityseg.baselines.models import new_model, tiny_config
from entityseg.baselines.models.loading import save_model
from entityseg.baselines.training.average import Average
from entityseg.baselines.training.config import OptimizerSection, ScheduleSection
from entityseg.baselines.training.evaluation import evenly
from entityseg.baselines.training.order import Batches, Order
from entityseg.baselines.training.schedule import lr_factor, make_optimizer, parameter_groups, set_lr
from entityseg.baselines.training.starting import start_from
from entityseg.baselines.training.stopping import Stop
from entityseg.baselines.training.trackers import JsonlTracker, Terminal, Trackers, WandbTracker, read_log
from entityseg.errors import InputError, UsageError


def tiny(kind: str, *, backbone: str = "swin", seed: int = 0, **options):
    torch.manual_seed(seed)
    return new_model(tiny_config(kind, backbone, **options))


@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 5))
def test_every_pass_takes_every_image_once(images: int, batch: int, seed: int) -> None:
    order = Order(images, batch, seed)
    items = [item for step in range(3 * images) for item in order.items(step)]
    for epoch in range(3 * batch - 1):
        assert sorted(index for index, found in items if found == epoch) == list(range(images))


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 4))
def test_processes_and_parts_share_a_step_without_overlap(
    processes: int, parts: int, size: int, start: int
) -> None:
    order = Order(7, processes * parts * size, 3)
    shares = [list(Batches(order, start, 6, parts, process, processes)) for process in range(processes)]
    assert all(len(share) == len(Batches(order, start, 6, parts)) for share in shares)
    for place, step in enumerate(range(start, 6)):
        taken = [item for part in range(parts) for share in shares for item in share[place * parts + part]]
        assert taken == order.items(step)


def test_passes_are_shuffled_differently() -> None:
    orders = [
        [index for index, _ in Order(20, 20, seed).items(step)] for seed, step in ((0, 0), (0, 1), (1, 0))
    ]
    assert len({tuple(order) for order in orders}) == 3


def test_learning_rates() -> None:
    poly = ScheduleSection(steps=100, kind="poly", power=0.9, warmup=4)
    assert lr_factor(poly, 0) == 0.25
    assert lr_factor(poly, 50) == pytest.approx(0.5**0.9)
    assert 0 < lr_factor(poly, 99) < 0.02
    constant = ScheduleSection(steps=100, kind="constant", warmup=2)
    assert [lr_factor(constant, step) for step in (0, 1, 99)] == [0.5, 1, 1]


@pytest.mark.parametrize("backbone", ["swin", "resnet", "hornet"])
def test_groups_hold_every_parameter_once_with_the_right_decay(backbone: str) -> None:
    model = tiny("cropformer", backbone=backbone)
    groups = parameter_groups(model, OptimizerSection(weight_decay=0.05, backbone_factor=0.1))
    names = [name for group in groups for name in group["names"]]
    assert sorted(names) == sorted(name for name, one in model.named_parameters() if one.requires_grad)
    found = {name: group for group in groups for name in group["names"]}
    for name, group in found.items():
        assert group["factor"] == (0.1 if ".backbone." in name else 1.0)
    owner = dict(model.named_modules())
    for name, group in found.items():
        module = owner[name.rpartition(".")[0]]
        norm = (
            isinstance(module, nn.LayerNorm | nn.GroupNorm | nn.Embedding) or "Norm" in type(module).__name__
        )
        assert group["weight_decay"] == (0.0 if norm or "relative_position_bias_table" in name else 0.05), (
            name
        )
    optimizer = make_optimizer(model, OptimizerSection(lr=1e-3, backbone_factor=0.1))
    assert set_lr(optimizer, 1e-3, 0.5) == 5e-4
    assert sorted({group["lr"] for group in optimizer.param_groups}) == pytest.approx([5e-5, 5e-4])


def test_average_follows_slowly() -> None:
    model = tiny("mask2former")
    average = Average(model, 0.75)
    name, weight = next(iter(model.named_parameters()))
    before = weight.detach().clone()
    with torch.no_grad():
        weight += 1
    average.update(model)
    torch.testing.assert_close(dict(average.model.named_parameters())[name], before + 0.25)
    assert not any(one.requires_grad for one in average.model.parameters())


def test_log_drops_what_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    first = JsonlTracker(path, 0)
    for step in (1, 2, 3):
        first.log(step, {"loss": step / 2})
    first.close()
    # A line that was being written when the process died.
    with open(path, "ab") as file:
        file.write(b'{"step": 4, "lo')
    assert [line["step"] for line in read_log(path)] == [1, 2, 3]
    second = JsonlTracker(path, 2)
    second.log(3, {"loss": 9.0})
    second.close()
    assert read_log(path) == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 1.0}, {"step": 3, "loss": 9.0}]


def test_terminal_says_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(10, 0)
    trackers = Trackers([terminal])
    trackers.log(5, {"loss": 1.25, "lr": 1e-3, "loss.batch.mask": 1.0})
    trackers.log(5, {"AP^e": 0.5})
    trackers.close()
    shown = capsys.readouterr()
    assert "step 5/10  loss 1.25  lr 0.001" in shown.err
    assert "AP^e 50.00" in shown.err
    assert shown.out == ""


def test_tensorboard_gets_every_number(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra `tensorboard`")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from entityseg.baselines.training.trackers import TensorBoardTracker

    tracker = TensorBoardTracker(tmp_path, 0)
    tracker.log(3, {"loss.batch.mask": 2.5, "start": {"weights": None}})
    tracker.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["scalars"] == ["loss/batch/mask"]
    assert [(one.step, one.value) for one in events.Scalars("loss/batch/mask")] == [(3, 2.5)]


def test_wandb_gets_every_number_and_one_id_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, object]] = []

    class Run:
        def log(self, values, step):
            calls.append(("log", (step, values)))

        def finish(self):
            calls.append(("finish", None))

    def init(**options):
        calls.append(("init", options))
        return Run()

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    for _ in range(2):
        tracker = WandbTracker(tmp_path / "w", "tiny", {"a": 1})
        tracker.log(4, {"loss": 1, "start": None})
        tracker.close()
    begun = [value for name, value in calls if name == "init"]
    assert begun[0]["id"] == begun[1]["id"]
    assert begun[0]["resume"] == "allow"
    assert ("log", (4, {"loss": 1.0})) in calls


def test_a_tracker_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UsageError, match=r"pip install 'entityseg\[wandb\]'"):
        WandbTracker(tmp_path, "tiny", {})


def test_mask2former_starts_a_cropformer(tmp_path: Path) -> None:
    source, model = tiny("mask2former", seed=1), tiny("cropformer", seed=2)
    save_model(source, tmp_path)
    start = start_from(model, tmp_path)
    assert start.unused == ()
    assert start.fresh
    assert all(name.startswith("association") for name in start.fresh)
    found = model.state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in source.state_dict().items())


def test_a_head_of_other_classes_stays_random(tmp_path: Path) -> None:
    source = tiny("mask2former", seed=1, id2label={0: "a", 1: "b", 2: "c"})
    model = tiny("mask2former", seed=2)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    save_model(source, tmp_path)
    start = start_from(model, tmp_path)
    assert start.fresh == start.unused
    assert 0 < len(start.fresh) <= 2
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in start.fresh)


@pytest.mark.parametrize("backbone", ["swin", "resnet"])
def test_a_backbone_alone_starts_a_model(tmp_path: Path, backbone: str) -> None:
    source, model = (
        tiny("mask2former", backbone=backbone, seed=1),
        tiny("cropformer", backbone=backbone, seed=2),
    )
    body = source.pixels.backbone.body
    body.save_pretrained(tmp_path)
    start = start_from(model, tmp_path)
    assert all(".backbone." not in name for name in start.fresh)
    for name, weight in body.state_dict().items():
        assert torch.equal(model.pixels.backbone.body.state_dict()[name], weight)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights to start from"):
        start_from(tiny("mask2former"), tmp_path)
    save_model(tiny("mask2former", backbone="resnet"), tmp_path / "resnet")
    with pytest.raises(InputError, match="the backbone there is another one"):
        start_from(tiny("mask2former"), tmp_path / "resnet")
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UsageError, match="the folder holds a bert"):
        start_from(tiny("mask2former"), tmp_path / "bert")


def test_the_second_signal_works_as_ever() -> None:
    # A shell starts what runs in the background deaf to SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Stop() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.signal == signal.SIGINT
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_images_are_spread_evenly() -> None:
    assert evenly(5, None) == [0, 1, 2, 3, 4]
    assert evenly(100, 1) == [0]
    assert evenly(100, 5) == [0, 24, 49, 74, 99]
