"""Configs: every recipe resolves and is the network that it says; what is wrong with a file is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from entityseg.baselines.models import model_class
from entityseg.baselines.training.building import (
    build_criterion,
    build_processor,
    model_config,
)
from entityseg.baselines.training.config import TrainingConfig
from entityseg.baselines.training.reading import RECIPES, read_config, recipe_names
from entityseg.baselines.training.schedule import lr_factor
from entityseg.errors import InputError, MissingFileError, UsageError

BASE = "base: tiny-cropformer\n"
DOCS = Path(__file__).resolve().parents[3] / "docs" / "training.md"
# Millions of parameters: of the released networks, of a head of 350 classes, and of a Swin-L with other queries.
PARAMETERS = {
    "cropformer-swin-tiny": 48.98,
    "cropformer-swin-tiny-1x": 48.98,
    "cropformer-hornet-large": 222.2,
    "mask2former-entity-swin-tiny": 47.40,
    "mask2former-entity-swin-tiny-1x": 47.40,
    "mask2former-entity-r50-coco": 43.9,
    "vmask2former-swin-tiny-1x": 47.40,
    "tiny-mask2former": 1.078,
    "tiny-cropformer": 1.128,
}


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_a_network_with_the_right_number_of_parameters(name: str) -> None:
    config = read_config(name)
    assert config.name == name
    assert config.about
    network = model_config(config)
    with torch.device("meta"):
        model = model_class(config.model.family)(network)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    if name in PARAMETERS:
        assert millions == pytest.approx(PARAMETERS[name], rel=0.005)
    assert network.num_labels == (config.model.classes or 1)
    assert build_processor(config).view_count == (1 if config.model.family == "mask2former" else 5)
    build_criterion(config)


def test_all_rows_of_the_tables_have_a_recipe() -> None:
    names = set(recipe_names())
    for task in ("entity", "instance", "semantic", "panoptic"):
        for row in ("r50-imagenet", "r50-coco", "swin-tiny", "swin-large"):
            config = read_config(f"mask2former-{task}-{row}")
            assert config.task == task
            assert config.model.pretraining == ("imagenet" if row.endswith("imagenet") else "coco")
    assert {"cropformer-swin-tiny", "cropformer-swin-large", "cropformer-hornet-large"} <= names


@pytest.mark.parametrize(
    ("name", "batch", "steps", "drops"),
    [
        ("cropformer-swin-tiny-1x", 16, 34375, (30525, 33138)),
        ("cropformer-swin-tiny", 16, 103125, (91575, 99414)),
        ("cropformer-swin-large", 8, 206250, (183150, 198828)),
    ],
)
def test_schedules_are_those_of_paper_and_release(
    name: str, batch: int, steps: int, drops: tuple[int, int]
) -> None:
    released = read_config(name)
    assert (released.run.batch, released.schedule.steps, released.optimizer.lr) == (batch, steps, 1e-4)
    assert lr_factor(released.schedule, 0) == 1
    assert lr_factor(released.schedule, steps // 2) == pytest.approx(0.5**0.9, rel=1e-3)
    paper = read_config(name, ["schedule.kind=step", "optimizer.lr=2e-4", "loss.image_level=1"])
    assert (paper.optimizer.lr, paper.loss.image_level) == (2e-4, 1)
    for place, before, after in ((drops[0], 1, 0.1), (drops[1], 0.1, 0.01)):
        assert lr_factor(paper.schedule, place - 1) == pytest.approx(before)
        assert lr_factor(paper.schedule, place) == pytest.approx(after)


def test_commands_of_the_documentation_resolve() -> None:
    commands = re.findall(
        r"entityseg train ([a-z0-9-]+)((?: +(?:--data \S+|--out \S+|[a-z_.0-9]+=[^\s`]+))+)", DOCS.read_text()
    )
    assert len(commands) > 20
    digests = set()
    for recipe, rest in commands:
        overrides = [one for one in rest.split() if "=" in one]
        config = read_config(recipe, overrides)
        model_config(config)
        digests.add(config.digest())
    assert len(digests) > 15


def test_overrides_reach_every_depth_and_take_yaml() -> None:
    config = read_config(
        "tiny-cropformer",
        [
            "optimizer.lr=2e-4",
            "views.short_sides=[96, 128]",
            "data.validation=null",
            "model.options.queries=7",
        ],
    )
    assert config.optimizer.lr == 2e-4
    assert config.views.short_sides == (96, 128)
    assert config.data.validation is None
    assert model_config(config).queries == 7
    assert read_config("tiny-cropformer", ["data.train.split=val"]).data.train.split == "val"


def test_equal_settings_have_equal_digests_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("base: tiny-cropformer\nrun: {seed: 4}\n")
    written = read_config(tmp_path / "mine.yaml")
    assert written.digest() == read_config("tiny-cropformer", ["run.seed=4"]).digest()
    assert written.digest() != read_config("tiny-cropformer").digest()
    again = TrainingConfig.model_validate(written.resolved())
    assert again == written


def test_another_kind_of_backbone_takes_nothing_of_the_one_beneath(tmp_path: Path) -> None:
    text = "base: [cropformer-swin-tiny]\nmodel: {backbone: {model_type: hornet, embed_dim: 64}}\n"
    (tmp_path / "mine.yaml").write_text(text)
    assert read_config(tmp_path / "mine.yaml").model.backbone == {"model_type": "hornet", "embed_dim": 64}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run: {seed: 1}\nrun: {seed: 2}\n", r"line 2, column 1: the key 'run' comes twice"),
        ("run: {seed: 1, seed: 2}\n", r"line 1, column 16: the key 'seed' comes twice"),
        (f"{BASE}run: {{sed: 1}}\n", r"run\.sed: there is no such setting .*Did you mean 'seed'\?"),
        (f"{BASE}runs: {{}}\n", r"runs: there is no such setting .*Did you mean 'run'\?"),
        (f"{BASE}run: {{seed: -1}}\n", r"run\.seed: Input should be greater than or equal to 0 \(got -1\)"),
        (f"{BASE}run: {{seed: many}}\n", r"run\.seed: Input should be a valid integer"),
        (f"{BASE}optimizer: {{lr: .nan}}\n", r"optimizer\.lr: Input should be a finite number"),
        (f"{BASE}views: {{crops: none}}\n", r"views\.crops is none; cropformer needs a scheme of crops"),
        (f"{BASE}views: {{jitter: [0.1, 2.0]}}\n", r"views\.jitter needs views\.window"),
        (f"{BASE}run: {{batch: 3, accumulate: 2}}\n", r"run\.batch 3 is no multiple of run\.accumulate 2"),
        ("run: [\n", r"line 2, column 1: expected the node content"),
        ("a: &x 1\nb: *x\n", r"line 2, column 4: aliases"),
        ("? [a]\n: 1\n", r"a key is no plain word"),
        ("run: !!python/object/apply:os.system ['true']\n", r"could not determine a constructor"),
        ("- 1\n", r"the file holds a list"),
        ("", r"the file holds nothing"),
        ("base: nothing-of-this-name\n", r"there is no such base"),
        ("base: mine\n", r"based on itself"),
        ("name: x\n", r"model: the setting is missing"),
        ("\0", r"mine\.yaml"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises((InputError, UsageError), match=message):
        read_config(path)


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        read_config("tiny-cropformer", ["run.sed=1", "loss.mask=-1", "optimiser.lr=1"])
    kinds = sorted(finding.kind for finding in caught.value.findings)
    assert kinds == ["config.key", "config.key", "config.value"]
    assert "(override)" in str(caught.value)


@pytest.mark.parametrize(
    "override", ["seed", "=3", "run..seed=3", "views.short_sides.7=3", "run.seed=[", "a b=3"]
)
def test_overrides_that_make_no_sense(override: str) -> None:
    with pytest.raises(UsageError):
        read_config("tiny-cropformer", [override])


def test_names_that_there_are_not() -> None:
    with pytest.raises(UsageError, match="Did you mean the recipe 'tiny-cropformer'"):
        read_config("tiny-cropfromer")
    with pytest.raises(MissingFileError):
        read_config("nowhere/mine.yaml")
    with pytest.raises(UsageError):
        read_config("../recipes/tiny-cropformer")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.options.querys=5", "Did you mean 'queries'"),
        ("model.backbone.embed_dims=5", "Did you mean 'embed_dim'"),
        ("model.options.task=panoptic", "no such setting"),
    ],
)
def test_network_settings_that_there_are_not(override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model_config(read_config("tiny-cropformer", [override]))


@pytest.mark.parametrize(
    ("family", "missing"),
    [("vmask2former", "I-O"), ("mask2former", "B-O"), ("cropformer", None), ("vita", None)],
)
def test_what_a_family_cannot_be_read_from_is_said_before_it_is_trained(
    family: str, missing: str | None
) -> None:
    recipe = "tiny-mask2former" if family == "mask2former" else "tiny-cropformer"
    for outputs in ("I-O", "B-O", "B-C", "B-OC"):
        settings = [f"model.family={family}", f"evaluation.outputs={outputs}"]
        if outputs == missing:
            with pytest.raises(UsageError, match=f"{family} has"):
                read_config(recipe, settings)
        elif family != "mask2former" or outputs == "I-O":
            assert read_config(recipe, settings).evaluation.outputs == outputs


def test_parts_that_recipes_share_are_no_recipes() -> None:
    assert not any(name.startswith("_") for name in recipe_names())
    shared = {path.stem for path in RECIPES.glob("_*.yaml")}
    bases = [re.findall(r"^base: (.*)$", path.read_text(), re.MULTILINE) for path in RECIPES.glob("*.yaml")]
    assert shared == {name for lines in bases for line in lines for name in re.findall(r"_[a-z0-9-]+", line)}
