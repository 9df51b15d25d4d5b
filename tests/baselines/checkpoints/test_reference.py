"""Files of every released kind, and of other sizes, against a second writing of the released networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from entityseg.baselines.checkpoints import convert_file, convert_state
from entityseg.baselines.checkpoints.official import links
from entityseg.baselines.checkpoints.placing import place
from entityseg.baselines.checkpoints.sizes import find_family, find_sizes
from entityseg.baselines.models import SegmenterConfig, SegmenterModel, load_model, model_class
from tests.baselines.checkpoints.official_state import HorNet, ResNet, Sizes, Swin, drawn
from tests.baselines.checkpoints.reference import Told, Weights, hornet, network
from tests.baselines.golden import golden_file
from tests.baselines.models.test_golden import network_input

LIMIT = 1e-6
SWIN, RESNET, HORNET = Swin(), ResNet(), HorNet()
TINY = {"swin": SWIN, "resnet": RESNET, "hornet": HORNET}
# Smaller, so that each of many takes a fraction of a second.
SMALL = Sizes(queries=7, units=40, layers=2, encoder=1)
ASSOCIATION = (48,)


def drawn_file(sizes: Sizes, seed: int = 1) -> dict[str, Tensor]:
    """Return a state dict with all that a released one has: weights, indices, class weights."""
    state = drawn(sizes.shapes(), seed)
    for name, shape in sizes.backbone.buffers():
        state[f"backbone.{name}"] = torch.zeros(shape, dtype=torch.int64)
    criteria = ("criterion_2d", "criterion_3d") if sizes.association else ("criterion",)
    state |= {f"{name}.empty_weight": torch.ones(sizes.classes + 1) for name in criteria}
    return state


def predicted(model: SegmenterModel, pixels: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        found = model(pixels[None])
    told = {"image_logits": found.image.logits[-1], "image_masks": found.image.masks[-1][:, :, 0]}
    if found.batch is not None:
        told |= {"batch_logits": found.batch.logits[-1], "batch_masks": found.batch.masks[-1]}
    return told


def check_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, one in expected.items():
        assert found[name].shape == one.shape, name
        assert float((found[name] - one).abs().max()) < LIMIT * max(1.0, float(one.abs().max())), name


def pixels_of(sizes: Sizes, height: int = 64, width: int = 96) -> Tensor:
    generator = torch.Generator().manual_seed(8)
    views = 3 if sizes.association else 1
    return torch.randn(views, 3, height, width, generator=generator, dtype=torch.float64)


@torch.no_grad()
def test_the_second_writing_equals_the_release(golden: Path) -> None:
    state, arrays = golden_file(golden, "cropformer")
    found = network(state, network_input(arrays["input/views"])[0], Told())
    names = {"image_logits": "image_decoder/logits", "image_masks": "image_decoder/masks"}
    names |= {"batch_logits": "batch_decoder/logits", "batch_masks": "batch_decoder/masks"}
    check_equal(found, {name: torch.from_numpy(arrays[there]) for name, there in names.items()})
    state, arrays = golden_file(golden, "mask2former")
    found = network(state, network_input(arrays["input/image"])[0], Told())
    assert np.abs(found["image_logits"].numpy() - arrays["decoder/logits"]).max() < LIMIT
    assert np.abs(found["image_masks"].numpy().ravel() - arrays["decoder/masks"].ravel()).max() < LIMIT
    state, arrays = golden_file(golden, "hornet")
    for stage, one in enumerate(hornet(Weights(state), torch.from_numpy(arrays["input/x"]), 1 / 3)):
        assert np.abs(one.numpy() - arrays[f"output/res{stage + 2}"]).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("mask2former", Sizes()),
        ("cropformer", Sizes(association=(64,))),
        ("hornet", HORNET),
    ],
)
def test_names_and_shapes_are_the_releases(golden: Path, name: str, sizes: Sizes | HorNet) -> None:
    state, _ = golden_file(golden, name)
    beside = ("relative_position_index", "empty_weight")
    released = {key: tuple(one.shape) for key, one in state.items() if not key.endswith(beside)}
    assert dict(sizes.shapes()) == released


@pytest.mark.parametrize("backbone", TINY)
@pytest.mark.parametrize(
    ("classes", "task", "association"),
    [
        (1, "entity", ()), (206, "instance", ()), (150, "semantic", ()), (350, "panoptic", ()),
        (1, "entity", ASSOCIATION), (80, "instance", ASSOCIATION), (133, "panoptic", ASSOCIATION),
    ],
)  # fmt: skip
@torch.no_grad()
def test_every_released_kind(
    backbone: str, classes: int, task: str, association: tuple[int, ...], tmp_path: Path
) -> None:
    sizes = replace(SMALL, backbone=TINY[backbone], classes=classes, association=association)
    state = drawn_file(sizes)
    torch.save({"model": state, "optimizer": {}, "scheduler": {}, "iteration": 1}, tmp_path / "x.pth")
    record = convert_file(tmp_path / "x.pth", tmp_path / "out")
    model = load_model(tmp_path / "out")
    assert record["family"] == ("cropformer" if association else "mask2former")
    assert (model.config.task, model.config.num_labels) == (task, classes)
    assert model.dtype == torch.float64
    assert record["parameters"] + _buffers(model) == sum(
        one.numel() for name, one in state.items() if not name.endswith(("_index", "empty_weight"))
    )
    check_equal(predicted(model, pixels_of(sizes)), network(state, pixels_of(sizes), Told()))


def _buffers(model: SegmenterModel) -> int:
    """Return how many weights a frozen batch normalisation keeps, which are no parameters."""
    return sum(one.numel() for name, one in model.state_dict().items() if ".normalization." in name)


CROPS = replace(SMALL, association=ASSOCIATION)
VARIANTS: dict[str, tuple[Sizes, Told, dict[str, Any]]] = {
    "more layers": (replace(CROPS, layers=10, encoder=3), Told(), {}),
    "one layer": (replace(SMALL, layers=1), Told(), {}),
    "queries": (replace(CROPS, queries=33), Told(), {}),
    "one query": (replace(CROPS, queries=1), Told(), {}),
    "units": (replace(CROPS, units=24, association=(72,)), Told(), {}),
    "association of two layers": (replace(SMALL, association=(40, 40)), Told(), {}),
    "hidden above convolutions": (replace(CROPS, hidden=48, masks=20), Told(), {}),
    "hidden below convolutions": (replace(CROPS, hidden=32, convolutions=64, masks=80), Told(), {}),
    "projected all the same": (replace(CROPS, project=True), Told(), {}),
    "eight heads": (replace(CROPS, heads=8), Told(heads=8, association_heads=8), {}),
    "one head": (replace(CROPS, heads=1), Told(heads=1, association_heads=1), {}),
    "other heads in the decoders": (CROPS, Told(heads=2, association_heads=2), {"heads": 2}),
    "other heads in the association": (CROPS, Told(association_heads=8), {"association_heads": 8}),
    "normalised before": (CROPS, Told(pre_norm=True), {"pre_norm": True}),
    "windows of 12": (replace(SMALL, backbone=Swin(window=12)), Told(), {}),
    "windows of 4": (replace(SMALL, backbone=Swin(window=4, depths=(2, 2, 2, 2))), Told(), {}),
    "Swin of other depths and heads": (
        replace(SMALL, backbone=Swin(16, (2, 1, 3, 2), (2, 4, 4, 2), 5, 2)), Told(), {},
    ),
    "ResNet of other depths and widths": (
        replace(SMALL, backbone=ResNet(24, (64, 64, 96, 128), (3, 4, 2, 3))), Told(), {},
    ),
    "HorNet of convolutions": (
        replace(SMALL, backbone=HorNet(filters=(None,) * 4, orders=(2, 2, 3, 4), depths=(2, 1, 1, 2))), Told(), {},
    ),
    "HorNet of small filters": (
        replace(CROPS, backbone=HorNet(filters=((5, 3), None, (14, 8), (7, 4)))), Told(), {},
    ),
    "HorNet of another scale": (
        replace(SMALL, backbone=HORNET), Told(gate_scale=1.0), {"gate_scale": 1.0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
@torch.no_grad()
def test_other_sizes(name: str) -> None:
    sizes, told, options = VARIANTS[name]
    state = drawn_file(sizes, seed=2)
    model = convert_state(state, **options).model
    check_equal(predicted(model, pixels_of(sizes)), network(state, pixels_of(sizes), told))


@pytest.mark.parametrize("size", [(32, 32), (32, 160), (224, 96)])
@pytest.mark.parametrize("backbone", TINY)
@torch.no_grad()
def test_images_smaller_and_longer_than_windows(backbone: str, size: tuple[int, int]) -> None:
    sizes = replace(CROPS, backbone=TINY[backbone])
    state = drawn_file(sizes, seed=3)
    given = pixels_of(sizes, *size)
    check_equal(predicted(convert_state(state).model, given), network(state, given, Told()))


SWIN_T = Swin(96, (2, 2, 6, 2), (3, 6, 12, 24), 7)
SWIN_L7 = Swin(192, (2, 2, 18, 2), (6, 12, 24, 48), 7)
SWIN_L12 = replace(SWIN_L7, window=12)
HORNET_L = HorNet(192, (2, 3, 18, 2))
RESNET_50 = ResNet(64, (256, 512, 1024, 2048), (3, 4, 6, 3))
RELEASED = Sizes(
    queries=100, hidden=256, units=2048, layers=9, convolutions=256, masks=256, encoder=6, heads=8
)  # fmt: skip
BOTH = ((), (2048,))


@pytest.mark.parametrize(
    ("sizes", "task", "million"),
    [
        *((replace(RELEASED, backbone=SWIN_T, association=one), "entity", None) for one in BOTH),
        *((replace(RELEASED, backbone=SWIN_L7, association=one), "entity", None) for one in BOTH),
        *(
            (replace(RELEASED, backbone=HORNET_L, queries=200, association=one), "entity", None)
            for one in BOTH
        ),
        (replace(RELEASED, backbone=SWIN_T, classes=206), "instance", None),
        (replace(RELEASED, backbone=SWIN_L12, classes=206), "instance", None),
        (replace(RELEASED, backbone=SWIN_T, classes=150), "semantic", None),
        (replace(RELEASED, backbone=SWIN_L12, classes=150, queries=200), "semantic", None),
        (replace(RELEASED, backbone=SWIN_T, classes=350), "panoptic", None),
        (replace(RELEASED, backbone=SWIN_L12, classes=350, queries=200), "panoptic", None),
        (replace(RELEASED, backbone=RESNET_50, classes=133), "panoptic", 44.0),
        (replace(RELEASED, backbone=RESNET_50, classes=80), "instance", 44.0),
    ],
)
def test_released_sizes(sizes: Sizes, task: str, million: float | None) -> None:
    """Every weight of a full-size file has its place; only shapes, for the numbers would be gigabytes."""
    state = {name: torch.empty(shape, device="meta") for name, shape in sizes.shapes()}
    family = find_family(state, "x.pth")
    config = find_sizes(state, family, "x.pth")
    layout = links(config, association=family == "cropformer")
    weights = place(state, layout, lambda: model_class(family)(config), "x.pth")
    assert sum(one.numel() for one in weights.values()) == sum(one.numel() for one in state.values())
    assert (family == "cropformer") == bool(sizes.association)
    assert (config.task, config.num_labels, config.queries) == (task, sizes.classes, sizes.queries)
    released = SegmenterConfig(backbone_config=config.backbone_config)
    same = (
        "hidden_size",
        "heads",
        "ffn",
        "decoder_layers",
        "pixel_size",
        "mask_size",
        "pixel_layers",
        "pixel_heads",
    )
    for name in (*same, "pixel_ffn", "association_units", "pre_norm", "input_projection"):
        assert getattr(config, name) == getattr(released, name), name
    if million is not None:
        # Its paper, Table 1.
        assert round(sum(one.numel() for one in weights.values()) / 1e6) == million


def test_what_is_told_makes_a_difference() -> None:
    """The variants of what no shape tells would not pass with the released values."""
    sizes = replace(CROPS, backbone=HORNET)
    state, given = drawn_file(sizes), pixels_of(sizes)
    with torch.no_grad():
        released = network(state, given, Told())
        for told in (Told(heads=2), Told(association_heads=2), Told(pre_norm=True), Told(gate_scale=1.0)):
            other = network(state, given, told)
            assert float((other["batch_logits"] - released["batch_logits"]).abs().max()) > 1000 * LIMIT, told
