"""Released state dicts become models of equal numbers; what does not fit is named."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from entityseg.baselines.checkpoints import convert_file, convert_state
from entityseg.baselines.models import SegmenterConfig, load_model
from entityseg.baselines.views import load_processor
from entityseg.errors import InputError, UsageError
from tests.baselines.checkpoints.released import PIXELS, PREDICTOR, made, with_extras
from tests.baselines.golden import golden_file
from tests.baselines.models.test_models import pixels, views_of

SIZES: list[dict[str, Any]] = [
    {},
    {"queries": 9, "hidden_size": 48, "ffn": 40, "pixel_size": 32, "mask_size": 24, "pixel_ffn": 56},
    {
        "decoder_layers": 11,
        "pixel_layers": 2,
        "association_layers": 2,
        "association_units": 8,
        "input_projection": True,
    },
]
CASES = [
    (name, backbone, options)
    for name, backbone, options in (
        ("cropformer", "swin", {}),
        ("cropformer", "hornet", SIZES[1]),
        ("cropformer", "resnet", SIZES[2]),
        ("cropformer", "swin", {"association_self": False}),
        ("mask2former", "swin", {"num_labels": 206, "task": "instance"}),
        ("mask2former", "hornet", {"num_labels": 350, "task": "panoptic"}),
        ("mask2former", "resnet", {"num_labels": 150, "task": "semantic"}),
        ("mask2former", "resnet", {**SIZES[1], "num_labels": 80, "task": "instance"}),
        ("vmask2former", "swin", {}),
    )
]


def kinds(error: pytest.ExceptionInfo[InputError]) -> set[tuple[str, str | None]]:
    return {(finding.kind, finding.record) for finding in error.value.findings}


@pytest.mark.parametrize(("name", "backbone", "options"), CASES)
@torch.no_grad()
def test_a_released_model_gives_equal_numbers(
    name: str, backbone: str, options: dict[str, Any], tmp_path: Path
) -> None:
    model, state = made(name, backbone, **options)
    classes = model.config.num_labels
    torch.save({"model": with_extras(state, classes), "iteration": 3}, tmp_path / "released.pth")
    family = "vmask2former" if name == "vmask2former" else None
    record = convert_file(tmp_path / "released.pth", tmp_path / "model", family=family)
    found = load_model(tmp_path / "model")
    assert type(found) is type(model)
    assert record["family"] == name
    given = pixels(1, views_of(name), 64, 64)
    assert torch.equal(found(given).answer.logits[-1], model(given).answer.logits[-1])
    assert torch.equal(found(given).answer.masks[-1], model(given).answer.masks[-1])
    for field in (
        "queries", "hidden_size", "heads", "ffn", "decoder_layers", "pixel_size", "mask_size", "pixel_layers",
        "pixel_heads", "pixel_ffn", "num_labels", "task", "association_cross", "association_self", "association_ffn",
    ):  # fmt: skip
        assert getattr(found.config, field) == getattr(model.config, field), field


def test_sizes_of_the_backbones_are_found() -> None:
    config = convert_state(made("cropformer", "swin", backbone_config={
        "model_type": "swin", "embed_dim": 8, "depths": [1, 2, 1, 1], "num_heads": [1, 2, 2, 4], "window_size": 12,
        "mlp_ratio": 2.0,
    })[1]).model.config.backbone_config  # fmt: skip
    assert (config.embed_dim, config.depths, config.num_heads) == (8, [1, 2, 1, 1], [1, 2, 2, 4])
    assert (config.window_size, config.mlp_ratio) == (12, 2.0)
    config = convert_state(made("mask2former", "hornet", backbone_config={
        "model_type": "hornet", "embed_dim": 32, "depths": [1, 1, 1, 2], "orders": [2, 3, 3, 4],
        "filters": [None, [5, 3], None, [12, 7]],
    })[1]).model.config.backbone_config  # fmt: skip
    assert (config.embed_dim, config.depths, config.orders) == (32, [1, 1, 1, 2], [2, 3, 3, 4])
    assert config.filters == [None, [5, 3], None, [12, 7]]
    config = convert_state(made("mask2former", "resnet", backbone_config={
        "model_type": "resnet", "embedding_size": 32, "hidden_sizes": [32, 48, 64, 96], "depths": [2, 1, 1, 1],
    })[1]).model.config.backbone_config  # fmt: skip
    assert (config.embedding_size, config.hidden_sizes, config.depths) == (32, [32, 48, 64, 96], [2, 1, 1, 1])


def test_the_layout_names_each_weight_of_the_release_once(golden: Path) -> None:
    """The golden files' names come from the released code itself."""
    for name in ("mask2former", "cropformer"):
        state, _ = golden_file(golden, name)
        done = convert_state(state)
        assert set(done.dropped) == {
            key for key in state if key.endswith("relative_position_index") or key.startswith("criterion")
        }
        assert done.family == name


@pytest.mark.parametrize(
    ("options", "names", "million"),
    [
        # Counted in the released code: keys with indices and criteria, and parameters.
        (("cropformer", {"model_type": "swin"}, 100), 501, 49.0),
        (("mask2former", {"model_type": "swin"}, 100), 482, 47.4),
        (("cropformer", {"model_type": "hornet"}, 200), 956, 222.2),
    ],
)
def test_full_size_models_have_the_released_numbers_of_weights(
    options: tuple[str, dict[str, Any], int], names: int, million: float
) -> None:
    from entityseg.baselines.checkpoints.official import links
    from entityseg.baselines.models import model_class

    family, backbone, queries = options
    config = SegmenterConfig(backbone_config=backbone, queries=queries)
    with torch.device("meta"):
        model = model_class(family)(config)
    layout = links(config, association=family == "cropformer")
    indices = sum(config.backbone_config.depths) if backbone["model_type"] == "swin" else 0
    criteria = 2 if family == "cropformer" else 1
    assert len(layout) + indices + criteria == names
    assert round(model.num_parameters() / 1e6, 1) == million
    assert sorted(name for link in layout for name in link.ours) == sorted(model.state_dict())


@pytest.mark.parametrize("old", ["doubled", "bare", "static_query"])
def test_names_of_older_releases(old: str) -> None:
    model, state = made()
    renamed = {
        "doubled": {key.replace(PIXELS, f"{PIXELS}pixel_decoder."): one for key, one in state.items()},
        "bare": {key.replace(PIXELS, "sem_seg_head."): one for key, one in state.items()},
        "static_query": {key.replace("query_feat", "static_query"): one for key, one in state.items()},
    }[old]
    assert renamed.keys() != state.keys()
    found = convert_state(renamed).model.state_dict()
    assert all(torch.equal(found[key], one) for key, one in model.state_dict().items())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_names_of_wrapped_models(prefix: str) -> None:
    """Training on several devices and compiled models put a word before each name."""
    model, state = made()
    wrapped = {prefix + key: one for key, one in with_extras(state).items()}
    done = convert_state(wrapped)
    found = done.model.state_dict()
    assert all(torch.equal(found[key], one) for key, one in model.state_dict().items())
    assert set(done.dropped) == {prefix + key for key in with_extras(state).keys() - state.keys()}


def test_a_wrapped_name_beside_a_bare_one() -> None:
    _, state = made()
    state["module.backbone.norm0.bias"] = state["backbone.norm0.bias"]
    with pytest.raises(InputError, match=r"checkpoint\.twice"):
        convert_state(state)


def test_what_is_dropped_is_no_weight() -> None:
    _, state = made("mask2former", "resnet")
    beside = {
        "criterion.empty_weight": torch.ones(2),
        "sem_seg_head.criterion.empty_weight": torch.ones(2),
        "backbone.stem.conv1.norm.num_batches_tracked": torch.tensor(5),
        "backbone.layers.0.blocks.1.attn_mask": torch.zeros(1),
    }
    done = convert_state(state | beside)
    assert done.dropped == tuple(sorted(beside)) and done.statistics is None


def test_statistics_of_the_pixels_are_the_files(tmp_path: Path) -> None:
    _, state = made("mask2former", "resnet")
    state["pixel_mean"] = torch.tensor([120.0, 110.0, 100.5]).view(-1, 1, 1)
    state["pixel_std"] = torch.tensor([50.0, 51.0, 52.0]).view(-1, 1, 1)
    torch.save({"model": state}, tmp_path / "x.pth")
    convert_file(tmp_path / "x.pth", tmp_path / "out")
    processor = load_processor(tmp_path / "out")
    assert (processor.image_mean, processor.image_std) == ([120.0, 110.0, 100.5], [50.0, 51.0, 52.0])


@pytest.mark.parametrize(
    ("mean", "std", "record"),
    [
        ([103.53, 116.28, 123.675], [57.375, 57.12, 58.395], "pixel_mean"),
        ([103.53, 116.28, 123.675], [1.0, 1.0, 1.0], "pixel_mean"),
        ([120.0, 110.0], [1.0, 1.0, 1.0], "pixel_mean"),
        ([120.0, float("nan"), 1.0], [1.0, 1.0, 1.0], "pixel_mean"),
        ([120.0, 110.0, 100.0], [1.0, 0.0, 1.0], "pixel_std"),
    ],
)
def test_statistics_that_are_not_those_of_rgb_images(
    mean: list[float], std: list[float], record: str
) -> None:
    _, state = made("mask2former", "resnet")
    state |= {"pixel_mean": torch.tensor(mean), "pixel_std": torch.tensor(std)}
    with pytest.raises(InputError) as error:
        convert_state(state)
    assert kinds(error) == {("checkpoint.pixels", record)}


def test_a_pickle_of_arrays_is_a_released_file(tmp_path: Path) -> None:
    """detectron2's zoo has its Mask2Former R-50 as such."""
    model, state = made("mask2former", "resnet", num_labels=133, task="panoptic")
    held = {"model": {key: one.numpy() for key, one in state.items()}, "__author__": "x"}
    (tmp_path / "model_final_94dc52.pkl").write_bytes(pickle.dumps(held))
    record = convert_file(tmp_path / "model_final_94dc52.pkl", tmp_path / "out")
    assert record["source"]["file"] == "model_final_94dc52.pkl"
    found = load_model(tmp_path / "out")
    assert found.config.task == "panoptic"
    assert all(torch.equal(found.state_dict()[key], one) for key, one in model.state_dict().items())


def test_one_weight_under_two_names() -> None:
    _, state = made()
    state[f"{PREDICTOR}static_query.weight"] = state[f"{PREDICTOR}query_feat.weight"]
    with pytest.raises(InputError, match=r"checkpoint\.twice"):
        convert_state(state)


def test_every_weight_that_is_missing_left_over_or_misshapen_is_named() -> None:
    _, state = made()
    gone = [
        f"{PREDICTOR}decoder_norm.bias",
        "backbone.layers.2.blocks.1.attn.qkv.bias",
        f"{PIXELS}layer_1.weight",
    ]
    for name in gone:
        del state[name]
    more = ["backbone.layers.2.blocks.0.attn.extra", f"{PREDICTOR}make_3d.something.weight", "teacher.weight"]
    state |= {name: torch.zeros(2) for name in more}
    state[f"{PREDICTOR}level_embed.weight"] = torch.zeros(3, 63)
    with pytest.raises(InputError) as error:
        convert_state(state, file="x.pth")
    assert kinds(error) == {
        *(("checkpoint.missing", name) for name in gone),
        *(("checkpoint.left_over", name) for name in more),
        ("checkpoint.shape", f"{PREDICTOR}level_embed.weight"),
    }
    assert all(finding.file == "x.pth" for finding in error.value.findings)


@pytest.mark.parametrize(
    "name",
    [
        f"{PREDICTOR}class_embed.weight",
        f"{PIXELS}mask_features.weight",
        f"{PIXELS}transformer.encoder.layers.0.self_attn.attention_weights.weight",
        "backbone.patch_embed.proj.weight",
        "backbone.layers.1.blocks.0.attn.relative_position_bias_table",
        f"{PREDICTOR}make_3d.enc_ffn_3d.0.linear1.weight",
    ],
)
def test_a_weight_that_tells_a_size_is_missing_or_strange(name: str) -> None:
    _, state = made()
    for wrong in (None, torch.zeros(3), torch.zeros(())):
        broken: dict[str, Tensor] = {key: one for key, one in state.items() if key != name}
        if wrong is not None:
            broken[name] = wrong
        with pytest.raises(InputError) as error:
            convert_state(broken)
        assert name in {finding.record for finding in error.value.findings}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(value: float) -> None:
    _, state = made()
    names = [f"{PREDICTOR}query_embed.weight", "backbone.norm0.bias"]
    for name in names:
        state[name] = state[name].clone()
        state[name].view(-1)[1] = value
    with pytest.raises(InputError, match=r"1 of \d+ weights are not finite") as error:
        convert_state(state)
    assert kinds(error) == {("checkpoint.nan", name) for name in names}


def test_weights_of_integers() -> None:
    _, state = made()
    state["backbone.norm0.bias"] = state["backbone.norm0.bias"].to(torch.int8)
    with pytest.raises(InputError) as error:
        convert_state(state)
    assert kinds(error) == {("checkpoint.type", "backbone.norm0.bias")}


def test_halves_become_float32_and_doubles_stay() -> None:
    _, state = made()
    assert convert_state({key: one.half() for key, one in state.items()}).model.dtype == torch.float32
    assert convert_state({key: one.double() for key, one in state.items()}).model.dtype == torch.float64


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"backbone.bottom_up.res2.0.conv1.weight": 0, "roi_heads.mask_head.weight": 0}, "RoI heads"),
        ({"vita_module.query_feat.weight": 0}, "VITA"),
        ({"image_encoder.patch_embed.proj.weight": 0}, "Segment Anything"),
        ({"model.pixel_level_module.encoder.weight": 0}, "transformers' hub"),
        ({"pixels.decoder.level_embed": 0}, "a model of entityseg already"),
        ({"layers.0.blocks.0.norm1.weight": 0}, "they begin with: layers"),
    ],
)
def test_files_of_other_programs(state: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        convert_state({name: torch.zeros(2) for name in state})
    assert kinds(error) == {("checkpoint.family", None)}


def test_a_backbone_that_is_not_known() -> None:
    _, state = made("mask2former")
    other = {key.replace("backbone.", "backbone.vit."): one for key, one in state.items()}
    with pytest.raises(InputError, match=r"checkpoint\.backbone"):
        convert_state(other)


def test_options_that_do_not_fit() -> None:
    _, state = made("mask2former", num_labels=7, task="instance")
    with pytest.raises(UsageError, match=r"7 classes.*checkpoint\.task"):
        convert_state(state)
    assert convert_state(state, task="instance").model.config.num_labels == 7
    with pytest.raises(UsageError, match=r"checkpoint\.heads"):
        convert_state(state, task="instance", heads=5)
    assert convert_state(state, task="instance", heads=2).model.config.heads == 2
    for family in ("cropformer", "vita", "yolo"):
        with pytest.raises(UsageError, match="checkpoint.family"):
            convert_state(state, family=family)


def test_assumptions_are_told() -> None:
    """All that no shape tells, unless the caller says it."""
    released = {"pre_norm": False, "heads": 4}
    _, state = made("mask2former", "hornet")
    assert convert_state(state).assumed == {**released, "gate_scale": 1 / 3}
    assert convert_state(state, gate_scale=0.5, pre_norm=False, heads=2).assumed == {}
    assert convert_state(state, gate_scale=0.5).model.config.backbone_config.gate_scale == 0.5
    _, state = made()
    assert convert_state(state).assumed == {**released, "association_heads": 4}
    found = convert_state(state, heads=2, association_heads=8, pre_norm=True)
    assert found.assumed == {}
    config = found.model.config
    assert (config.heads, config.association_heads, config.pre_norm) == (2, 8, True)
    _, state = made("mask2former", num_labels=150, task="panoptic")
    assert convert_state(state).assumed == {**released, "task": "semantic"}
    assert convert_state(state, task="panoptic").assumed == {**released, "things": "all"}


@pytest.mark.parametrize(
    ("name", "backbone", "option", "kind", "field"),
    [
        ("mask2former", "swin", {"association_heads": 4}, "checkpoint.option", "association_heads"),
        ("cropformer", "swin", {"association_heads": 3}, "checkpoint.heads", "association_heads"),
        ("cropformer", "swin", {"heads": 0}, "checkpoint.heads", "heads"),
        ("mask2former", "swin", {"gate_scale": 0.5}, "checkpoint.option", "gate_scale"),
        ("mask2former", "hornet", {"gate_scale": float("nan")}, "checkpoint.option", "gate_scale"),
        ("mask2former", "hornet", {"gate_scale": -1.0}, "checkpoint.option", "gate_scale"),
        ("mask2former", "hornet", {"task": "caption"}, "checkpoint.task", "task"),
    ],
)
def test_what_is_given_must_make_sense(
    name: str, backbone: str, option: dict[str, Any], kind: str, field: str
) -> None:
    _, state = made(name, backbone)
    with pytest.raises(UsageError) as error:
        convert_state(state, **option)
    assert [(one.kind, one.field) for one in error.value.findings] == [(kind, field)]


def test_categories_name_the_classes(tmp_path: Path) -> None:
    _, state = made("mask2former", num_labels=80, task="instance")
    listed = [{"id": 2 * index + 5, "name": f"c{index}", "isthing": index % 3 > 0} for index in range(80)]
    path = tmp_path / "categories.json"
    path.write_text(json.dumps({"categories": listed}))
    config = convert_state(state, categories=path).model.config
    assert config.category_ids == [2 * index + 5 for index in range(80)]
    assert config.id2label[3] == "c3"
    assert config.things == [index for index in range(80) if index % 3]
    path.write_text(json.dumps({"instance": [{"id": index, "name": "x"} for index in range(80)]}))
    config = convert_state(state, categories=path).model.config
    assert config.category_ids == list(range(80)) and config.things is None


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        ([{"id": 1, "name": "a"}], "checkpoint.categories"),
        ([], "categories.content"),
        ({"panoptic": []}, "categories.content"),
        ([{"id": 1}, {"id": "2", "name": "b"}, 3], "categories.entry"),
        ([{"id": 1, "name": "a"}] * 2, "categories.twice"),
    ],
)
def test_categories_that_do_not_fit(held: Any, kind: str, tmp_path: Path) -> None:
    _, state = made("mask2former", num_labels=80, task="instance")
    path = tmp_path / "categories.json"
    path.write_text(json.dumps(held))
    with pytest.raises((InputError, UsageError)) as error:
        convert_state(state, categories=path)
    assert {finding.kind for finding in error.value.findings} == {kind}


def test_the_released_lists_of_categories_fit(shared_data: Path) -> None:
    from entityseg.baselines.checkpoints.categories import read_categories

    path = shared_data / "entityseg_categories.json"
    for task, count, things in (("instance", 206, 206), ("panoptic", 350, 279), ("semantic", 150, 0)):
        found = read_categories(path, task=task)
        assert len(found.ids) == count
        assert sum(thing is True for thing in found.things) == things
